# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serving a disk that QEMU cannot read to it, over NBD on a unix socket of our own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.disks.image import Image
from v2v.disks.scratch import scratch
from v2v.errors import SourceError, V2VError
from v2v.model import DiskFormat
from v2v.run import listens, running

_PLUGIN = Path(__file__).with_name("nbdkit_plugin.py")
_SECONDS = 30  # for a server to start; it reads the headers
_RAISED = "v2v.errors.SourceError: "


@contextmanager
def served(
    path: Path,
    words: tuple[str, ...],
    size: int,
    used: int,
    failed: Callable[[Path, str], SourceError],
) -> Iterator[Image]:
    """Serve a disk in ``path``, of which ``words`` tell the plugin, for as long as the block lasts.

    What a reader finds damaged ends the block as the error that ``failed`` makes of path and fact.
    """
    with scratch("v2v-served-") as folder:
        socket, log = folder / "nbd", folder / "log"
        options = ("--foreground", "--exit-with-parent", "--readonly", "--unix", str(socket))
        libraries = ":".join(filter(None, (str(_PLUGIN.parents[2]), *sys.path)))
        told = (*words, f"size={size}", f"path={libraries}")
        argv = ("nbdkit", *options, "python", str(_PLUGIN), *told)
        with running(*argv, stderr=log) as server:
            if not listens(server, socket, _SECONDS):
                last = log.read_text(errors="replace").strip()[-300:]
                raise failed(path, _said(log, path) or last)
            try:
                yield Image(socket, DiskFormat.raw, size, used)
            except V2VError as error:
                said = _said(log, path)
                if not said:
                    raise
                raise failed(path, said) from error


def _said(log: Path, path: Path) -> str:
    """Return what the server found damaged in ``path``, if anything."""
    lines = log.read_text(errors="replace").splitlines()
    said = next((line.partition(_RAISED)[2] for line in lines if _RAISED in line), "")
    return said.removeprefix(f"{path}: ")
