# SPDX-License-Identifier: LGPL-2.1-or-later
"""Choosing a reader by content, and guests that are nothing but disk images."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import ConfigError, SourceError
from v2v.model import DiskFormat, Display, Firmware, Hypervisor, NetworkKind
from v2v.source_json import machine_json
from v2v.sources import SOURCES, config_file, guests, identity, kind_of, read
from v2v.sources.xen import GuestType, derived_mac, disk_bus, slot

XL = b"name = 'web'\nmemory = 512\nbootloader = 'pygrub'\ndisk = [ 'web.img,raw,xvda,rw' ]\n"
VMX = b'.encoding = "UTF-8"\ndisplayName = "web"\nscsi0:0.fileName = "web.vmdk"\n'
XML = b"<domain type='kvm'><name>web</name></domain>"
MBR = bytes(510) + b"\x55\xaa"


def at(offset: int, magic: bytes) -> bytes:
    return (b"\x01" * offset + magic).ljust(config_file.HEAD, b"\x01")


KINDS = [
    ("xl", XL),
    ("xm", b"# xm\nimport os\nmemory = 512 * 2\n"),
    ("xl", b"# Gr\xfc\xdfe\r\nvif = [ '' ]\r\n"),
    ("vmx", VMX),
    ("vmx", b" memsize = 512\n"),
    ("libvirt", XML),
    ("libvirt", b"<!-- virsh --><domain type='xen'\n  id='1'>\n"),
    ("libvirt", b"<!DOCTYPE domain [<!ENTITY a 'b'>]><domain>"),
    ("libvirt", "<domain type='kvm'/>".encode("utf-16")),
    ("disk", MBR),
    ("disk", bytes(1 << 20)),
    ("disk", at(0, b"QFI\xfb\0\0\0\x03")),
    ("disk", at(0, b"KDMV")),
    ("disk", at(0, b"COWD")),
    ("disk", b'# Disk DescriptorFile\nversion=1\nencoding="UTF-8"\nddb.adapterType = "ide"\n'),
    ("disk", at(0, b"conectix")),
    ("disk", at(0, b"vhdxfile")),
    ("disk", at(0x40, b"\x7f\x10\xda\xbe")),
    ("disk", at(0, b"WithouFreSpacExt")),
    ("disk", at(512, b"EFI PART")),
    ("disk", at(1080, b"\x53\xef")),
    ("disk", at(0, b"XFSB")),
    ("disk", at(65600, b"_BHRfS_M")),
    ("disk", at(4086, b"SWAPSPACE2")),
    ("disk", at(512, b"LABELONE")),
    ("disk", at(0, b"LUKS\xba\xbe")),
]


@pytest.mark.parametrize(("kind", "data"), KINDS)
def test_content_tells_the_kind_and_no_two_kinds_agree(kind: str, data: bytes) -> None:
    assert [source.name for source in SOURCES if source.matches(data[: config_file.HEAD])] == [kind]


def test_names_of_files_do_not_tell(tmp_path: Path) -> None:
    path = tmp_path / "web.vmdk"
    path.write_bytes(XL)
    assert read([path]).kind == "xl"
    path.write_bytes(VMX)
    assert read([path]).kind == "vmx"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "no kind of source is known that looks like this"),
        (b"[project]\nname = 'x'\n", "no kind of source is known"),
        (b"<ovf:Package/>", "no kind of source is known"),
        (b"\x7fELF" + bytes(100), "no kind of source is known"),
        (b'memsize = "64"\nmemory = 64\n', "could be xl and vmx"),
    ],
)
def test_unknown_content_is_refused_with_the_kinds_there_are(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "thing"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        read([path])
    assert caught.value.finding.code == "E-SOURCE-UNKNOWN"
    hint = caught.value.finding.hint or ""
    assert all(f"{source.name}: " in hint for source in SOURCES)


def test_a_kind_can_be_forced(tmp_path: Path) -> None:
    path = tmp_path / "web"
    path.write_bytes(XL)
    assert read([path], "disk").kind == "disk"
    path.write_bytes(b"name = 'x'\n")
    assert read([path], "xl").kind == "xl"
    with pytest.raises(SourceError, match="not XML"):
        read([path], "libvirt")


def test_an_unknown_kind_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown kind of source 'ovirt'") as caught:
        read([tmp_path / "x"], "ovirt")
    assert caught.value.finding.code == "E-SOURCE-KIND"


@pytest.mark.parametrize("kind", [None, "xl", "vmx", "libvirt"])
def test_a_missing_file_is_named(tmp_path: Path, kind: str | None) -> None:
    with pytest.raises(SourceError, match=r"/web\.cfg: no such file") as caught:
        read([tmp_path / "web.cfg"], kind)
    assert caught.value.finding.code == "E-SOURCE-MISSING"


def test_a_path_that_cannot_be_is_a_missing_file() -> None:
    with pytest.raises(SourceError, match="no such file"):
        read([Path("a\0b")])


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has no OVF file") as caught:
        read([tmp_path])
    assert caught.value.finding.code == "E-OVA-OVF"
    with pytest.raises(SourceError, match="Is a directory"):
        read([tmp_path], "xl")


def test_a_huge_file_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "web.cfg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(SourceError, match="larger than any configuration file") as caught:
        read([path], "xl")
    assert caught.value.finding.code == "E-SOURCE-SIZE"


def test_one_guest_is_one_configuration(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(XL)
    second.write_bytes(MBR)
    for paths in ([first, second], [second, first], [first, first]):
        with pytest.raises(SourceError, match="one guest is one xl file, 2 are given") as caught:
            read(paths)
        assert caught.value.finding.code == "E-SOURCE-MANY"
    with pytest.raises(SourceError, match="no source is given"):
        read([])


def test_a_source_of_one_guest_offers_no_choice(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(XL)
    with pytest.raises(ConfigError, match="kind xl is one guest"):
        read([path], system="web")


def test_guests_are_told_apart(tmp_path: Path) -> None:
    contents = {"a.img": MBR, "b.cfg": XL, "c.img": MBR, "d.vmx": VMX}
    paths = [tmp_path / name for name in contents]
    for path, data in zip(paths, contents.values(), strict=True):
        path.write_bytes(data)
    a, b, c, d = paths
    assert guests(paths) == ((a, c), (b,), (d,))
    assert guests(paths, "disk") == ((a, b, c, d),)
    assert guests([b, b], "xl") == ((b,), (b,))
    with pytest.raises(ConfigError, match="unknown kind"):
        guests(paths, "x")


def test_relative_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("web.cfg").write_bytes(XL)
    found = read([Path("web.cfg")])
    assert found.folder == tmp_path
    assert found.disks[0].path == str(tmp_path / "web.img")


def test_disk_images_are_a_guest_with_invented_hardware() -> None:
    found = read([Path("/srv/web.qcow2"), Path("/data/more.img")], "disk")
    assert (found.name, found.memory_bytes, found.vcpus) == ("web", 2048 << 20, 1)
    assert found.hypervisor is Hypervisor.unknown
    assert found.firmware is Firmware.unknown
    assert found.features == ("acpi", "apic", "pae")
    assert found.folder == Path("/srv")
    assert [disk.path for disk in found.disks] == ["/srv/web.qcow2", "/data/more.img"]
    assert [disk.format for disk in found.disks] == [None, None]
    assert [(nic.network.kind, nic.network.name) for nic in found.nics] == [
        (NetworkKind.network, "default")
    ]


def test_a_format_can_be_forced(tmp_path: Path) -> None:
    path = tmp_path / "web.img"
    found = read([path], "disk", DiskFormat.vpc)
    assert [disk.format for disk in found.disks] == [DiskFormat.vpc]
    path.write_bytes(XL)
    assert read([path]).disks[0].format is DiskFormat.raw
    assert read([path], disk_format=DiskFormat.vpc).disks[0].format is DiskFormat.vpc


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("web.img", "web"),
        ("web.qcow2", "web"),
        ("web-sda", "web"),
        ("web.1.raw", "web.1"),
        ("web", "web"),
        ("web.vmx", "web"),
        ("a b.vmtx", "a b"),
    ],
)
def test_a_file_name_makes_a_guest_name(file: str, name: str) -> None:
    assert identity.name_from_file(Path("/srv") / file) == name


@pytest.mark.parametrize("file", [".img", "-sda", ".vmx"])
def test_a_file_name_of_nothing_but_a_suffix_makes_none(file: str) -> None:
    with pytest.raises(SourceError, match="no guest name can be made") as caught:
        identity.name_from_file(Path("/srv") / file)
    assert caught.value.finding.code == "E-SOURCE-NAME"


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("00:16:3E:01:02:AB", "00:16:3e:01:02:ab"),
        ("0:16:3e:1:2:3", "00:16:3e:01:02:03"),
        ("00-16-3e-01-02-03", "00:16:3e:01:02:03"),
        ("00:00:00:00:00:00", None),
        ("00:16-3e:01:02:03", None),
        ("00:16:3e:01:02:03:04", None),
        ("00163e010203", None),
        ("", None),
    ],
)
def test_mac_addresses_have_one_form(text: str, mac: str | None) -> None:
    assert identity.mac_address(text) == mac


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        ("56 4d 8a 3e 2b 91 4c 07-9e 65 d0 1f 7a c4 33 58", "564d8a3e-2b91-4c07-9e65-d01f7ac43358"),
        ("{564D8A3E-2B91-4C07-9E65-D01F7AC43358}", "564d8a3e-2b91-4c07-9e65-d01f7ac43358"),
        ("564d8a3e", None),
        ("", None),
    ],
)
def test_uuids_have_one_form(text: str, uuid: str | None) -> None:
    assert identity.uuid_text(text) == uuid


def test_positions_of_device_names() -> None:
    names = ("xvda", "xvdb1", "hdc", "sdaa", "vdz", "sr0", "d0p1", "xvdaaaa")
    assert [slot(name) for name in names] == [0, 1, 2, 26, 25, 0, None, None]


def test_pvh_guests_have_no_emulated_controllers() -> None:
    assert disk_bus(GuestType.pvh, "hda") == "xen"


@given(st.text(), st.integers(0, 100))
def test_derived_mac_addresses_are_in_the_range_of_xen(seed: str, index: int) -> None:
    mac = derived_mac(seed, index)
    assert identity.mac_address(mac) == mac
    assert mac.startswith("00:16:3e:")
    assert int(mac.split(":")[3], 16) < 0x80


def test_passwords_stay_out_of_reports(tmp_path: Path) -> None:
    path = tmp_path / "web.cfg"
    path.write_bytes(XL + b"vnc = 1\nvncpasswd = 'secret'\nvnclisten = '::1'\n")
    machine = read([path])
    assert machine.display == Display("vnc", "::1", password="secret")
    assert machine_json(machine)["display"] == {
        "kind": "vnc",
        "listen": "::1",
        "port": None,
        "keymap": None,
    }


@given(st.binary(max_size=2048))
def test_any_bytes_have_a_kind_or_none(data: bytes) -> None:
    assert len([source for source in SOURCES if source.matches(data)]) <= 2


def test_detection_is_quick_on_hostile_text() -> None:
    for data in (b"<!--" * 20_000, b"<!" * 30_000, b" " * 60_000 + b"x", b"disk " * 14_000):
        assert [source.name for source in SOURCES if source.matches(data)] == []


def test_kind_of_names_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(XML)
    assert kind_of(path).name == "libvirt"
