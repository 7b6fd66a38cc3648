# SPDX-License-Identifier: LGPL-2.1-or-later
"""lzop's file format, with the blocks expanded by the system's liblzo2.

Python has no LZO of its own. liblzo2 comes with libguestfs (through squashfs-tools, btrfs-progs
and lzop); where it is missing a file is refused, not misread. The format is from lzop's own
source and the kernel's lib/decompress_unlzo.c.
"""

from __future__ import annotations

import ctypes
from collections.abc import Generator

_LIBRARY = "liblzo2.so.2"
_MAGIC_SIZE = 9
_BLOCK_LIMIT = 64 << 20  # lzop's own; the kernel takes no more than 256 KiB
_WITH_LEVEL = 0x0940  # from this version on a header has two more fields
_ADLER32_D, _ADLER32_C, _CRC32_D, _CRC32_C, _FILTER = 0x1, 0x2, 0x100, 0x200, 0x800


class LzoError(ValueError):
    """A file is damaged, or there is no liblzo2."""


def lzop_blocks(data: bytes, at: int) -> Generator[bytes, None, int]:
    """Yield the blocks of the lzop file that starts there; return where it ends in ``data``.

    Raises LzoError.
    """
    library = _library()
    at, of_expanded, of_compressed = _header(data, at)
    while size := _number(data, at, 4):
        packed = _number(data, at + 4, 4)
        if size > _BLOCK_LIMIT or not 0 < packed <= size:
            raise LzoError("lzop stream is damaged: impossible block size")
        # A block that did not shrink is stored as it is and has no second checksum.
        at += 8 + of_expanded + (of_compressed if packed < size else 0)
        block = data[at : at + packed]
        if len(block) < packed:
            raise LzoError("lzop stream ends early")
        yield block if packed == size else _expand(library, block, size)
        at += packed
    return at + 4


def _library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise LzoError(f"lzop stream cannot be read without {_LIBRARY}") from error


def _number(data: bytes, at: int, size: int) -> int:
    field = data[at : at + size]
    if len(field) < size:
        raise LzoError("lzop stream ends early")
    return int.from_bytes(field, "big")


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Return where the blocks start, and the size of the checksums of each."""
    at += _MAGIC_SIZE
    new = _number(data, at, 2) >= _WITH_LEVEL
    at += 8 if new else 7  # versions of lzop and of the library, and the method
    flags = _number(data, at, 4)
    at += 8 if flags & _FILTER else 4
    at += 12 if new else 8  # mode and time
    at += 1 + _number(data, at, 1) + 4  # name and the header's checksum
    of_expanded = 4 * (bool(flags & _ADLER32_D) + bool(flags & _CRC32_D))
    of_compressed = 4 * (bool(flags & _ADLER32_C) + bool(flags & _CRC32_C))
    return at, of_expanded, of_compressed


def _expand(library: ctypes.CDLL, block: bytes, size: int) -> bytes:
    """lzo1x_decompress_safe checks all bounds, so that a hostile block does no harm."""
    out = ctypes.create_string_buffer(size)
    length = ctypes.c_ulong(size)
    status = library.lzo1x_decompress_safe(
        block, ctypes.c_ulong(len(block)), out, ctypes.byref(length), None
    )
    if status != 0 or length.value != size:
        raise LzoError("lzop stream is damaged")
    return out.raw
