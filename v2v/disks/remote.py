# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks on another host: its files as a place where images are looked at, and served from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from v2v.disks.image import Image, inspect_image
from v2v.disks.imagefile import SECTOR, ImageFile
from v2v.disks.layers import LAYERS, told
from v2v.disks.serving import served
from v2v.errors import SourceError
from v2v.hosts.remote_file import remote_file
from v2v.hosts.sftp import Sftp, sftp
from v2v.model import Disk, DiskFormat, Remote


class RemotePlace:
    """The files of a host, by SFTP; its block devices, whose size SFTP does not tell, by dd(1)."""

    def __init__(self, session: Sftp) -> None:
        self.session = session
        self._remote = session.remote

    @contextmanager
    def open(self, path: Path, *, devices: bool = False) -> Iterator[ImageFile]:
        """Open a file, or a block device where ``devices`` allows it. Raises SourceError."""
        where = Path(f"{self._remote}:{path}")
        found = self.session.attributes(str(path))
        if found is None:
            raise SourceError(
                "E-DISK-MISSING",
                f"{where}: no such file on the host",
                hint="look there whether the guest was moved; or say where its disk is on this"
                " host: --map-path FROM=TO",
            )
        if found.is_device and devices:
            with remote_file(self._remote, str(path)) as device:
                yield ImageFile(where, device.size, device.allocated, device.pread)
        elif found.is_file:
            with self.session.opened(str(path), found.size) as file:
                yield ImageFile(where, file.size, file.size, file.pread)
        else:
            raise SourceError("E-DISK-KIND", f"{where}: is no file, or a device where none may be")

    def exists(self, path: Path) -> bool:
        """Tell whether there is something."""
        return self.session.attributes(str(path)) is not None

    def real(self, path: Path) -> Path | None:
        """Return a path without symbolic links, None if they do not lead anywhere."""
        found = self.session.real(str(path))
        return None if found is None else Path(found)


@contextmanager
def remote_place(remote: Remote) -> Iterator[RemotePlace]:
    """Connect to a host for as long as the block lasts. Raises SourceError, MissingProgram."""
    with sftp(remote) as session:
        yield RemotePlace(session)


@contextmanager
def on_host(disk: Disk, host: Remote, folder: Path, *, trust: bool) -> Iterator[Image]:
    """Serve a disk of another host for as long as the block lasts.

    See inspect_image, which tells what is checked and raised. A VMDK or VHD comes with its extents
    and parents, as one disk.
    """
    where = Path(f"{host}:{disk.path}")
    with remote_place(host) as place:
        image = inspect_image(disk, folder, trust=trust, place=place)
        sizes = [_size(place, path) for path in image.files()]
    chain = tuple(image.chain())
    words = (*(f"file={link.path}" for link in chain), f"host={json.dumps(asdict(host))}")
    used = sum(allocated for _, allocated in sizes)
    formats = told(image)
    if formats and image.format in (DiskFormat.vmdk, *LAYERS):
        words = (*formats, *words)
        with served(where, words, image.virtual_bytes, used, _unreachable) as whole:
            yield replace(whole, wwid=image.wwid)
        return
    if len(sizes) > 1:  # QEMU takes relative names in an image for those of files of this host
        raise SourceError(
            "E-DISK-REMOTE",
            f"{where}: draws in other files, which are followed to another host for chains of"
            " VMDK, VHD, VHDX or VDI",
            hint="copy all files of the disk here, and say where they are: --map-path FROM=TO;"
            " or merge its snapshots on the host",
        )
    size = -(-sizes[0][0] // SECTOR) * SECTOR
    with served(where, words, size, used, _unreachable) as file:
        yield replace(image, path=file.path)


def _size(place: RemotePlace, path: Path) -> tuple[int, int]:
    """Return a file's size, and what of it takes room."""
    with place.open(path, devices=True) as file:
        return file.size, file.allocated


def _unreachable(place: Path, said: str) -> SourceError:
    return SourceError(
        "E-DISK-REMOTE", f"{place}: {said}", hint="is the host still there? try once more"
    )
