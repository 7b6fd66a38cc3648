# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks, removable drives and NICs of a VMX file."""

from __future__ import annotations

import re
from pathlib import Path

from v2v.errors import Finding, SourceError
from v2v.model import Bus, Disk, DiskFormat, Network, NetworkKind, Nic, Removable, RemovableKind
from v2v.sources.identity import image_path, local_path, mac_address
from v2v.sources.vmx_syntax import Dictionary

BUSES = {"scsi": Bus.scsi, "nvme": Bus.nvme, "sata": Bus.sata, "ide": Bus.ide}
"""In the order in which disks are counted."""

_MOST_DISKS = 1000  # ESXi ends at 256 on each kind of controllers
_DISK = re.compile("disk|rdm")  # disk, scsi-hardDisk, ata-hardDisk, rawDisk, scsi-passthru-rdm
_IN_DATASTORE = re.compile(r"\[([^\]]+)\] *(.+)")
_CDROM = re.compile("cdrom")  # cdrom-image, cdrom-raw, atapi-cdrom


def is_absent(vmx: Dictionary, device: str) -> bool:
    """Tell whether a device is switched off; one that says nothing of it is there."""
    return vmx.flag(f"{device}.present") is False


def drives(
    vmx: Dictionary, folder: Path, warnings: list[Finding]
) -> tuple[dict[str, Disk], tuple[Removable, ...]]:
    """Return the disks (SCSI, NVMe, SATA, IDE, each by number) and the removable drives."""
    disks: dict[str, Disk] = {}
    removables: list[Removable] = []
    for kind, bus in BUSES.items():
        for device in _present(vmx, kind, warnings):
            what = _device_type(vmx, device, kind)
            if _CDROM.search(what):
                removables.append(Removable(RemovableKind.cdrom, bus, _slot(device, kind)))
            elif _DISK.search(what):
                disks[device] = _disk(vmx, device, bus, folder, warnings)
            else:
                message = f"{vmx.where}: {device} is a {what}, which is not carried over"
                warnings.append(Finding("W-VMX-DEVICE", message))
    if len(disks) > _MOST_DISKS:
        raise SourceError("E-VMX-VALUE", f"{vmx.where}: {len(disks):,} disks make no sense")
    removables += (
        Removable(RemovableKind.floppy, Bus.fdc, int(floppy.removeprefix("floppy")))
        for floppy in vmx.numbers_of("floppy")
        if not is_absent(vmx, floppy)
    )
    return disks, tuple(removables)


def _present(vmx: Dictionary, kind: str, warnings: list[Finding]) -> list[str]:
    """Return the devices on a kind of controllers, less those that are switched off.

    Keys without a file name and without ``present`` are leftovers of a device that was removed.
    """
    found = []
    for device in vmx.numbers_of(kind):
        controller, colon, _ = device.partition(":")
        there = vmx.flag(f"{device}.present") or vmx.text(f"{device}.fileName") is not None
        if not colon or not there or is_absent(vmx, device):
            continue
        if is_absent(vmx, controller):
            message = f"{vmx.where}: {device} is left out: its controller is not present"
            warnings.append(Finding("W-VMX-DEVICE", message))
            continue
        found.append(device)
    return found


def _device_type(vmx: Dictionary, device: str, kind: str) -> str:
    """Return what hangs at a place, in lower case; without deviceType it is a disk.

    Old VMX files leave it out of IDE drives of either sort: the file name tells then.
    """
    given = vmx.text(f"{device}.deviceType")
    if given is not None:
        return given.lower()
    medium = (vmx.text(f"{device}.fileName") or "").lower()
    optical = medium.endswith(".iso") or medium == "auto detect" or medium.startswith("/dev/sr")
    return "cdrom-image" if optical and kind != "nvme" else "disk"


def _slot(device: str, kind: str) -> int:
    """Return a drive's number on its controller; two IDE channels make one controller of four."""
    controller, _, target = device.removeprefix(kind).partition(":")
    return int(target) + (2 * int(controller) if kind == "ide" else 0)


def _disk(vmx: Dictionary, device: str, bus: Bus, folder: Path, warnings: list[Finding]) -> Disk:
    where = f"{vmx.where}: {device}"
    file = vmx.text(f"{device}.fileName")
    if file is None:
        raise SourceError(
            "E-VMX-NO-FILE",
            f"{where}: is a disk without fileName",
            hint=f"set {device}.present to FALSE if there is no such disk",
        )
    path = _local(file, where, warnings)
    return Disk(image_path(where, folder, path), DiskFormat.vmdk, controller=bus)


def _local(file: str, where: str, warnings: list[Finding]) -> str:
    """Return a file name in this system's form; [datastore] is a folder of ESX."""
    labelled = _IN_DATASTORE.fullmatch(file)
    if labelled is not None:
        return f"/vmfs/volumes/{labelled[1]}/{labelled[2]}"
    path, moved = local_path(file)
    if moved:
        message = f"{where}: {file} is a path of Windows, looked for beside the configuration"
        warnings.append(Finding("W-SOURCE-PATH", message))
    return path


def nics(vmx: Dictionary, warnings: list[Finding]) -> tuple[Nic, ...]:
    """Return the NICs in the order in which a guest finds them.

    That is the order of their slots; of their numbers, where one has no slot yet.
    """
    found = [
        Nic(
            _mac(vmx, nic),
            _model(vmx, nic),
            _network(vmx, nic),
            pci_slot(vmx.number(f"{nic}.pciSlotNumber")),
            connected=vmx.flag(f"{nic}.startConnected") is not False,
        )
        for nic in vmx.numbers_of("ethernet")
        if not is_absent(vmx, nic)
    ]
    if all(nic.slot is not None for nic in found):
        found.sort(key=lambda nic: nic.slot or 0)
    return tuple(found)


def _mac(vmx: Dictionary, nic: str) -> str | None:
    """Return the MAC address: the one of addressType, else whichever there is."""
    static, generated = (vmx.text(f"{nic}.{key}") for key in ("address", "generatedAddress"))
    fixed = (vmx.text(f"{nic}.addressType") or "").lower() == "static"
    given = (static or generated) if fixed else (generated or static)
    if given is None:
        return None
    mac = mac_address(given)
    if mac is None and re.sub("[0:-]", "", given):
        raise SourceError("E-NIC-MAC", f"{vmx.where}: {nic}: {given!r} is not a MAC address")
    return mac


def _model(vmx: Dictionary, nic: str) -> str | None:
    model = vmx.text(f"{nic}.virtualDev")
    return None if model is None else model.lower()


def pci_slot(slot: int | None) -> int | None:
    """Return the PCI slot, which Linux names the card after; -1 is one that was never assigned.

    From bit 10 on stands the function of the PCI bridge, which the firmware adds: 1184 is 161.
    """
    return (slot & 1023) + (slot >> 10) if slot is not None and slot >= 0 else None


def _network(vmx: Dictionary, nic: str) -> Network:
    """Return the port group's name; switches of vCenter and NSX have only their networks' keys.

    On a workstation, custom networks have the name of their vmnet and others none at all.
    """
    bridged = (vmx.text(f"{nic}.connectionType") or "").lower() == "bridged"
    kind = NetworkKind.bridge if bridged else NetworkKind.network
    keys = ("networkName", "dvs.portgroupId", "opaqueNetwork.id", "vnet")
    given = next(filter(None, (vmx.text(f"{nic}.{key}") for key in keys)), nic)
    return Network(kind, given.removeprefix("/dev/"))
