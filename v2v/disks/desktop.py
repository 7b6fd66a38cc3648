# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VirtualBox's VDI and of Parallels images (QEMU's block/vdi.c, interop/parallels)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from v2v.disks.imagefile import SECTOR, Header, ImageFile, Reference, Role
from v2v.model import DiskFormat

VDI_MAGIC = b"\x7f\x10\xda\xbe"  # at byte 64
VDI_MAGIC_AT = 64
PARALLELS_MAGIC = (b"WithoutFreeSpace", b"WithouFreSpacExt")

VDI_ABSENT = 0xFFFFFFFF  # a block that the file does not have
VDI_ZEROS = 0xFFFFFFFE
_DYNAMIC, _STATIC, _DIFFERENCING = 1, 2, 4
_MAX_ENTRIES = 1 << 26
_NO_UUID = bytes(16)


@dataclass(frozen=True, slots=True)
class VdiLayout:
    """How a VDI is laid out, and whose snapshot it is; identifiers are UUIDs as they stand."""

    virtual_bytes: int
    table_at: int
    data_at: int
    block_bytes: int
    blocks: int  # in the disk
    id: str
    version: str  # changes with the content
    parent: str | None
    parent_version: str | None


def read_vdi_layout(file: ImageFile) -> VdiLayout:
    """Return what a VDI header says. Raises SourceError."""
    head = file.read(0, 472)
    (kind,) = struct.unpack("<I", head[76:80])
    map_at, data_at = struct.unpack("<II", head[340:348])
    size, block, _, blocks = struct.unpack("<QIII", head[368:388])
    own, version, parent, parent_version = (head[at : at + 16] for at in range(392, 456, 16))
    size = file.virtual(size)
    if kind not in (_DYNAMIC, _STATIC, _DIFFERENCING):
        raise file.malformed(
            f"is a VDI of the type {kind}, which cannot be read",
            hint="clone the disk in VirtualBox: VBoxManage clonemedium",
        )
    if (parent == _NO_UUID) if kind == _DIFFERENCING else (parent + parent_version).strip(b"\0"):
        raise file.malformed("is a differencing disk that does not name its parent, or the reverse")
    if block != 1 << 20 or blocks * block < size:
        raise file.malformed(f"a VDI with {blocks:,} blocks of {block:,} bytes is not credible")
    return VdiLayout(
        size, map_at, data_at, block, -(-size // block), own.hex(), version.hex(),
        None if parent == _NO_UUID else parent.hex(),
        None if parent_version == _NO_UUID else parent_version.hex(),
    )  # fmt: skip


def read_vdi(file: ImageFile) -> Header:
    """Return what a VDI says of itself and its parent. Raises SourceError if it is damaged."""
    layout = read_vdi_layout(file)
    for words in file.table(layout.table_at, layout.blocks, "I", "little"):
        last = max((word for word in words if word < VDI_ZEROS), default=-1)
        if last >= 0:
            end = layout.data_at + last * layout.block_bytes
            file.require(end, layout.block_bytes, "the guest's data")
    if layout.parent is None:
        return Header(layout.virtual_bytes, cid=layout.version)
    # The parent is named by its identifier alone; where it is, VirtualBox has in its settings.
    parent = Reference(
        Role.backing, layout.parent, DiskFormat.vdi, cid=layout.parent_version, by_id=True
    )
    return Header(layout.virtual_bytes, (parent,), cid=layout.version)


@dataclass(frozen=True, slots=True)
class ParallelsLayout:
    """How a Parallels image is laid out; the entries of its table count units, 0 is absent."""

    virtual_bytes: int
    table_at: int
    entries: int
    cluster_bytes: int
    unit_bytes: int


def read_parallels_layout(file: ImageFile) -> ParallelsLayout:
    """Return what the header of a Parallels image says. Raises SourceError."""
    head = file.read(0, 64)
    tracks, entries, sectors = struct.unpack("<IIQ", head[28:44])
    old = head.startswith(PARALLELS_MAGIC[0])
    if old:
        sectors &= 0xFFFFFFFF  # the upper half is not the size's in the old form
    if not (1 <= tracks <= 1 << 21 and entries <= _MAX_ENTRIES):
        raise file.malformed(
            f"a Parallels image with {entries:,} clusters of {tracks:,} sectors is not credible"
        )
    unit = 1 if old else tracks
    size = file.virtual(sectors * SECTOR)
    return ParallelsLayout(size, 64, entries, tracks * SECTOR, unit * SECTOR)


def read_parallels(file: ImageFile) -> Header:
    """Return what a Parallels image says. Raises SourceError if it is damaged."""
    layout = read_parallels_layout(file)
    for words in file.table(layout.table_at, layout.entries, "I", "little"):
        file.require(max(words) * layout.unit_bytes, 1, "the guest's data")
    return Header(layout.virtual_bytes)
