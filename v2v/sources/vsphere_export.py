# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of vSphere that passes by once: its host exports it by NFC, disk by disk."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from v2v.disks.image_writer import Write
from v2v.disks.vmdk_stream import Cut, unpack
from v2v.errors import Finding, SourceError
from v2v.hosts.vsphere import logged_in
from v2v.hosts.vsphere_lease import Lease, Stream, exported
from v2v.hosts.vsphere_snapshot import snapshot
from v2v.model import Machine

log = logging.getLogger(__name__)

Warn: TypeAlias = "Callable[[Finding], None]"

_TRIES = 3  # of each disk: a lease outlives a connection


class NfcExport:
    """The export of a guest, of a snapshot if it is running. ``where`` is for people."""

    def __init__(self, machine: Machine, warn: Warn) -> None:
        self.machine = machine
        store = next((disk.datastore for disk in machine.disks if disk.datastore), None)
        self._store = store
        host = "" if store is None else store.login.host
        self.where = Path(f"vsphere:{host}", machine.name)
        self._warn = warn

    def unpack(self, disks: Mapping[str, tuple[int, Write]]) -> None:
        """Write disks, given by place with their size in bytes. Raises SourceError."""
        store = self._store
        assert store is not None, "a guest without disks was refused"
        with ExitStack() as stack:
            taken = None
            if self.machine.running:
                taken = stack.enter_context(snapshot(store.login, store.guest, self._warn))
                for finding in taken.findings:
                    self._warn(finding)
            session = stack.enter_context(logged_in(store.login))
            entity = session.guest(store.guest)
            if taken is not None:
                entity = session.snapshot(taken.reference._moId)
            lease = stack.enter_context(exported(session, store.login, entity))
            streams = {stream.key: stream for stream in lease.streams}
            if streams.keys() != disks.keys():
                raise SourceError(
                    "E-VSPHERE-EXPORT",
                    f"{self.where}: the export has the disks {', '.join(sorted(streams))},"
                    f" the guest {', '.join(sorted(disks))}",
                    hint="read it over HTTPS: leave -it nfc out",
                )
            total = sum(size for size, _ in disks.values())
            before = 0
            for key, (size, write) in disks.items():
                self._copied(lease, streams[key], size, write, (before, total))
                before += size

    def _copied(
        self, lease: Lease, stream: Stream, size: int, write: Write, done: tuple[int, int]
    ) -> None:
        """Write a disk; where its stream is cut, all of it once more."""
        before, total = done
        where = self.where / stream.key
        for attempt in range(1, _TRIES + 1):
            try:
                with lease.opened(stream) as (file, length):
                    unpack(
                        file, length, size, write, where,
                        lambda at: lease.going_on(100 * (before + at) // total),
                    )  # fmt: skip
            except (Cut, OSError, http.client.HTTPException) as error:
                if attempt == _TRIES:
                    raise SourceError(
                        "E-DISK-REMOTE",
                        f"{where}: {error}",
                        hint="is the host there? try once more",
                    ) from error
                log.debug("%s: %s, once more", where, error)
            else:
                return
