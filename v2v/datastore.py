# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a disk is that lies in a datastore of VMware, or behind a URI."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Login:
    """An account of a host that is reached over HTTPS, and how its certificate is checked."""

    host: str
    port: int | None
    user: str  # empty: none is needed
    password: str = field(repr=False)
    cacert: Path | None = None
    thumbprint: str | None = None  # of the host's certificate, SHA-256
    tls: bool = True  # False: plain HTTP, as the user asked for


@dataclass(frozen=True, slots=True)
class Vddk:
    """VMware's Virtual Disk Development Kit, as nbdkit-vddk-plugin(1) is told of it."""

    settings: tuple[tuple[str, str], ...] = ()  # its words: libdir, transports, ...
    files: tuple[str, ...] = ()  # of the disks, in their order; none: as the API names them


@dataclass(frozen=True, slots=True)
class Datastore:
    """How a disk is read whose path is VMware's: [datastore] folder/disk.vmdk."""

    login: Login
    datacenter: str  # its inventory path
    guest: str  # whose disk it is, by managed object reference
    vddk: Vddk | None = None  # None: over HTTPS
    snapshot: str | None = None  # that holds it still, by reference
