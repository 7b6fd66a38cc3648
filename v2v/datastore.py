# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a disk is that lies in a datastore of VMware."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Login:
    """An account of a vCenter or ESXi host."""

    host: str
    port: int | None
    user: str
    password: str = field(repr=False)
    cacert: Path | None = None
    thumbprint: str | None = None  # of the host's certificate, SHA-256


@dataclass(frozen=True, slots=True)
class Datastore:
    """How a disk is read whose path is VMware's: [datastore] folder/disk.vmdk."""

    login: Login
    datacenter: str  # its inventory path
