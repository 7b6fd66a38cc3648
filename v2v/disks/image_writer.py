# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writing an image of our own as its data comes in: qcow2, through qemu-nbd."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import nbd

from v2v.disks.scratch import scratch
from v2v.errors import TargetError
from v2v.model import DiskFormat
from v2v.run import listens, run, running

Write = Callable[[bytes, int], None]  # data, and where in the disk

_MODE = 0o600  # a disk holds password hashes and keys
_SECONDS = 30  # for qemu-nbd to start
_SECTOR = 512
_CLUSTER = 1 << 16  # of qcow2
_ZEROS = bytes(_CLUSTER)
_AT_ONCE = 3


@contextmanager
def written(path: Path, size: int) -> Iterator[Write]:
    """Make a sparse image that is filled for as long as the block lasts. Raises TargetError.

    It is ``size`` bytes, rounded up to whole sectors; what is not written is zeros.
    """
    whole = -(-size // _SECTOR) * _SECTOR
    path.touch(_MODE, exist_ok=False)
    run("qemu-img", "create", "-q", "-f", DiskFormat.qcow2, path, str(whole))
    with scratch("v2v-write-") as folder:
        socket, log = folder / "nbd", folder / "log"
        options = ("--format", DiskFormat.qcow2, "--cache", "writeback", "--shared", str(_AT_ONCE))
        argv = ("qemu-nbd", *options, "--socket", socket, path)
        with running(*argv, stderr=log) as server:
            if not listens(server, socket, _SECONDS):
                raise _unwritable(path, log.read_text(errors="replace").strip())
            try:
                with _Writers(socket) as writers:
                    yield writers.write
            except nbd.Error as error:
                raise _unwritable(path, error.string) from error
            server.wait()


class _Writers:
    """Some connections to a server, so that writing goes on while the next data is made ready."""

    def __init__(self, socket: Path) -> None:
        self._handles: SimpleQueue[nbd.NBD] = SimpleQueue()
        for _ in range(_AT_ONCE):
            handle = nbd.NBD()
            handle.connect_unix(str(socket))
            self._handles.put(handle)
        self._threads = ThreadPoolExecutor(_AT_ONCE)
        self._going: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._threads.shutdown()
        if kind is None:
            while self._going:
                self._going.popleft().result()
            for _ in range(_AT_ONCE):
                handle = self._handles.get()
                handle.flush()
                handle.shutdown()

    def write(self, data: bytes, offset: int) -> None:
        """Write data, soon; what went wrong with an earlier piece is raised here."""
        if len(self._going) >= 2 * _AT_ONCE:
            self._going.popleft().result()
        self._going.append(self._threads.submit(self._pieces, data, offset))

    def _pieces(self, data: bytes, offset: int) -> None:
        """Write what is not zeros, in pieces of whole clusters."""
        handle = self._handles.get()
        try:
            clusters = range(0, len(data), _CLUSTER)
            for zeros, run_of in groupby(clusters, lambda at: _is_zero(data[at : at + _CLUSTER])):
                starts = [*run_of]
                if not zeros:
                    piece = data[starts[0] : starts[-1] + _CLUSTER]
                    handle.pwrite(piece, offset + starts[0])
        finally:
            self._handles.put(handle)


def _is_zero(piece: bytes) -> bool:
    return piece == _ZEROS[: len(piece)]


def _unwritable(path: Path, fact: str) -> TargetError:
    full = "No space left" in fact
    return TargetError(
        "E-TARGET-SPACE" if full else "E-TARGET-WRITE",
        f"{path}: {fact}",
        hint="make room, or choose another folder: -os DIR",
    )
