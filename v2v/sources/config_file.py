# SPDX-License-Identifier: LGPL-2.1-or-later
"""The only file access of the source readers: a configuration file's content, or its beginning."""

from __future__ import annotations

from pathlib import Path

from v2v.disks.archive import expanded
from v2v.errors import SourceError
from v2v.packed import Packed

HEAD = 68 * 1024  # up to and with the btrfs superblock, the farthest that tells a disk's content
LIMIT = 4 * 1024 * 1024  # configurations have kilobytes; a disk image must not fill the memory


def head(path: Path) -> bytes:
    """Return a file's first bytes, by which its kind is told. Raises SourceError."""
    return _read(path, HEAD)


def content(path: Path) -> bytes:
    """Return a whole configuration file. Raises SourceError."""
    data = _read(path, LIMIT + 1)
    if len(data) > LIMIT:
        raise too_large(path)
    return data


def too_large(path: Path) -> SourceError:
    """Return the error for a file that is no configuration."""
    return SourceError(
        "E-SOURCE-SIZE",
        f"{path}: larger than any configuration file",
        hint="if this is a disk image, pass -i disk",
    )


def packed(place: Packed, where: str) -> bytes:
    """Return a whole configuration file that is in a package. Raises SourceError."""
    data = b""
    try:
        for part in expanded(place):
            data += part
            if len(data) > LIMIT:
                raise SourceError("E-SOURCE-SIZE", f"{where}: larger than any configuration file")
    except OSError as error:
        raise SourceError("E-SOURCE-READ", f"{where}: {error.strerror}") from error
    except ValueError as error:
        raise SourceError("E-OVA-DAMAGED", f"{where}: {error}") from error
    return data


def _read(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError as error:
        raise SourceError("E-SOURCE-MISSING", f"{path}: no such file") from error
    except OSError as error:
        raise SourceError("E-SOURCE-READ", f"{path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise SourceError("E-SOURCE-MISSING", f"{str(path)!r}: no such file") from error


def decode(data: bytes) -> str:
    """Return text as UTF-8, else as Latin-1: old configurations hold either, often in comments."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
