# SPDX-License-Identifier: LGPL-2.1-or-later
"""Having a disk of the source where QEMU can read it, for as long as it is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.disks import xva
from v2v.disks.image import Image, inspect_image
from v2v.disks.scratch import scratch
from v2v.errors import SourceError, V2VError
from v2v.model import Disk, DiskFormat
from v2v.run import running

_PLUGIN = Path(__file__).with_name("xva_nbdkit.py")
_SECONDS = 30  # for a server to start; it reads the archive's headers
_DAMAGED = "v2v.errors.SourceError: "


@contextmanager
def open_image(disk: Disk, folder: Path, *, trust: bool) -> Iterator[Image]:
    """Open the image of a disk; see inspect_image, which tells what is checked and raised."""
    if disk.member is None:
        yield inspect_image(disk, folder, trust=trust)
        return
    with _served(folder / disk.path, disk.member, disk.virtual_bytes or 0) as image:
        yield image


@contextmanager
def _served(archive: Path, member: str, size: int) -> Iterator[Image]:
    """Serve a disk in an XVA over NBD. Raises SourceError, for what a reader finds damaged too."""
    found = xva.disks(archive).get(member, xva.XvaDisk())
    used = sum(block.content.size for block in found.blocks.values())
    if any(number * xva.BLOCK >= size for number in found.blocks):
        raise SourceError(
            "E-XVA-DAMAGED",
            f"{archive}: {member} has data behind its end, {size} bytes",
            hint="export the guest once more, and copy it again",
        )
    with scratch("v2v-xva-") as folder:
        socket, log = folder / "nbd", folder / "log"
        argv = (
            *("nbdkit", "--foreground", "--exit-with-parent", "--readonly", "--unix", socket),
            *("python", _PLUGIN, f"file={archive}", f"disk={member}", f"size={size}"),
            f"path={':'.join(filter(None, (str(_PLUGIN.parents[2]), *sys.path)))}",
        )
        with running(*argv, stderr=log) as server:
            deadline = time.monotonic() + _SECONDS
            while not socket.is_socket():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise _failed(archive, log)
                time.sleep(0.02)
            try:
                yield Image(socket, DiskFormat.raw, size, used)
            except V2VError as error:
                if not _said(log):
                    raise
                raise _failed(archive, log) from error


def _said(log: Path) -> str:
    """Return what the server found damaged, if anything."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.partition(_DAMAGED)[2] for line in lines if _DAMAGED in line), "")


def _failed(archive: Path, log: Path) -> SourceError:
    said = _said(log) or log.read_text(errors="replace").strip()[-300:]
    return SourceError(
        "E-XVA-DAMAGED",
        said if str(archive) in said else f"{archive}: {said}",
        hint="export the guest once more, and copy it again",
    )
