# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tar archives of strangers: where their files lie, or what they hold as they pass by once.

Python's tarfile reads a header, and no more: what it follows without limits (long names, lists of
holes, sizes below zero) is members of their own in front (POSIX pax, GNU), and looked at here.
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
from v2v.disks.archive import MAX_MEMBERS, Members, crowded, damaged, indexed, unreadable
from v2v.errors import SourceError
from v2v.packed import Packed, Piece

BLOCK = 512
MAGIC_AT, MAGIC = 257, b"ustar"

_EXTENSIONS = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_LINKS = (tarfile.SYMTYPE, tarfile.LNKTYPE)
# Their content is what is behind the header; tar(5) has types without any, whatever size they say.
_EMPTY = (*_LINKS, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
_MAX_EXTENSION = 1 << 16  # bytes of a long name, or of pax records
_CHUNK = 1 << 20


class Member(io.RawIOBase):
    """A file, or a link: its content is there until the next one is asked for."""

    def __init__(self, stream: TarStream, name: str, size: int, *, link: bool) -> None:
        self.path = name
        self.size = self.left = size
        self.link = link
        self._stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = self.left if size is None or size < 0 else min(size, self.left)
        data = self._stream.exactly(wanted)
        self.left -= len(data)
        return data


class TarStream:
    """An archive that is read from its beginning to its end, once. ``where`` is for people."""

    def __init__(self, file: BinaryIO, where: Path) -> None:
        self.where = where
        self.at = 0
        self._file = file

    def members(self) -> Iterator[Member]:
        """Yield files and links. Raises SourceError."""
        longer: dict[str, str] = {}
        for _ in range(MAX_MEMBERS):
            header = self.exactly(BLOCK)
            if not any(header):
                return
            info = self._parsed(header)
            if info.type in _EXTENSIONS:
                longer |= self._extension(info)
                continue
            name, size = longer.get("path", info.name), int(longer.get("size", info.size))
            if info.type == tarfile.GNUTYPE_SPARSE or any("GNU.sparse" in key for key in longer):
                raise SourceError(
                    "E-OVA-MEMBER",
                    f"{self.where}: {name!r} is stored with holes, which is not read in place",
                    hint="unpack the archive, and give the .ovf file",
                )
            longer = {}
            size = 0 if info.type in _EMPTY else size
            member = Member(self, name.removeprefix("./"), size, link=info.type in _LINKS)
            if member.link or info.type in tarfile.REGULAR_TYPES:
                yield member
            self.skip(member.left + -size % BLOCK)
        raise crowded(self.where)

    def _parsed(self, header: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            fact = f"there is no member of a tar where one should begin: {error}"
            raise damaged(self.where, fact) from error
        if info.size < 0:
            raise damaged(self.where, f"{info.name!r} has a size that makes no sense")
        return info

    def _extension(self, info: tarfile.TarInfo) -> dict[str, str]:
        """Return what a member in front tells of the next one: its path, its size and more."""
        if info.size > _MAX_EXTENSION:
            raise damaged(self.where, "a header is larger than any that makes sense")
        data = self.exactly(-(-info.size // BLOCK) * BLOCK)[: info.size]
        text = data.decode("utf-8", "surrogateescape")
        if info.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": text.partition("\0")[0]}
        records = (line.partition(" ")[2].partition("=") for line in text.split("\n"))
        found = {key: value for key, _, value in records if key}
        size = found.get("size", "0")
        if not (size.isascii() and size.isdecimal() and len(size) <= 18):
            raise damaged(self.where, "a size in a header makes no sense")
        return found

    def skip(self, size: int) -> None:
        """Let so many bytes pass by."""
        while size:
            check()
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
        self.at += size
        return data


class _TarFile(TarStream):
    """An archive in a file, of which only the headers are read."""

    def __init__(self, file: BinaryIO, where: Path) -> None:
        super().__init__(file, where)
        self._end = file.seek(0, 2)
        file.seek(0)

    def skip(self, size: int) -> None:
        if self.at + size > self._end:
            raise damaged(self.where, "it ends before the archive's end")
        self.at = self._file.seek(self.at + size)


def tar_members(path: Path) -> Members:
    """Return the files in a tar archive, by name. Raises SourceError."""
    try:
        with path.open("rb") as file:
            return indexed(path, _placed(_TarFile(file, path)))
    except OSError as error:
        raise unreadable(path, error) from error


def _placed(archive: _TarFile) -> Iterator[tuple[str, Packed | None]]:
    for member in archive.members():
        piece = Piece(str(archive.where), archive.at, member.size)
        yield member.path, None if member.link else Packed((piece,))
