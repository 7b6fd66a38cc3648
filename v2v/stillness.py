# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that are running while they are read: refused, or read from snapshots."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from v2v.datastore import Datastore
from v2v.errors import Finding, SourceError
from v2v.hosts.lvm import snapshot
from v2v.hosts.ssh import connected
from v2v.hosts.vsphere_snapshot import Snapshot
from v2v.hosts.vsphere_snapshot import snapshot as snapshot_of
from v2v.model import Disk, Hypervisor, Machine
from v2v.sources.vsphere import describe

_FAILED_WAY = "shut it down; or copy it as if its power had failed"


def refused(machine: Machine) -> Finding:
    """Return the blocker for a guest that is running."""
    if any(disk.datastore is not None for disk in machine.disks):
        hint = (
            "shut it down; or copy it from a snapshot that is taken for the time: --allow-running"
        )
    elif machine.hypervisor is Hypervisor.vmware:
        hint = f"{_FAILED_WAY}, if its host lets its files be read: --allow-running"
    else:
        hint = (
            f"{_FAILED_WAY}, from LVM snapshots where its disks are logical volumes: "
            "--allow-running"
        )
    fact = "the guest is running, so its disks change while they are read"
    return Finding("E-RUNNING", f"{machine.name}: {fact}", hint)


@contextmanager
def held(
    machine: Machine, warn: Callable[[Finding], None]
) -> Iterator[tuple[tuple[Disk, ...], tuple[Finding, ...]]]:
    """Hold the disks of a running guest still for as long as the block lasts; yield them.

    A logical volume is replaced by a snapshot of it, a disk of vSphere by what it was when a
    snapshot of the guest was taken. What cannot be held is in the findings; ``warn`` hears of what
    cannot be removed.
    Raises SourceError, CommandError.
    """
    store = next((disk.datastore for disk in machine.disks if disk.datastore is not None), None)
    if store is not None:
        with snapshot_of(store.login, store.guest, warn) as taken:
            yield _frozen(machine, taken, store), taken.findings
        return
    with ExitStack() as stack:
        hosts = {disk.host for disk in machine.disks if disk.host is not None}
        open_hosts = {host: stack.enter_context(connected(host)) for host in hosts}

        def still(disk: Disk) -> Disk | None:
            if disk.host is None:
                return None
            found = stack.enter_context(
                snapshot(open_hosts[disk.host], disk.path, str(os.getpid()))
            )
            return None if found is None else replace(disk, path=found)

        found = [(disk, still(disk)) for disk in machine.disks]
        findings = tuple(_moving(disk) for disk, snapped in found if snapped is None)
        yield tuple(snapped or disk for disk, snapped in found), findings


def _frozen(machine: Machine, taken: Snapshot, store: Datastore) -> tuple[Disk, ...]:
    """Return the disks of a snapshot, which are the guest's own."""
    store = replace(store, snapshot=taken.reference._moId)
    frozen = describe(taken.config, store.login.host, {}, store, running=False).machine.disks
    if [disk.member for disk in frozen] != [disk.member for disk in machine.disks]:
        raise SourceError(
            "E-VSPHERE-SNAPSHOT",
            f"{machine.name}: the snapshot has other disks than the guest",
            hint="shut the guest down",
        )
    return frozen


def _moving(disk: Disk) -> Finding:
    return Finding(
        "W-RUNNING",
        f"{disk.path}: is read while the guest writes to it, as there is no snapshot of it",
        "the copy may be damaged; shut the guest down for a sound one",
    )


def looked_at(machine: Machine) -> Finding:
    """Return the warning for a running guest whose disks are only looked at."""
    return Finding(
        "W-RUNNING",
        f"{machine.name}: the guest is running; what is found in its disks may be out of date",
    )
