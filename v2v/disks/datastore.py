# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in a datastore of VMware: a descriptor, and one flat file that is read over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from v2v.datastore import Datastore
from v2v.disks.image import Image
from v2v.disks.imagefile import SECTOR, ImageFile, Role
from v2v.disks.scratch import scratch
from v2v.disks.serving import served
from v2v.disks.vmdk import read_vmdk
from v2v.errors import SourceError
from v2v.hosts.https_file import HttpsFile, handed, url_of
from v2v.model import Disk, DiskFormat


@contextmanager
def in_datastore(disk: Disk, store: Datastore) -> Iterator[Image]:
    """Serve a disk over NBD for as long as the block lasts. Raises SourceError."""
    place = Path(f"{store.login.host}:{disk.path}")
    with closing(HttpsFile(store.login, _url(disk.path, store))) as file:
        header = read_vmdk(ImageFile(place, file.size, file.size, file.pread))
    if any(reference.role is Role.backing for reference in header.references):
        raise SourceError(
            "E-VSPHERE-CHAIN",
            f"{place}: is a snapshot, whose parents are not read over HTTPS",
            hint="delete the guest's snapshots, or clone it, and take the clone",
        )
    extent = header.references[0].name if len(header.references) == 1 else ""
    plain = len(header.references) == 1 and header.references[0].format is DiskFormat.raw
    if not plain or "/" in extent or "\\" in extent:
        raise SourceError(
            "E-VSPHERE-DISK",
            f"{place}: has no flat file, which alone is read over HTTPS",
            hint="clone the guest to a datastore of VMFS or NFS, and take the clone",
        )
    # The file lies beside its descriptor.
    folder_end = max(disk.path.rfind("/"), disk.path.find("] ") + 1)
    path = disk.path[: folder_end + 1] + extent
    url = _url(path, store)
    with closing(HttpsFile(store.login, url)) as file:
        size = file.size
    if size < header.references[0].bytes:
        raise SourceError(
            "E-DISK-TRUNCATED",
            f"{place}: {extent} has {size} bytes, not {header.references[0].bytes}",
            hint="look at the datastore: the file is cut off",
        )
    whole = -(-header.virtual_bytes // SECTOR) * SECTOR
    with scratch("v2v-login-") as folder:
        login = folder / "login"
        handed(store.login, login)
        words = (f"login={login}", f"url={url}")
        with served(place, words, whole, whole, _unreachable) as image:
            yield replace(image, wwid=header.wwid)


def _url(path: str, store: Datastore) -> str:
    try:
        return url_of(path, store.datacenter)
    except ValueError as error:
        raise SourceError(
            "E-DISK-PATH", f"{store.login.host}: {path!r} is no file of a datastore"
        ) from error


def _unreachable(place: Path, said: str) -> SourceError:
    return SourceError(
        "E-DISK-REMOTE", f"{place}: {said}", hint="is the host still there? try once more"
    )
