# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writing an image of our own as its data comes in: qcow2, through qemu-nbd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

import nbd

from v2v.disks.scratch import scratch
from v2v.errors import TargetError
from v2v.model import DiskFormat
from v2v.run import run, running

Write = Callable[[bytes, int], None]  # data, and where in the disk

_MODE = 0o600  # a disk holds password hashes and keys
_SECONDS = 30  # for qemu-nbd to start
_SECTOR = 512
_CLUSTER = 1 << 16  # of qcow2
_ZEROS = bytes(_CLUSTER)


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
        options = ("--format", DiskFormat.qcow2, "--cache", "writeback")
        argv = ("qemu-nbd", *options, "--socket", socket, path)
        with running(*argv, stderr=log) as server:
            deadline = time.monotonic() + _SECONDS
            while not socket.is_socket():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise _unwritable(path, log.read_text(errors="replace").strip())
                time.sleep(0.01)
            handle = nbd.NBD()
            try:
                handle.connect_unix(str(socket))
                yield partial(_write, handle)
                handle.flush()
                handle.shutdown()
            except nbd.Error as error:
                raise _unwritable(path, error.string) from error
            server.wait()


def _write(handle: nbd.NBD, data: bytes, offset: int) -> None:
    """Write what is not zeros, in pieces of whole clusters."""
    pieces = range(0, len(data), _CLUSTER)
    for zeros, run_of in groupby(pieces, lambda at: _is_zero(data[at : at + _CLUSTER])):
        if not zeros:
            starts = [*run_of]
            handle.pwrite(data[starts[0] : starts[-1] + _CLUSTER], offset + starts[0])


def _is_zero(piece: bytes) -> bool:
    return piece == _ZEROS[: len(piece)]


def _unwritable(path: Path, fact: str) -> TargetError:
    full = "No space left" in fact
    return TargetError(
        "E-TARGET-SPACE" if full else "E-TARGET-WRITE",
        f"{path}: {fact}",
        hint="make room, or choose another folder: -os DIR",
    )
