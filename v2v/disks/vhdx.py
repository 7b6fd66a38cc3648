# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VHDX images ([MS-VHDX])."""

from __future__ import annotations

import re
import struct
import uuid
from dataclasses import dataclass

from v2v.disks.imagefile import Header, ImageFile, Reference, Role
from v2v.model import DiskFormat

VHDX_MAGIC = b"vhdxfile"

_HEADERS_AT = (64 << 10, 128 << 10)
_REGIONS_AT = (192 << 10, 256 << 10)
_BAT = bytes.fromhex("6677c22d23f600429d64115e9bfd4a08")
_METADATA = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
_PARAMETERS = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
_DISK_SIZE = bytes.fromhex("2442a52f1bcd7648b2115dbed83bf4b8")
_SECTOR_SIZE = bytes.fromhex("1dbf41816fa90947ba47f233a8faab5f")
_LOCATOR = bytes.fromhex("2d5fd3a80bb34d45abf7d3d84834ab0c")
_LOCATOR_TYPE = bytes.fromhex("b7ef4ab09ed1814ab78925b8e9445913")
_PARENT_NAMES = ("relative_path", "absolute_win32_path", "volume_path")
_HEX = re.compile("[0-9A-Fa-f]{32}")
_MAX_VHDX = 64 << 40  # bytes, [MS-VHDX] 2.6.2.4
_PRESENT = (6, 7)  # states of a block that has data in the file
_MAX_PAIRS = 32  # in a parent locator; there are five


def _crc32c_table() -> tuple[int, ...]:
    """Return the table of CRC-32C (Castagnoli), which Python's zlib does not have."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C = _crc32c_table()


@dataclass(frozen=True, slots=True)
class VhdxLayout:
    """How a VHDX is laid out."""

    virtual_bytes: int
    block_bytes: int
    sector_bytes: int
    table_at: int
    table_entries: int
    id: str  # changes with the content
    differencing: bool


def read_vhdx_layout(file: ImageFile) -> VhdxLayout:
    """Return what the metadata of a VHDX say. Raises SourceError."""
    return _vhdx(file)[0]


def read_vhdx(file: ImageFile) -> Header:
    """Return what a VHDX says of itself and its parent. Raises SourceError if it is damaged."""
    layout, items = _vhdx(file)
    size, block = layout.virtual_bytes, layout.block_bytes
    # Beside the blocks the table holds at most as many entries for their sector bitmaps.
    entries = min(layout.table_entries, 2 * -(-size // block))
    for words in file.table(layout.table_at, entries, "Q", "little"):
        last = max((word for word in words if word & 7 in _PRESENT), default=0)
        if last:
            length = 1 << 20 if layout.differencing else block  # it may be a bitmap's
            file.require(last >> 20 << 20, length, "the guest's data")
    if not layout.differencing:
        return Header(size, cid=layout.id)
    if _LOCATOR not in items:
        raise file.malformed("is a differencing disk that does not name its parent")
    pairs = _locator(file, items[_LOCATOR])
    name = next((pairs[key] for key in _PARENT_NAMES if pairs.get(key)), "").replace("\\", "/")
    linkage = _guid(pairs.get("parent_linkage", ""))
    if not name or linkage is None:
        raise file.malformed("is a differencing disk that does not name its parent")
    parent = Reference(Role.backing, name, DiskFormat.vhdx, cid=linkage)
    return Header(size, (parent,), cid=layout.id)


def _vhdx(file: ImageFile) -> tuple[VhdxLayout, dict[bytes, int]]:
    """Return a layout, and where each metadata item lies."""
    regions = _regions(file)
    items = _metadata(file, *regions[_METADATA])
    block, flags = struct.unpack("<II", file.read(items[_PARAMETERS], 8))
    (size,) = struct.unpack("<Q", file.read(items[_DISK_SIZE], 8))
    (sector,) = struct.unpack("<I", file.read(items[_SECTOR_SIZE], 4))
    if (
        not (1 << 20 <= block <= 256 << 20 and 0 < size <= _MAX_VHDX)
        or block & block - 1
        or sector not in (512, 4096)
    ):
        raise file.malformed(f"a VHDX of {size:,} bytes in blocks of {block:,} is not credible")
    table_at, table_length = regions[_BAT]
    differencing = bool(flags & 2)
    identity = _identity(file, differencing=differencing)
    return VhdxLayout(
        file.virtual(size), block, sector, table_at, table_length // 8, identity, differencing
    ), items


def _identity(file: ImageFile, *, differencing: bool) -> str:
    """Return the id of the content, from the header that was written last.

    Raises SourceError if a snapshot has writes in its log that are not in the file yet; QEMU
    looks by itself into that of a disk without a parent.
    """
    found = []
    for at in _HEADERS_AT:
        head = file.read(at, 4096)
        (told,) = struct.unpack("<I", head[4:8])
        if head.startswith(b"head") and told == _crc32c(head[:4] + bytes(4) + head[8:]):
            (number,) = struct.unpack("<Q", head[8:16])
            found.append((number, head))
    if not found:
        raise file.malformed("the VHDX has no header that is whole")
    head = max(found)[1]
    if differencing and any(head[48:64]):
        raise file.malformed(
            "has changes in its log that were not written back, as its host went down",
            hint="start the guest once more, shut it down, and copy the disk again",
        )
    return head[32:48].hex()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _locator(file: ImageFile, at: int) -> dict[str, str]:
    """Return what the parent locator says, by key ([MS-VHDX] 2.6.2.6)."""
    kind, count = struct.unpack("<16s2xH", file.read(at, 20))
    if kind != _LOCATOR_TYPE or count > _MAX_PAIRS:
        raise file.malformed("names its parent in a way that is not known")
    found = {}
    for entry in struct.iter_unpack("<IIHH", file.read(at + 20, count * 12)):
        key_at, value_at, key_length, value_length = entry
        key, value = (
            file.read(at + place, length).decode("utf-16-le", "replace")
            for place, length in ((key_at, key_length), (value_at, value_length))
        )
        found[key] = value
    return found


def _guid(text: str) -> str | None:
    """Return a GUID in text as it stands in binary, in hex."""
    digits = text.strip("{}").replace("-", "")
    return uuid.UUID(digits).bytes_le.hex() if _HEX.fullmatch(digits) else None


def _regions(file: ImageFile) -> dict[bytes, tuple[int, int]]:
    """Return the place and length of the regions, from the first copy of their table that holds."""
    for at in _REGIONS_AT:
        head = file.read(at, 16)
        (count,) = struct.unpack("<I", head[8:12])
        if head.startswith(b"regi") and count <= 2047:
            entries = struct.iter_unpack("<16sQII", file.read(at + 16, count * 32))
            found = {guid: (place, length) for guid, place, length, _ in entries}
            if _BAT in found and _METADATA in found:
                return found
    raise file.malformed("the VHDX has no usable region table")


def _metadata(file: ImageFile, at: int, length: int) -> dict[bytes, int]:
    """Return where each metadata item lies in the file."""
    file.require(at, length, "its metadata")
    head = file.read(at, 32)
    (count,) = struct.unpack("<H", head[10:12])
    if not head.startswith(b"metadata") or count > 2047:
        raise file.malformed("the VHDX has no usable metadata")
    entries = struct.iter_unpack("<16sIIII", file.read(at + 32, count * 32))
    found = {guid: at + offset for guid, offset, _, _, _ in entries}
    if not {_PARAMETERS, _DISK_SIZE, _SECTOR_SIZE} <= found.keys():
        raise file.malformed("the VHDX does not say how large its disk is")
    return found
