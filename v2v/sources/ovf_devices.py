# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drives and NICs of a virtual system of an OVF."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from v2v.errors import Finding, SourceError
from v2v.model import Bus, Disk, Hypervisor, Network, NetworkKind, Nic, Removable, RemovableKind
from v2v.sources import xen
from v2v.sources.identity import image_path, mac_address
from v2v.sources.ovf_disks import DiskEntry, DiskTable
from v2v.sources.ovf_items import (
    CD,
    DISK,
    DVD,
    FLOPPY,
    IDE,
    LOGICAL_DISK,
    NIC,
    OTHER_STORAGE,
    SCSI,
    STORAGE_EXTENT,
    Item,
    System,
    is_paravirtual,
)
from v2v.sources.ovf_xml import number
from v2v.sources.vmx_devices import pci_slot

_MAX_DISKS = 640  # more than VMware's controllers have room for
_VMWARE_ORDER = (Bus.scsi, Bus.nvme, Bus.sata, Bus.ide)  # in which disks are counted
_INTERFACES = {  # of oVirt's disks
    "virtio": Bus.virtio,
    "virtio_scsi": Bus.scsi,
    "ide": Bus.ide,
    "sata": Bus.sata,
}
# oVirt's VmInterfaceType
_OVIRT_NICS = {"1": "rtl8139", "2": "e1000", "3": "virtio", "6": "e1000e"}
_XEN_DEVICE = re.compile(r"\bdevice=([0-9]{1,4})\b", re.ASCII)  # in XenServer's Connection
_LAST = 1 << 16


@dataclass(frozen=True, slots=True)
class Drive:
    """A fixed disk of the system, and where its content is."""

    disk: Disk
    entry: DiskEntry


@dataclass(frozen=True, slots=True)
class _Controller:
    bus: Bus | None
    number: int  # among those of its kind
    position: int  # in the file


def drives(
    system: System, hypervisor: Hypervisor, folder: Path
) -> tuple[tuple[Drive, ...], tuple[Removable, ...]]:
    """Return disks and removable drives in the order in which the guest counts them.

    That is by controller, then by place on it; VMware's SCSI comes before SATA and IDE.
    """
    controllers = _controllers(system)
    table = DiskTable(system.root, system.where)
    found: list[tuple[tuple[int, ...], Drive]] = []
    for item in system.of(DISK, STORAGE_EXTENT, LOGICAL_DISK):
        if len(found) == _MAX_DISKS:
            raise SourceError(
                "E-OVF-VALUE", f"{system.where}: has over {_MAX_DISKS} disks, which no guest has"
            )
        entry = table.entry(item, system)
        controller = controllers.get(item.fields.get("Parent", ""))
        bus = controller.bus if controller is not None else _INTERFACES.get(entry.interface)
        path = "" if entry.file is None else image_path(system.where, folder, entry.file.href)
        disk = Disk(path, entry.format, bus, virtual_bytes=entry.capacity)
        place = _place(item, controller, hypervisor)
        device = _XEN_DEVICE.search(item.fields.get("Connection", ""))
        if hypervisor is Hypervisor.xen and device is not None:
            disk, place = _of_xen(system, disk, int(device[1])), (int(device[1]),)
        found.append((place, Drive(disk, entry)))
    found.sort(key=lambda pair: pair[0])
    return tuple(drive for _, drive in found), tuple(_removables(system, controllers))


def _controllers(system: System) -> Mapping[str, _Controller]:
    """Return the controllers by their InstanceID."""
    found: dict[str, _Controller] = {}
    for position, item in enumerate(system.of(IDE, SCSI, OTHER_STORAGE)):
        address = item.number("Address")
        bus = {IDE: Bus.ide, SCSI: Bus.scsi}.get(item.type, _other_bus(item.subtype))
        found.setdefault(
            item.fields.get("InstanceID", ""),
            _Controller(bus, position if address is None else address, position),
        )
    return found


