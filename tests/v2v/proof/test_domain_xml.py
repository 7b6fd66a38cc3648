# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading domain XML: libvirt's defaults are filled in, what cannot be tried is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.v2v.proof.making import MINIMAL, placed
from v2v.errors import ProofError, SourceError, V2VError
from v2v.model import Bus
from v2v.proof.domain import read
from v2v.proof.hardware import Cpu, Device, Place, Uefi, Variant

DISK = '<disk type="file"><source file="web.raw"/><target dev="vda"/></disk>'
OS = '<os><type arch="x86_64" machine="q35">hvm</type></os>'


def changed(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_what_a_minimal_domain_leaves_out_is_as_libvirt_fills_it(tmp_path: Path) -> None:
    found = read(placed(MINIMAL, tmp_path))
    assert (found.name, found.q35, found.memory_kib, found.vcpus) == ("web", True, 524288, 1)
    assert found.cpu == Cpu("qemu64")
    assert not found.acpi
    (disk,) = found.drives
    assert (disk.bus, disk.format, disk.boot, disk.path) == (
        *(Bus.virtio, "raw", 1),
        tmp_path / "web.raw",
    )
    assert found.balloon == Device()
    assert found.usb == Device("machine")
    assert (found.video, found.rng, found.channels, found.serials) == (None, None, None, 0)


@pytest.mark.parametrize(
    ("unit", "kib"),
    [("", 4096), (' unit="b"', 4), (' unit="KB"', 4000), (' unit="M"', 4194304)],
)
def test_memory_is_read_in_every_unit(unit: str, kib: int, tmp_path: Path) -> None:
    xml = changed('<memory unit="MiB">512', f"<memory{unit}>4096")
    assert read(placed(xml, tmp_path)).memory_kib == kib


def test_disks_without_a_bus_or_address_are_where_libvirt_puts_them(tmp_path: Path) -> None:
    names = ("hdc", "sda", "sdi", "vdz")
    disks = "".join(DISK.replace("vda", name) for name in names)
    found = read(placed(changed(DISK, disks), tmp_path))
    assert [(drive.bus, drive.place) for drive in found.drives] == [
        (Bus.ide, Place(bus=1, unit=0)),
        (Bus.scsi, Place(controller=0, unit=0)),
        (Bus.scsi, Place(controller=1, unit=1)),
        (Bus.virtio, Place(controller=3, unit=4)),
    ]
    assert found.scsi == ((0, Device("lsilogic")), (1, Device("lsilogic")))
    assert [drive.boot for drive in found.drives] == [1, None, None, None]


def test_a_boot_order_of_devices_is_taken_as_it_is(tmp_path: Path) -> None:
    second = DISK.replace("vda", "vdb").replace("</disk>", '<boot order="1"/></disk>')
    found = read(placed(changed(DISK, DISK + second), tmp_path))
    assert [drive.boot for drive in found.drives] == [None, 1]


@pytest.mark.parametrize(
    ("model", "variant"),
    [
        ("virtio", Variant.any),
        ("virtio-transitional", Variant.transitional),
        ("virtio-non-transitional", Variant.modern),
    ],
)
def test_kinds_of_virtio_are_kept(model: str, variant: Variant, tmp_path: Path) -> None:
    nic = f'<interface type="user"><model type="{model}"/></interface>'
    controller = f'<controller type="scsi" model="{model.replace("virtio", "virtio-scsi", 1)}"/>'
    if variant is not Variant.any:
        controller = f'<controller type="scsi" model="{model}"/>'
    found = read(placed(changed(DISK, DISK + nic + controller), tmp_path))
    assert found.cards[0].device == Device("virtio", variant)
    assert found.scsi == ((0, Device("virtio-scsi", variant)),)


@pytest.mark.parametrize(
    ("consoles", "counts"),
    [
        ('<console type="pty"/>', (1, 0)),
        ('<serial type="pty"/><console type="pty"><target type="serial"/></console>', (1, 0)),
        ('<serial type="pty"/><serial type="pty"><target type="isa-serial"/></serial>', (2, 0)),
        ('<console type="pty"><target type="virtio"/></console>', (0, 1)),
        ('<serial type="pty"/><console><target type="virtio"/></console>', (1, 1)),
        ('<serial type="pty"><target type="usb-serial"/></serial>', (0, 0)),
    ],
)
def test_consoles_are_counted_once(consoles: str, counts: tuple[int, int], tmp_path: Path) -> None:
    found = read(placed(changed(DISK, DISK + consoles), tmp_path))
    assert (found.serials, found.virtio_consoles) == counts
    assert (found.channels is not None) == bool(counts[1])


def test_graphics_bring_a_card_and_none_takes_devices_away(tmp_path: Path) -> None:
    assert read(placed(changed(DISK, '<graphics type="vnc"/>'), tmp_path)).video == Device("vga")
    none = (
        '<graphics type="vnc"/><video><model type="none"/></video><memballoon model="none"/>'
        '<controller type="usb" model="none"/>'
    )
    found = read(placed(changed(DISK, none), tmp_path))
    assert (found.video, found.balloon, found.usb) == (None, None, None)


SECURE = '<firmware><feature enabled="yes" name="secure-boot"/>{}</firmware></os>'


@pytest.mark.parametrize(
    ("os", "uefi"),
    [
        (OS, None),
        (OS.replace("<os>", '<os firmware="bios">'), None),
        (OS.replace("<os>", '<os firmware="efi">'), Uefi()),
        (
            OS.replace("<os>", '<os firmware="efi">').replace("</os>", SECURE.format("")),
            Uefi(secure=True, enrolled=True),
        ),
        (
            OS.replace("<os>", '<os firmware="efi">').replace(
                "</os>", SECURE.format('<feature enabled="no" name="enrolled-keys"/>')
            ),
            Uefi(secure=True, enrolled=False),
        ),
        (
            OS.replace("<os>", '<os firmware="efi">').replace(
                "</os>", '<loader secure="yes"/><nvram>absent</nvram></os>'
            ),
            Uefi(secure=True, enrolled=True),
        ),
    ],
)
def test_firmware_is_read(os: str, uefi: Uefi | None, tmp_path: Path) -> None:
    assert read(placed(changed(OS, os), tmp_path)).uefi == uefi


def test_a_bios_image_of_its_own_is_used(tmp_path: Path) -> None:
    found = read(placed(changed("</os>", "<loader type='rom'>own.bin</loader></os>"), tmp_path))
    assert found.bios == tmp_path / "own.bin"
    assert found.uefi is None


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ('<hostdev mode="subsystem" type="pci"/>', "hostdev"),
        ('<interface type="hostdev"/>', "hostdev"),
        ('<tpm model="tpm-crb"/>', "tpm"),
        ('<filesystem type="mount"/>', "filesystem"),
    ],
)
def test_devices_that_are_left_out_are_named(device: str, kind: str, tmp_path: Path) -> None:
    (warning,) = read(placed(changed(DISK, DISK + device), tmp_path)).warnings
    assert warning.code == "W-PROOF-DEVICE"
    assert warning.message.startswith(f"{kind}: ")


