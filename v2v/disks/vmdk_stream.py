# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream-optimized VMDK that passes by once ("Virtual Disk Format 5.0", VMware).

Behind a header come grains, each with where it belongs and how long its deflated data is, and
tables, which say the same again and are passed over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from v2v.disks.image_writer import Write
from v2v.disks.imagefile import SECTOR
from v2v.disks.vmdk_grains import SPARSE_MAGIC
from v2v.errors import SourceError

_STREAM = 1 << 16 | 1 << 17  # flags: compressed grains, markers
_DEFLATE = 1
_AT_END = (1 << 64) - 1
_END, _TABLE, _DIRECTORY, _FOOTER = range(4)
_MAX_GRAIN = 1 << 16  # sectors
_MAX_TABLE = 1 << 20  # sectors of a table or directory
_HEAD = 12  # bytes in front of a grain's data


class Cut(SourceError):
    """The stream ends before its end: it may be asked for once more."""


def unpack(
    file: BinaryIO,
    length: int | None,
    size: int,
    write: Write,
    where: Path,
    told: Callable[[int], None],
) -> None:
    """Write the disk in a stream, ``length`` bytes if that is known, to where it belongs.

    The disk has ``size`` bytes. ``told`` hears how many bytes of the disk there were so far.
    Raises SourceError.
    """
    stream = _Stream(file, where)
    head = stream.exactly(SECTOR)
    flags, sectors, grain = struct.unpack("<IQQ", head[8:28])
    directory, overhead = struct.unpack("<QQ", head[56:72])
    (method,) = struct.unpack("<H", head[77:79])
    if not head.startswith(SPARSE_MAGIC) or flags & _STREAM != _STREAM or method != _DEFLATE:
        raise _damaged(where, "is no stream-optimized VMDK")
    if not (1 <= grain <= _MAX_GRAIN and 1 <= overhead <= _MAX_TABLE):
        raise _damaged(where, f"grains of {grain:,} sectors are not credible")
    if sectors * SECTOR != size:
        raise _damaged(where, f"its disk has {sectors * SECTOR:,} bytes, not {size:,}")
    stream.skip((overhead - 1) * SECTOR)
    while stream.at != length and (marker := stream.marker(must=directory == _AT_END)):
        number, count, kind = struct.unpack("<QII", marker[:16])
        if count:
            _grain(stream, marker, grain * SECTOR, size, write)
            told(number * SECTOR)
        elif kind == _END:
            return
        elif kind in (_TABLE, _DIRECTORY, _FOOTER) and number <= _MAX_TABLE:
            stream.skip(number * SECTOR)
        else:
            raise _damaged(where, f"a marker of the kind {kind} is not known")
    if directory == _AT_END or length not in (None, stream.at):
        raise Cut("E-DISK-TRUNCATED", f"{where}: the stream ends before its end")


def _grain(stream: _Stream, marker: bytes, most: int, size: int, write: Write) -> None:
    """Write a grain, whose first bytes stand in its marker."""
    number, count = struct.unpack("<QI", marker[:_HEAD])
    at = number * SECTOR
    if count > most + (1 << 12) or at >= size or at % most:
        raise _damaged(
            stream.where, f"a grain of {count:,} bytes at sector {number:,} has no place"
        )
    first = marker[_HEAD:]
    rest = max(0, count - len(first))
    data = (first + stream.exactly(-(-rest // SECTOR) * SECTOR))[:count]
    engine = zlib.decompressobj()
    try:
        grain = engine.decompress(data, most + 1)
    except zlib.error as error:
        raise _damaged(stream.where, f"the grain at sector {number:,}: {error}") from error
    if not engine.eof or len(grain) not in (most, size - at):
        raise _damaged(stream.where, f"the grain at sector {number:,} has {len(grain):,} bytes")
    write(grain[: size - at], at)


class _Stream:
    """The file, and how far it was read."""

    def __init__(self, file: BinaryIO, where: Path) -> None:
        self.where = where
        self.at = 0
        self._file = file

    def marker(self, *, must: bool) -> bytes:
        """Return the next sector; nothing at the end, where QEMU puts no marker."""
        data = self._file.read(SECTOR)
        self.at += len(data)
        if len(data) not in (0, SECTOR) or (must and not data):
            raise self._cut()
        return data

    def exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        self.at += len(data)
        if len(data) < length:
            raise self._cut()
        return data

    def skip(self, length: int) -> None:
        while length:
            length -= len(self.exactly(min(length, 1 << 20)))

    def _cut(self) -> Cut:
        return Cut("E-DISK-TRUNCATED", f"{self.where}: the stream ends at byte {self.at:,}")


def _damaged(where: Path, fact: str) -> SourceError:
    """Return the error for a stream that is not as it should be."""
    return SourceError("E-DISK-FORMAT", f"{where}: {fact}", hint="export the guest once more")
