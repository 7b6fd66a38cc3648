# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from tests.converters.linux.names import FILESYSTEMS, ROOT, SWAP, names
from v2v.model import Bus, Filesystem


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/dev/xvda1", f"UUID={ROOT}"),
        ("/dev/xvda2", f"UUID={SWAP}"),
        ("/dev/sda1", f"UUID={ROOT}"),  # xen-blkfront shows xvda as what the guest was told
        ("/dev/hda1", f"UUID={ROOT}"),
        ("/dev/xvdb1", "LABEL=data"),
        ("/dev/xvdb2", "/dev/vdb2"),  # a label that would need quoting
        ("/dev/xvdb", "/dev/vdb"),
        ("/dev/xvdc1", None),
        ("/dev/disk/by-path/xen-vbd-51712-part1", None),
    ],
)
def test_a_name_of_the_old_hypervisor_becomes_one_that_holds(old: str, new: str | None) -> None:
    assert names().depends(old)
    assert names().stable(old) == new


@pytest.mark.parametrize(
    "name",
    [
        *("UUID=1", "LABEL=root", "PARTUUID=1-1", "/dev/mapper/vg-root", "/dev/vg/root"),
        *("tmpfs", "/dev/sr0", "/dev/cdrom", "/dev/fd0", "/swap.img", "/dev/disk/by-uuid/1"),
        *("/dev/disk/by-label/root", "/dev/disk/by-id/dm-uuid-LVM-1", "/dev/disk/by-id/md-name-x"),
        *("10.0.0.1:/export", "/dev/zram0", "/dev/md0"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_depend_on_hardware_is_left_alone(name: str) -> None:
    assert not names().depends(name)


def test_by_path_and_by_id_are_known_where_there_is_one_disk_or_a_mount_point() -> None:
    one = names(known=("sda",))
    assert one.stable("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part1") == f"UUID={ROOT}"
    assert one.stable("/dev/disk/by-id/ata-VMware_Virtual_1-part2") == f"UUID={SWAP}"
    assert one.stable("/dev/disk/by-id/ata-VMware_Virtual_1") == "/dev/vda"
    two = names(mountpoints={"/": "/dev/sda1"})
    assert two.stable("/dev/disk/by-path/pci-0000:03:00.0-part1", "/") == f"UUID={ROOT}"


def test_clones_with_the_same_uuid_are_named_by_label_or_device() -> None:
    clone = (
        Filesystem("/dev/sda1", "ext4", ROOT, "one"),
        Filesystem("/dev/sdb1", "ext4", ROOT, "two"),
    )
    assert names(filesystems=clone).stable("/dev/xvdb1") == "LABEL=two"
    bare = (
        Filesystem("/dev/sda1", "ext4", ROOT, None),
        Filesystem("/dev/sdb1", "ext4", ROOT, None),
    )
    assert names(filesystems=bare).stable("/dev/xvdb1") == "/dev/vdb1"


def test_the_devices_of_one_btrfs_share_its_uuid() -> None:
    pool = (
        Filesystem("/dev/sda1", "btrfs", ROOT, None),
        Filesystem("/dev/sdb1", "btrfs", ROOT, None),
    )
    assert names(filesystems=pool).stable("/dev/xvdb1") == f"UUID={ROOT}"


def test_partition_images_are_disks_of_their_own() -> None:
    images = names(
        known=("xvda2", "xvda1"),
        filesystems=(
            Filesystem("/dev/sda", "ext4", ROOT, None),
            Filesystem("/dev/sdb", "swap", None, None),
        ),
    )
    assert images.stable("/dev/xvda2") == f"UUID={ROOT}"
    assert images.stable("/dev/xvda1") == "/dev/vdb"


def test_a_bus_without_virtio_has_sd_names() -> None:
    assert names(bus=Bus.sata, filesystems=FILESYSTEMS[:1]).stable("/dev/xvdb1") == "/dev/sdb1"
