# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in a datastore of VMware, with all that they are snapshots of, read over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from v2v.datastore import Datastore, Login
from v2v.disks.image import Image, inspect_image
from v2v.disks.imagefile import SECTOR, ImageFile
from v2v.disks.scratch import scratch
from v2v.disks.serving import served
from v2v.disks.vmdk import FLAT, read_extents
from v2v.errors import SourceError
from v2v.hosts.https_file import HttpsFile, handed, url_of
from v2v.model import Disk, DiskFormat

_ROOT = Path("/")  # paths of a datastore are below it: /[datastore] folder/name
_PIECE = 1 << 18  # bytes of what is kept of a file: tables, grains that lie side by side
_PIECES = 256
# Faults of a chain that the host can export all the same.
_NOT_BY_FILES = ("E-DISK-MISSING", "E-IMAGE-CHAIN", "E-IMAGE-ESCAPES", "E-DISK-FORMAT")


class DatastorePlace:
    """The files of a host's datastores."""

    def __init__(self, login: Login, datacenter: str) -> None:
        self._login = login
        self._datacenter = datacenter

    @contextmanager
    def open(self, path: Path, *, devices: bool = False) -> Iterator[ImageFile]:
        """Open a file. Raises SourceError."""
        with closing(HttpsFile(self._login, self.url(path))) as file:
            whole = ImageFile(Path(file.place), file.size, file.size, file.pread)
            yield _cached(whole)

    def exists(self, path: Path) -> bool:
        """Tell whether there is a file. Raises SourceError, if the host is gone."""
        try:
            with self.open(path):
                return True
        except SourceError as error:
            if error.finding.code in ("E-DISK-MISSING", "E-DISK-PATH"):
                return False
            raise

    def real(self, path: Path) -> Path | None:
        """Return a path: datastores have no symbolic links."""
        return path

    def url(self, path: Path) -> str:
        """Return where a file is on the host. Raises SourceError."""
        text = str(path).removeprefix("/")
        try:
            return url_of(text, self._datacenter)
        except ValueError as error:
            raise SourceError(
                "E-DISK-PATH", f"{self._login.host}: {text!r} is no file of a datastore"
            ) from error


def _cached(file: ImageFile) -> ImageFile:
    """Return a file of which small pieces are kept."""
    piece = lru_cache(maxsize=_PIECES)(lambda number: file.pread(_PIECE, number * _PIECE))

    def pread(length: int, offset: int) -> bytes:
        if length >= _PIECE:
            return file.pread(length, offset)
        first, at = divmod(offset, _PIECE)
        data = bytes(piece(first)[at : at + length])
        return data + piece(first + 1)[: length - len(data)] if len(data) < length else data

    return replace(file, pread=pread)


@contextmanager
def in_datastore(disk: Disk, store: Datastore) -> Iterator[Image]:
    """Serve a disk over NBD for as long as the block lasts. Raises SourceError."""
    where = Path(f"{store.login.host}:{disk.path}")
    place = DatastorePlace(store.login, store.datacenter)
    image, flat = _inspected(disk, place, where)
    whole = -(-image.virtual_bytes // SECTOR) * SECTOR
    with scratch("v2v-login-") as folder:
        login = folder / "login"
        handed(store.login, login)
        words: tuple[str, ...] = (f"login={login}",)
        if flat is not None:
            words += (f"url={place.url(flat)}",)
        else:
            words += ("chain=vmdk", f"datacenter={store.datacenter}")
            words += tuple(f"file={link.path}" for link in image.chain())
        with served(where, words, whole, whole, unreachable) as served_image:
            yield replace(served_image, wwid=image.wwid)


def _inspected(disk: Disk, place: DatastorePlace, where: Path) -> tuple[Image, Path | None]:
    """Return a disk with all that it draws in; and the one flat file, if it is just that.

    Raises SourceError.
    """
    try:
        image = inspect_image(disk, _ROOT, trust=False, place=place)
        with place.open(image.path) as file:
            extents = read_extents(file)
    except SourceError as error:
        if error.finding.code not in _NOT_BY_FILES:
            raise
        raise SourceError(
            "E-VSPHERE-CHAIN",
            f"{where}: cannot be read by its files: {error.finding.message}",
            hint="export the guest's current state instead: -it nfc; or clone it to a datastore of"
            " VMFS or NFS, and take the clone",
        ) from error
    if image.format is not DiskFormat.vmdk:
        raise SourceError("E-DISK-FORMAT", f"{where}: is {image.format}, and no VMDK")
    plain = len(extents) == 1 and extents[0].kind in FLAT and not extents[0].offset
    return image, image.extents[0] if plain and image.backing is None else None


def unreachable(place: Path, said: str) -> SourceError:
    """Return the error for what the server of a remote disk said."""
    return SourceError(
        "E-DISK-REMOTE", f"{place}: {said}", hint="is the host still there? try once more"
    )
