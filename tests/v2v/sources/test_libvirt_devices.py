# SPDX-License-Identifier: LGPL-2.1-or-later
"""The devices of libvirt domains."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.model import Bus, DiskFormat, Display, Machine, NetworkKind
from v2v.sources import libvirt_xml


def machine(inner: str, devices: str = "", kind: str = "kvm") -> Machine:
    text = f"<domain type='{kind}'><name>web</name>{inner}<devices>{devices}</devices></domain>"
    return libvirt_xml.parse(text.encode(), Path("/srv/guests/web.xml"))


def disk(inner: str, attributes: str = "type='file'") -> str:
    return f"<disk {attributes}>{inner}</disk>"


def codes(found: Machine) -> list[str]:
    ignored = "W-SOURCE-MEMORY"  # most of these domains have none
    return [warning.code for warning in found.warnings if warning.code != ignored]


@pytest.mark.parametrize(
    ("driver", "image_format"),
    [
        ("", None),
        ("<driver name='qemu'/>", None),
        ("<driver name='qemu' type='qcow2'/>", DiskFormat.qcow2),
        ("<driver name='tap' type='aio'/>", DiskFormat.raw),
        ("<driver name='tap' type='tapdisk:aio'/>", DiskFormat.raw),
        ("<driver name='tap2' type='vhd'/>", DiskFormat.vpc),
        ("<driver name='tap' type='qcow'/>", DiskFormat.qcow),
        ("<driver name='phy'/>", DiskFormat.raw),
        ("<driver name='file'/>", DiskFormat.raw),
        ("<driver type='vmdk'/>", DiskFormat.vmdk),
    ],
)
def test_disk_formats(driver: str, image_format: DiskFormat | None) -> None:
    (found,) = machine("", disk(f"{driver}<source file='a.img'/>")).disks
    assert found.format is image_format
    assert found.path == "/srv/guests/a.img"


@pytest.mark.parametrize(
    ("target", "bus"),
    [
        ("dev='sda' bus='sata'", Bus.sata),
        ("dev='sda' bus='usb'", Bus.usb),
        ("dev='sda'", Bus.scsi),
        ("dev='hda'", Bus.ide),
        ("dev='vda'", Bus.virtio),
        ("dev='xvda'", Bus.xen),
        ("dev='sda' bus='uml'", None),
        ("dev='x'", None),
        ("", None),
    ],
)
def test_buses_are_named_or_follow_the_device(target: str, bus: Bus | None) -> None:
    assert machine("", disk(f"<source file='a'/><target {target}/>")).disks[0].controller is bus


def test_pv_guests_have_all_disks_from_xen() -> None:
    devices = disk("<source file='a'/><target dev='sda' bus='scsi'/>")
    pv, hvm = (f"<os><type>{kind}</type></os>" for kind in ("linux", "hvm"))
    assert machine(pv, devices, "xen").disks[0].controller is Bus.xen
    assert machine(hvm, devices, "xen").disks[0].controller is Bus.scsi


def test_luns_and_disks_without_device_are_disks() -> None:
    devices = disk("<source file='a'/>") + disk("<source file='b'/>", "device='lun'")
    assert [found.path for found in machine("", devices).disks] == [
        "/srv/guests/a",
        "/srv/guests/b",
    ]


@pytest.mark.parametrize(
    ("target", "slot"),
    [("hdc", 2), ("sda", 0), ("sr1", 1), ("xvdaa", 26), ("fdb", 1), ("cdrom", None)],
)
def test_removable_drives_have_the_slot_of_their_name(target: str, slot: int | None) -> None:
    (drive,) = machine("", disk(f"<target dev='{target}'/>", "device='cdrom'")).removables
    assert drive.slot == slot


@pytest.mark.parametrize(
    ("interface", "code", "name"),
    [
        ("<interface type='network'><source network='lan'/></interface>", None, "lan"),
        ("<interface type='bridge'><source bridge='br0'/></interface>", None, "br0"),
        ("<interface type='bridge'/>", "W-NIC-SOURCE", "default"),
        ("<interface type='network'><source network=''/></interface>", "W-NIC-SOURCE", "default"),
        ("<interface type='direct'><source dev='eth0'/></interface>", "W-NIC-TYPE", "default"),
        ("<interface type='user'/>", "W-NIC-TYPE", "default"),
        ("<interface type='hostdev'/>", "W-NIC-TYPE", "default"),
        ("<interface/>", "W-NIC-TYPE", "default"),
        (
            "<interface type='bridge'><source bridge='b'/><bandwidth/></interface>",
            "W-SOURCE-KEY",
            "b",
        ),
    ],
)
def test_no_nic_is_lost(interface: str, code: str | None, name: str) -> None:
    found = machine("", interface)
    assert codes(found) == ([] if code is None else [code])
    assert [nic.network.name for nic in found.nics] == [name]
    if name == "default":
        assert found.nics[0].network.kind is NetworkKind.network


def test_nics_of_xen_have_a_model_where_none_is_named() -> None:
    nic = "<interface type='bridge'><source bridge='b'/></interface>"
    pv, hvm = (f"<os><type>{kind}</type></os>" for kind in ("linux", "hvm"))
    assert machine(pv, nic, "xen").nics[0].model == "netfront"
    assert machine(hvm, nic, "xen").nics[0].model == "rtl8139"
    assert machine("", nic).nics[0].model is None


def test_a_mac_of_zeros_is_none() -> None:
    nic = "<interface type='bridge'><mac address='00:00:00:00:00:00'/></interface>"
    assert machine("", nic).nics[0].mac is None


@pytest.mark.parametrize(
    ("graphics", "display"),
    [
        ("", None),
        ("<graphics type='vnc' port='-1' autoport='yes'/>", Display("vnc")),
        ("<graphics type='vnc' port='5905' autoport='yes'/>", Display("vnc")),
        ("<graphics type='vnc' port='5905' listen='0.0.0.0'/>", Display("vnc", "0.0.0.0", 5905)),
        (
            "<graphics type='spice' autoport='no' port='5900' keymap='de' passwd='p'>"
            "<listen type='address' address='::'/></graphics>",
            Display("spice", "::", 5900, "p", "de"),
        ),
        ("<graphics type='vnc'><listen type='socket' socket='/x'/></graphics>", Display("vnc")),
        ("<graphics type='sdl'/>", Display("window")),
        ("<graphics type='dbus'/><graphics type='vnc'/>", Display("vnc")),
    ],
)
def test_displays(graphics: str, display: Display | None) -> None:
    assert machine("", graphics).display == display
