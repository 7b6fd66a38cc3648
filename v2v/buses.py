# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which drive hangs where: fixed and removable disks to slots of the target's buses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from v2v.devices import drive_letters
from v2v.errors import Finding, TargetError
from v2v.model import Bus, Capabilities, Removable, RemovableKind

# Linux's names for drives, which libvirt takes as names for slots; buses that share a prefix
# share the names too, and libvirt refuses a name that stands twice.
_PREFIX = {
    Bus.virtio: "vd",
    Bus.scsi: "sd",
    Bus.sata: "sd",
    Bus.ide: "hd",
    Bus.fdc: "fd",
}
_CAPACITY = {Bus.ide: 4, Bus.fdc: 2}  # of QEMU's one controller; the others grow


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on a bus, counted from 0."""

    bus: Bus
    index: int

    @property
    def device(self) -> str:
        """The target name in libvirt's words: vda, sdaa, fda."""
        return _PREFIX[self.bus] + drive_letters(self.index)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every drive goes. ``disks`` is in the source's order."""

    disks: tuple[Slot, ...]
    removables: tuple[tuple[Removable, Slot], ...]
    warnings: tuple[Finding, ...]


def layout(disk_count: int, removables: Iterable[Removable], capabilities: Capabilities) -> Layout:
    """Return a slot for each drive; fixed disks come first and fill one bus from its slot 0.

    A removable drive gets the slot that it had if that is free, else the next one, with a warning.
    Raises TargetError if the fixed disks do not fit.
    """
    bus = _disk_bus(capabilities)
    if disk_count > _CAPACITY.get(bus, disk_count):
        raise TargetError(
            "E-SLOTS",
            f"{disk_count} disks: bus {bus} has room for {_CAPACITY[bus]}",
            hint="the guest has no driver for a larger bus; install one first, or attach the "
            "other disks by hand",
        )
    taken = {(_PREFIX[bus], index) for index in range(disk_count)}
    placed: list[tuple[Removable, Slot]] = []
    warnings: list[Finding] = []
    # Those that name their slot choose first; sorted() keeps the order of the rest.
    for drive in sorted(removables, key=lambda drive: drive.slot is None):
        slot = _free_slot(_removable_bus(drive, capabilities), drive.slot or 0, taken)
        if slot is None:
            warnings.append(_left_out(drive))
            continue
        if drive.slot not in (None, slot.index):
            warnings.append(_moved(drive, slot))
        taken.add((_PREFIX[slot.bus], slot.index))
        placed.append((drive, slot))
    disks = tuple(Slot(bus, index) for index in range(disk_count))
    return Layout(disks, tuple(placed), tuple(warnings))


def _disk_bus(capabilities: Capabilities) -> Bus:
    """Return the bus of the fixed disks; q35 has no IDE controller, its AHCI is SATA."""
    if capabilities.block_bus is Bus.ide and capabilities.machine == "q35":
        return Bus.sata
    return capabilities.block_bus


def _removable_bus(drive: Removable, capabilities: Capabilities) -> Bus:
    if drive.kind is RemovableKind.floppy:
        return Bus.fdc
    return Bus.sata if capabilities.machine == "q35" else Bus.ide


def _free_slot(bus: Bus, wanted: int, taken: set[tuple[str, int]]) -> Slot | None:
    """Return the first free slot from the wanted one on; on a small bus, then the first of all."""
    capacity = _CAPACITY.get(bus)
    last = wanted + len(taken) + 1 if capacity is None else capacity
    below = () if capacity is None else range(min(wanted, capacity))
    for index in (*range(wanted, last), *below):
        if (_PREFIX[bus], index) not in taken:
            return Slot(bus, index)
    return None


def _moved(drive: Removable, slot: Slot) -> Finding:
    return Finding(
        "W-SLOT",
        f"{drive.kind} drive: its slot {drive.slot} is not free on bus {slot.bus}, "
        f"it moves to slot {slot.index} ({slot.device})",
        "its device name or drive letter in the guest may change",
    )


def _left_out(drive: Removable) -> Finding:
    return Finding(
        "W-DRIVE-LEFT-OUT",
        f"{drive.kind} drive: no slot is left for it",
        "it was empty; attach one by hand if the guest needs it",
    )
