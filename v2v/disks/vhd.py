# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VHD images ("Virtual Hard Disk Image Format Specification", Microsoft 2006)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from v2v.disks.imagefile import SECTOR, Header, ImageFile, Reference, Role
from v2v.model import DiskFormat

VHD_MAGIC = b"conectix"

_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
UNUSED = 0xFFFFFFFF  # a block that the file does not have
_LOCATORS_AT = 576  # in the header of a dynamic disk
# Kinds of a parent's name: relative and absolute of Windows, a URL of Mac OS X (and XenServer).
_LOCATORS = {b"W2ru": "utf-16-le", b"MacX": "utf-8", b"W2ku": "utf-16-le"}
_NO_ID = "0" * 32
_MAX_LOCATOR = 64 << 10  # bytes


def is_fixed_vhd(file: ImageFile) -> bool:
    """Tell whether a file ends in the footer of a fixed VHD that fits it exactly."""
    if file.size < 2 * SECTOR:
        return False
    footer = file.read(file.size - SECTOR, SECTOR)
    size, kind = struct.unpack(">Q4xI", footer[48:64])
    (checksum,) = struct.unpack(">I", footer[64:68])
    return (
        footer.startswith(VHD_MAGIC)
        and kind == _FIXED
        and size == file.size - SECTOR
        and checksum == ~(sum(footer) - sum(footer[64:68])) & 0xFFFFFFFF
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """How a VHD is laid out; a fixed one has neither table nor blocks."""

    virtual_bytes: int
    id: str
    table_at: int = 0
    blocks: int = 0  # in the disk, so many entries of the table count
    block_bytes: int = 0
    parent: str | None = None  # the id of a differencing disk's parent
    header_at: int = 0

    @property
    def bitmap_bytes(self) -> int:
        """How long the bitmap is in front of a block: a bit for each sector, whole sectors."""
        return -(-self.block_bytes // (SECTOR * 8) // SECTOR) * SECTOR


def read_layout(file: ImageFile) -> Layout:
    """Return what footer and header of a VHD say. Raises SourceError.

    The disk is as long as the footer's current size. Its geometry, by which QEMU goes for most
    programs, is rounded down: the end of the last partition would be cut off.
    """
    dynamic = file.start(8) == VHD_MAGIC
    footer = file.read(0 if dynamic else max(0, file.size - SECTOR), SECTOR)
    if not footer.startswith(VHD_MAGIC):
        raise file.malformed("is no VHD: it has no footer")
    (header_at, size) = struct.unpack(">Q24xQ", footer[16:56])
    (kind,) = struct.unpack(">I", footer[60:64])
    own = footer[68:84].hex()
    if kind not in (_FIXED, _DYNAMIC, _DIFFERENCING) or dynamic != (kind != _FIXED):
        raise file.malformed(f"a VHD of the type {kind} is not known")
    if not dynamic:
        file.require(0, size + SECTOR, "its disk")
        return Layout(file.virtual(size), own)
    header = file.read(header_at, 56)
    cookie, table_at, _, count, block = struct.unpack(">8s8xQIII", header[:36])
    if (
        cookie != b"cxsparse"
        or not 64 << 10 <= block <= 1 << 30
        or block % SECTOR
        or count * block < size
    ):
        raise file.malformed("the header of the dynamic VHD is not credible")
    parent = header[40:56].hex() if kind == _DIFFERENCING else None
    blocks = -(-size // block)
    return Layout(file.virtual(size), own, table_at, blocks, block, parent, header_at)


def read_vhd(file: ImageFile) -> Header:
    """Return what a VHD says of itself and its parent. Raises SourceError if it is damaged."""
    layout = read_layout(file)
    for words in file.table(layout.table_at, layout.blocks, "I", "big"):
        last = max((word for word in words if word != UNUSED), default=-1)
        if last >= 0:
            file.require(last * SECTOR, layout.block_bytes, "the guest's data")
    if layout.parent is None:
        return Header(layout.virtual_bytes, cid=layout.id)
    name = _parent_name(file, layout.header_at)
    parent = Reference(Role.backing, name, DiskFormat.vpc, cid=layout.parent)
    if layout.parent == _NO_ID:  # XenServer's sign of a raw parent (blktap, vhd_parent_raw)
        parent = Reference(Role.backing, name, DiskFormat.raw, moved=True)
    return Header(layout.virtual_bytes, (parent,), cid=layout.id)


def _parent_name(file: ImageFile, header_at: int) -> str:
    """Return where a differencing disk's parent is: relative to it if it says so."""
    named: dict[bytes, str] = {}
    entries = file.read(header_at + _LOCATORS_AT, 8 * 24)
    for code, length, place in struct.iter_unpack(">4s4xI4xQ", entries):
        if code in _LOCATORS and 0 < length <= _MAX_LOCATOR:
            text = file.read(place, length).decode(_LOCATORS[code], "replace").rstrip("\0")
            named[code] = text.removeprefix("file://")
    own = file.read(header_at + 64, 512).decode("utf-16-be", "replace").partition("\0")[0]
    found = next((named[code] for code in _LOCATORS if named.get(code)), own)
    if not found:
        raise file.malformed("is a differencing disk that does not name its parent")
    return found.replace("\\", "/")
