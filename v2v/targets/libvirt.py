# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libvirt output: a domain that is defined, and its disks as volumes of a storage pool.

Where the pool is a folder that this process can write to, images grow there under a hidden name.
Devices of this host are written as they are. To all others the data goes by libvirt's streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from itertools import count
from pathlib import Path

from v2v.access import password_in
from v2v.disks.scratch import scratch
from v2v.disks.space import require_space
from v2v.errors import Finding, TargetError
from v2v.host_support import HostSupport
from v2v.hosts.libvirt_host import LibvirtHost
from v2v.hosts.libvirt_pool import PoolKind
from v2v.model import Allocation, Nic, TargetDisk
from v2v.options import Options
from v2v.output_options import Conflict
from v2v.targets.libvirt_pools import Placing, open_pool
from v2v.targets.libvirt_replacing import standing
from v2v.targets.libvirt_support import network_findings, support
from v2v.targets.libvirt_writing import LibvirtWriting, filling
from v2v.targets.local import take_back
from v2v.targets.naming import check_name
from v2v.targets.target import Target, Writing
from v2v.units import iec


class LibvirtTarget(Target):
    """A libvirt and one of its pools; it is connected to when it is first asked."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @cached_property
    def _host(self) -> LibvirtHost:
        password = partial(password_in, self._options.output_password_file, "-op")
        return LibvirtHost(self._options.output_connection, password)

    @cached_property
    def _placing(self) -> Placing:
        return Placing(self._host, self._options)

    def named(self, wanted: str) -> str:
        """Return the wanted name, or with --on-conflict rename the first one that is free."""
        check_name(wanted)
        if self._options.on_conflict is not Conflict.rename:
            return wanted
        return next(
            name
            for name in _numbered(wanted)
            if standing(self._host, name) is None and not self._placing.has_volumes_of(name)
        )

    def disks(self, name: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        check_name(name)
        stem = name
        if self._options.on_conflict is Conflict.replaced:  # the old volumes stay to the end
            stem = next(stem for stem in _numbered(name) if not self._placing.has_volumes_of(stem))
        return self._placing.disks(stem, sizes)

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        old = standing(self._host, name)
        if old is not None and self._options.on_conflict is not Conflict.replaced:
            raise TargetError(
                "E-DOMAIN-EXISTS",
                f"domain {name}: libvirt has one of this name",
                hint="choose another name with -on NAME or --on-conflict rename;"
                " --on-conflict replace removes it when the new one is complete",
            )
        if old is not None:
            old.require_replaceable()
        self._placing.check(disks)
        if self._options.keep_direct_boot and not self._placing.is_folder_here:
            raise TargetError(
                "E-POOL-FILES",
                f"pool {self._placing.pool_name}: kernel and initramfs cannot be put into it",
                hint="leave --keep-direct-boot out, or choose a pool in a folder of this host",
            )
        self._check_space(disks, estimates)

    def _check_space(self, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        if not self._placing.is_written_here:
            with scratch("v2v-space-") as folder:
                require_space(folder, sum(estimates))
        full = self._options.allocation is Allocation.preallocated
        pool = self._placing.pool
        if pool is None or not pool.is_active or pool.kind is PoolKind.given:
            return
        # Devices are as long as their disks are.
        all_of_it = full or pool.kind is PoolKind.made
        needed = sum(disk.virtual_bytes for disk in disks) if all_of_it else sum(estimates)
        free = pool.available()
        if free < needed and not self._options.output_options.volumes:
            raise TargetError(
                "E-TARGET-SPACE",
                f"pool {pool.name}: {iec(needed)} are needed, {iec(free)} are free",
                hint="make room, or choose another pool: -os POOL",
            )

    @property
    def near(self) -> Path | None:
        return self._placing.folder if self._placing.is_folder_here else None

    def support(self, name: str) -> HostSupport:
        replaces = self._options.on_conflict is Conflict.replaced
        uuids = (
            domain.UUIDString()
            for domain in self._host.domains()
            if not (replaces and domain.name() == name)
        )
        return support(self._host, frozenset(uuids))

    def findings(self, name: str, nics: Iterable[Nic]) -> tuple[Finding, ...]:
        old = standing(self._host, name)
        return (
            *network_findings(self._host, nics, start=self._options.start),
            *([] if old is None else old.findings(self._placing.pool)),
        )

    def recovered(self, name: str) -> bool:
        """See Target. What was killed while it uploaded, or wrote devices, left volumes.

        They are not removed, as they could be somebody else's; the next conversion names them.
        """
        try:
            found = standing(self._host, name) is not None
            folder = self._placing.folder if self._placing.is_folder_here else None
        except TargetError:
            return False  # the conversion will say why
        if folder is not None and folder.is_dir():
            take_back(folder, name, whole=found)
        return found and self._options.on_conflict is Conflict.fail

    @contextmanager
    def writing(self, name: str, disks: Sequence[TargetDisk]) -> Iterator[Writing]:
        with ExitStack() as undo:
            pool = open_pool(self._host, self._placing, undo)
            with filling(self._host, self._placing, pool, name, disks, undo) as way:
                writing = LibvirtWriting(self._host, pool, name, way, self._options)
                try:
                    yield writing
                finally:
                    if writing.is_complete:  # also where it does not start
                        undo.pop_all()


def _numbered(name: str) -> Iterator[str]:
    """Yield NAME, NAME-2, NAME-3 and so on."""
    yield name
    yield from (f"{name}-{number}" for number in count(2))
