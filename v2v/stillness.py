# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that are running while they are read: refused, or read from snapshots."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from v2v.errors import Finding, SourceError
from v2v.hosts.lvm import snapshot
from v2v.hosts.ssh import connected
from v2v.model import Disk, Hypervisor, Machine

_LOCKED_WAY = "shut it down, or clone it and take the clone"
_FAILED_WAY = "shut it down; or copy it as if its power had failed"


def refused(machine: Machine) -> Finding:
    """Return the blocker for a guest that is running."""
    if any(disk.datastore is not None for disk in machine.disks):
        hint = _LOCKED_WAY
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
def held(machine: Machine) -> Iterator[tuple[tuple[Disk, ...], tuple[Finding, ...]]]:
    """Hold the disks of a running guest still for as long as the block lasts; yield them.

    A logical volume is replaced by a snapshot of it. What cannot be held is in the findings.
    Raises SourceError, CommandError.
    """
    if any(disk.datastore is not None for disk in machine.disks):
        raise SourceError(
            "E-RUNNING",
            f"{machine.name}: the guest is running, and its host keeps its disks locked",
            hint=_LOCKED_WAY,
        )
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
