# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of VMware as the vSphere API describes them: VirtualMachineConfigInfo and its devices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from v2v.datastore import Datastore
from v2v.errors import Finding
from v2v.model import (
    Bus,
    Disk,
    DiskFormat,
    Display,
    Firmware,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
    Removable,
    RemovableKind,
    Topology,
)
from v2v.sources.identity import mac_address, uuid_text
from v2v.sources.vmx import SOUND
from v2v.sources.vmx_devices import pci_slot

kind = "vsphere"

Device: TypeAlias = Any  # pyVmomi makes its classes as it runs
_MIB = 1 << 20
# In the order in which disks are counted.
_BUSES = {
    "VirtualLsiLogicController": Bus.scsi,
    "VirtualLsiLogicSASController": Bus.scsi,
    "VirtualBusLogicController": Bus.scsi,
    "ParaVirtualSCSIController": Bus.scsi,
    "VirtualNVMEController": Bus.nvme,
    "VirtualAHCIController": Bus.sata,
    "VirtualIDEController": Bus.ide,
}
_NICS = {
    "VirtualE1000": "e1000",
    "VirtualE1000e": "e1000e",
    "VirtualPCNet32": "vlance",
    "VirtualVmxnet": "vmxnet",
    "VirtualVmxnet2": "vmxnet",
    "VirtualVmxnet3": "vmxnet3",
    "VirtualVmxnet3Vrdma": "vmxnet3",
    "VirtualSriovEthernetCard": "vmxnet3",
}
_SOUNDS = {
    "VirtualSoundBlaster16": "sb16",
    "VirtualEnsoniq1371": "es1371",
    "VirtualHdAudioCard": "hdaudio",
}
_LEFT = {
    "VirtualSerialPort", "VirtualParallelPort", "VirtualTPM", "VirtualPCIPassthrough",
    "VirtualUSB", "VirtualSCSIPassthrough", "VirtualPrecisionClock", "VirtualNVDIMM",
}  # fmt: skip
# Backings whose disk is files of a datastore, beside raw device maps, which are part of a SAN.
_FILES = ("FlatVer1", "FlatVer2", "SparseVer1", "SparseVer2", "SeSparse")


@dataclass(frozen=True, slots=True)
class Described:
    """A guest, and what stands in the way of copying it."""

    machine: Machine
    blockers: tuple[Finding, ...]


def describe(
    config: Any,
    host: str,
    port_groups: Mapping[str, str],
    store: Datastore | None,
    *,
    running: bool,
) -> Described:
    """Return a guest; ``port_groups`` are names of distributed ones by key.

    ``store`` is how its disks are read; None: not at all.
    """
    where, devices = str(config.name), tuple(config.hardware.device or ())
    controllers = {each.key: each for each in devices if name_of(each) in _BUSES}
    disks, blockers = _disks(where, devices, controllers, store)
    if config.keyId is not None:
        blockers += (
            Finding(
                "E-VMX-ENCRYPTED",
                f"{where}: the virtual machine is encrypted",
                "remove its encryption (and its TPM) in VMware first",
            ),
        )
    options = config.bootOptions
    machine = Machine(
        kind=kind,
        hypervisor=Hypervisor.vmware,
        name=where,
        memory_bytes=int(config.hardware.memoryMB) * _MIB,
        vcpus=int(config.hardware.numCPU),
        disks=disks,
        folder=Path(f"vsphere:{host}"),
        topology=_topology(config.hardware),
        firmware=Firmware.efi if config.firmware == "efi" else Firmware.bios,
        secure_boot=options is not None and options.efiSecureBootEnabled is True,
        uuid=uuid_text(str(config.uuid or "")),
        removables=_removables(devices, controllers),
        nics=_nics(devices, port_groups),
        display=Display("window") if "VirtualVideoCard" in map(name_of, devices) else None,
        sound=next(
            (SOUND[_SOUNDS[each]] for each in map(name_of, devices) if each in _SOUNDS), None
        ),
        running=running,
        warnings=_left_behind(where, devices),
    )
    return Described(machine, blockers)


def name_of(value: Any) -> str:
    """Return a class's name in the API: VirtualDisk, not vim.vm.device.VirtualDisk."""
    return type(value).__name__.rpartition(".")[2]