def test_options_for_qemu_in_the_xml_are_not_passed_on(tmp_path: Path) -> None:
    xml = changed(
        "</domain>",
        '<q:commandline xmlns:q="http://libvirt.org/schemas/domain/qemu/1.0">'
        '<q:arg value="-readconfig"/></q:commandline></domain>',
    )
    (warning,) = read(placed(xml, tmp_path)).warnings
    assert warning.message.startswith("qemu:commandline: ")


BAD = [
    ('type="kvm"', 'type="xen"', "E-PROOF-DOMAIN", "domain type: 'xen' cannot be put to the proof"),
    (">hvm<", ">linux<", "E-PROOF-DOMAIN", "os type: 'linux'"),
    ("x86_64", "aarch64", "E-PROOF-DOMAIN", "architecture: 'aarch64'"),
    ('"q35"', '"microvm"', "E-PROOF-DOMAIN", "machine type: 'microvm'"),
    (">512<", ">lots<", "E-PROOF-DOMAIN", "memory: not a number: 'lots'"),
    (">512<", ">-1<", "E-PROOF-DOMAIN", "memory: negative: -1"),
    (">512<", ">0<", "E-PROOF-DOMAIN", "memory: the XML gives the guest none"),
    ('"MiB"', '"furlong"', "E-PROOF-DOMAIN", "memory unit: 'furlong'"),
    ("<os>", "<uuid>a,b=c</uuid><os>", "E-PROOF-DOMAIN", "uuid: not a UUID: 'a,b=c'"),
    ("<os>", "<cpu><model>max,enforce</model></cpu><os>", "E-PROOF-DOMAIN", "cpu: bad name"),
    ("<os>", '<cpu mode="odd"/><os>', "E-PROOF-DOMAIN", "cpu mode: 'odd'"),
    ('dev="vda"', 'dev="../x"', "E-PROOF-DISK", r"disk target '../x': not a name that libvirt"),
    ('dev="vda"', 'dev="xvda"', "E-PROOF-DOMAIN", "disk xvda: bus: 'xen' cannot be put to"),
    ('dev="vda"', 'dev="vda" bus="nvme"', "E-PROOF-DOMAIN", "disk vda: bus: 'nvme'"),
    ('type="file"', 'type="network"', "E-PROOF-DISK", "disk vda: of type 'network', which is not"),
    ('type="file"', 'type="volume"', "E-PROOF-DISK", "disk vda: of type 'volume', which is not"),
    ('file="web.raw"', 'file="absent"', "E-PROOF-DISK", "absent: No such file or directory"),
    ('file="web.raw"', 'file="/dev/null"', "E-PROOF-DISK", "not a file or block device"),
    ('<source file="web.raw"/>', "", "E-PROOF-DISK", "disk vda: the XML names no image"),
    ("</disk>", '<driver type="nbd"/></disk>', "E-PROOF-DOMAIN", "disk vda: format: 'nbd'"),
    ("</disk>", "<serial>a,b</serial></disk>", "E-PROOF-DOMAIN", "bad serial number: 'a,b'"),
    ("</disk>", '<boot order="first"/></disk>', "E-PROOF-DOMAIN", "disk vda: boot order: not a"),
    (
        *("</disk>", '<address type="pci" bus="0x100"/></disk>'),
        *("E-PROOF-DOMAIN", "<disk> address bus: 256 is more than 255"),
    ),
    (
        *("</disk>", '</disk><interface><mac address="a,b"/></interface>'),
        *("E-PROOF-DOMAIN", "interface 1: bad MAC address: 'a,b'"),
    ),
    (
        *("</disk>", '</disk><rng model="a,b"/>'),
        *("E-PROOF-DOMAIN", "<rng>: bad model name: 'a,b'"),
    ),
    ("</os>", "<kernel>absent</kernel></os>", "E-PROOF-FILE", "kernel .*absent: no such file"),
    ("</os>", "<loader>absent</loader></os>", "E-PROOF-FILE", "loader .*absent: no such file"),
]


