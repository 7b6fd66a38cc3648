# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tar archive that passes by once: from a pipe, or expanded as it is read.

Headers are read by Python's tarfile; long names and sizes, which are members of their own in front
(POSIX pax, GNU), are followed here, each of them limited.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from v2v.cancellation import check
from v2v.disks.archive import BLOCK, damaged

_MAX_EXTENSION = 1 << 16  # bytes of a long name, or of pax records
_MAX_MEMBERS = 10_000
_CHUNK = 1 << 20


class Member(io.RawIOBase):
    """The content of a file, to be read before the next one is asked for."""

    def __init__(self, stream: TarStream, name: str, size: int) -> None:
        self.path = name
        self.size = size
        self._left = size
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        data = self._stream.exactly(wanted)
        self._left -= len(data)
        return data


class TarStream:
    """An archive that is read from its beginning to its end, once. ``where`` is for people."""

    def __init__(self, file: BinaryIO, where: Path) -> None:
        self.where = where
        self._file = file

    def members(self) -> Iterator[Member]:
        """Yield the regular files. Raises SourceError."""
        longer: dict[str, str] = {}
        for _ in range(_MAX_MEMBERS):
            header = self.exactly(BLOCK)
            if not any(header):
                return
            info = self._parsed(header)
            if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
                longer |= self._extension(info)
                continue
            name, size = longer.get("path", info.name), int(longer.get("size", info.size))
            longer = {}
            if info.issparse() or info.type not in tarfile.REGULAR_TYPES:
                size = 0 if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else size
                self.skip(-(-size // BLOCK) * BLOCK)
                continue
            member = Member(self, name.removeprefix("./"), size)
            yield member
            while member.read(_CHUNK):
                check()
            self.skip(-size % BLOCK)
        raise damaged(self.where, f"has over {_MAX_MEMBERS} members, which no export has")

    def _parsed(self, header: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise damaged(
                self.where, f"there is no member where one should begin: {error}"
            ) from error
        if info.size < 0:
            raise damaged(self.where, f"{info.name!r} has a size that makes no sense")
        return info

    def _extension(self, info: tarfile.TarInfo) -> dict[str, str]:
        """Return what a member in front tells of the next one: its path or size."""
        if info.size > _MAX_EXTENSION:
            raise damaged(self.where, "a header is larger than any that makes sense")
        data = self.exactly(-(-info.size // BLOCK) * BLOCK)[: info.size]
        text = data.decode("utf-8", "surrogateescape")
        if info.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": text.rstrip("\0")}
        records = (line.partition(" ")[2].partition("=") for line in text.split("\n"))
        found = {key: value for key, _, value in records if key in ("path", "size")}
        if not found.get("size", "0").isdecimal() or len(found.get("size", "")) > 18:
            raise damaged(self.where, "a size in a header makes no sense")
        return found

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.exactly(min(size, _CHUNK)))

    def exactly(self, size: int) -> bytes:
        """Return so many bytes. Raises SourceError if there are fewer, or not to be expanded."""
        try:
            data = self._file.read(size)
            while len(data) < size and (more := self._file.read(size - len(data))):
                data += more
        except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            raise damaged(self.where, f"it cannot be read on: {error}") from error
        if len(data) < size:
            raise damaged(self.where, "it ends before the archive's end")
        return data
