# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names in the guest's files lead to the appliance's devices."""

from __future__ import annotations

import pytest

from v2v.devices import DeviceNames, drive_index, drive_letters
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
