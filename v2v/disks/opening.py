# SPDX-License-Identifier: LGPL-2.1-or-later
"""Having a disk of the source where QEMU can read it, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from v2v.disks.datastore import in_datastore
from v2v.disks.image import Image, inspect_image
from v2v.disks.imagefile import LOCAL
from v2v.disks.layers import LAYERS, told
from v2v.disks.packed_image import in_package
from v2v.disks.parallels import DESCRIPTOR, in_bundle
from v2v.disks.remote import on_host
from v2v.disks.serving import served
from v2v.disks.uri import by_uri
from v2v.disks.vddk import by_vddk
from v2v.disks.xva_image import in_archive
from v2v.errors import SourceError
from v2v.model import Disk


@contextmanager
def open_image(disk: Disk, folder: Path, *, trust: bool) -> Iterator[Image]:
    """Open the image of a disk; see inspect_image, which tells what is checked and raised."""
    if disk.datastore is not None:
        way = in_datastore if disk.datastore.vddk is None else by_vddk
        with way(disk, disk.datastore) as image:
            yield image
        return
    if disk.site is not None:
        with by_uri(disk, disk.site) as image:
            yield image
        return
    if disk.host is not None:
        with on_host(disk, disk.host, folder, trust=trust) as image:
            yield image
        return
    if disk.member is not None:
        archive = folder / disk.path
        with in_archive(archive, disk.member, disk.virtual_bytes or 0) as image:
            yield image
        return
    if disk.packed is not None:
        with in_package(disk, disk.packed) as image:
            yield image
        return
    path = folder / disk.path
    if path.name == DESCRIPTOR or LOCAL.exists(path / DESCRIPTOR):
        with in_bundle(path.parent if path.name == DESCRIPTOR else path, _unreadable) as image:
            yield image
        return
    image = inspect_image(disk, folder, trust=trust)
    chained = (link.by_us or (link.format in LAYERS and link.backing) for link in image.chain())
    if not any(chained):
        yield image
        return
    with _whole(image) as whole:
        yield whole


@contextmanager
def _whole(image: Image) -> Iterator[Image]:
    """Serve as one disk what QEMU cannot put together, or only slowly.

    These are VHDs, VHDXs, VDIs with parents, VMDKs in old encodings or of vmfsSparse.

    Raises SourceError where several formats are among them.
    """
    chain = tuple(image.chain())
    formats = told(image)
    if not formats:
        other = next(link for link in chain if link.format is not image.format)
        fact = f"its backing file {other.path.name} is a {other.format}, which cannot be under"
        raise _unreadable(image.path, f"{fact} a {image.format}")
    words = (*formats, *(f"file={link.path}" for link in chain))
    used = sum(link.allocated_bytes for link in chain)
    with served(image.path, words, image.virtual_bytes, used, _unreadable) as whole:
        yield replace(whole, wwid=image.wwid)


def _unreadable(path: Path, said: str) -> SourceError:
    return SourceError(
        "E-DISK-FORMAT",
        f"{path}: {said}",
        hint="merge the snapshots in the hypervisor, and copy the disk again",
    )
