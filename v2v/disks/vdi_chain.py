# SPDX-License-Identifier: LGPL-2.1-or-later
"""A differencing VDI (a snapshot of VirtualBox) and its parents, as layers of one disk."""

from __future__ import annotations

from collections.abc import Iterator

from v2v.disks.chain import Piece
from v2v.disks.desktop import VDI_ABSENT, VDI_ZEROS, read_vdi_layout
from v2v.disks.imagefile import ImageFile


class VdiLayer:
    """One file of the chain."""

    def __init__(self, file: ImageFile) -> None:
        self._layout = read_vdi_layout(file)
        self._table = file.words(self._layout.table_at, self._layout.blocks, "I", "little")
        self._file = file

    def holds(self, at: int, length: int) -> bool:
        """Tell whether this file has something of a piece of the disk, zeros too."""
        block = self._layout.block_bytes
        numbers = range(at // block, min(-(-(at + length) // block), len(self._table)))
        return any(self._table[number] != VDI_ABSENT for number in numbers)

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield a piece of the disk; a block is this file's or the parent's as a whole."""
        block = self._layout.block_bytes
        while length:
            number, inside = divmod(at, block)
            size = min(length, block - inside)
            place = self._table[number] if number < len(self._table) else VDI_ABSENT
            if place == VDI_ABSENT:
                yield size, None
            elif place == VDI_ZEROS:
                yield size, bytes(size)
            else:
                start = self._layout.data_at + place * block + inside
                yield size, self._file.pread(size, start).ljust(size, b"\0")
            at += size
            length -= size
