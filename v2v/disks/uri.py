# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks behind a URI: an export of an NBD server, a file of a web server that sends pieces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import nbd

from v2v.datastore import Login
from v2v.disks.image import Image, inspect_image
from v2v.disks.imagefile import SECTOR, ImageFile
from v2v.disks.scratch import scratch
from v2v.disks.serving import served, served_by
from v2v.errors import SourceError
from v2v.hosts.https_file import HttpsFile, handed
from v2v.model import Disk

_ONE = Path("/disk")  # what the one file is called for as long as its headers are read


class _Only:
    """A place that has one file: an image must not draw in any other."""

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    @contextmanager
    def open(self, path: Path, *, devices: bool = False) -> Iterator[ImageFile]:
        if path != _ONE:
            raise SourceError(
                "E-DISK-REMOTE",
                f"{self._file.path}: draws in {path.name!r}, which is not followed over a URI",
                hint="copy all files of the disk here, and give them",
            )
        yield self._file

    def exists(self, path: Path) -> bool:
        return path == _ONE

    def real(self, path: Path) -> Path | None:
        return path


@contextmanager
def by_uri(disk: Disk, site: Login) -> Iterator[Image]:
    """Serve a disk over NBD for as long as the block lasts. Raises SourceError."""
    parts = urlsplit(disk.path)
    where = Path(f"{site.host or parts.scheme}:{parts.path}")
    way = _of_web if parts.scheme in ("http", "https") else _of_nbd
    with way(disk, site, where) as image:
        yield image


@contextmanager
def _of_nbd(disk: Disk, site: Login, where: Path) -> Iterator[Image]:
    with served_by(where, ("nbd", f"uri={disk.path}"), _failed) as socket:
        handle = nbd.NBD()
        try:
            handle.connect_unix(str(socket))
            size = handle.get_size()
            file = ImageFile(where, size, size, lambda length, at: bytes(handle.pread(length, at)))
            image = _inspected(disk, file)
            handle.shutdown()
        except nbd.Error as error:
            raise _failed(where, error.string) from error
        yield replace(image, path=socket)


@contextmanager
def _of_web(disk: Disk, site: Login, where: Path) -> Iterator[Image]:
    parts = urlsplit(disk.path)
    url = parts.path or "/"
    url = f"{url}?{parts.query}" if parts.query else url
    with closing(HttpsFile(site, url)) as file:
        size = file.size
        image = _inspected(disk, ImageFile(where, size, size, file.pread))
    with scratch("v2v-login-") as folder:
        login = folder / "login"
        handed(site, login)
        words = (f"login={login}", f"url={url}")
        with served(where, words, -(-size // SECTOR) * SECTOR, size, _failed) as whole:
            yield replace(image, path=whole.path)


def _inspected(disk: Disk, file: ImageFile) -> Image:
    alone = Disk(str(_ONE), disk.format)
    return inspect_image(alone, _ONE.parent, trust=False, place=_Only(file))


def _failed(where: Path, said: str) -> SourceError:
    return SourceError(
        "E-DISK-REMOTE", f"{where}: {said}", hint="is the server there? try once more"
    )
