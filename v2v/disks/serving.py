# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serving a disk that QEMU cannot read to it, over NBD on a unix socket of our own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbd

from v2v.disks.image import Image
from v2v.disks.scratch import scratch
from v2v.errors import SourceError, V2VError
from v2v.model import DiskFormat
from v2v.run import listens, running

_PLUGIN = Path(__file__).with_name("nbdkit_plugin.py")
_SECONDS = 30  # for a server to start; it reads the headers
_RAISED = "v2v.errors.SourceError: "

Failed = Callable[[Path, str], SourceError]  # of a path and what was said


@contextmanager
def served(
    path: Path, words: tuple[str, ...], size: int, used: int, failed: Failed
) -> Iterator[Image]:
    """Serve a disk in ``path``, of which ``words`` tell the plugin, for as long as the block lasts.

    What a reader finds damaged ends the block as the error that ``failed`` makes of path and fact.
    """
    libraries = ":".join(filter(None, (str(_PLUGIN.parents[2]), *sys.path)))
    told = ("python", str(_PLUGIN), *words, f"size={size}", f"path={libraries}")
    with served_by(path, told, failed) as socket:
        yield Image(socket, DiskFormat.raw, size, used)


@contextmanager
def served_by(path: Path, words: tuple[str, ...], failed: Failed) -> Iterator[Path]:
    """Start nbdkit with a plugin and its ``words``; yield its socket for as long as it serves."""
    with scratch("v2v-served-") as folder:
        socket, log = folder / "nbd", folder / "log"
        options = ("--foreground", "--exit-with-parent", "--readonly", "--unix", str(socket))
        with running("nbdkit", *options, *words, stderr=log) as server:
            if not listens(server, socket, _SECONDS):
                last = log.read_text(errors="replace").strip()[-300:]
                raise failed(path, _said(log, path) or last)
            try:
                yield socket
            except V2VError as error:
                said = _said(log, path)
                if not said:
                    raise
                raise failed(path, said) from error


def size_of(path: Path, socket: Path, failed: Failed) -> int:
    """Return the bytes of a disk that somebody serves. Raises the error of ``failed``."""
    try:
        handle = nbd.NBD()
        handle.connect_unix(str(socket))
        size = int(handle.get_size())
        handle.shutdown()
    except nbd.Error as error:
        raise failed(path, error.string) from error
    return size


def _said(log: Path, path: Path) -> str:
    """Return what the server found damaged in ``path``, if anything."""
    lines = log.read_text(errors="replace").splitlines()
    said = next((line.partition(_RAISED)[2] for line in lines if _RAISED in line), "")
    return said.removeprefix(f"{path}: ")
