# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a VMware guest runs, as the files beside it tell.

While it does, its products keep ``web.vmx.lck`` and, but for ESX on VMFS, ``web.vmdk.lck``: folders
on workstations, files on ESX. A crash can leave them behind.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from v2v.errors import Finding
from v2v.model import Machine


class _Place(Protocol):
    def exists(self, path: Path) -> bool: ...


def with_locks(machine: Machine, path: Path, place: _Place) -> Machine:
    """Return a guest as running if a lock of its configuration or of a disk is there."""
    for held in (path, *(machine.folder / disk.path for disk in machine.disks)):
        lock = held.with_name(f"{held.name}.lck")
        if place.exists(lock):
            message = f"{machine.name}: {lock} says that the guest is running"
            hint = "if a crash has left it behind, remove it"
            found = Finding("W-VMX-LOCK", message, hint)
            return replace(machine, running=True, warnings=(*machine.warnings, found))
    return machine
