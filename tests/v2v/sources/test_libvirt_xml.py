# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt domain XML, Xen's and others', and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import (
    Boot,
    BootMethod,
    Firmware,
    Hypervisor,
    Machine,
)
from v2v.sources import libvirt_xml

PATH = Path("/srv/guests/web.xml")


def machine(inner: str, devices: str = "", kind: str = "kvm") -> Machine:
    text = f"<domain type='{kind}'><name>web</name>{inner}<devices>{devices}</devices></domain>"
    return libvirt_xml.parse(text.encode(), PATH)


def disk(inner: str, attributes: str = "type='file'") -> str:
    return f"<disk {attributes}>{inner}</disk>"


def codes(found: Machine) -> list[str]:
    ignored = "W-SOURCE-MEMORY"  # most of these domains have none
    return [warning.code for warning in found.warnings if warning.code != ignored]


@pytest.mark.parametrize(
    ("kind", "hypervisor"),
    [
        ("xen", Hypervisor.xen),
        ("vmware", Hypervisor.vmware),
        ("qemu", Hypervisor.kvm),
        ("vbox", Hypervisor.virtualbox),
        ("lxc", Hypervisor.unknown),
    ],
)
def test_hypervisors(kind: str, hypervisor: Hypervisor) -> None:
    assert machine("<bootloader>pygrub</bootloader>", kind=kind).hypervisor is hypervisor


@pytest.mark.parametrize(
    ("memory", "size"),
    [
        ("<memory>1024</memory>", 1 << 20),
        ("<memory unit='KiB'> 1024 </memory>", 1 << 20),
        ("<memory unit='b'>4096</memory>", 4096),
        ("<memory unit='bytes'>4096</memory>", 4096),
        ("<memory unit='KB'>4096</memory>", 4_096_000),
        ("<memory unit='k'>4096</memory>", 4 << 20),
        ("<memory unit='M'>512</memory>", 512 << 20),
        ("<memory unit='MB'>512</memory>", 512_000_000),
        ("<memory unit='gib'>2</memory>", 2 << 30),
        ("<memory unit='GB'>2</memory>", 2_000_000_000),
        ("<memory unit='TiB'>1</memory>", 1 << 40),
    ],
)
def test_memory_has_units(memory: str, size: int) -> None:
    assert machine(memory).memory_bytes == size


REFUSED = [
    (b"<domain type='kvm'>", "E-XML-SYNTAX", "web.xml: not XML: "),
    (b"", "E-XML-SYNTAX", "web.xml: not XML: "),
    (b"\0\0", "E-XML-SYNTAX", "web.xml: not XML: "),
    (b"<network/>", "E-LIBVIRT-ROOT", "is not a <domain>, but <network>"),
    (b"<domain><name>x</name></domain>", "E-LIBVIRT-MISSING", "the type of <domain> is missing"),
    (b"<domain type='kvm'/>", "E-LIBVIRT-MISSING", "<name> is missing or empty"),
    (b"<domain type='kvm'><name> </name></domain>", "E-LIBVIRT-MISSING", "<name> is missing"),
    (b"<domain type='xen'><os><type>exe</type></os></domain>", "E-LIBVIRT-VALUE", "os type 'exe'"),
]


