# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drives and NICs of a VirtualBox machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Never

from lxml import etree

from v2v.errors import Finding, SourceError
from v2v.model import (
    Bus,
    Disk,
    DiskFormat,
    Network,
    NetworkKind,
    Nic,
    Removable,
    RemovableKind,
)
from v2v.sources.identity import image_path, local_path, mac_address

_BUSES = {
    "AHCI": Bus.sata,
    "PIIX3": Bus.ide,
    "PIIX4": Bus.ide,
    "ICH6": Bus.ide,
    "LsiLogic": Bus.scsi,
    "BusLogic": Bus.scsi,
    "LsiLogicSas": Bus.scsi,
    "VirtioSCSI": Bus.scsi,
    "NVMe": Bus.nvme,
    "USB": Bus.usb,
    "I82078": Bus.fdc,
}
_FORMATS = {
    "vdi": DiskFormat.vdi,
    "vmdk": DiskFormat.vmdk,
    "vhd": DiskFormat.vpc,
    "vhdx": DiskFormat.vhdx,
    "parallels": DiskFormat.parallels,
    "raw": DiskFormat.raw,
    "qcow": None,  # VirtualBox calls both versions so
    "qed": DiskFormat.qed,
}
_REMOVABLES = {"DVD": RemovableKind.cdrom, "Floppy": RemovableKind.floppy}
_NETWORKS = {
    "BridgedInterface": NetworkKind.bridge,
    "InternalNetwork": NetworkKind.network,
    "HostOnlyInterface": NetworkKind.network,
    "HostOnlyNetwork": NetworkKind.network,
    "NATNetwork": NetworkKind.network,
    "CloudNetwork": NetworkKind.network,
}
_MAX = 1 << 30


@dataclass(frozen=True, slots=True)
class Settings:
    """A machine's XML on its way; what its <Snapshot>s hold is the past and is never looked at."""

    where: str
    machine: etree._Element
    folder: Path
    warnings: list[Finding]

    def attribute(self, path: str, key: str) -> str | None:
        element = self.machine.find("{*}" + path)
        return None if element is None else element.get(key)

    def on(self, path: str) -> bool:
        return self.attribute(path, "enabled") == "true"

    def number(self, path: str, key: str, default: int) -> int:
        """Return a number above zero. Raises SourceError."""
        given = self.attribute(path, key)
        if given is None:
            return default
        if re.fullmatch("[0-9]{1,10}", given, re.ASCII) is None or not 0 < int(given) < _MAX:
            self.refuse(f"{key}: {given!r} makes no sense")
        return int(given)

    def refuse(self, fact: str) -> Never:
        raise SourceError("E-VBOX-VALUE", f"{self.where}: {fact}")


def drives(settings: Settings) -> tuple[tuple[Disk, ...], tuple[Removable, ...]]:
    """Return disks and removable drives: controllers in the file's order, then by port."""
    media = {
        medium.get("uuid", "").lower(): medium
        for medium in settings.machine.iterfind("{*}MediaRegistry/{*}HardDisks//{*}HardDisk")
    }
    disks: list[Disk] = []
    removables: list[Removable] = []
    for controller in _controllers(settings):
        bus = _BUSES.get(controller.get("type", ""))
        found = sorted(
            (
                (_slot(settings, device, bus), device)
                for device in controller.iterfind("{*}AttachedDevice")
            ),
            key=lambda pair: pair[0],
        )
        for slot, device in found:
            kind = device.get("type")
            if kind in _REMOVABLES:
                removables.append(Removable(_REMOVABLES[kind], bus, slot))
            elif kind == "HardDisk":
                where = f"{settings.where}: {controller.get('name')}: port {slot}"
                disks.append(_disk(settings, _medium(device, media, where), bus, where))
    return tuple(disks), tuple(removables)


def _controllers(settings: Settings) -> list[etree._Element]:
    """Return the controllers; they moved into <Hardware> with version 1.19."""
    return [
        controller
        for path in ("", "{*}Hardware/")
        for controller in settings.machine.iterfind(
            f"{path}{{*}}StorageControllers/{{*}}StorageController"
        )
    ]


