# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the steps of a Windows conversion know, beside the draft that they write to."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.virtio_win import DriverSet
from v2v.changes import Draft, DraftHive
from v2v.model import BlockDriver, Guest, Machine
from v2v.windows_guest import Windows


@dataclass(frozen=True, slots=True)
class Conversion:
    """One guest on its way to KVM."""

    draft: Draft
    machine: Machine
    guest: Guest
    windows: Windows
    drivers: DriverSet
    system: DraftHive
    software: DraftHive
    current: str  # the control set's key
    block_driver: BlockDriver = BlockDriver.virtio_blk
