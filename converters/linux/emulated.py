# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of QEMU's emulated devices a kernel without virtio has drivers for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from drivers.modules import Modules
from drivers.virtio import Device
from v2v.model import Bus, Driver

# The best first. Q35 has AHCI, the older PC machine has an Intel PIIX.
_DISKS = (
    (Bus.sata, Device("ahci", "SATA_AHCI")),
    (Bus.ide, Device("ata_piix", "ATA_PIIX")),
    (Bus.ide, Device("piix", "BLK_DEV_PIIX")),
)
_SCSI_DISKS = ("sd_mod",)  # the disks of both are its, which no dependency brings along
# Under libvirt's names. QEMU has VMware's card too, for a kernel that was built for nothing else.
_NICS = (
    ("e1000", Device("e1000", "E1000")),
    ("e1000e", Device("e1000e", "E1000E")),
    ("rtl8139", Device("8139cp", "8139CP")),
    ("pcnet", Device("pcnet32", "PCNET32")),
    ("vmxnet3", Device("vmxnet3", "VMXNET3")),
)


@dataclass(frozen=True, slots=True)
class Emulated:
    """The devices for a kernel; ``None``: it has a driver for none of them."""

    bus: Bus | None
    nic: str | None
    boot: tuple[str, ...] = ()  # the modules of the bus, if the initramfs has them not


def emulated(
    modules: Modules, loadable: Collection[str], addable: Collection[str], *, ahci: bool
) -> Emulated:
    """Return the devices that a kernel has drivers for.

    The root's disk needs a driver that is built in, or one of ``loadable``, the modules in the
    initramfs; else one of ``addable``, those that can be put there. ``ahci``: the kernel is new
    enough for a machine that has it.
    """
    disks = [(bus, device) for bus, device in _DISKS if ahci or bus is not Bus.sata]
    nics = (name for name, device in _NICS if modules.has(device) is not Driver.missing)
    nic = next(nics, None)
    for bus, device in disks:
        if _reached(modules, loadable, device):
            return Emulated(bus, nic)
    for bus, device in disks:
        if device.module in addable:
            return Emulated(bus, nic, (device.module, *_SCSI_DISKS))
    return Emulated(None, nic)


def _reached(modules: Modules, loadable: Collection[str], device: Device) -> bool:
    return modules.has(device) is Driver.builtin or device.module in loadable
