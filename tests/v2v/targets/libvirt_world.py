# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's test driver (docs/drvtest): one world for the process, gone with its last connection.

It has the network default, the device eth1, and keeps pools of every type without looking at them.
It neither uploads nor tells capabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

from v2v.domain import Domain
from v2v.options import Options
from v2v.targets import Target, open_target

URI = "test:///default"
GIB = 1 << 30
SOURCES = {
    "dir": "",
    "fs": "<source><device path='/dev/sdz1'/><format type='ext4'/></source>",
    "netfs": "<source><host name='n'/><dir path='/export'/><format type='nfs'/></source>",
    "vstorage": "<source><name>vs</name></source>",
    "logical": "<source><device path='/dev/sdz2'/><name>vg</name></source>",
    "disk": "<source><device path='/dev/sdz'/><format type='gpt'/></source>",
    "zfs": "<source><name>zp</name></source>",
    "iscsi": "<source><host name='i'/><device path='iqn.2013-06.com.example:t'/></source>",
    "scsi": "<source><adapter name='host0'/></source>",
    "mpath": "",
    "iscsi-direct": "<source><host name='i'/><device path='iqn.2013-06.com.example:t'/>"
    "<initiator><iqn name='iqn.2013-06.com.example:i'/></initiator></source>",
    "rbd": "<source><host name='ceph'/><name>rbdpool</name></source>",
    "gluster": "<source><host name='x'/><name>vol</name><dir path='/'/></source>",
}
SIZES = (4096, 8192)  # of the disks of a guest
UUID = "11111111-2222-3333-4444-555555555555"


class World:
    """What the test driver has."""

    def __init__(self) -> None:
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        self.connection = libvirt.open(URI)

    def pool(self, folder: Path, kind: str = "dir", name: str = "default") -> None:
        """Define and start a pool, in a folder where its type has one."""
        xml = (
            f"<pool type='{kind}'><name>{name}</name>{SOURCES[kind]}"
            f"<target><path>{folder}</path></target></pool>"
        )
        self.connection.storagePoolDefineXML(xml).create()

    def volume(self, name: str, size: int, pool: str = "default") -> Path:
        """Make a volume; return its path."""
        xml = f"<volume><name>{name}</name><capacity>{size}</capacity></volume>"
        return Path(self.connection.storagePoolLookupByName(pool).createXML(xml).path())

    def domain(self, name: str = "web", *disks: Path, running: bool = False) -> libvirt.virDomain:
        """Define a domain with disks."""
        listed = "".join(
            f"<disk type='file' device='disk'><source file='{path}'/><target dev='vd{at}'/></disk>"
            for at, path in zip("abc", disks, strict=False)
        )
        defined = self.connection.defineXMLFlags(domain(name, listed).xml)
        if running:
            defined.create()
        return defined

    def domains(self) -> list[str]:
        """Return the names of all domains but the driver's own."""
        return sorted({found.name() for found in self.connection.listAllDomains()} - {"test"})

    def volumes(self, pool: str = "default") -> list[str]:
        """Return the names of a pool's volumes."""
        found = self.connection.storagePoolLookupByName(pool).listAllVolumes()
        return sorted(volume.name() for volume in found)

    def pools(self) -> list[str]:
        """Return the names of all pools but the driver's own."""
        found = {pool.name() for pool in self.connection.listAllStoragePools()}
        return sorted(found - {"default-pool"})

    def close(self) -> None:
        """Leave nothing for the next test, which could come before the world's end."""
        for found in self.connection.listAllDomains():
            if found.name() != "test":
                if found.isActive():
                    found.destroy()
                found.undefine()
        for pool in self.connection.listAllStoragePools():
            if pool.name() != "default-pool":
                if pool.isActive():
                    pool.destroy()
                pool.undefine()
        self.connection.close()


def domain(name: str = "web", devices: str = "", uuid: str | None = None) -> Domain:
    """Return a domain as a conversion defines it."""
    identity = "" if uuid is None else f"<uuid>{uuid}</uuid>"
    return Domain(
        f"<domain type='kvm'><name>{name}</name>{identity}<memory>1024</memory>"
        f"<os><type>hvm</type></os><devices>{devices}</devices></domain>"
    )


def target(**options: Any) -> Target:
    return open_target(Options(output="libvirt", output_connection=URI, **options))


def write(
    opened: Target,
    name: str = "web",
    before: Callable[[], object] = lambda: None,
    uuid: str | None = None,
    devices: str = "",
) -> tuple[Path, ...]:
    """Take a guest from check to commit; ``before``: happens before the latter."""
    name = opened.named(name)
    disks = opened.disks(name, SIZES)
    opened.check(name, disks, SIZES)
    with opened.writing(name, disks) as writing:
        for disk, place in writing.images:
            place.write_bytes(b"x" * disk.virtual_bytes)
            writing.filled(disk, place, lambda _done, _total: None)
        before()
        return writing.commit(domain(name, devices, uuid), "{}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
