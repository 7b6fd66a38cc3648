# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where in a storage pool the disks of a guest go: volumes to make, or some that are there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from v2v.devices import drive_letters
from v2v.errors import TargetError
from v2v.hosts.libvirt_host import LibvirtHost, definition
from v2v.hosts.libvirt_pool import (
    PoolKind,
    StoragePool,
    Volume,
    define_folder,
    disk_paths,
    require_open,
)
from v2v.model import Allocation, DiskFormat, TargetDisk
from v2v.options import Options
from v2v.targets.naming import disk_path
from v2v.units import iec

_DEFAULT = "default"
_SYSTEM_IMAGES = Path("/var/lib/libvirt/images")
_SESSION_IMAGES = Path("~/.local/share/libvirt/images")
_HEAD = 1 << 20  # bytes
_UNFIT = re.compile(r"[^A-Za-z0-9+_.-]")  # in a volume of LVM or ZFS: lvm(8), zfs(8)
_PARTITION = re.compile(r"p?(\d+)\Z")


class Placing:
    """A pool, or one that is to be made, and what of it a guest gets."""

    def __init__(self, host: LibvirtHost, options: Options) -> None:
        self._host = host
        self._options = options
        self.pool = _find_pool(host, options)
        if self.pool is not None:
            self.pool_name, self.folder = self.pool.name, self.pool.folder
            self._kind = self.pool.kind
            require_open(self.pool)
        else:
            self.pool_name, self.folder = _planned(host, options)
            self._kind = PoolKind.files
        if options.output_options.volumes and self._kind is PoolKind.files:
            raise TargetError(
                "E-VOLUME",
                f"pool {self.pool_name}: its volumes are files, which are made anew",
                hint="leave -oo volume=NAME out, or choose a pool of devices",
            )

    @property
    def is_folder_here(self) -> bool:
        """Whether images can grow in the pool's folder itself."""
        if self._kind is not PoolKind.files or not self._host.is_local:
            return False
        if self.pool is not None and self.pool.is_active and not self.folder.is_dir():
            return False  # libvirt runs in a container, or in a namespace of its own
        near = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        return os.access(near, os.W_OK | os.X_OK)

    @property
    def is_written_here(self) -> bool:
        """Whether the pool's devices, or its folder, can be written by this process."""
        devices = self._kind is not PoolKind.files
        return self.is_folder_here or (devices and self._host.is_local and os.geteuid() == 0)

    def has_volumes_of(self, stem: str) -> bool:
        """Tell whether there are volumes that are called after a guest."""
        if self._kind is PoolKind.given or self._takes_volumes or self._is_partitions:
            return False
        start = self._volume_name(stem, 0)
        if self.is_folder_here and os.path.lexists(self.folder / start):
            return True
        return any(volume.name == start for volume in self._volumes())

    @property
    def _takes_volumes(self) -> bool:
        return bool(self._options.output_options.volumes)

    @property
    def _is_partitions(self) -> bool:
        return self.pool is not None and self.pool.type == "disk"

    def _volumes(self) -> tuple[Volume, ...]:
        return () if self.pool is None else self.pool.volumes()

    def disks(self, stem: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        """Return the disks of a guest. Raises TargetError where LUNs do not fit."""
        if self._kind is PoolKind.given or self._takes_volumes:
            volumes = self._chosen(sizes)
            paths = [volume.path for volume in volumes]
        else:
            names = [self._volume_name(stem, index) for index in range(len(sizes))]
            paths = [self.folder / name for name in names]
        files = self._kind is PoolKind.files
        return tuple(
            TargetDisk(
                path,
                self._options.format if files else DiskFormat.raw,
                size,
                self._options.allocation if files else Allocation.sparse,
                block=not files,
            )
            for path, size in zip(paths, sizes, strict=True)
        )

    def _volume_name(self, stem: str, index: int) -> str:
        if self._kind is PoolKind.files:
            return disk_path(self.folder, stem, index, self._options.format).name
        if self._is_partitions:  # libvirt takes the next partition's name and no other
            assert self.pool is not None
            device = Path(self.pool.device).name
            taken = [_number(volume.name) for volume in self._volumes()]
            between = "p" if device[-1:].isdigit() else ""
            return f"{device}{between}{max(taken, default=0) + 1 + index}"
        return f"{_UNFIT.sub('_', stem)}-sd{drive_letters(index)}"

    def _chosen(self, sizes: Sequence[int]) -> tuple[Volume, ...]:
        """Return existing volumes for disks: those named, else the ones of just their size."""
        pool = self.pool
        assert pool is not None  # one that is to be made is a folder
        used: set[Path] = set()
        for domain in self._host.domains():
            used |= disk_paths(definition(domain), pool)
        free = [volume for volume in self._volumes() if volume.path not in used]
        named = self._options.output_options.volumes
        if named:
            return self._named(named, free, sizes)
        found: list[Volume] = []
        for size in sizes:
            fitting = [each for each in free if each.capacity == size and each not in found]
            if len(fitting) != 1:
                raise TargetError(
                    "E-VOLUME",
                    f"pool {self.pool_name}: {len(fitting)} unused volumes have the size of a"
                    f" disk, {size} bytes",
                    hint=f"name one for each disk, -oo volume=NAME: {_listed(free)}",
                )
            found += fitting
        for volume in found:
            self._require_blank(volume)
        return tuple(found)

    def _require_blank(self, volume: Volume) -> None:
        """Raise TargetError for a volume that nobody has named, and that could hold data."""
        if self._host.is_local and _is_blank(volume.path):
            return
        raise TargetError(
            "E-VOLUME",
            f"pool {self.pool_name}: volume {volume.name} has the size of a disk, but"
            f" {'it holds data' if self._host.is_local else 'could hold data'}",
            hint=f"if it is the one that is meant, -oo volume={volume.name}",
        )

    def _named(
        self, names: Sequence[str], free: Sequence[Volume], sizes: Sequence[int]
    ) -> tuple[Volume, ...]:
        by_name = {volume.name: volume for volume in free}
        problems = [
            f"{name}: no unused volume of this name" for name in names if name not in by_name
        ]
        if len(names) != len(sizes) or len(set(names)) != len(sizes):
            problems.append(f"{len(sizes)} different volumes are needed, not {', '.join(names)}")
        if not problems:
            problems += [
                f"{name}: it has {iec(by_name[name].capacity)}, the disk {iec(size)}"
                for name, size in zip(names, sizes, strict=True)
                if by_name[name].capacity < size
            ]
        if problems:
            raise TargetError(
                "E-VOLUME",
                f"pool {self.pool_name}: {'; '.join(problems)}",
                hint=f"-oo volume=NAME for each disk in turn: {_listed(free)}",
            )
        return tuple(by_name[name] for name in names)

    def check(self, disks: Sequence[TargetDisk]) -> None:
        """Raise TargetError where a volume that is to be made is there."""
        if self._kind is PoolKind.given or self._takes_volumes:
            return
        names = {volume.name for volume in self._volumes()}
        there = [
            disk.path.name
            for disk in disks
            if disk.path.name in names or (self.is_folder_here and os.path.lexists(disk.path))
        ]
        if there:
            raise TargetError(
                "E-TARGET-EXISTS",
                f"pool {self.pool_name}: {', '.join(there)}: there are volumes of this name",
                hint="remove them, or choose another name with -on NAME or --on-conflict rename",
            )

    def volumes(
        self, pool: StoragePool, disks: Sequence[TargetDisk], undo: ExitStack
    ) -> tuple[Volume, ...]:
        """Return the volumes of disks, those made that are to be."""
        there = {volume.path: volume for volume in pool.volumes()}
        if self._kind is PoolKind.given or self._takes_volumes:
            return tuple(there[disk.path] for disk in disks)
        made = []
        for disk in disks:
            made.append(self.volume(pool, disk))
            undo.callback(made[-1].delete)
        return tuple(made)

    def volume(self, pool: StoragePool, disk: TargetDisk) -> Volume:
        """Make the volume of a disk."""
        files = self._kind is PoolKind.files
        full = disk.allocation is Allocation.preallocated
        return pool.create(
            disk.path.name, disk.virtual_bytes, disk.format if files else None, full=full
        )


def _find_pool(host: LibvirtHost, options: Options) -> StoragePool | None:
    """Return the pool of a name, a UUID or a folder; None where one is to be made."""
    wanted = _wanted(options)
    if "/" in wanted:
        pools = (StoragePool(pool) for pool in host.pools())
        found = next((pool for pool in pools if pool.folder == Path(wanted).absolute()), None)
    else:
        there = host.pool(wanted)
        found = None if there is None else StoragePool(there)
    if found is None and not options.create_pool:
        raise TargetError(
            "E-POOL",
            f"pool {wanted}: libvirt has none of this name",
            hint=f"--create-pool makes it; or choose one with -os: {_names(host)}",
        )
    if found is not None and not found.is_active and not options.create_pool:
        raise TargetError(
            "E-POOL",
            f"pool {found.name}: it is not started",
            hint=f"--create-pool starts it, and so does virsh pool-start {found.name}",
        )
    return found


def _wanted(options: Options) -> str:
    return _DEFAULT if options.storage == Path() else str(options.storage)


def _names(host: LibvirtHost) -> str:
    return ", ".join(sorted(pool.name() for pool in host.pools())) or "there are none"


def _planned(host: LibvirtHost, options: Options) -> tuple[str, Path]:
    """Return name and folder of a pool that is to be made. Raises TargetError."""
    wanted = _wanted(options)
    if "/" in wanted:
        folder = Path(wanted).absolute()
        if host.pool(folder.name) is not None:
            raise TargetError(
                "E-POOL",
                f"pool {folder.name}: libvirt has one of this name in another folder",
                hint="choose a folder of another name",
            )
        return folder.name, folder
    session = urlsplit(host.uri).path == "/session"
    images = _SESSION_IMAGES.expanduser() if session else _SYSTEM_IMAGES
    return wanted, images if wanted == _DEFAULT else images / wanted


def open_pool(host: LibvirtHost, placing: Placing, undo: ExitStack) -> StoragePool:
    """Return the pool, active and with what is in it; made if there is none."""
    pool = placing.pool
    if pool is None:
        pool = define_folder(host, placing.pool_name, placing.folder)
        undo.callback(pool.undefine)
        if not (host.is_local and placing.folder.exists()):
            pool.build()
            undo.callback(pool.remove)
        pool.autostart()
    if pool.is_active:
        pool.refresh()
    else:
        pool.start()
        undo.callback(pool.stop)
    return pool


def _listed(volumes: Sequence[Volume]) -> str:
    return ", ".join(f"{each.name} ({iec(each.capacity)})" for each in volumes) or "there is none"


def _is_blank(path: Path) -> bool:
    """Tell whether a device begins with nothing but zeros, so without a table or a file system."""
    try:
        with path.open("rb") as file:
            return not any(file.read(_HEAD))
    except OSError as error:
        raise TargetError("E-VOLUME", f"{path}: {error.strerror}") from error


def _number(name: str) -> int:
    found = _PARTITION.search(name)
    return int(found[1]) if found else 0
