# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from collections.abc import Mapping

from tests.v2v.guest.volumes import THIN, THIN_LINKS, disk, node, volumes
from v2v.devices import DeviceNames
from v2v.files import DictFiles
from v2v.guest import mounts
from v2v.guest.mounts import Mount, entries, identified, learned, missing
from v2v.model import Disk

DISKS = volumes(
    THIN,
    disk(1, "/dev/sdz", node("/dev/sdz1", "part", "xfs"), node("/dev/sdz2", "part", "swap")),
    links={**THIN_LINKS, "/dev/disk/by-id/md-uuid-1:2:3:4": "../../dm-1"},
)


def listed(fstab: str, **units: str) -> tuple[mounts.Entry, ...]:
    files = {f"/etc/systemd/system/{name}.mount": text for name, text in units.items()}
    return entries(DictFiles({"/etc/fstab": fstab, **files}))


def names(links: Mapping[str, str] | None = None) -> DeviceNames:
    return DeviceNames(
        (None, None), ("/dev/sda", "/dev/sdb"), DISKS.filesystems, {**DISKS.names, **(links or {})}
    )


def wanted(fstab: str, **units: str) -> list[Mount]:
    return list(mounts.mounts(listed(fstab, **units), names(), DISKS))


def test_what_fstab_names_is_mounted_parents_first() -> None:
    found = wanted(
        "# /dev/sda1 /no ext4\n"
        "/dev/sda2 / xfs defaults 0 0\n"
        "/dev/sdb1 /srv/deep xfs nofail 0 0\n"
        "/dev/mapper/vg-my--root /srv xfs\n"
        "PARTUUID=1 /boot/my\\040efi vfat noauto\n"
        "PARTUUID=1 /boot/efi/ vfat noauto\n"
        "tmpfs /tmp tmpfs defaults\n"
        "/dev/sdb2 none swap sw\n"
        "/dev/sdb1 /bound none bind\n"
        "/dev/sdb1 /also xfs defaults,bind\n"
        "/dev/sdq1 /gone ext4 defaults\n"
        "server:/x /net nfs defaults\n"
    )
    assert found == [
        Mount("/dev/sda1", "/boot/efi", "", optional=True),
        Mount("/dev/vg/my-root", "/srv", "nouuid"),
        Mount("/dev/sdb1", "/srv/deep", "nouuid", optional=True),
    ]


def test_subvolumes_are_mounted_with_their_option() -> None:
    found = wanted(
        "/dev/sda1 /a btrfs rw,subvol=@/a,compress=zstd\n/dev/sda1 /b btrfs subvolid=7\n"
    )
    assert [mount.options for mount in found] == ["subvol=@/a", "subvolid=7"]


def test_mount_units_count_as_lines_of_fstab() -> None:
    unit = "[Mount]\nWhat=/dev/disk/by-partuuid/1\nWhere=/data\nType=vfat\n"
    assert wanted("", data=unit) == [Mount("/dev/sda1", "/data")]


def test_a_part_of_the_system_that_is_on_no_disk_is_a_blocker() -> None:
    found = missing(
        listed(
            "/dev/vg/gone /var xfs defaults\n/dev/vg/gone /usr xfs nofail\nUUID=9 /boot ext4\n"
            "/dev/vg/gone /data xfs defaults\nserver:/usr /usr nfs defaults\n/dev/sda1 / ext4\n"
        ),
        names(),
    )
    assert [finding.message for finding in found] == [
        "/var is on /dev/vg/gone, which is on none of the disks",
        "/boot is on UUID=9, which is on none of the disks",
    ]


def test_the_guests_own_files_explain_names_of_arrays_and_of_hardware() -> None:
    text = "/dev/disk/by-path/pci-1-scsi-0-part3 / ext4\n/dev/mapper/mpathb2 none swap\n"
    files = DictFiles({"/etc/mdadm.conf": "# x\narray /dev/md/7 uuid=1:2:3:4\nARRAY /dev/md9\n"})
    assert learned(files, listed(text), "/dev/sdb3", DISKS) == {
        "/dev/root": "/dev/sdb3",
        "/dev/md/7": "/dev/vg/my-root",
        "/dev/md7": "/dev/vg/my-root",
        "/dev/disk/by-path/pci-1-scsi-0": "/dev/sdb",
    }
    known = names(learned(files, listed(text), "/dev/sdb3", DISKS))
    assert known.find("/dev/disk/by-path/pci-1-scsi-0-part2") == "/dev/sdb2"
    assert known.find("/dev/disk/by-path/pci-1-scsi-1-part2") is None


def test_a_disk_that_tells_its_number_is_known_by_it() -> None:
    disks = (Disk("a", None), Disk("b", None, wwid="36000c29d1f6c5b1a5c1b0c6f00000001"))
    known = names(identified(zip(disks, ("/dev/sda", "/dev/sdb"), strict=True)))
    for name in (
        "scsi-36000c29d1f6c5b1a5c1b0c6f00000001",
        "wwn-0x6000c29d1f6c5b1a5c1b0c6f00000001",
    ):
        assert known.find(f"/dev/disk/by-id/{name}-part2") == "/dev/sdb2"
        assert known.find(f"/dev/disk/by-id/{name}") == "/dev/sdb"
    assert known.find("/dev/mapper/36000c29d1f6c5b1a5c1b0c6f00000001-part2") == "/dev/sdb2"