@pytest.mark.parametrize(("data", "code", "message"), REFUSED)
def test_wrong_documents_are_refused(data: bytes, code: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        libvirt_xml.parse(data, PATH)
    assert caught.value.finding.code == code


@pytest.mark.parametrize(
    ("inner", "devices", "code", "message"),
    [
        ("<memory>much</memory>", "", "E-LIBVIRT-VALUE", "<memory>: 'much' is not a number"),
        ("<memory>0</memory>", "", "E-LIBVIRT-VALUE", "<memory>: 0 KiB makes no sense"),
        ("<memory unit='EiB'>9</memory>", "", "E-LIBVIRT-VALUE", "9 EiB makes no sense"),
        ("<memory unit='pages'>1</memory>", "", "E-LIBVIRT-VALUE", "unknown unit 'pages'"),
        ("<vcpu>two</vcpu>", "", "E-LIBVIRT-VALUE", "<vcpu>: 'two' is not a number"),
        ("<vcpu>0</vcpu>", "", "E-LIBVIRT-VALUE", "<vcpu>: 0 makes no sense"),
        ("<cpu><topology sockets='x'/></cpu>", "", "E-LIBVIRT-VALUE", "<topology sockets>: 'x'"),
        ("<cpu><topology cores='0'/></cpu>", "", "E-LIBVIRT-VALUE", "<topology>: 0 makes no"),
        (
            "",
            disk("<source protocol='rbd' name='x'/><target dev='sda'/>", "type='network'"),
            "E-LIBVIRT-DISK",
            "disk sda: a disk of type network rbd cannot be read",
        ),
        (
            "",
            disk("<source pool='p' volume='v'/>", "type='volume'"),
            "E-LIBVIRT-DISK",
            "disk 0: a disk of type volume cannot be read",
        ),
        ("", disk("<target dev='sda'/>"), "E-LIBVIRT-DISK", "disk sda: has no <source file="),
        ("", disk("<source/>", "type='block'"), "E-LIBVIRT-DISK", "disk 0: has no <source dev="),
        (
            "",
            disk("<driver type='luks'/><source file='x'/>"),
            "E-LIBVIRT-DISK",
            "disk 0: unknown format 'luks'",
        ),
        (
            "",
            disk("<source file='x'/><encryption format='qcow'/>"),
            "E-LIBVIRT-DISK",
            "disk 0: is encrypted by QEMU",
        ),
        (
            "",
            disk("<source file='x'><encryption format='luks'/></source>"),
            "E-LIBVIRT-DISK",
            "disk 0: is encrypted by QEMU",
        ),
        ("", disk("", "device='tape'"), "E-LIBVIRT-VALUE", "disk 0: unknown device 'tape'"),
        ("", disk("<source file='a&#10;b'/>"), "E-DISK-PATH", r"control character .* 'a\\nb'"),
        ("", disk("<source file=' '/>"), "E-DISK-PATH", "disk 0: no image file is named"),
        (
            "",
            "<interface type='bridge'><mac address='52:54:00'/></interface>",
            "E-NIC-MAC",
            "interface 0: '52:54:00' is not a MAC address",
        ),
    ],
)
def test_wrong_values_are_refused(inner: str, devices: str, code: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        machine(inner, devices)
    assert caught.value.finding.code == code


def test_without_memory_the_guest_gets_a_gibibyte() -> None:
    found = machine("")
    assert found.memory_bytes == 1 << 30
    assert [warning.code for warning in found.warnings] == ["W-SOURCE-MEMORY"]


def test_vcpus_come_from_the_topology_where_there_is_no_number() -> None:
    assert machine("").vcpus == 1
    assert machine("<cpu><topology sockets='2' cores='3' threads='2'/></cpu>").vcpus == 12
    found = machine("<vcpu>8</vcpu><cpu><topology sockets='1' cores='2' threads='2'/></cpu>")
    assert (found.vcpus, found.topology) == (8, None)
    assert codes(found) == ["W-SOURCE-TOPOLOGY"]


def test_cpu_and_features_are_read() -> None:
    found = machine(
        "<cpu><vendor>AMD</vendor><model>Opteron_G5</model></cpu>"
        "<features><acpi/><pae/><hap state='off'/><vmport state='on'/></features>"
    )
    assert (found.cpu_vendor, found.cpu_model) == ("AMD", "Opteron_G5")
    assert found.features == ("acpi", "pae", "vmport")


@pytest.mark.parametrize(
    ("inner", "firmware", "secure"),
    [
        ("", Firmware.unknown, False),
        ("<os firmware='efi'/>", Firmware.efi, False),
        ("<os firmware='bios'/>", Firmware.bios, False),
        ("<os firmware='other'/>", Firmware.unknown, False),
        ("<os><loader type='pflash'>/x.fd</loader></os>", Firmware.efi, False),
        ("<os><loader type='pflash' secure='yes'>/x.fd</loader></os>", Firmware.efi, True),
        ("<os><loader>/usr/lib/xen/boot/ovmf.bin</loader></os>", Firmware.efi, False),
        ("<os><loader>/usr/lib/xen/boot/hvmloader</loader></os>", Firmware.bios, False),
        (
            "<os firmware='efi'><firmware><feature name='secure-boot' enabled='yes'/></firmware>"
            "</os>",
            Firmware.efi,
            True,
        ),
        (
            "<os firmware='efi'><firmware><feature name='enrolled-keys' enabled='yes'/>"
            "<feature name='secure-boot' enabled='no'/></firmware></os>",
            Firmware.efi,
            False,
        ),
    ],
)
def test_firmware(inner: str, firmware: Firmware, secure: bool) -> None:
    found = machine(inner)
    assert (found.firmware, found.secure_boot) == (firmware, secure)


@pytest.mark.parametrize(
    ("inner", "boot"),
    [
        ("<bootloader>/usr/bin/pygrub</bootloader>", Boot(BootMethod.pygrub)),
        (
            "<os><type>linux</type><kernel>/k</kernel><initrd>/i</initrd>"
            "<root>/dev/xvda</root><cmdline>ro</cmdline></os>",
            Boot(BootMethod.direct, "/k", "/i", "root=/dev/xvda ro"),
        ),
        (
            "<os><type>xen</type><kernel>/x/pv-grub-x86_32.gz</kernel></os>",
            Boot(BootMethod.pvgrub, "/x/pv-grub-x86_32.gz"),
        ),
        ("<os><type>hvm</type></os>", Boot(BootMethod.hvm)),
        (
            "<os><type>xenpvh</type><kernel>/k</kernel></os>",
            Boot(BootMethod.pvh, "/k"),
        ),
    ],
)
def test_xen_guests_boot_in_many_ways(inner: str, boot: Boot) -> None:
    assert machine(inner, kind="xen").boot == boot


def test_other_guests_boot_by_themselves_or_directly() -> None:
    assert machine("").boot is None
    direct = "<os><kernel>/k</kernel><cmdline>c</cmdline></os>"
    assert machine(direct).boot == Boot(BootMethod.direct, "/k", None, "c")


@pytest.mark.parametrize(
    ("clock", "localtime"),
    [
        ("", None),
        ("<clock offset='utc'/>", False),
        ("<clock offset='localtime'/>", True),
        ("<clock offset='variable' basis='localtime'/>", True),
        ("<clock offset='variable'/>", False),
    ],
)
def test_the_clock(clock: str, localtime: bool | None) -> None:
    found = machine(clock)
    assert found.localtime is localtime
    assert codes(found) == []


@pytest.mark.parametrize(
    ("inner", "devices", "code"),
    [
        ("<uuid>x</uuid>", "", "W-SOURCE-UUID"),
        ("<genid>x</genid>", "", "W-SOURCE-UUID"),
        ("<vcpu current='1'>2</vcpu>", "", "W-SOURCE-VCPUS"),
        ("<clock offset='timezone' timezone='x'/>", "", "W-SOURCE-CLOCK"),
        ("<sysinfo type='smbios'/>", "", "W-SOURCE-KEY"),
        ("", "<hostdev/>", "W-SOURCE-KEY"),
        ("", "<sound model='gus'/>", "W-SOURCE-SOUND"),
        ("", "<graphics type='rdp'/>", "W-SOURCE-DISPLAY"),
        ("", disk("<source file='a'/><readonly/>"), "W-DISK-READ-ONLY"),
        ("", disk("<source file='a'/><shareable/>"), "W-SOURCE-KEY"),
        ("", disk("<source file='[ds 1] a/a.vmdk'/>"), "W-DISK-DATASTORE"),
    ],
)
def test_what_cannot_be_carried_is_warned_of(inner: str, devices: str, code: str) -> None:
    assert codes(machine(inner, devices)) == [code]


def test_a_xen_guest_that_cannot_start_is_warned_of() -> None:
    found = machine("<os><type>linux</type></os>", kind="xen")
    assert found.boot is None
    assert codes(found) == ["W-SOURCE-BOOT"]


def test_an_empty_genid_is_none() -> None:
    assert machine("<genid/>").genid is None


@given(st.binary())
def test_any_bytes_are_a_machine_or_refused(data: bytes) -> None:
    _parsed_or_refused(data)


_VALUES = st.sampled_from(["", "0", "-1", "yes", "x", "file", "xen", "52:54:00:01:02:03", "9" * 30])
_NAMES = """memory vcpu os type disk source target driver interface mac graphics listen clock cpu
    topology features name uuid devices"""
_ELEMENTS = st.sampled_from(_NAMES.split())
_KEYS = st.sampled_from(
    [
        "type",
        "unit",
        "dev",
        "bus",
        "file",
        "address",
        "device",
        "sockets",
        "port",
        "offset",
        "model",
    ]
)


def _element(name: str, attributes: dict[str, str], inner: str) -> str:
    pairs = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<{name}{pairs}>{inner}</{name}>"


@given(
    st.recursive(
        _VALUES,
        lambda inner: st.lists(
            st.builds(_element, _ELEMENTS, st.dictionaries(_KEYS, _VALUES), inner)
        ).map("".join),
        max_leaves=20,
    )
)
def test_any_elements_are_a_machine_or_refused(inner: str) -> None:
    for kind in ("xen", "kvm"):
        text = f"<domain type='{kind}'><name>x</name>{inner}</domain>"
        _parsed_or_refused(text.encode())
        _parsed_or_refused(text.replace("</name>", "</name><devices>", 1).encode())


def _parsed_or_refused(data: bytes) -> None:
    assert _refusal(data).startswith(("E-XML-", "E-LIBVIRT-", "E-DISK-", "E-NIC-", "none"))


def _refusal(data: bytes) -> str:
    try:
        libvirt_xml.parse(data, PATH)
    except SourceError as error:
        return error.finding.code
    return "none"
