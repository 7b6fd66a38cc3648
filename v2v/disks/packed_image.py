# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in packages: read where they are in the archive, or from a temporary copy.

QEMU's raw driver takes an offset and a size, so what is stored as it is needs no copy. What is
compressed, or in parts, is expanded, to no more than the disk can take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from v2v.cancellation import check
from v2v.disks.archive import expanded
from v2v.disks.image import Image, inspect_image
from v2v.disks.image_writer import written
from v2v.disks.imagefile import SECTOR, ImageFile, opened
from v2v.disks.scratch import scratch
from v2v.disks.space import free_bytes
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat
from v2v.packed import Packed, Packing, Piece

_RESERVE = 256 << 20  # bytes that a temporary copy leaves free
_MARGIN = 64 << 20  # of a file that holds a disk, for its headers
_CHECK = 64 << 20  # bytes between two looks at the free space


def in_place(packed: Packed) -> bool:
    """Tell whether a disk can be read where it is: whole, as it is, in whole sectors.

    A tar fills up its last sector, and begins at one.
    """
    if packed.packing is not Packing.plain or len(packed.pieces) > 1:
        return False
    return all(piece.offset % SECTOR == 0 or piece.size % SECTOR == 0 for piece in packed.pieces)


@contextmanager
def in_package(disk: Disk, packed: Packed) -> Iterator[Image]:
    """Open a disk of a package for as long as the block lasts. Raises SourceError."""
    if not packed.pieces:
        with _blank(disk.virtual_bytes or 0) as image:
            yield image
    elif in_place(packed):
        yield _windowed(disk, packed.pieces[0])
    else:
        with _copied(disk, packed) as image:
            yield image


@contextmanager
def _blank(size: int) -> Iterator[Image]:
    """Make a disk without content, whose size the descriptor's reader found to be sensible."""
    with scratch("v2v-blank-") as folder:
        path = folder / "blank.qcow2"
        with written(path, size):
            pass
        yield inspect_image(Disk(str(path), DiskFormat.qcow2), folder, trust=False)


def _windowed(disk: Disk, piece: Piece) -> Image:
    size = -(-piece.size // SECTOR) * SECTOR
    with opened(Path(piece.path)) as archive:
        if piece.size == 0 or piece.offset + size > archive.size:
            raise archive.truncated(f"{Path(disk.path).name} is empty, or reaches behind its end")

        def pread(length: int, offset: int) -> bytes:
            return archive.read(piece.offset + offset, min(length, size - offset))

        image = _inspected(disk, ImageFile(Path(disk.path), size, size, pread))
    return replace(image, path=Path(piece.path), window=(piece.offset, size))


@contextmanager
def _copied(disk: Disk, packed: Packed) -> Iterator[Image]:
    place = Path(disk.path)
    size = disk.virtual_bytes
    limit = packed.size if packed.packing is Packing.plain else None
    if limit is None and size is not None:
        limit = size + size // 8 + _MARGIN
    with scratch("v2v-copy-") as folder:
        path = folder / place.name
        done = _expand(place, packed, path, limit)
        if disk.format is DiskFormat.raw and size not in (None, done):
            raise _damaged(place, f"has {done:,} bytes of a disk of {size:,}")
        with opened(path) as file:
            image = _inspected(disk, replace(file, path=place))
        yield replace(image, path=path)


class _Package:
    """A place with one file; what an image of it names is not followed."""

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    @contextmanager
    def open(self, path: Path, *, devices: bool = False) -> Iterator[ImageFile]:
        if path != self._file.path:
            raise SourceError(
                "E-OVA-MEMBER",
                f"{self._file.path}: names the file {str(path)!r}, which is not followed",
                hint="unpack the archive, and give the .ovf file; or export the guest without"
                " snapshots",
            )
        yield self._file

    def exists(self, path: Path) -> bool:
        return True  # so that it is opened, which refuses it

    def real(self, path: Path) -> Path | None:
        return path


def _inspected(disk: Disk, file: ImageFile) -> Image:
    return inspect_image(disk, file.path.parent, trust=True, place=_Package(file))


def _expand(place: Path, packed: Packed, path: Path, limit: int | None) -> int:
    """Write content to a sparse file, and return its bytes.

    Raises SourceError for too much of it, or if it is damaged.
    """
    done, checked = 0, -_CHECK
    try:
        with path.open("xb") as out:
            for data in expanded(packed):
                check()
                done += len(data)
                if limit is not None and done > limit:
                    raise _too_large(
                        place, f"expands to more than its disk can take, {limit} bytes"
                    )
                if done - checked >= _CHECK:
                    checked = done
                    if free_bytes(path.parent) < _RESERVE + _CHECK:
                        raise _too_large(
                            place, f"there is no room for a copy in {path.parent.parent}"
                        )
                if data.strip(b"\0"):
                    out.write(data)
                else:
                    out.seek(len(data), os.SEEK_CUR)
            out.truncate(done)
    except ValueError as error:
        raise _damaged(place, str(error)) from error
    except OSError as error:
        raise SourceError("E-DISK-UNREADABLE", f"{place}: {error.strerror}") from error
    return done


def _damaged(place: Path, fact: str) -> SourceError:
    return SourceError(
        "E-OVA-DAMAGED",
        f"{place}: {fact}",
        hint="copy the archive again, or export it once more",
    )


def _too_large(place: Path, fact: str) -> SourceError:
    return SourceError(
        "E-OVA-SIZE",
        f"{place}: {fact}",
        hint="choose another place for the temporary copy with TMPDIR, or expand it yourself",
    )