def _slot(settings: Settings, device: etree._Element, bus: Bus | None) -> int:
    """Return a drive's number on its controller; an IDE controller has two ports of two drives."""
    port, number = (device.get(key, "0") for key in ("port", "device"))
    if re.fullmatch("[0-9]{1,5} [0-9]{1,5}", f"{port} {number}", re.ASCII) is None:
        settings.refuse(f"port {port!r}, device {number!r}: no numbers")
    return 2 * int(port) + int(number) if bus is Bus.ide else int(port)


def _medium(device: etree._Element, media: dict[str, etree._Element], where: str) -> etree._Element:
    """Return what is attached: with snapshots that is the differencing image, not its base."""
    image = device.find("{*}Image")
    medium = None if image is None else media.get(image.get("uuid", "").lower())
    if medium is None:
        uuid = None if image is None else image.get("uuid")
        raise SourceError(
            "E-VBOX-MEDIUM",
            f"{where}: the disk {uuid} is not in the file's <MediaRegistry>",
            hint="give the images themselves instead: -i disk",
        )
    return medium


def _disk(settings: Settings, medium: etree._Element, bus: Bus | None, where: str) -> Disk:
    format = medium.get("format", "").lower()
    location = medium.get("location", "")
    # A snapshot is encrypted as its base is, which says so.
    for link in (medium, *medium.iterancestors("{*}HardDisk")):
        if link.find("{*}Property[@name='CRYPT/KeyStore']") is not None:
            raise SourceError(
                "E-VBOX-ENCRYPTED",
                f"{where}: {location}: the disk is encrypted",
                hint="decrypt it in VirtualBox: VBoxManage encryptmedium",
            )
    if format not in _FORMATS:
        raise SourceError(
            "E-VBOX-MEDIUM",
            f"{where}: {location}: the format {format!r} cannot be read",
            hint="copy it in VirtualBox: VBoxManage clonemedium FROM TO.vdi",
        )
    parents = tuple(
        image_path(where, settings.folder, local_path(link.get("location", ""))[0])
        for link in medium.iterancestors("{*}HardDisk")
    )
    path, moved = local_path(location)
    if moved:
        message = f"{where}: {location} is a path of Windows, looked for beside the configuration"
        settings.warnings.append(Finding("W-SOURCE-PATH", message))
    return Disk(
        image_path(where, settings.folder, path),
        _FORMATS[format],
        controller=bus,
        parents=parents,
    )


def nics(settings: Settings) -> tuple[Nic, ...]:
    """Return the adapters that are switched on, in the order of their slots."""
    adapters = settings.machine.iterfind("{*}Hardware/{*}Network/{*}Adapter[@enabled='true']")
    found = [(_adapter(settings, element), element) for element in adapters]
    slots = [slot for slot, _ in found]
    if len(set(slots)) < len(slots):
        settings.refuse(f"two adapters are in one slot: {slots}")
    return tuple(
        _nic(settings, slot, element) for slot, element in sorted(found, key=lambda pair: pair[0])
    )


def _adapter(settings: Settings, element: etree._Element) -> int:
    slot = element.get("slot", "")
    if re.fullmatch("[0-9]{1,3}", slot, re.ASCII) is None:
        settings.refuse(f"adapter {slot!r}: no number")
    return int(slot)


def _nic(settings: Settings, slot: int, element: etree._Element) -> Nic:
    where = f"{settings.where}: adapter {slot}"
    given = element.get("MACAddress")
    mac = None
    if given is not None:
        mac = mac_address(":".join(re.findall("..", given)))
        if mac is None and given.strip("0"):
            raise SourceError("E-NIC-MAC", f"{where}: {given!r} is not a MAC address")
    # Without a type it is the PCnet of all old versions.
    model = element.get("type", "Am79C973").lower()
    return Nic(mac, model, _network(settings, element, where))


def _network(settings: Settings, element: etree._Element, where: str) -> Network:
    """Return the network in use; what is inside of <DisabledModes> was chosen before it."""
    for child in element:
        kind = etree.QName(child).localname
        if kind == "NAT":  # VirtualBox's own NAT, which libvirt's network default is, too
            return Network(NetworkKind.network, "default")
        network = _NETWORKS.get(kind)
        if network is not None and child.get("name"):
            return Network(network, child.get("name", ""))
    message = f"{where}: is plugged into nothing, will be on the network default"
    hint = "choose a network with -b, -n or --mac"
    settings.warnings.append(Finding("W-NIC-SOURCE", message, hint))
    return Network(NetworkKind.network, "default")
