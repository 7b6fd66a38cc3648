# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the files of an archive lie; nothing is unpacked, no name touches the host.

Archives come from strangers: what libraries read in one go is limited, and so is the number of
members.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from v2v.errors import SourceError
from v2v.packed import Packed, Packing, Piece

ZIP_MAGIC = b"PK\x03\x04"
Members: TypeAlias = "Mapping[str, Packed | None]"  # None is a link, which is never followed

MAX_MEMBERS = 10_000
_MAX_READ = 32 << 20  # of a zip's directory
_CHUNK = 1 << 20
_ZIP_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of name and of the extra field
_ENCRYPTED = 1
_NO_ZIP = (
    zipfile.BadZipFile, EOFError, ValueError, struct.error,
    NotImplementedError,  # of a version of the format that there is not
)  # fmt: skip


class _Limited(io.RawIOBase):
    """A file of which nobody reads more than a directory can be, at once or in all."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _MAX_READ

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile("a header leads to before the beginning")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left + 1 if size is None or size < 0 else size
        data = self._file.read(min(wanted, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise zipfile.BadZipFile("its directory is larger than any that makes sense")
        return data


def zip_members(path: Path) -> Members:
    """Return the files in a zip archive, by name. Raises SourceError."""
    with path.open("rb") as file:
        try:
            return indexed(path, _zip_entries(file, path))
        except _NO_ZIP as error:
            raise damaged(path, f"is no zip archive that can be read: {error}") from error
        except OSError as error:
            raise unreadable(path, error) from error


def _zip_entries(file: BinaryIO, path: Path) -> Iterator[tuple[str, Packed | None]]:
    packings = {zipfile.ZIP_STORED: Packing.plain, zipfile.ZIP_DEFLATED: Packing.deflate}
    end = file.seek(0, 2)
    with zipfile.ZipFile(_Limited(file)) as archive:
        entries = archive.infolist()
    for entry in entries:
        if entry.is_dir():
            continue
        packing = packings.get(entry.compress_type)
        if packing is None or entry.flag_bits & _ENCRYPTED:
            raise SourceError(
                "E-OVA-MEMBER",
                f"{path}: {entry.filename!r} is encrypted, or compressed by another way than zip's",
                hint="unpack the archive, and give the .ovf file",
            )
        file.seek(entry.header_offset)
        signature, name, extra = _ZIP_HEADER.unpack(file.read(_ZIP_HEADER.size))
        start = entry.header_offset + _ZIP_HEADER.size + name + extra
        if signature != ZIP_MAGIC or start + entry.compress_size > end:
            raise damaged(path, f"{entry.filename!r} is cut off")
        yield entry.filename, Packed((Piece(str(path), start, entry.compress_size),), packing)


def indexed(path: Path, entries: Iterator[tuple[str, Packed | None]]) -> Members:
    """Return members by their names, each there once. Raises SourceError."""
    found: dict[str, Packed | None] = {}
    for name, packed in entries:
        plain = name.removeprefix("./")
        if plain in found:
            raise damaged(path, f"{plain!r} is there twice")
        if len(found) >= MAX_MEMBERS:
            raise crowded(path)
        found[plain] = packed
    return found


def stored(packed: Packed) -> Iterator[bytes]:
    """Yield content as it is stored, a zip's deflated one expanded: what checksums are made of.

    Raises OSError, or ValueError where it is damaged.
    """
    data = _pieces(packed)
    return _inflated(data, -zlib.MAX_WBITS) if packed.packing is Packing.deflate else data


def expanded(packed: Packed) -> Iterator[bytes]:
    """Yield content without any compression. Raises OSError, or ValueError where it is damaged."""
    if packed.packing is Packing.gzip:
        return _inflated(_pieces(packed), zlib.MAX_WBITS | 16)
    return stored(packed)


def _pieces(packed: Packed) -> Iterator[bytes]:
    for piece in packed.pieces:
        with Path(piece.path).open("rb") as file:
            file.seek(piece.offset)
            left = piece.size
            while left:
                data = file.read(min(left, _CHUNK))
                if not data:
                    raise ValueError(f"{piece.path} ends too early")
                left -= len(data)
                yield data


def _inflated(pieces: Iterator[bytes], bits: int) -> Iterator[bytes]:
    """Expand in pieces of a megabyte, however much one byte of input makes; gzip can be several."""
    engine = zlib.decompressobj(bits)
    fed = False
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if engine.eof:
                    if not rest.strip(b"\0"):  # gzip(1) takes zeros behind the end for padding
                        break
                    engine = zlib.decompressobj(bits)
                yield engine.decompress(rest, _CHUNK)
                fed = True
                rest = engine.unused_data if engine.eof else engine.unconsumed_tail
    except zlib.error as error:
        raise ValueError(str(error)) from error
    while not engine.eof and (more := engine.decompress(engine.unconsumed_tail, _CHUNK)):
        yield more
    if fed and not engine.eof:
        raise ValueError("its compressed data ends too early")


def damaged(path: Path, fact: str) -> SourceError:
    """Return the error for an archive that is not as it was written."""
    return SourceError(
        "E-OVA-DAMAGED", f"{path}: {fact}", hint="copy the archive again, or export it once more"
    )


def unreadable(path: Path, error: OSError) -> SourceError:
    """Return the error for an archive that the host does not let us read."""
    return SourceError("E-SOURCE-READ", f"{path}: {error.strerror}")


def crowded(path: Path) -> SourceError:
    """Return the error for an archive with too many members."""
    return damaged(path, f"has over {MAX_MEMBERS} members, which no export has")
