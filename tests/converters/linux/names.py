# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests' disks for tests of the editors: two of them, as a Xen guest knew them."""

from __future__ import annotations

from dataclasses import replace

from converters.linux.disk_names import DiskNames, disk_names
from tests.converters.guests import load
from v2v.model import Bus, Disk, Filesystem

ROOT = "aaaaaaaa-0000-4000-8000-000000000001"
SWAP = "aaaaaaaa-0000-4000-8000-000000000002"
LUKS = "aaaaaaaa-0000-4000-8000-000000000005"
FILESYSTEMS = (
    Filesystem("/dev/sda1", "ext4", ROOT, "root"),
    Filesystem("/dev/sda2", "swap", SWAP, None),
    Filesystem("/dev/sda5", "crypto_LUKS", LUKS, None),
    Filesystem("/dev/sdb1", "ext4", None, "data"),
    Filesystem("/dev/sdb2", "ext4", None, "with space"),
)


def names(
    *,
    filesystems: tuple[Filesystem, ...] = FILESYSTEMS,
    known: tuple[str | None, ...] = ("xvda", "xvdb"),
    bus: Bus = Bus.virtio,
    mountpoints: dict[str, str] | None = None,
) -> DiskNames:
    """The names of a guest's disks."""
    case = load("xen-pygrub-debian12")
    machine = replace(
        case.machine, disks=tuple(Disk(f"{name}.img", None, device=name) for name in known)
    )
    guest = replace(
        case.guest,
        filesystems=filesystems,
        disks=("/dev/sda", "/dev/sdb")[: len(known)],
        mountpoints=mountpoints or {"/": "/dev/sda1"},
    )
    return disk_names(machine, guest, bus)
