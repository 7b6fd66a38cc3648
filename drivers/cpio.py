# SPDX-License-Identifier: LGPL-2.1-or-later
"""cpio archives in the "newc" form, read from a stream and written.

The form is in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst: headers of
110 ASCII characters; names, contents and headers each start at a multiple of four.
"""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

TRAILER = "TRAILER!!!"
_HEADER = 110
_MAGIC = (b"070701", b"070702")  # the second has checksums, which the kernel ignores
_PATH_MAX = 4096
_FIELDS = re.compile(rb"[0-9A-Fa-f]{104}")


class CpioError(ValueError):
    """What should be an archive is none, or is cut short or too large."""


class Stream:
    """Pieces of bytes, read in order, and what the generator of the pieces returned."""

    def __init__(self, pieces: Generator[bytes, None, int], limit: int) -> None:
        self._pieces = pieces
        self._limit = limit  # of what is read, against archives that expand without end
        self._buffer = b""
        self._at = 0  # in the buffer
        self._before = 0  # bytes that came before the buffer
        self.end: int | None = None  # the generator's result, once it is exhausted

    @property
    def position(self) -> int:
        return self._before + self._at

    def _more(self) -> bool:
        """Replace the buffer, which is used up, by the next piece; False at the end."""
        self._before += len(self._buffer)
        self._buffer, self._at = b"", 0
        while not self._buffer and self.end is None:
            try:
                self._buffer = next(self._pieces)
            except StopIteration as stop:
                self.end = stop.value
        if self._before + len(self._buffer) > self._limit:
            raise CpioError("archive is too large")
        return bool(self._buffer)

    def read(self, size: int) -> bytes:
        """Return so many bytes. Raises CpioError if there are less."""
        taken = self._buffer[self._at : self._at + size]
        self._at += len(taken)
        while len(taken) < size:
            if not self._more():
                raise CpioError("archive ends early")
            rest = self._buffer[: size - len(taken)]
            self._at = len(rest)
            taken += rest
        return taken

    def skip(self, size: int) -> None:
        """Pass over so many bytes. Raises CpioError if there are less."""
        while size > (left := len(self._buffer) - self._at):
            size -= left
            self._at += left
            if not self._more():
                raise CpioError("archive ends early")
        self._at += size

    def skip_zeros(self) -> bytes:
        """Pass over zero bytes; return the byte that follows, which stays, or nothing."""
        while True:
            rest = self._buffer[self._at :].lstrip(b"\0")
            self._at = len(self._buffer) - len(rest)
            if rest or not self._more():
                return rest[:1]


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of an archive: ``data`` of a link is its target, of most files it is not kept."""

    name: str
    mode: int
    data: bytes | None


def entries(stream: Stream, wanted: Callable[[str, int], bool]) -> Iterator[Entry]:
    """Yield the members of archives that follow one another, up to what is no archive.

    This is how the kernel reads them (init/initramfs.c): after each member, zeros are passed over
    until the next header; a trailer is a name as any other. ``wanted`` decides by name and size
    whose content is kept. Raises CpioError.
    """
    while stream.skip_zeros() == b"0" and stream.position % 4 == 0:
        mode, size, name_size = _header(stream.read(_HEADER))
        if not 0 < name_size <= _PATH_MAX:
            raise CpioError("archive has a member with an impossible name")
        padded = (_HEADER + name_size + 3) // 4 * 4 - _HEADER
        name = stream.read(padded)[: name_size - 1].decode(errors="surrogateescape")
        data = None
        if (modes.S_ISLNK(mode) and size <= _PATH_MAX) or (
            modes.S_ISREG(mode) and wanted(name, size)
        ):
            data = stream.read(size)
        else:
            stream.skip(size)
        if name != TRAILER:
            yield Entry(name, mode, data)


def _header(header: bytes) -> tuple[int, int, int]:
    """Return a member's mode, the size of its content and that of its name with its final zero."""
    if not header.startswith(_MAGIC) or not _FIELDS.fullmatch(header, 6):
        raise CpioError("archive has a damaged header")
    mode, size, name_size = (int(header[at : at + 8], 16) for at in (14, 54, 94))
    return mode, size, name_size


def archive(members: Iterable[Entry]) -> bytes:
    """Return an archive of folders and files with their modes, in this order, owned by root.

    All times are 0, so that the same content always gives the same archive.
    """
    parts = [_member(number, member) for number, member in enumerate(members, start=1)]
    return b"".join((*parts, _member(0, Entry(TRAILER, 0, None))))


def _member(number: int, member: Entry) -> bytes:
    # Links of 1: the kernel looks for hard links only from 2 on.
    path = member.name.encode(errors="surrogateescape") + b"\0"
    data = member.data or b""
    fields = (number, member.mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return b"".join((_padded(header + path), _padded(data)))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
