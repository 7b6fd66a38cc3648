# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain that has the name of a guest already, and how it gives way to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from lxml import etree

from v2v.errors import Finding, TargetError
from v2v.hosts.libvirt_host import Domain, LibvirtHost, asking, definition, is_bound, undefine
from v2v.hosts.libvirt_pool import StoragePool, Volume, disk_paths


class Standing:
    """The domain as it is."""

    def __init__(self, host: LibvirtHost, domain: Domain) -> None:
        self._host = host
        self._domain = domain
        self._xml = definition(domain)
        self._root = etree.fromstring(self._xml.encode())
        self.name = domain.name()

    @property
    def has_nvram(self) -> bool:
        """Whether libvirt keeps variables of UEFI for it."""
        return bool(self._root.xpath("os[@firmware='efi'] | os/nvram"))

    def require_replaceable(self) -> None:
        """Raise TargetError for a domain that is running, or is more than its XML."""
        with asking(f"domain {self.name}"):
            active = self._domain.isActive()
        if active:
            raise TargetError(
                "E-DOMAIN-RUNNING",
                f"domain {self.name}: it is running, and is not replaced then",
                hint=f"virsh shutdown {self.name}",
            )
        if is_bound(self._domain):
            raise TargetError(
                "E-DOMAIN-SNAPSHOTS",
                f"domain {self.name}: it has snapshots or a saved state, and is not replaced then",
                hint="remove them: virsh snapshot-delete, virsh managedsave-remove",
            )

    def volumes(self, pool: StoragePool) -> tuple[Volume, ...]:
        """Return its disks that are volumes of a pool and no other domain's."""
        own = disk_paths(self._xml, pool, media=False)
        for other in self._host.domains():
            if other.name() != self.name:
                own -= disk_paths(definition(other), pool)
        return tuple(volume for volume in pool.volumes() if volume.path in own)

    def findings(self, pool: StoragePool | None) -> Iterator[Finding]:
        """Say what will go, and what will stay of it."""
        going = () if pool is None else self.volumes(pool)
        disks = set() if pool is None else disk_paths(self._xml, pool, media=False)
        staying = disks - {volume.path for volume in going}
        names = ", ".join(volume.name for volume in going) or "no volume"
        kept = f"; {', '.join(map(str, sorted(staying)))} stay" if staying else ""
        yield Finding(
            "W-REPLACED",
            f"domain {self.name}: it is removed when the new one is complete, and with it"
            f" {names}{kept}",
        )

    def put_away(self, undo: ExitStack) -> None:
        """Undefine it; ``undo`` defines it again. Its variables of UEFI stay for that."""
        with asking(f"domain {self.name}"):
            autostart = self._domain.autostart()
        undefine(self._domain, keep_nvram=True if self.has_nvram else None)
        undo.callback(self._define_again, autostart)

    def _define_again(self, autostart: int) -> None:
        again = self._host.define(self._xml)
        with asking(f"domain {self.name}"):
            again.setAutostart(autostart)


def standing(host: LibvirtHost, name: str) -> Standing | None:
    """Return the domain of a name, None if there is none."""
    found = host.domain(name)
    return None if found is None else Standing(host, found)
