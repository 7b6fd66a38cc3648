# SPDX-License-Identifier: LGPL-2.1-or-later
"""A differencing VHDX (.avhdx, a checkpoint) and its parents, as layers of one disk ([MS-VHDX]).

Blocks are in chunks; behind the entries of a chunk's blocks the table has one for the chunk's
bitmap: a bit for each sector, the lowest one first, set where this file has the sector.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from v2v.disks.chain import Piece
from v2v.disks.imagefile import ImageFile
from v2v.disks.vhdx import read_vhdx_layout

_ABSENT, _FULL, _PARTIAL = 0, 6, 7  # states of a block; the others read as zeros
_STATE = 7
_BITMAP = 1 << 20  # bytes of a chunk's bitmap
_PLACE = ~((1 << 20) - 1)


class VhdxLayer:
    """One file of the chain."""

    def __init__(self, file: ImageFile) -> None:
        layout = read_vhdx_layout(file)
        self._block, self._sector = layout.block_bytes, layout.sector_bytes
        self._blocks = -(-layout.virtual_bytes // self._block)
        self._chunk = 8 * _BITMAP * self._sector // self._block  # blocks of a chunk
        chunks = -(-self._blocks // self._chunk)
        # Without a parent there is no entry for the last chunk's bitmap.
        entries = min(layout.table_entries, chunks * (self._chunk + 1))
        self._table = file.words(layout.table_at, entries, "Q", "little")
        self._file = file

    def holds(self, at: int, length: int) -> bool:
        """Tell whether this file has something of a piece of the disk, zeros too."""
        numbers = range(at // self._block, min(-(-(at + length) // self._block), self._blocks))
        return any(self._entry(number) & _STATE != _ABSENT for number in numbers)

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield a piece of the disk, whole sectors."""
        while length:
            piece = min(length, self._block - at % self._block)
            yield from self._in_block(at, piece)
            at += piece
            length -= piece

    def _entry(self, number: int) -> int:
        index = number + number // self._chunk
        return self._table[index] if index < len(self._table) else _ABSENT

    def _in_block(self, at: int, length: int) -> Iterator[Piece]:
        number, inside = divmod(at, self._block)
        entry = self._entry(number) if number < self._blocks else _ABSENT
        state = entry & _STATE
        if state == _ABSENT:
            yield length, None
        elif state in (_FULL, _PARTIAL):
            data = self._pread(length, (entry & _PLACE) + inside)
            if state == _FULL:
                yield length, data
            else:
                yield from self._own(number, inside, data)
        else:
            yield length, bytes(length)

    def _own(self, number: int, inside: int, data: bytes) -> Iterator[Piece]:
        """Yield the sectors that the bitmap says to be this file's; the others are the parent's."""
        chunk, nth = divmod(number, self._chunk)
        index = (chunk + 1) * self._chunk + chunk
        entry = self._table[index] if index < len(self._table) else _ABSENT
        if entry & _STATE != _FULL:  # no bitmap: no sector
            yield len(data), None
            return
        start = (nth * self._block + inside) // self._sector
        stop = start + -(-len(data) // self._sector)
        bits = self._pread(stop // 8 + 1 - start // 8, (entry & _PLACE) + start // 8)
        base = start // 8 * 8
        own = (bits[bit - base >> 3] >> (bit & 7) & 1 for bit in range(start, stop))
        done = 0
        for mine, run in groupby(own):
            size = min(sum(1 for _ in run) * self._sector, len(data) - done)
            yield size, data[done : done + size] if mine else None
            done += size

    def _pread(self, length: int, at: int) -> bytes:
        return self._file.pread(length, at).ljust(length, b"\0")
