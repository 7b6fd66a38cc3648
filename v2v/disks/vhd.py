# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VHD ("Virtual Hard Disk Image Format Specification") and VHDX ([MS-VHDX]) images."""

from __future__ import annotations

import struct

from v2v.disks.imagefile import SECTOR, Header, ImageFile
from v2v.errors import SourceError

VHD_MAGIC = b"conectix"
VHDX_MAGIC = b"vhdxfile"

_FIXED, _DYNAMIC, _DIFFERENCING = 2, 3, 4
_UNUSED = 0xFFFFFFFF
_MAX_CHS = 65535 * 16 * 255  # sectors
# Programs whose size field counts; for all others QEMU (block/vpc.c) goes by the geometry.
_SIZE_COUNTS = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS")

_REGIONS_AT = (192 << 10, 256 << 10)
_BAT = bytes.fromhex("6677c22d23f600429d64115e9bfd4a08")
_METADATA = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
_PARAMETERS = bytes.fromhex("3767a1ca36fa434db3b633f0aa44e76b")
_DISK_SIZE = bytes.fromhex("2442a52f1bcd7648b2115dbed83bf4b8")
_MAX_VHDX = 64 << 40  # bytes, [MS-VHDX] 2.6.2.4
_PRESENT = (6, 7)  # states of a block that has data in the file


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


def read_vhd(file: ImageFile) -> Header:
    """Return what a VHD's footer says. Raises SourceError if it is damaged or has a parent."""
    dynamic = file.start(8) == VHD_MAGIC
    footer = file.read(0 if dynamic else max(0, file.size - SECTOR), SECTOR)
    if not footer.startswith(VHD_MAGIC):
        raise file.malformed("is no VHD: it has no footer")
    creator = footer[28:32]
    (header_at, size) = struct.unpack(">Q24xQ", footer[16:56])
    cylinders, heads, sectors, kind = struct.unpack(">HBBI", footer[56:64])
    if kind == _DIFFERENCING:
        raise _with_parent(file)
    if kind not in (_FIXED, _DYNAMIC) or dynamic != (kind == _DYNAMIC):
        raise file.malformed(f"a VHD of the type {kind} is not known")
    chs = cylinders * heads * sectors
    if creator not in _SIZE_COUNTS and chs != _MAX_CHS:
        size = chs * SECTOR
    if dynamic:
        _check_blocks(file, header_at, size)
    else:
        file.require(0, size + SECTOR, "its disk")
    return Header(file.virtual(size))


def _with_parent(file: ImageFile) -> SourceError:
    return file.malformed(
        "is a differencing disk (a snapshot), which QEMU cannot read",
        hint="merge it with its parent in its hypervisor first",
    )


def _check_blocks(file: ImageFile, header_at: int, size: int) -> None:
    cookie, table_at, _, count, block = struct.unpack(">8s8xQIII", file.read(header_at, 36))
    if cookie != b"cxsparse" or not 64 << 10 <= block <= 1 << 30 or count * block < size:
        raise file.malformed("the header of the dynamic VHD is not credible")
    for words in file.table(table_at, -(-size // block), "I", "big"):
        last = max((word for word in words if word != _UNUSED), default=-1)
        if last >= 0:
            file.require(last * SECTOR, block, "the guest's data")


def read_vhdx(file: ImageFile) -> Header:
    """Return what a VHDX says. Raises SourceError if it is damaged or has a parent."""
    regions = _regions(file)
    items = _metadata(file, *regions[_METADATA])
    block, flags = struct.unpack("<II", file.read(items[_PARAMETERS], 8))
    (size,) = struct.unpack("<Q", file.read(items[_DISK_SIZE], 8))
    if flags & 2:
        raise _with_parent(file)
    if not (1 << 20 <= block <= 256 << 20 and 0 < size <= _MAX_VHDX):
        raise file.malformed(f"a VHDX of {size:,} bytes in blocks of {block:,} is not credible")
    table_at, table_length = regions[_BAT]
    # Beside the blocks the table holds at most as many entries for their sector bitmaps.
    entries = min(table_length // 8, 2 * -(-size // block))
    for words in file.table(table_at, entries, "Q", "little"):
        last = max((word for word in words if word & 7 in _PRESENT), default=0)
        if last:
            file.require(last >> 20 << 20, block, "the guest's data")
    return Header(file.virtual(size))


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
    if _PARAMETERS not in found or _DISK_SIZE not in found:
        raise file.malformed("the VHDX does not say how large its disk is")
    return found
