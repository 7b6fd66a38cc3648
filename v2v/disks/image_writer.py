# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writing an image of our own as its data comes in: qcow2 (QEMU's docs/interop/qcow2.txt).

Clusters follow one another as they are first written to, whatever part of the disk they are. What
says where each is comes behind the last one, and the header last of all: an image that was not
finished is none.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.disks.imagefile import SECTOR
from v2v.disks.qcow import QCOW_MAGIC
from v2v.errors import TargetError

Write = Callable[[bytes, int], None]  # data, and where in the disk

_MODE = 0o600  # a disk holds password hashes and keys
_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_ZEROS = bytes(_CLUSTER)
_ENTRIES = _CLUSTER // 8  # of an L2 table
_COUNTS = _CLUSTER // 2  # of a refcount block: 16 bits for each cluster
_ONE_USER = 1 << 63  # of an entry in L1 and L2: what it leads to has a refcount of one
_HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_VERSION, _REFCOUNT_ORDER = 3, 4


@contextmanager
def written(path: Path, size: int) -> Iterator[Write]:
    """Make a sparse image that is filled for as long as the block lasts. Raises TargetError.

    It is ``size`` bytes, rounded up to whole sectors; what is not written is zeros. It takes 64 KiB
    of memory for each 512 MiB of the disk in which there is data.
    """
    with _told(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        image = _Image(descriptor, path, -(-size // SECTOR) * SECTOR)
        yield image.write
        image.finish()
        with _told(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Image:
    """An image's file, and where in it the clusters of the disk are."""

    def __init__(self, descriptor: int, path: Path, size: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self._size = size
        self._l1 = array("Q", bytes(8 * -(-size // (_CLUSTER * _ENTRIES))))
        self._l2: dict[int, array[int]] = {}
        self._end = _CLUSTER + _CLUSTER * _clusters(8 * len(self._l1))  # behind header and L1 table

    def write(self, data: bytes, offset: int) -> None:
        """Write data; clusters that are zeros, and were nothing else before, take no room."""
        view = memoryview(data)
        begin = end = place = 0  # view[begin:end] goes to ``place`` in the file, 0 is nowhere
        while end < len(data):
            length = min(_CLUSTER - (offset + end) % _CLUSTER, len(data) - end)
            at = self._place(offset + end, data[end : end + length])
            if not (place and at == place + end - begin):
                if place:
                    self._put(view[begin:end], place)
                begin, place = end, at
            end += length
        if place:
            self._put(view[begin:end], place)

    def _place(self, offset: int, piece: bytes) -> int:
        """Return where in the file a piece of a cluster goes, 0 if it need not be there."""
        number, index = divmod(offset // _CLUSTER, _ENTRIES)
        table = self._l2.get(number)
        entry = 0 if table is None else table[index]
        if not entry:
            if piece == _ZEROS[: len(piece)]:
                return 0
            if table is None:
                table = self._l2[number] = array("Q", _ZEROS)
            entry = table[index] = self._end | _ONE_USER
            self._end += _CLUSTER
        return (entry ^ _ONE_USER) + offset % _CLUSTER

    def finish(self) -> None:
        """Write what says where everything is. Raises TargetError."""
        for number, table in sorted(self._l2.items()):
            self._l1[number] = self._end | _ONE_USER
            self._append(_big_endian(table))
        self._put(_big_endian(self._l1), _CLUSTER)
        used = self._end // _CLUSTER
        blocks = listing = (
            1  # clusters of refcounts, and of the table that lists them: counted, too
        )
        while blocks * _COUNTS < used + listing + blocks:
            blocks += 1
            listing = _clusters(8 * blocks)
        listed = self._end
        first = listed + _CLUSTER * listing
        places = array("Q", range(first, first + blocks * _CLUSTER, _CLUSTER))
        self._append(_big_endian(places))
        left = used + listing + blocks
        for _ in range(blocks):
            self._append((b"\0\1" * min(left, _COUNTS)).ljust(_CLUSTER, b"\0"))
            left -= _COUNTS
        header = _HEADER.pack(
            QCOW_MAGIC, _VERSION, 0, 0, _CLUSTER_BITS, self._size, 0, len(self._l1), _CLUSTER,
            listed, listing, 0, 0, 0, 0, 0, _REFCOUNT_ORDER, _HEADER.size,
        )  # fmt: skip
        self._put(header, 0)

    def _append(self, table: bytes) -> None:
        """Write a table behind all else."""
        self._put(table, self._end)
        self._end += _CLUSTER * _clusters(len(table))

    def _put(self, data: bytes | memoryview, place: int) -> None:
        with _told(self._path):
            while data:
                written = os.pwrite(self._descriptor, data, place)
                data, place = data[written:], place + written


def _clusters(size: int) -> int:
    """Return how many clusters so many bytes need."""
    return -(-size // _CLUSTER)


def _big_endian(words: array[int]) -> bytes:
    """Return a table as it stands in the file; the words are spent."""
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what the host has against writing. Raises TargetError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise TargetError(
            "E-TARGET-SPACE" if full else "E-TARGET-WRITE",
            f"{path}: {error.strerror}",
            hint="make room, or choose another folder: -os DIR",
        ) from error
