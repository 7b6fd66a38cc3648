# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VirtualBox's VDI and of Parallels images (QEMU's block/vdi.c, interop/parallels)."""

from __future__ import annotations

import struct

from v2v.disks.imagefile import SECTOR, Header, ImageFile

VDI_MAGIC = b"\x7f\x10\xda\xbe"  # at byte 64
VDI_MAGIC_AT = 64
PARALLELS_MAGIC = (b"WithoutFreeSpace", b"WithouFreSpacExt")

_DYNAMIC, _STATIC = 1, 2
_UNUSED = 0xFFFFFFFE  # and the value above it
_MAX_ENTRIES = 1 << 26
_NO_UUID = bytes(16)


def read_vdi(file: ImageFile) -> Header:
    """Return what a VDI header says. Raises SourceError if it is damaged or has a parent."""
    head = file.read(0, 472)
    (kind,) = struct.unpack("<I", head[76:80])
    map_at, data_at = struct.unpack("<II", head[340:348])
    size, block, _, blocks = struct.unpack("<QIII", head[368:388])
    size = file.virtual(size)
    if kind not in (_DYNAMIC, _STATIC) or head[424:456] != _NO_UUID * 2:
        raise file.malformed(
            "is a differencing disk (a snapshot) or of a type that QEMU cannot read",
            hint="clone the disk in VirtualBox: VBoxManage clonemedium",
        )
    if block != 1 << 20 or blocks * block < size:
        raise file.malformed(f"a VDI with {blocks:,} blocks of {block:,} bytes is not credible")
    for words in file.table(map_at, -(-size // block), "I", "little"):
        last = max((word for word in words if word < _UNUSED), default=-1)
        if last >= 0:
            file.require(data_at + last * block, block, "the guest's data")
    return Header(size)


def read_parallels(file: ImageFile) -> Header:
    """Return what the header of a Parallels image says. Raises SourceError if it is damaged."""
    head = file.read(0, 64)
    tracks, entries, sectors = struct.unpack("<IIQ", head[28:44])
    if head.startswith(PARALLELS_MAGIC[0]):
        sectors &= 0xFFFFFFFF  # the upper half is not the size's in the old form
        unit = 1
    else:
        unit = tracks
    if not (1 <= tracks <= 1 << 21 and entries <= _MAX_ENTRIES):
        raise file.malformed(
            f"a Parallels image with {entries:,} clusters of {tracks:,} sectors is not credible"
        )
    for words in file.table(64, entries, "I", "little"):
        file.require(max(words) * unit * SECTOR, 1, "the guest's data")
    return Header(file.virtual(sectors * SECTOR))
