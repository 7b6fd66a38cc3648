# SPDX-License-Identifier: LGPL-2.1-or-later
"""A differencing VHD with its parents, read as one disk.

QEMU takes a differencing VHD for a dynamic one and shows zeros where its parent has data. Each
block has a bitmap in front: a set bit is a sector that this file has, a clear one is the parent's
("Virtual Hard Disk Image Format Specification", Microsoft 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from v2v.disks.imagefile import SECTOR, ImageFile, Place
from v2v.disks.vhd import UNUSED, Layout, read_layout

_FIXED_BLOCK = 2 << 20  # a fixed VHD has no blocks of its own


class _Link:
    """One file of the chain."""

    def __init__(self, file: ImageFile, parent: _Link | None) -> None:
        self.layout: Layout = read_layout(file)
        self._table = file.words(self.layout.table_at, self.layout.blocks, "I", "big")
        self._file = file
        self._parent = parent

    def holds(self, at: int, length: int) -> bool:
        """Tell whether this file or a parent may have data in a piece of the disk."""
        block = self.layout.block_bytes
        if not block:
            return at < self.layout.virtual_bytes
        numbers = range(at // block, min(-(-(at + length) // block), len(self._table)))
        return any(self._table[number] != UNUSED for number in numbers) or (
            self._parent is not None and self._parent.holds(at, length)
        )

    def read(self, at: int, length: int) -> bytes:
        """Return a piece of the disk, whole sectors; behind the disk's end are zeros."""
        block = self.layout.block_bytes
        if not block:
            length_here = max(0, min(length, self.layout.virtual_bytes - at))
            return self._pread(length_here, at).ljust(length, b"\0")
        pieces = []
        while length:
            piece = min(length, block - at % block)
            pieces.append(self._in_block(at, piece))
            at += piece
            length -= piece
        return b"".join(pieces)

    def _in_block(self, at: int, length: int) -> bytes:
        number, inside = divmod(at, self.layout.block_bytes)
        place = self._table[number] if number < len(self._table) else UNUSED
        if place == UNUSED:
            return self._below(at, length)
        start = place * SECTOR + self.layout.bitmap_bytes
        data = self._pread(length, start + inside)
        if self._parent is None:
            return data
        bits = self._pread(self.layout.bitmap_bytes, place * SECTOR)
        first, count = inside // SECTOR, length // SECTOR
        own = (bits[bit >> 3] & 0x80 >> (bit & 7) != 0 for bit in range(first, first + count))
        return self._merged(data, list(own), at)

    def _merged(self, data: bytes, own: list[bool], at: int) -> bytes:
        """Return data whose sectors that are not this file's own are the parent's."""
        if all(own):
            return data
        pieces = []
        done = 0
        for mine, run in groupby(own):
            length = sum(1 for _ in run) * SECTOR
            pieces.append(data[done : done + length] if mine else self._below(at + done, length))
            done += length
        return b"".join(pieces)

    def _below(self, at: int, length: int) -> bytes:
        return bytes(length) if self._parent is None else self._parent.read(at, length)

    def _pread(self, length: int, at: int) -> bytes:
        return self._file.pread(length, at).ljust(length, b"\0")


class VhdBlocks:
    """The blocks of a chain of VHDs, whose uppermost file is the first of ``paths``."""

    def __init__(self, paths: Sequence[Path], place: Place, held: ExitStack) -> None:
        """Open the files until ``held`` is closed. Raises SourceError."""
        link: _Link | None = None
        for path in reversed(paths):
            link = _Link(held.enter_context(place.open(path, devices=True)), link)
        assert link is not None, "a chain has a file"
        self._top = link
        self.block_bytes = link.layout.block_bytes or _FIXED_BLOCK

    def __contains__(self, number: object) -> bool:
        """Tell whether a file of the chain has the block."""
        return isinstance(number, int) and self._top.holds(
            number * self.block_bytes, self.block_bytes
        )

    def read(self, number: int) -> bytes:
        """Return a block as the guest sees it. Raises OSError, SourceError."""
        return self._top.read(number * self.block_bytes, self.block_bytes)
