# SPDX-License-Identifier: LGPL-2.1-or-later
"""A storage pool of libvirt and its volumes (formatstorage). Raises TargetError (E-LIBVIRT)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

import libvirt
from lxml import etree
from lxml.builder import E

from v2v.errors import TargetError
from v2v.hosts.libvirt_host import LibvirtHost, Pool, asking

_PIECE = 1 << 20


class PoolKind(StrEnum):
    """What volumes of a pool are to those who fill them."""

    files = auto()  # images in a folder
    made = auto()  # block devices that libvirt makes
    given = auto()  # block devices that are there: LUNs
    closed = auto()  # libvirt can neither write them nor say where they are


# libvirt's types of pools. Its drivers for rbd, gluster and iscsi-direct have no upload
# (src/storage/storage_backend_*.c), and no path of the host leads to their volumes.
_KINDS = {
    **dict.fromkeys(("dir", "fs", "netfs", "vstorage"), PoolKind.files),
    **dict.fromkeys(("logical", "disk", "zfs"), PoolKind.made),
    **dict.fromkeys(("iscsi", "scsi", "mpath"), PoolKind.given),
}


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; ``path`` is on the pool's host."""

    name: str
    path: Path
    capacity: int
    handle: libvirt.virStorageVol

    def delete(self) -> None:
        with asking(f"volume {self.name}: it cannot be removed"):
            self.handle.delete()


class StoragePool:
    """A pool that is there; it may be inactive, and has no volumes then."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        with asking("pool"):
            self.name = pool.name()
            root = etree.fromstring(pool.XMLDesc().encode())
        self.type = root.get("type", "")
        self.kind = _KINDS.get(self.type, PoolKind.closed)
        self.folder = Path(root.findtext("target/path") or "/")
        device = root.find("source/device")
        self.device = "" if device is None else device.get("path", "")  # of a disk pool

    @property
    def is_active(self) -> bool:
        with asking(f"pool {self.name}"):
            return bool(self._pool.isActive())

    def start(self) -> None:
        with asking(f"pool {self.name}: it cannot be started"):
            self._pool.create()

    def stop(self) -> None:
        with asking(f"pool {self.name}: it cannot be stopped"):
            self._pool.destroy()

    def build(self) -> None:
        """Make what the pool is in, such as a folder, if it is not there."""
        with asking(f"pool {self.name}: it cannot be made"):
            self._pool.build()

    def remove(self) -> None:
        """Remove the folder that the pool was built in, which must be empty."""
        with asking(f"pool {self.name}: its folder cannot be removed"):
            self._pool.delete()

    def autostart(self) -> None:
        with asking(f"pool {self.name}"):
            self._pool.setAutostart(1)

    def undefine(self) -> None:
        with asking(f"pool {self.name}"):
            self._pool.undefine()

    def available(self) -> int:
        """Return the bytes that are free."""
        with asking(f"pool {self.name}"):
            return int(self._pool.info()[3])

    def refresh(self) -> None:
        """Have libvirt look again at what is in the pool."""
        with asking(f"pool {self.name}: it cannot be refreshed"):
            self._pool.refresh()

    def volumes(self) -> tuple[Volume, ...]:
        """Return the volumes by their names, none of a pool that is not active."""
        if not self.is_active:
            return ()
        with asking(f"pool {self.name}"):
            found = [there for each in self._pool.listAllVolumes() if (there := _known(each))]
        return tuple(sorted(found, key=lambda volume: volume.name))

    def create(self, name: str, capacity: int, format: str | None, *, full: bool) -> Volume:
        """Make a volume; ``full``: it takes all its space at once."""
        xml = E.volume(
            E.name(name),
            E.capacity(str(capacity), unit="bytes"),
            *([] if full or self.kind is not PoolKind.files else [E.allocation("0")]),
            *([] if format is None else [E.target(E.format(type=format))]),
        )
        with asking(f"pool {self.name}: volume {name} cannot be made"):
            return _volume(self._pool.createXML(etree.tostring(xml, encoding="unicode")))


def _volume(found: libvirt.virStorageVol) -> Volume:
    return Volume(found.name(), Path(found.path()), int(found.info()[1]), found)


def disk_paths(domain: str, pool: StoragePool, *, media: bool = True) -> set[Path]:
    """Return files and devices that a domain's XML names for disks, and what is under them.

    Some are named as volumes of the pool. Without ``media``, what is in drives is left out.
    """
    volumes = {volume.name: volume.path for volume in pool.volumes()}
    found: set[Path] = set()
    for disk in etree.fromstring(domain.encode()).iterfind("devices/disk"):
        if not media and disk.get("device", "disk") not in ("disk", "lun"):
            continue
        for source in disk.iter("source"):
            name = source.get("file") or source.get("dev")
            if name:
                found.add(Path(name))
            elif source.get("pool") == pool.name and source.get("volume") in volumes:
                found.add(volumes[source.get("volume", "")])
    return found


def _known(found: libvirt.virStorageVol) -> Volume | None:
    """Return a volume of a list, None if it is gone: libvirt knows of files by its last look."""
    try:
        return _volume(found)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return None
        raise


def define_folder(host: LibvirtHost, name: str, folder: Path) -> StoragePool:
    """Define a pool in a folder."""
    pool = E.pool(E.name(name), E.target(E.path(str(folder))), type="dir")
    return StoragePool(host.new_pool(etree.tostring(pool, encoding="unicode")))


def upload(
    host: LibvirtHost, volume: Volume, file: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Write a file into a volume; its holes are not sent. Raises TargetError."""
    total = file.stat().st_size
    with file.open("rb", buffering=0) as source:
        descriptor = source.fileno()

        def read(_stream: object, wanted: int, _opaque: object) -> bytes:
            piece = os.read(descriptor, min(wanted, _PIECE))
            on_progress(os.lseek(descriptor, 0, os.SEEK_CUR), total)
            return piece

        def hole(_stream: object, _opaque: object) -> tuple[bool, int]:
            return _section(descriptor, total)

        def skip(_stream: object, length: int, _opaque: object) -> int:
            return os.lseek(descriptor, length, os.SEEK_CUR)

        with asking(f"volume {volume.name}: it cannot be written"):
            stream = host.stream()
            flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
            volume.handle.upload(stream, 0, total, flags)
            stream.sparseSendAll(read, hole, skip, None)
            stream.finish()


def _section(descriptor: int, total: int) -> tuple[bool, int]:
    """Tell whether data or a hole comes next in a file, and its length (lseek(2))."""
    here = os.lseek(descriptor, 0, os.SEEK_CUR)
    if here >= total:
        return True, 0
    try:
        data = os.lseek(descriptor, here, os.SEEK_DATA)
    except OSError:  # ENXIO: there is a hole up to the end
        data = total
    end = data if data > here else os.lseek(descriptor, here, os.SEEK_HOLE)
    os.lseek(descriptor, here, os.SEEK_SET)
    return data == here, end - here


def require_open(pool: StoragePool) -> None:
    """Raise TargetError for a pool that nothing can be written to through libvirt."""
    if pool.kind is PoolKind.closed:
        raise TargetError(
            "E-POOL-TYPE",
            f"pool {pool.name}: libvirt cannot write volumes of a pool of type {pool.type}",
            hint="convert with -o local, and copy the images with the storage's own program",
        )