def _other_bus(subtype: str) -> Bus | None:
    """Return the bus of what CIM has no type for: VMware's and VirtualBox's names of it."""
    if "nvme" in subtype:
        return Bus.nvme
    if "ahci" in subtype or "sata" in subtype:
        return Bus.sata
    return Bus.scsi if "scsi" in subtype else None


def _place(item: Item, controller: _Controller | None, hypervisor: Hypervisor) -> tuple[int, ...]:
    """Return what disks are sorted by; without a controller they stay as they stand."""
    if controller is None:
        return (_LAST,)
    slot = item.number("AddressOnParent") or 0
    if hypervisor is not Hypervisor.vmware or controller.bus not in _VMWARE_ORDER:
        return (controller.position, slot)
    return (_VMWARE_ORDER.index(controller.bus), controller.number, slot)


def _of_xen(system: System, disk: Disk, number: int) -> Disk:
    """Return a disk with the name that a guest of XenServer has for it, by its number."""
    kind = xen.GuestType.pv if is_paravirtual(system) else xen.GuestType.hvm
    letter = chr(ord("a") + number % 26)
    name = f"xvd{letter}" if kind is xen.GuestType.pv else f"hd{letter}"
    return replace(disk, controller=xen.disk_bus(kind, name), device=name)


def _removables(system: System, controllers: Mapping[str, _Controller]) -> list[Removable]:
    found = []
    for item in system.of(CD, DVD):
        controller = controllers.get(item.fields.get("Parent", ""))
        slot = item.number("AddressOnParent")
        if controller is not None and controller.bus is Bus.ide and slot is not None:
            slot += 2 * controller.number  # two channels make one controller
        bus = None if controller is None else controller.bus
        found.append(Removable(RemovableKind.cdrom, bus, slot))
    for item in system.of(FLOPPY):
        slot = item.number("AddressOnParent")
        found.append(Removable(RemovableKind.floppy, Bus.fdc, slot))
    return found


def nics(system: System, hypervisor: Hypervisor) -> tuple[Nic, ...]:
    """Return the NICs in the order in which a guest finds them.

    That is the order of their slots where all have one, as in a VMX, else of their places.
    """
    found = [(item, _nic(system, index, item)) for index, item in enumerate(system.of(NIC))]
    if all(nic.slot is not None for _, nic in found):
        found.sort(key=lambda pair: pair[1].slot or 0)
    elif all(item.number("AddressOnParent") is not None for item, _ in found):
        found.sort(key=lambda pair: pair[0].number("AddressOnParent") or 0)
    if hypervisor is Hypervisor.virtualbox:  # its NAT is what libvirt's network default is
        return tuple(
            replace(nic, network=Network(NetworkKind.network, "default"))
            if nic.network.name == "NAT"
            else nic
            for _, nic in found
        )
    return tuple(nic for _, nic in found)


def _nic(system: System, index: int, item: Item) -> Nic:
    given = item.fields.get("MACAddress") or item.fields.get("Address")
    mac = None if given is None else mac_address(_with_colons(given))
    if given is not None and mac is None and given.strip("0:-"):
        raise SourceError(
            "E-NIC-MAC", f"{system.where}: NIC {index}: {given!r} is not a MAC address"
        )
    connection = item.fields.get("Connection")
    if connection is None:
        message = f"{system.where}: NIC {index} has no connection, will be on the network default"
        hint = "choose a network with -b, -n or --mac"
        system.warnings.append(Finding("W-NIC-SOURCE", message, hint))
    words = item.subtype.split()
    model = _OVIRT_NICS.get(words[0], words[0]) if words else None
    slot = pci_slot(number(item.config.get("slotInfo.pciSlotNumber")))
    return Nic(mac, model, Network(NetworkKind.network, connection or "default"), slot)


def _with_colons(given: str) -> str:
    """Return a MAC address that may come as twelve digits."""
    if len(given) != 12:
        return given
    return ":".join(given[at : at + 2] for at in range(0, 12, 2))
