# SPDX-License-Identifier: LGPL-2.1-or-later
"""A differencing VHD and its parents, as layers of one disk.

QEMU takes a differencing VHD for a dynamic one and shows zeros where its parent has data. Each
block has a bitmap in front: a set bit is a sector that this file has, a clear one is the parent's
("Virtual Hard Disk Image Format Specification", Microsoft 2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from v2v.disks.chain import Piece
from v2v.disks.imagefile import SECTOR, ImageFile
from v2v.disks.vhd import UNUSED, Layout, read_layout


class VhdLayer:
    """One file of the chain."""

    def __init__(self, file: ImageFile) -> None:
        self._layout: Layout = read_layout(file)
        self._table = file.words(self._layout.table_at, self._layout.blocks, "I", "big")
        self._file = file

    def holds(self, at: int, length: int) -> bool:
        """Tell whether this file may have data in a piece of the disk."""
        block = self._layout.block_bytes
        if not block:
            return at < self._layout.virtual_bytes
        numbers = range(at // block, min(-(-(at + length) // block), len(self._table)))
        return any(self._table[number] != UNUSED for number in numbers)

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield a piece of the disk, whole sectors; behind a fixed disk's end are zeros."""
        block = self._layout.block_bytes
        if not block:
            here = max(0, min(length, self._layout.virtual_bytes - at))
            yield length, self._pread(here, at).ljust(length, b"\0")
            return
        while length:
            piece = min(length, block - at % block)
            yield from self._in_block(at, piece)
            at += piece
            length -= piece

    def _in_block(self, at: int, length: int) -> Iterator[Piece]:
        number, inside = divmod(at, self._layout.block_bytes)
        place = self._table[number] if number < len(self._table) else UNUSED
        if place == UNUSED:
            yield length, None
            return
        start = place * SECTOR + self._layout.bitmap_bytes
        data = self._pread(length, start + inside)
        if self._layout.parent is None:
            yield length, data
            return
        bits = self._pread(self._layout.bitmap_bytes, place * SECTOR)
        first, count = inside // SECTOR, length // SECTOR
        own = (bits[bit >> 3] & 0x80 >> (bit & 7) != 0 for bit in range(first, first + count))
        done = 0
        for mine, run in groupby(own):
            size = sum(1 for _ in run) * SECTOR
            yield size, data[done : done + size] if mine else None
            done += size

    def _pread(self, length: int, at: int) -> bytes:
        return self._file.pread(length, at).ljust(length, b"\0")
