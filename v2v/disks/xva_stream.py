# SPDX-License-Identifier: LGPL-2.1-or-later
"""An XVA that passes by once: from a pipe, a connection, or a compressed file.

Its disks are written as they come, each block compared with the checksum behind it. Nothing else
of the archive is kept. What is in one: see v2v/disks/xva.py.
"""

from __future__ import annotations

import bz2
import fcntl
import gzip
import io
import lzma
import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from v2v.cancellation import check
from v2v.disks import xva
from v2v.disks.image_writer import Write

_BUFFER = 1 << 20
_FIRST = "ova.xml"
_GZIP, _ZSTD, _XZ, _BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh"
_MAGICS = _GZIP, _ZSTD, _XZ, _BZIP2


def compressed(head: bytes) -> bool:
    """Tell by a file's first bytes whether ``expanded`` expands it."""
    return head.startswith(_MAGICS)


def expanded(file: BinaryIO) -> BinaryIO:
    """Return a stream without its compression, if it has one: gzip, zstd, xz or bzip2.

    A pipe is given a larger buffer: with the 64 KiB that Linux gives it, it is four times slower.
    """
    with suppress(OSError):  # no pipe, or the user has too many of that size: see pipe(7)
        fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, _BUFFER)
    buffered = io.BufferedReader(cast("io.RawIOBase", file), _BUFFER)
    head = buffered.peek(8)[:8]
    if head.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=buffered))
    if head.startswith(_ZSTD):
        reader = zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader), _BUFFER))
    if head.startswith(_XZ):
        return cast("BinaryIO", lzma.LZMAFile(buffered))
    if head.startswith(_BZIP2):
        return cast("BinaryIO", bz2.BZ2File(buffered))
    return cast("BinaryIO", buffered)


class XvaStream:
    """An archive that is read from its beginning to its end, once. ``where`` is for people."""

    def __init__(self, file: BinaryIO, where: Path) -> None:
        self.where = where
        self._file = expanded(file)

    def description(self) -> bytes:
        """Return the content of ova.xml, which comes first. Raises SourceError."""
        name, size = self._member()
        if name != _FIRST:
            raise xva.damaged(self.where, "it does not begin with ova.xml")
        xva.refuse_large(size, self.where)
        return self._content(name, size)

    def unpack(self, disks: Mapping[str, tuple[int, Write]]) -> None:
        """Write disks, given by reference with their size in bytes. Raises SourceError.

        Other disks, those of snapshots, pass by.
        """
        seen: dict[str, int] = dict.fromkeys(disks, 0)
        last: tuple[xva.Name, bytes] | None = None
        compared: Future[None] | None = None  # the last block, while the next one is read
        with ThreadPoolExecutor(1) as thread:
            while True:
                check()
                name, size = self._member()
                if not name:
                    break
                found = xva.block_of(name)
                data = self._content(name, min(size, xva.BLOCK + 1))
                if size > xva.BLOCK:
                    raise xva.damaged(self.where, f"{name} is larger than 1 MiB")
                if found is None or found.disk not in disks:
                    continue
                if found.sum is not None:
                    if last is None or (last[0].disk, last[0].number) != (found.disk, found.number):
                        raise xva.damaged(self.where, f"{name} does not follow its block")
                    if last[1]:
                        if compared is not None:
                            compared.result()
                        compared = thread.submit(
                            xva.check, last[1], data, found.sum, name, self.where
                        )
                    continue
                last = found, data
                if not data:  # sent to keep the connection alive
                    continue
                length, write = disks[found.disk]
                at = found.number * xva.BLOCK
                if at >= length:
                    raise xva.damaged(self.where, f"{found.disk} has data behind its end")
                seen[found.disk] += 1
                write(data[: length - at], at)
            if compared is not None:
                compared.result()
        for disk, count in seen.items():
            if not count:  # the first and the last block are always there
                raise xva.damaged(self.where, f"there is no data of {disk}")

    def _member(self) -> tuple[str, int]:
        """Return name and size of the next member; no name at the end of the archive."""
        header = self._read(xva.HEADER)
        if len(header) < xva.HEADER:
            raise xva.damaged(self.where, "it ends before the archive's end")
        return xva.parse_header(header, self.where) if any(header) else ("", 0)

    def _content(self, name: str, size: int) -> bytes:
        whole = -(-size // xva.HEADER) * xva.HEADER
        data = self._read(whole)
        if len(data) < whole:
            raise xva.damaged(self.where, f"{name} is cut off")
        return data[:size]

    def _read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end."""
        try:
            data = self._file.read(size)
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            raise xva.damaged(self.where, f"it cannot be read on: {error}") from error
        return data
