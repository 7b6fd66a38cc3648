# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk image as bytes: opened without side effects, read only inside of its bounds."""

from __future__ import annotations

import os
import stat as modes
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Protocol

from v2v.errors import SourceError
from v2v.model import DiskFormat

SECTOR = 512
MAX_VIRTUAL = 1 << 50  # 1 PiB; no hypervisor makes disks of a tenth of it
_CHUNK = 1 << 20  # most that is read at once
_KINDS = {
    modes.S_IFDIR: "a directory",
    modes.S_IFIFO: "a named pipe",
    modes.S_IFSOCK: "a socket",
    modes.S_IFCHR: "a character device",
    modes.S_IFBLK: "a block device",
}


class Role(StrEnum):
    """What a file is to the image whose header names it."""

    backing = "backing file"
    data = "external data file"
    extent = "extent"


@dataclass(frozen=True, slots=True)
class Reference:
    """A file that an image's header names. ``name`` is as it stands there."""

    role: Role
    name: str
    format: DiskFormat | None  # None: the header does not say
    bytes: int = 0  # at least so long must it be
    cid: str | None = None  # the content id that the parent must have
    moved: bool = False  # ``name`` may be that of the old host
    by_id: bool = False  # ``name`` is no name, but the parent's identifier


@dataclass(frozen=True, slots=True)
class Header:
    """What an image's own header says, in whatever format."""

    virtual_bytes: int
    references: tuple[Reference, ...] = ()
    cid: str | None = None  # a VMDK's content id, a VHD's unique id
    wwid: str | None = None  # what a SCSI disk tells of itself, as scsi_id(8) prints it
    by_us: bool = False  # our own reader is to put it together, not QEMU


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image that is open for reading."""

    path: Path
    size: int
    allocated: int  # bytes that it takes on the host's disk
    pread: Callable[[int, int], bytes]  # so many bytes at an offset, fewer at the end

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes. Raises SourceError if the file ends before."""
        self.require(offset, length, "its header")
        parts = []
        while length:
            try:
                part = self.pread(min(length, _CHUNK), offset)
            except OSError as error:
                raise SourceError(
                    "E-DISK-UNREADABLE", f"{self.path}: {error.strerror} at byte {offset:,}"
                ) from error
            if not part:
                raise self.truncated("it was cut short while it was read")
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def start(self, length: int) -> bytes:
        """Return the first bytes, fewer if the file is shorter."""
        return self.read(0, min(length, self.size))

    def table(self, offset: int, count: int, type_code: str, order: str) -> Iterator[array[int]]:
        """Yield a table of integers in pieces; ``type_code`` I or Q, ``order`` little or big."""
        width = array(type_code).itemsize
        end = offset + count * width
        self.require(offset, count * width, "a table of its header")
        for at in range(offset, end, _CHUNK):
            words = array(type_code, self.read(at, min(_CHUNK, end - at)))
            if order != sys.byteorder:
                words.byteswap()
            yield words

    def words(self, offset: int, count: int, type_code: str, order: str) -> array[int]:
        """Return a whole table of integers; see table()."""
        whole = array(type_code)
        for words in self.table(offset, count, type_code, order):
            whole += words
        return whole

    def require(self, offset: int, length: int, what: str) -> None:
        """Raise SourceError unless the file holds these bytes."""
        if offset + length > self.size:
            raise self.truncated(
                f"{what} reaches to byte {offset + length:,}, but the file has {self.size:,} bytes"
            )

    def truncated(self, fact: str) -> SourceError:
        """Return the error for a file that ends too early."""
        return SourceError(
            "E-DISK-TRUNCATED",
            f"{self.path}: {fact}",
            hint="the image is incomplete or damaged; copy it from its source again",
        )

    def malformed(self, fact: str, *, hint: str | None = None) -> SourceError:
        """Return the error for a header that does not make sense."""
        return SourceError("E-DISK-FORMAT", f"{self.path}: {fact}", hint=hint)

    def encrypted(self) -> SourceError:
        """Return the error for an image whose data is encrypted by its format."""
        return SourceError(
            "E-IMAGE-ENCRYPTED",
            f"{self.path}: the image is encrypted",
            hint="decrypt it in its hypervisor first",
        )

    def virtual(self, size: int) -> int:
        """Return a virtual size, rounded up to whole sectors as QEMU does, if it is credible."""
        if not 0 < size <= MAX_VIRTUAL:
            raise self.malformed(f"a virtual size of {size:,} bytes is not credible")
        return -(-size // SECTOR) * SECTOR


class Place(Protocol):
    """Where the files of an image are: this host, or another."""

    def open(self, path: Path, *, devices: bool = False) -> AbstractContextManager[ImageFile]:
        """Open a file, or a block device where ``devices`` allows it. Raises SourceError."""

    def exists(self, path: Path) -> bool:
        """Tell whether there is something. Raises SourceError, if the host is gone."""

    def real(self, path: Path) -> Path | None:
        """Return a path without symbolic links, None if they do not lead anywhere."""


class Local:
    """This host."""

    def open(self, path: Path, *, devices: bool = False) -> AbstractContextManager[ImageFile]:
        return opened(path, devices=devices)

    def exists(self, path: Path) -> bool:
        try:
            return path.exists()
        except OSError:  # a name that is too long
            return False

    def real(self, path: Path) -> Path | None:
        try:
            return path.resolve()
        except (OSError, RuntimeError):  # a loop of links
            return None


LOCAL = Local()


@contextmanager
def opened(path: Path, *, devices: bool = False) -> Iterator[ImageFile]:
    """Open a regular file, or a block device where ``devices`` allows it, for reading.

    What it is, is asked first: to open a FIFO would hang, to open some devices does things.
    """
    try:
        _refuse_kind(path, path.stat().st_mode, devices=devices)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(
            "E-DISK-MISSING",
            f"{path}: no such disk image",
            hint="copy it to that place, or say where it is: --map-path FROM=TO",
        ) from error
    except OSError as error:
        raise SourceError(
            "E-DISK-UNREADABLE",
            f"{path}: {error.strerror}",
            hint="run v2v as a user who may read it",
        ) from error
    except ValueError as error:  # an embedded NUL
        raise SourceError("E-DISK-MISSING", f"{str(path)!r}: not a file name") from error
    try:
        found = os.fstat(fd)
        _refuse_kind(path, found.st_mode, devices=devices)
        size = os.lseek(fd, 0, os.SEEK_END)
        on_host = found.st_blocks * SECTOR if modes.S_ISREG(found.st_mode) else size
        yield ImageFile(path, size, on_host, partial(os.pread, fd))
    finally:
        os.close(fd)


def _refuse_kind(path: Path, mode: int, *, devices: bool) -> None:
    if modes.S_ISREG(mode) or (devices and modes.S_ISBLK(mode)):
        return
    kind = _KINDS.get(modes.S_IFMT(mode), "no file")
    raise SourceError(
        "E-DISK-KIND",
        f"{path}: is {kind}, not a disk image",
        hint="name the image file itself, or a block device",
    )
