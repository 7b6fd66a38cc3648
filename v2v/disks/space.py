# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much room a copied disk takes, and whether a folder has it; asked before work begins."""

from __future__ import annotations

import os
from pathlib import Path

from v2v.disks.image import Image
from v2v.disks.qemu_img import measure
from v2v.errors import TargetError
from v2v.model import DiskFormat
from v2v.units import iec

# Formats that cannot compress, so that a copy is never larger than the files are. VHDX among them:
# QEMU does not say what is allocated in one.
_PLAIN = (DiskFormat.raw, DiskFormat.vhdx, DiskFormat.vpc, DiskFormat.vdi, DiskFormat.parallels)


def estimate(image: Image, format: DiskFormat, *, preallocated: bool) -> int:
    """Return the bytes that a copy of an image takes at most. Nothing but metadata is read."""
    needed = measure(image, format, preallocated=preallocated)
    if not preallocated and all(each.format in _PLAIN for each in image.chain()):
        return min(needed, sum(each.allocated_bytes for each in image.chain()) + _metadata(image))
    return needed


def _metadata(image: Image) -> int:
    """Return the most that qcow2's tables take: 8 bytes of L2 and 2 of refcount for 64 KiB."""
    return (image.virtual_bytes >> 16) * 10 + (1 << 20)


def free_bytes(folder: Path) -> int:
    """Return the bytes that this user can still write in a folder. Raises TargetError."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        raise TargetError(
            "E-TARGET-FOLDER",
            f"{folder}: {error.strerror}",
            hint="name a folder that is there: -os DIR",
        ) from error
    return found.f_bavail * found.f_frsize


def require_space(folder: Path, needed: int) -> None:
    """Raise TargetError unless a folder has room for ``needed`` bytes."""
    free = free_bytes(folder)
    if free < needed:
        raise TargetError(
            "E-TARGET-SPACE",
            f"{folder}: {iec(needed)} are needed, {iec(free)} are free",
            hint="make room, or choose another folder: -os DIR",
        )