@pytest.mark.parametrize(("old", "new", "code", "message"), BAD)
def test_what_cannot_be_tried_is_refused(
    old: str, new: str, code: str, message: str, tmp_path: Path
) -> None:
    path = placed(changed(old, new), tmp_path)
    with pytest.raises(ProofError, match=message) as refused:
        read(path)
    assert refused.value.finding.code == code


def test_a_disk_name_with_a_nul_or_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "domain.xml"
    path.write_text(changed('file="web.raw"', 'file="folder"'))
    with pytest.raises(ProofError, match="folder: not a file or block device"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not XML"),
        ("<domain", "not XML"),
        ("<domainsnapshot/>", "the root element is <domainsnapshot>"),
        (" " * 5_000_000, "too large for a domain XML"),
        (
            '<!DOCTYPE domain [<!ENTITY x SYSTEM "file:///etc/passwd">]><domain>&x;</domain>',
            "declares a DOCTYPE or entities",
        ),
    ],
)
def test_hostile_or_broken_xml_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "domain.xml"
    path.write_text(text)
    with pytest.raises((ProofError, SourceError), match=message):
        read(path)


def test_a_file_that_is_absent_or_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("absent.xml", "pipe", "."):
        with pytest.raises(V2VError, match="no such file"):
            read(tmp_path / name)