def _topology(hardware: Any) -> Topology | None:
    vcpus, cores = int(hardware.numCPU), int(hardware.numCoresPerSocket or 0)
    return Topology(vcpus // cores, cores, 1) if cores and vcpus % cores == 0 else None


def _disks(
    where: str,
    devices: Sequence[Device],
    controllers: Mapping[int, Device],
    store: Datastore | None,
) -> tuple[tuple[Disk, ...], tuple[Finding, ...]]:
    order = {bus: number for number, bus in enumerate(dict.fromkeys(_BUSES.values()))}
    found, blockers = [], []
    for device in devices:
        if name_of(device) != "VirtualDisk":
            continue
        controller = controllers.get(device.controllerKey)
        bus = None if controller is None else _BUSES[name_of(controller)]
        number = 0 if controller is None else controller.busNumber
        backing = name_of(device.backing).removesuffix("BackingInfo")
        path = str(getattr(device.backing, "fileName", ""))
        if not backing.startswith(_FILES):
            blockers.append(_unlike_a_file(where, path, backing))
        parents = _below(device.backing)
        # What a snapshot changes is inside of the storage then, in no file.
        if parents and getattr(device.backing, "deltaDiskFormat", None) == "nativeFormat":
            blockers.append(_native(where, path))
        place = None if controller is None else f"{name_of(controller)}{number}:{device.unitNumber}"
        size = device.capacityInBytes or (device.capacityInKB or 0) * 1024
        made = Disk(
            path, DiskFormat.vmdk, controller=bus, virtual_bytes=int(size),
            parents=parents, member=place, wwid=_wwid(getattr(device.backing, "uuid", None)),
            datastore=store,
        )  # fmt: skip
        found.append(((len(order) if bus is None else order[bus], number, device.unitNumber), made))
    found.sort(key=lambda each: each[0])
    return tuple(disk for _, disk in found), tuple(blockers)


def _unlike_a_file(where: str, path: str, backing: str) -> Finding:
    return Finding(
        "E-VSPHERE-DISK",
        f"{where}: {path or 'a disk'} is no file of a datastore, but {backing}",
        "a raw device map: copy its LUN by other means, or clone the guest to a datastore first",
    )


def _native(where: str, path: str) -> Finding:
    return Finding(
        "E-VSPHERE-CHAIN",
        f"{where}: {path} is a snapshot that the storage itself keeps, in no file",
        "export the guest's current state: -it nfc; or delete its snapshots",
    )


def _below(backing: Any) -> tuple[str, ...]:
    """Return the paths of what a disk is a snapshot of, the nearest first."""
    found = []
    while (backing := getattr(backing, "parent", None)) is not None:
        found.append(str(backing.fileName))
    return tuple(found)


def _wwid(uuid: object) -> str | None:
    """Return what a disk tells its guest: its UUID is a number of VMware's own (NAA 6)."""
    digits = str(uuid or "").lower().replace("-", "")
    return f"3{digits}" if re.fullmatch("6000c29[0-9a-f]{25}", digits) else None


def _removables(
    devices: Sequence[Device], controllers: Mapping[int, Device]
) -> tuple[Removable, ...]:
    found = []
    for device in devices:
        if name_of(device) == "VirtualFloppy":
            found.append(Removable(RemovableKind.floppy, Bus.fdc, device.unitNumber))
        elif name_of(device) == "VirtualCdrom":
            controller = controllers.get(device.controllerKey)
            bus = None if controller is None else _BUSES[name_of(controller)]
            # Two IDE channels make one controller of four.
            first = 2 * controller.busNumber if bus is Bus.ide and controller is not None else 0
            found.append(Removable(RemovableKind.cdrom, bus, first + device.unitNumber))
    return tuple(found)


def _nics(devices: Sequence[Device], port_groups: Mapping[str, str]) -> tuple[Nic, ...]:
    """Return the NICs in the order in which a guest finds them, that of their slots."""
    found = [_nic(device, port_groups) for device in devices if name_of(device) in _NICS]
    if all(nic.slot is not None for nic in found):
        found.sort(key=lambda nic: nic.slot or 0)
    return tuple(found)


def _nic(device: Device, port_groups: Mapping[str, str]) -> Nic:
    backing, slot = device.backing, getattr(device.slotInfo, "pciSlotNumber", None)
    port = getattr(backing, "port", None)
    if port is not None:
        network = port_groups.get(str(port.portgroupKey), str(port.portgroupKey))
    else:
        named = (getattr(backing, key, None) for key in ("deviceName", "opaqueNetworkId"))
        network = next(filter(None, named), name_of(device))
    return Nic(
        mac_address(str(device.macAddress or "")),
        _NICS[name_of(device)],
        Network(NetworkKind.network, str(network)),
        pci_slot(slot),
    )


def _left_behind(where: str, devices: Sequence[Device]) -> tuple[Finding, ...]:
    left = [str(device.deviceInfo.label if device.deviceInfo else name_of(device))
            for device in devices if name_of(device) in _LEFT]  # fmt: skip
    if not left:
        return ()
    message = f"{where}: not carried over: {', '.join(left)}"
    return (Finding("W-SOURCE-KEY", message, "add to the domain what the guest needs of this"),)
