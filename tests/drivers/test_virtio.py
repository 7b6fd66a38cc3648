# SPDX-License-Identifier: LGPL-2.1-or-later
"""Modules have one normal name."""

from __future__ import annotations

import pytest

from drivers.virtio import BLK_BOOT, DEVICES, SCSI_BOOT, module_name
from v2v.model import Kernel


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kernel/drivers/char/hw_random/virtio-rng.ko", "virtio_rng"),
        ("virtio_blk.ko.xz", "virtio_blk"),
        ("virtio_blk.ko.gz", "virtio_blk"),
        ("virtio_blk.ko.zst", "virtio_blk"),
        ("xen-blkfront", "xen_blkfront"),
        ("/lib/modules/3.10/weak-updates/x.ko", "x"),
    ],
)
def test_hyphens_suffixes_and_folders_are_no_part_of_a_module_name(path: str, name: str) -> None:
    assert module_name(path) == name


def test_the_devices_are_those_that_a_kernel_is_described_by() -> None:
    assert list(DEVICES) == ["pci", "blk", "scsi", "net", "rng", "balloon", "console"]
    assert Kernel.__annotations__["virtio"]


def test_what_a_boot_needs_is_named_as_modules_are() -> None:
    names = [*BLK_BOOT, *SCSI_BOOT, *(device.module for device in DEVICES.values())]
    assert [module_name(name) for name in names] == names
