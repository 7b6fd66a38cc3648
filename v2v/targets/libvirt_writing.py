# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a guest comes into libvirt: three ways to fill volumes, and the domain at the very end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from v2v.disks.copy import Progress
from v2v.disks.scratch import scratch
from v2v.domain import Domain, File
from v2v.errors import TargetError
from v2v.hosts.libvirt_host import Domain as Defined
from v2v.hosts.libvirt_host import LibvirtHost, asking, undefine
from v2v.hosts.libvirt_pool import StoragePool, Volume, upload
from v2v.model import TargetDisk
from v2v.options import Options
from v2v.output_options import Conflict
from v2v.targets.libvirt_pools import Placing
from v2v.targets.libvirt_replacing import Standing, standing
from v2v.targets.local import Staging, staged
from v2v.targets.target import Writing

Images = tuple[tuple[TargetDisk, Path], ...]


class Filling(Protocol):
    """A way of filling volumes."""

    images: Images

    def filled(self, disk: TargetDisk, place: Path, on_progress: Progress) -> None:
        """An image is complete at its place."""
        return

    def publish(self, files: Sequence[File]) -> None:
        """Have all images where the domain looks for them."""
        return

    def end(self) -> None:
        """Remove what nobody needs any more."""
        return


class InFolder(Filling):
    """Images that grow in the pool's folder."""

    def __init__(self, staging: Staging, undo: ExitStack) -> None:
        self._staging = staging
        self._undo = undo
        self.images = staging.images

    def publish(self, files: Sequence[File]) -> None:
        for final in self._staging.publish(files):
            self._undo.callback(final.unlink)

    def end(self) -> None:
        self._staging.remove()


class InDevices(Filling):
    """Devices of this host."""

    def __init__(self, disks: Sequence[TargetDisk]) -> None:
        self.images = tuple((disk, disk.path) for disk in disks)


class Uploaded(Filling):
    """Images that are written in a folder of their own, each uploaded when it is complete."""

    def __init__(
        self,
        host: LibvirtHost,
        folder: Path,
        placing: Placing,
        pool: StoragePool,
        disks: Sequence[TargetDisk],
        undo: ExitStack,
    ) -> None:
        self._host = host
        self._placing = placing
        self._pool = pool
        self._undo = undo
        self.images = tuple(
            (disk, folder / f"{index}.{disk.format}") for index, disk in enumerate(disks)
        )

    def filled(self, disk: TargetDisk, place: Path, on_progress: Progress) -> None:
        (volume,) = self._placing.volumes(self._pool, [disk], self._undo)
        require_path(volume, disk)
        upload(self._host, volume, place, on_progress)
        place.unlink()


def require_path(volume: Volume, disk: TargetDisk) -> None:
    """Raise TargetError for a volume that is not where the domain will look for it."""
    if volume.path != disk.path:
        raise TargetError(
            "E-VOLUME",
            f"volume {volume.name}: libvirt made it at {volume.path}, not at {disk.path}",
            hint="make volumes first and name them: -oo volume=NAME",
        )


@contextmanager
def filling(
    host: LibvirtHost,
    placing: Placing,
    pool: StoragePool,
    name: str,
    disks: Sequence[TargetDisk],
    undo: ExitStack,
) -> Iterator[Filling]:
    """Choose the way of filling; what it makes is removed by ``undo``."""
    if placing.is_folder_here:
        with staged(pool.folder, name, disks) as staging:
            yield InFolder(staging, undo)
    elif placing.is_written_here:
        for volume, disk in zip(placing.volumes(pool, disks, undo), disks, strict=True):
            require_path(volume, disk)
        yield InDevices(disks)
    else:
        with scratch("v2v-upload-") as folder:
            yield Uploaded(host, folder, placing, pool, disks, undo)


class LibvirtWriting(Writing):
    """Defines the domain when its volumes are complete."""

    def __init__(
        self,
        host: LibvirtHost,
        pool: StoragePool,
        name: str,
        way: Filling,
        options: Options,
    ) -> None:
        self._host = host
        self._pool = pool
        self._name = name
        self._way = way
        self._options = options
        self.is_complete = False

    @property
    def images(self) -> Images:
        return self._way.images

    def filled(self, disk: TargetDisk, place: Path, on_progress: Progress) -> None:
        self._way.filled(disk, place, on_progress)

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        self._way.publish(domain.files)
        old = standing(self._host, self._name)
        if old is not None and self._options.on_conflict is not Conflict.replaced:
            raise TargetError(
                "E-DOMAIN-EXISTS", f"domain {self._name}: it was made in the meantime"
            )
        going = () if old is None else old.volumes(self._pool)
        defined = self._define(domain, old)
        self.is_complete = True
        self._way.end()
        self._pool.refresh()
        if self._options.start:
            self._start(defined)
        for volume in going:
            volume.delete()
        return (Path(self._name), *(disk.path for disk, _ in self.images))

    def _define(self, domain: Domain, old: Standing | None) -> Defined:
        """Define the domain in place of an old one; if that fails, the old one stays."""
        with ExitStack() as undo:
            if old is not None:
                old.require_replaceable()
                old.put_away(undo)
            defined = self._host.define(domain.xml)
            if old is not None and old.has_nvram:
                # The new domain would start with the old one's variables, which lie by its name.
                undefine(defined, keep_nvram=False)
                defined = self._host.define(domain.xml)
            undo.callback(undefine, defined, keep_nvram=None)
            if self._options.autostart:
                with asking(f"domain {self._name}: it cannot start with its host"):
                    defined.setAutostart(1)
            undo.pop_all()
        return defined

    def _start(self, defined: Defined) -> None:
        with asking(
            f"domain {self._name}: converted and defined, but it does not start",
            f"put the cause right, then virsh start {self._name}; nothing is to be converted again",
        ):
            defined.create()
