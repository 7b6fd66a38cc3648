# SPDX-License-Identifier: LGPL-2.1-or-later
"""A VMDK with its extents and parents, read as one disk.

QEMU does this by itself for files of this host, and takes what a descriptor names always for such.
So here is what serves those of other hosts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from v2v.disks.imagefile import SECTOR, ImageFile, Place
from v2v.disks.vmdk import FLAT, Extent, read_extents
from v2v.disks.vmdk_grains import ABSENT, ZEROS, read_grains

_TABLES = 64  # that are kept of an extent, 2 MiB of seSparse's
_MARKER = 12  # bytes in front of a compressed grain


class _Part(Protocol):
    """A part of a disk; ``at`` is a place in it."""

    length: int  # bytes

    def holds(self, at: int, length: int) -> tuple[bool, bool]:
        """Tell whether there is data in a piece, and whether something of it is the parent's."""

    def pieces(self, at: int, length: int) -> Iterator[tuple[int, bytes | None]]:
        """Yield a piece in lengths and their data, None where it is the parent's."""


class _Flat:
    """An extent that is the disk's own bytes."""

    def __init__(self, file: ImageFile, extent: Extent) -> None:
        self._file = file
        self._start = extent.offset * SECTOR
        self.length = extent.sectors * SECTOR

    def holds(self, at: int, length: int) -> tuple[bool, bool]:
        return True, False

    def pieces(self, at: int, length: int) -> Iterator[tuple[int, bytes | None]]:
        yield length, self._file.read(self._start + at, length)


class _Sparse:
    """An extent of grains, by itself or as a descriptor names it."""

    def __init__(self, file: ImageFile, extent: Extent | None = None) -> None:
        grains = read_grains(file)
        if grains is None:
            raise file.malformed("is named as a sparse VMDK extent, but has no such header")
        self.length = (grains.capacity if extent is None else extent.sectors) * SECTOR
        self._file = file
        self._grains = grains
        self._size = grains.grain * SECTOR
        self._tables = grains.tables(file)
        self._table = lru_cache(_TABLES)(self._read_table)

    def _read_table(self, start: int) -> Sequence[int]:
        return self._grains.grains(self._file, start)

    def _entries(self, at: int, length: int) -> Iterator[int]:
        """Yield where the grains of a piece are."""
        for number in range(at // self._size, -(-(at + length) // self._size)):
            table, inside = divmod(number, self._grains.entries)
            start = self._tables[table] if table < len(self._tables) else 0
            yield self._table(start)[inside] if start else ABSENT

    def holds(self, at: int, length: int) -> tuple[bool, bool]:
        found = {*self._entries(at, length)}
        return bool(found - {ABSENT, ZEROS}), ABSENT in found

    def pieces(self, at: int, length: int) -> Iterator[tuple[int, bytes | None]]:
        end = at + length
        for first, count in self._runs(at, length):
            size = min(count * self._size - at % self._size, end - at)
            yield size, self._data(first, at, size)
            at += size

    def _runs(self, at: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield the grains of a piece, those together that are read at once: the first, the count.

        Data lies together where it does in the file.
        """
        first, count = ABSENT, 0
        for entry in self._entries(at, length):
            step = 0 if first in (ABSENT, ZEROS) else self._grains.grain
            if count and (entry != first + count * step or (step and self._grains.compressed)):
                yield first, count
                count = 0
            if not count:
                first = entry
            count += 1
        yield first, count

    def _data(self, first: int, at: int, length: int) -> bytes | None:
        if first in (ABSENT, ZEROS):
            return None if first == ABSENT else bytes(length)
        inside = at % self._size
        if self._grains.compressed:
            return self._inflated(first * SECTOR)[inside : inside + length]
        return self._file.read(first * SECTOR + inside, length)

    def _inflated(self, at: int) -> bytes:
        """Return a compressed grain, with its length in front or none (then it is zlib's own)."""
        size = 2 * self._size
        if self._grains.markers:
            size = int.from_bytes(self._file.read(at + _MARKER - 4, 4), "little")
            at += _MARKER
        if size > 2 * self._size:
            raise self._file.malformed(f"a compressed grain of {size:,} bytes is not credible")
        packed = self._file.read(at, min(size, self._file.size - at))
        try:
            data = zlib.decompressobj().decompress(packed, self._size)
        except zlib.error as error:
            raise self._file.malformed(f"a compressed grain is damaged: {error}") from error
        return data.ljust(self._size, b"\0")


class _Link:
    """One VMDK of the chain."""

    def __init__(self, path: Path, place: Place, held: ExitStack, parent: _Link | None) -> None:
        self._parent = parent
        self._parts: list[_Part] = []
        file = held.enter_context(place.open(path, devices=True))
        extents = read_extents(file)
        for extent in extents:
            own = held.enter_context(place.open(path.parent / extent.name, devices=True))
            self._parts.append((_Flat if extent.kind in FLAT else _Sparse)(own, extent))
        if not extents:
            self._parts.append(_Sparse(file))

    def _within(self, at: int, length: int) -> Iterator[tuple[_Part, int, int]]:
        """Yield the extents that a piece touches, with the part of it that is in each."""
        start = 0
        for part in self._parts:
            first, last = max(at, start), min(at + length, start + part.length)
            if first < last:
                yield part, first - start, last - first
            start += part.length

    def holds(self, at: int, length: int) -> bool:
        """Tell whether there may be data in a piece of the disk."""
        found = [part.holds(start, size) for part, start, size in self._within(at, length)]
        if any(data for data, _ in found):
            return True
        below = self._parent if any(gaps for _, gaps in found) else None
        return below is not None and below.holds(at, length)

    def read(self, at: int, length: int) -> bytes:
        """Return a piece of the disk, zeros behind its end. Raises SourceError."""
        pieces = []
        done = at
        for part, start, size in self._within(at, length):
            for count, data in part.pieces(start, size):
                pieces.append(self._below(done, count) if data is None else data)
                done += count
        return b"".join(pieces).ljust(length, b"\0")

    def _below(self, at: int, length: int) -> bytes:
        return bytes(length) if self._parent is None else self._parent.read(at, length)


class VmdkBlocks:
    """The blocks of a chain of VMDKs, whose uppermost one is the first of ``paths``."""

    block_bytes = 1 << 20

    def __init__(self, paths: Sequence[Path], place: Place, held: ExitStack) -> None:
        """Open the files until ``held`` is closed. Raises SourceError."""
        link: _Link | None = None
        for path in reversed(paths):
            link = _Link(path, place, held, link)
        assert link is not None, "a chain has a file"
        self._top = link

    def __contains__(self, number: object) -> bool:
        """Tell whether a file of the chain has data in the block."""
        return isinstance(number, int) and self._top.holds(
            number * self.block_bytes, self.block_bytes
        )

    def read(self, number: int) -> bytes:
        """Return a block as the guest sees it. Raises SourceError."""
        return self._top.read(number * self.block_bytes, self.block_bytes)
