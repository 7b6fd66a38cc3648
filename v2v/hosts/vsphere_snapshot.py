# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of running guests: what was their disk is frozen then, and is read below the new one.

They are without the memory, and quiesced by VMware Tools where those run. Removing one merges what
the guest wrote meanwhile, which the host does by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from v2v.cancellation import unheeding
from v2v.datastore import Login
from v2v.errors import CancelledError, Finding, SourceError
from v2v.hosts.vsphere import Session, logged_in

_TO_MAKE = 1800  # seconds; quiescing a guest may take a quarter of an hour
_TO_REMOVE = 6 * 3600  # merging what a busy guest wrote
_ABOUT = "Made by v2v for the time of a copy. It can be removed if v2v is not running."


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot that is there."""

    reference: Any
    config: Any  # the guest as it was, with the disks as they are frozen
    findings: tuple[Finding, ...]


@contextmanager
def snapshot(login: Login, guest: str, warn: Callable[[Finding], None]) -> Iterator[Snapshot]:
    """Take a snapshot of a guest, by reference, that is removed after the block.

    That it cannot be removed is a warning, as the copy is none the worse. Raises SourceError.
    """
    name = f"v2v-{uuid.uuid4().hex[:8]}"
    with logged_in(login) as session:
        made = _made(session, session.guest(guest), name)
    try:
        yield made
    finally:
        try:  # by a login of its own: the one before has expired when a copy takes long
            with unheeding(), logged_in(login) as session:
                _remove(session, made.reference._moId, session.guest(guest))
        except SourceError as error:
            warn(
                Finding(
                    "W-VSPHERE-SNAPSHOT",
                    f"the snapshot {name} is still there: {error.finding.message}",
                    "remove it in the vSphere Client (Snapshots, Delete)",
                )
            )


def _made(session: Session, guest: Any, name: str) -> Snapshot:
    known = session.properties(guest, "config", "guest.toolsRunningStatus")
    _refuse_independent(known["config"])
    quiesce = known.get("guest.toolsRunningStatus") == "guestToolsRunning"
    findings: tuple[Finding, ...] = ()
    try:
        reference = _created(session, guest, name, quiesce=quiesce)
    except SourceError as error:
        if not quiesce:
            raise
        findings = (_unquiesced(known["config"].name, error.finding.message),)
        reference = _created(session, guest, name, quiesce=False)
    else:
        if not quiesce:
            findings = (_unquiesced(known["config"].name, "VMware Tools do not run in it"),)
    return Snapshot(reference, session.properties(reference, "config")["config"], findings)


def _created(session: Session, guest: Any, name: str, *, quiesce: bool) -> Any:
    task = session.call(
        guest.CreateSnapshot_Task, name=name, description=_ABOUT, memory=False, quiesce=quiesce
    )
    try:
        return session.finished(task, _TO_MAKE)
    except (KeyboardInterrupt, CancelledError):  # the host makes it all the same
        with unheeding():
            _remove(session, session.finished(task, _TO_MAKE)._moId, guest)
        raise


def _remove(session: Session, moref: str, guest: Any) -> None:
    """Remove a snapshot if it is still there."""
    trees = session.properties(guest, "snapshot.rootSnapshotList")
    found = [*(trees.get("snapshot.rootSnapshotList") or ())]
    for tree in found:  # it grows
        found += tree.childSnapshotList or ()
        if tree.snapshot._moId == moref:
            task = session.call(tree.snapshot.RemoveSnapshot_Task, removeChildren=False)
            session.finished(task, _TO_REMOVE)
            return


def _refuse_independent(config: Any) -> None:
    """Raise SourceError if a disk is left out of snapshots."""
    for device in config.hardware.device:
        backing = device.backing
        if str(getattr(backing, "diskMode", "")).startswith("independent"):
            raise SourceError(
                "E-VSPHERE-SNAPSHOT",
                f"{config.name}: {backing.fileName} is {backing.diskMode}: no snapshot holds it",
                hint="shut the guest down",
            )


def _unquiesced(name: str, fact: str) -> Finding:
    return Finding(
        "W-RUNNING",
        f"{name}: its file systems were not quiesced for the snapshot: {fact}",
        "the copy is as after a power failure; shut the guest down for a sound one",
    )
