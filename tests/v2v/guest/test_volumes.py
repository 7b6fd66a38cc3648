# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from tests.v2v.guest.volumes import APPLIANCE, THIN, THIN_LINKS, disk, node, volumes
from v2v.guest.unlock import locked
from v2v.model import Filesystem

RAID = node("/dev/md127", "raid1", "ext4")
ARRAY = (
    disk(0, "/dev/sda", node("/dev/sda1", "part", "linux_raid_member", RAID)),
    disk(1, "/dev/sdc", node("/dev/sdc1", "part", "linux_raid_member", RAID)),
)
UUID_LINK = {"/dev/disk/by-id/md-uuid-1:2:3:4": "../../md127"}


def test_devices_get_the_names_of_the_sources_order_and_the_appliances_own_is_none() -> None:
    found = volumes(APPLIANCE, disk(1, "/dev/sda", type="xfs"), THIN, links=THIN_LINKS)
    assert [(volume.device, volume.node) for volume in found] == [
        ("/dev/sda", "/dev/sdb"),
        ("/dev/sda1", "/dev/sdb1"),
        ("/dev/sda2", "/dev/sdb2"),
        ("/dev/vg/my-root", "/dev/dm-1"),
        ("/dev/vg/crypt", "/dev/dm-2"),
        ("/dev/sdb", "/dev/sda"),
    ]


def test_the_hidden_parts_of_a_thin_volume_are_left_out() -> None:
    found = volumes(THIN, links=THIN_LINKS)
    pool = found.get("/dev/sda2")
    assert pool is not None
    assert pool.holds == ("/dev/vg/my-root", "/dev/vg/crypt")
    on = ("/dev/sda",)
    assert found.filesystems == (
        Filesystem("/dev/sda1", "vfat", "uuid-of-/dev/sdb1", None, on),
        Filesystem("/dev/sda2", "LVM2_member", "uuid-of-/dev/sdb2", None, on),
        Filesystem("/dev/vg/my-root", "xfs", "uuid-of-/dev/mapper/vg-my--root", None, on),
        Filesystem("/dev/vg/crypt", "crypto_LUKS", "uuid-of-/dev/mapper/vg-crypt", None, on),
    )


def test_names_by_content_are_kept_and_those_of_the_appliances_hardware_are_not() -> None:
    assert volumes(THIN, links=THIN_LINKS).names == {
        "/dev/vg/my-root": "/dev/vg/my-root",
        "/dev/mapper/vg-my--root": "/dev/vg/my-root",
        "/dev/disk/by-id/dm-uuid-LVM-1": "/dev/vg/my-root",
        "/dev/vg/crypt": "/dev/vg/crypt",
        "/dev/disk/by-partuuid/1": "/dev/sda1",
    }


def test_what_was_opened_is_not_locked() -> None:
    opened = node("/dev/sda2", "part", "crypto_LUKS", node("/dev/mapper/luks-1", "crypt", "ext4"))
    found = volumes(
        disk(0, "/dev/sda", node("/dev/sda1", "part", "crypto_LUKS"), opened,
             node("/dev/sda3", "part", "BitLocker"))
    )  # fmt: skip
    assert [volume.device for volume in found if volume.locked] == ["/dev/sda1", "/dev/sda3"]


def test_each_kind_of_encryption_has_its_way_out() -> None:
    found = volumes(
        disk(0, "/dev/sda", node("/dev/sda1", "part", "crypto_LUKS"),
             node("/dev/sda3", "part", "BitLocker"))
    )  # fmt: skip
    (finding,) = locked(found, needed=True)
    assert finding.code == "E-GUEST-LOCKED"
    assert finding.hint is not None
    assert "--key /dev/sda1:file:PATH" in finding.hint
    assert "--key /dev/sda3:file:PATH" in finding.hint
    assert "manage-bde -off" in finding.hint


def test_an_array_lies_on_all_of_its_disks_and_has_its_own_names() -> None:
    found = volumes(*ARRAY, links=UUID_LINK, arrays="ARRAY /dev/md/0 metadata=1.2 UUID=1:2:3:4\n")
    array = found.get("/dev/md127")
    assert array is not None
    assert array.disks == ("/dev/sda", "/dev/sdb")
    assert {found.names["/dev/md/0"], found.names["/dev/md0"]} == {"/dev/md127"}
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("mdstat", "said"),
    [
        ("md127 : active raid1 sda1[0] sdc1[1]\n  9 blocks super 1.2 [2/2] [UU]\n", None),
        (
            "md127 : active (auto-read-only) raid1 sda1[0]\n  9 blocks super 1.2 [2/1] [U_]\n",
            "array /dev/md127: 1 of its 2 parts are there, on /dev/sda and /dev/sdb",
        ),
        (
            "md127 : inactive sda1[0](S)\n  9 blocks super 1.2\n",
            "array md127: it lacks too many of its parts to run",
        ),
    ],
)
def test_an_array_that_lacks_parts_is_named(mdstat: str, said: str | None) -> None:
    found = volumes(*ARRAY, mdstat=f"Personalities : [raid1]\n{mdstat}\nunused devices: <none>\n")
    assert [finding.message for finding in found.warnings] == ([said] if said else [])


def test_the_disks_first_sectors_are_told_apart_by_their_place() -> None:
    found = volumes(*ARRAY, heads={"/head-1:0": b"second", "/head-0:0": b"first"})
    assert found.heads == {"/dev/sda": b"first", "/dev/sdb": b"second"}
