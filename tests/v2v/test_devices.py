# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names in the guest's files lead to the appliance's devices."""

from __future__ import annotations

import pytest

from v2v.devices import DeviceNames, by_hardware, drive_index, drive_letters
from v2v.model import Filesystem

FILESYSTEMS = (
    Filesystem("/dev/sda1", "ext4", "0b1e-AA", "root"),
    Filesystem("/dev/my-vg/root", "xfs", "77", None),
)
XEN = DeviceNames(("xvda", "xvdb"), ("/dev/sda", "/dev/sdb"), FILESYSTEMS)
PARTITIONS = DeviceNames(("xvda2", "xvda1"), ("/dev/sda", "/dev/sdb"))
UNNAMED = DeviceNames((None, None), ("/dev/sda", "/dev/sdb"))


@pytest.mark.parametrize(
    ("names", "spec", "device"),
    [
        (XEN, "/dev/xvda1", "/dev/sda1"),
        (XEN, "/dev/xvdb", "/dev/sdb"),
        (XEN, "/dev/hda1", "/dev/sda1"),
        (XEN, "/dev/sdb2", "/dev/sdb2"),
        (XEN, "/dev/xvdc1", None),
        (XEN, "UUID=0B1E-aa", "/dev/sda1"),
        (XEN, 'LABEL="root"', "/dev/sda1"),
        (XEN, "/dev/disk/by-uuid/77", "/dev/my-vg/root"),
        (XEN, "/dev/disk/by-label/root", "/dev/sda1"),
        (XEN, "/dev/mapper/my--vg-root", "/dev/my-vg/root"),
        (XEN, "/dev/my-vg/root", "/dev/my-vg/root"),
        (XEN, "/dev/other/root", None),
        (XEN, "UUID=none", None),
        (XEN, "tmpfs", None),
        (PARTITIONS, "/dev/xvda1", "/dev/sdb"),
        (PARTITIONS, "/dev/xvda2", "/dev/sda"),
        (PARTITIONS, "/dev/xvda3", None),
        (UNNAMED, "/dev/sdb3", "/dev/sdb3"),
        (UNNAMED, "/dev/vda", "/dev/sda"),
        (UNNAMED, "/dev/nvme1n1p2", "/dev/sdb2"),
        (UNNAMED, "/dev/cciss/c0d0p1", "/dev/sda1"),
        (UNNAMED, "/dev/nvme2n1", None),
        (UNNAMED, "/dev/fd0", None),
    ],
)
def test_a_name_is_found(names: DeviceNames, spec: str, device: str | None) -> None:
    assert names.find(spec) == device


def test_drive_letters_go_on_after_z() -> None:
    for index, letters in [(0, "a"), (25, "z"), (26, "aa"), (701, "zz"), (702, "aaa")]:
        assert drive_letters(index) == letters
        assert drive_index(letters) == index


LINKED = DeviceNames(
    ("sda", "sdb"),
    ("/dev/sda", "/dev/sdb"),
    FILESYSTEMS,
    {
        "/dev/disk/by-label/my\\x20data": "/dev/sdb1",
        "/dev/disk/by-partuuid/1-02": "/dev/sda2",
        "/dev/disk/by-partlabel/boot": "/dev/sda3",
        "/dev/disk/by-id/dm-uuid-LVM-x": "/dev/my-vg/root",
        "/dev/md0": "/dev/md127",
        "mpatha": "/dev/sdb",
    },
)


@pytest.mark.parametrize(
    ("spec", "device"),
    [
        ('LABEL="my data"', "/dev/sdb1"),
        ("PARTUUID=1-02", "/dev/sda2"),
        ("/dev/disk/by-partuuid/1-02", "/dev/sda2"),
        ("PARTLABEL=boot", "/dev/sda3"),
        ("/dev/disk/by-id/dm-uuid-LVM-x", "/dev/my-vg/root"),
        ("/dev/md0", "/dev/md127"),
        ("/dev/md1", None),
        ("/dev/mapper/mpatha1", "/dev/sdb1"),
        ("/dev/mapper/mpatha-part1", "/dev/sdb1"),
        ("/dev/mapper/mpathb1", None),
        ("UUID=0B1E-aa", "/dev/sda1"),
    ],
)
def test_a_name_by_content_is_found_as_udev_has_it(spec: str, device: str | None) -> None:
    assert LINKED.find(spec) == device


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2",
         ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0", "2")),
        ("/dev/disk/by-id/ata-VMware_Virtual_1", ("/dev/disk/by-id/ata-VMware_Virtual_1", "")),
        ("/dev/disk/by-id/dm-name-mpatha3", ("mpatha", "3")),
        ("/dev/mapper/mpathap2", ("mpatha", "2")),
        ("/dev/mapper/mpathaa_part2", ("mpathaa", "2")),
        ("/dev/mapper/36000c29d1f6c5b1a5c1b0c6f00000001p4",
         ("36000c29d1f6c5b1a5c1b0c6f00000001", "4")),
        ("/dev/disk/by-id/dm-uuid-part3-mpath-36000c29d1f6c5b1a5c1b0c6f00000001",
         ("36000c29d1f6c5b1a5c1b0c6f00000001", "3")),
        ("/dev/disk/by-id/dm-uuid-LVM-1", None),
        ("/dev/disk/by-id/md-name-web:0", None),
        ("/dev/mapper/vg-root", None),
        ("/dev/mapper/mpath_data-lv", None),
        ("/dev/sda1", None),
    ],
)  # fmt: skip
def test_names_by_hardware_are_told_from_those_by_content(
    name: str, parts: tuple[str, str] | None
) -> None:
    assert by_hardware(name) == parts


def test_the_only_disk_is_meant_by_any_name_by_hardware() -> None:
    one = DeviceNames(("sda",), ("/dev/sda",))
    assert one.find("/dev/disk/by-path/pci-1-part3") == "/dev/sda3"
    assert one.find("/dev/disk/by-id/wwn-0x6000c29") == "/dev/sda"
    assert one.find("/dev/mapper/mpatha-part1") == "/dev/sda1"
