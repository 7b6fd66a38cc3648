# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sparse extents of VMDK images: where each of their grains is.

There are three forms, of one idea: a directory of tables, a table of grains. Hosted products write
KDMV ("Virtual Disk Format 5.0", VMware), ESX its snapshots as COWD (vmfsSparse, the same document),
since VMFS 6 as seSparse, of which nothing is published: it is here as QEMU's block/vmdk.c has it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from v2v.disks.imagefile import SECTOR, ImageFile

SPARSE_MAGIC = b"KDMV"
ESX_SPARSE_MAGIC = b"COWD"
SESPARSE_MAGIC = b"\xbe\xba\xfe\xca\0\0\0\0"
ABSENT, ZEROS = 0, -1  # grains that this extent does not have, and that it has without data

_MAX_CAPACITY = 64 << 40 >> 9  # sectors; VMware's largest disk has 62 TB
_AT_END = (1 << 64) - 1  # a grain directory offset: see the footer
_ZERO_GRAIN, _MARKERS = 1 << 2, 1 << 17  # flags
_DEFLATE = 1
_ESX_ENTRIES = 4096
_SESPARSE_VERSION = 0x2_0000_0001
_SESPARSE_VOLATILE = 0xCAFECAFE
_TABLE_THERE = 0x1000_0000  # the upper half of a directory's entry
_UNMAPPED, _ZERO, _ALLOCATED = 1, 2, 3  # the uppermost four bits of a grain's entry


@dataclass(frozen=True, slots=True)
class Grains:
    """The tables of a sparse extent. Units are sectors."""

    capacity: int
    grain: int  # of the disk in one grain
    entries: int  # grains in a table
    directory: int
    count: int  # of tables in the directory
    zero_grain: bool = False  # the entry 1 is a grain of zeros
    compressed: bool = False
    markers: bool = False  # each compressed grain has its place and length in front
    se_tables: int | None = None  # of seSparse: where its tables are, and its grains
    se_grains: int = 0

    def tables(self, file: ImageFile) -> list[int]:
        """Return where each table is, 0 for one that is absent. Raises SourceError."""
        if self.se_tables is None:
            return list(file.words(self.directory * SECTOR, self.count, "I", "little"))
        size = self.entries * 8 // SECTOR
        found = []
        for word in file.words(self.directory * SECTOR, self.count, "Q", "little"):
            if word and word >> 32 != _TABLE_THERE:
                raise file.malformed(f"a grain directory with the entry {word:#x} is not credible")
            found.append(self.se_tables + (word & 0xFFFFFFFF) * size if word else 0)
        return found

    def grains(self, file: ImageFile, table: int) -> Sequence[int]:
        """Return the sector of each grain of a table, ABSENT or ZEROS. Raises SourceError."""
        if self.se_tables is not None:
            words = file.words(table * SECTOR, self.entries, "Q", "little")
            return [self._se_sector(word, file) if word else ABSENT for word in words]
        words = file.words(table * SECTOR, self.entries, "I", "little")
        if self.zero_grain:
            return [ZEROS if word == 1 else word for word in words]
        return words

    def _se_sector(self, word: int, file: ImageFile) -> int:
        kind = word >> 60
        if kind in (_UNMAPPED, _ZERO):
            return ZEROS
        if kind != _ALLOCATED:
            raise file.malformed(f"a grain table with the entry {word:#x} is not credible")
        number = (word >> 48 & 0xFFF) | (word & 0xFFFF_FFFF_FFFF) << 12
        return self.se_grains + number * self.grain

    def check(self, file: ImageFile) -> None:
        """Raise SourceError if a grain or a grain table lies behind the file's end.

        QEMU reads what is missing as zeroes, so a file that was cut short shows nowhere else.
        """
        for table in sorted({*self.tables(file)} - {0}):
            file.require(max(self.grains(file, table)) * SECTOR, 1, "the guest's data")


def read_grains(file: ImageFile) -> Grains | None:
    """Return the tables of a sparse extent, None if it is none. Raises SourceError."""
    magic = file.start(8)
    if magic.startswith(SPARSE_MAGIC):
        return _hosted(file)
    if magic.startswith(ESX_SPARSE_MAGIC):
        return _esx(file)
    return _sesparse(file) if magic == SESPARSE_MAGIC else None


def _hosted(file: ImageFile) -> Grains:
    found = _hosted_at(file, 0)
    if found.directory == _AT_END:
        at = max(0, file.size - 2 * SECTOR)
        if file.read(at, 4) != SPARSE_MAGIC:
            raise file.truncated("the footer of a stream-optimized VMDK is missing at its end")
        found = _hosted_at(file, at)
    _refuse_capacity(file, found.capacity)
    return found


def _hosted_at(file: ImageFile, at: int) -> Grains:
    header = struct.unpack("<IIIQQQQIQQ13xH", file.read(at, 79))
    _, _, flags, capacity, grain, _, _, entries, _, directory, algorithm = header
    if not (1 <= grain <= 1 << 16 and 1 <= entries <= 512):
        raise file.malformed(f"a VMDK with grains of {grain:,} sectors is not credible")
    return Grains(
        capacity,
        grain,
        entries,
        directory,
        -(-capacity // (grain * entries)),
        zero_grain=bool(flags & _ZERO_GRAIN),
        compressed=algorithm == _DEFLATE,
        markers=bool(flags & _MARKERS),
    )


def _esx(file: ImageFile) -> Grains:
    _, _, capacity, grain, directory, entries = struct.unpack("<IIIIII", file.read(4, 24))
    if capacity == 0 or not 1 <= grain <= 1 << 16:
        raise file.malformed("the VMDK's COWD header is not credible")
    count = min(entries, -(-capacity // (grain * _ESX_ENTRIES)))
    return Grains(capacity, grain, _ESX_ENTRIES, directory, count)


def _sesparse(file: ImageFile) -> Grains:
    words = struct.unpack("<26Q", file.read(0, 208))
    _, version, capacity, grain, table, flags = words[:6]
    volatile, directory, directory_size, tables, grains = words[10], *words[16:19], words[24]
    if (version, grain, table, flags) != (_SESPARSE_VERSION, 8, 64, 0):
        raise file.malformed(
            f"a seSparse VMDK of version {version:#x} with grains of {grain:,} sectors, tables of"
            f" {table:,} and flags {flags:#x} is of a kind that QEMU cannot read"
        )
    _refuse_capacity(file, capacity)
    magic, _, _, replay = struct.unpack("<4Q", file.read(volatile * SECTOR, 32))
    if magic != _SESPARSE_VOLATILE:
        raise file.malformed("the VMDK's seSparse header is not credible")
    if replay:
        raise file.malformed(
            "was not closed, its journal is to be replayed",
            hint="start and shut down the guest once more, or clone the disk in its hypervisor",
        )
    entries = table * SECTOR // 8
    needed = -(-capacity // (grain * entries))
    if needed > directory_size * SECTOR // 8:
        raise file.malformed("the VMDK's grain directory is too short for its capacity")
    return Grains(capacity, grain, entries, directory, needed, se_tables=tables, se_grains=grains)


def _refuse_capacity(file: ImageFile, capacity: int) -> None:
    if not 0 < capacity <= _MAX_CAPACITY:
        raise file.malformed(f"a VMDK capacity of {capacity:,} sectors is not credible")
