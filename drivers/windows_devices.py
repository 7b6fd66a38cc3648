# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's devices as Windows knows them: by which hardware ids each asks for a driver.

PCI ids: virtio 1.2, section 4.1.2 and 5 (0x1000 and on are those of virtio 0.9, 0x1040 plus the
type of the device those of 1.0); QEMU's docs/specs/pci-ids, pvpanic and fw_cfg.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, auto

_PCI = re.compile(r"PCI\\VEN_1AF4&DEV_([0-9A-F]{4})")


class Device(StrEnum):
    """What a driver is for."""

    blk = auto()
    scsi = auto()
    net = auto()
    balloon = auto()
    serial = auto()
    rng = auto()
    gpu = auto()
    input = auto()
    vsock = auto()
    fs = auto()
    mem = auto()
    pvpanic = auto()
    fwcfg = auto()


@dataclass(frozen=True, slots=True)
class PciIds:
    """A virtio device's numbers as a transitional device and as one of virtio 1.0."""

    legacy: int | None
    modern: int

    @property
    def hardware_ids(self) -> tuple[str, ...]:
        """What Windows is to bind a boot driver to, with the revisions that QEMU gives to each."""
        found = []
        if self.legacy is not None:
            found.append(rf"VEN_1AF4&DEV_{self.legacy:04X}&REV_00")
        return (*found, rf"VEN_1AF4&DEV_{self.modern:04X}&REV_01")


PCI_IDS: Mapping[Device, PciIds] = {
    Device.net: PciIds(0x1000, 0x1041),
    Device.blk: PciIds(0x1001, 0x1042),
    Device.balloon: PciIds(0x1002, 0x1045),
    Device.serial: PciIds(0x1003, 0x1043),
    Device.scsi: PciIds(0x1004, 0x1048),
    Device.rng: PciIds(0x1005, 0x1044),
    Device.gpu: PciIds(None, 0x1050),
    Device.input: PciIds(None, 0x1052),
    Device.vsock: PciIds(None, 0x1053),
    Device.mem: PciIds(None, 0x1058),
    Device.fs: PciIds(None, 0x105A),
}
_BY_NUMBER = {
    number: device
    for device, ids in PCI_IDS.items()
    for number in (ids.legacy, ids.modern)
    if number is not None
}
_ACPI = {
    r"ACPI\QEMU0001": Device.pvpanic,
    r"ACPI\QEMU0002": Device.fwcfg,
    r"ACPI\VEN_QEMU&DEV_0001": Device.pvpanic,
    r"ACPI\VEN_QEMU&DEV_0002": Device.fwcfg,
}


def device_of(hardware_id: str) -> Device | None:
    """Return the device that a hardware id in an INF, in upper case, stands for."""
    match = _PCI.match(hardware_id)
    return _BY_NUMBER.get(int(match[1], 16)) if match else _ACPI.get(hardware_id)
