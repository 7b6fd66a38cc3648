# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Parallels Desktop and Server as config.pvs in their .pvm folder describes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lxml import etree

from v2v.errors import Finding, SourceError
from v2v.model import (
    Bus,
    Disk,
    Display,
    Firmware,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
    Removable,
    RemovableKind,
)
from v2v.sources import config_file, xml
from v2v.sources.identity import image_path, mac_address, name_from_file, uuid_text

name = "parallels"
about = "config.pvs or the .pvm folder that it is in, a Parallels guest"

_MIB = 1 << 20
_MOST = 1 << 30
# Numbers of the Parallels Virtualization SDK: PRL_MASS_STORAGE_INTERFACE_TYPE, PRL_VM_NET_...
_BUSES = {"0": Bus.ide, "1": Bus.scsi, "2": Bus.sata, "3": Bus.virtio}
_NICS = {"1": "ne2k_pci", "2": "e1000", "3": "virtio", "4": "e1000e"}
_IMAGE = "1"  # the EmulatedType of a disk that is an image
_SHARED, _BRIDGED = "1", "2"  # those of NICs


@dataclass(frozen=True, slots=True)
class _Config:
    """A configuration on its way."""

    where: str
    root: etree._Element
    folder: Path
    warnings: list[Finding]

    def text(self, path: str) -> str:
        return (self.root.findtext(path) or "").strip()

    def number(self, path: str) -> int:
        """Return a number above zero. Raises SourceError."""
        given = self.text(path)
        if re.fullmatch("[0-9]{1,10}", given, re.ASCII) is None or not 0 < int(given) < _MOST:
            raise SourceError(
                "E-PARALLELS-VALUE", f"{self.where}: {path}: {given!r} makes no sense"
            )
        return int(given)

    def devices(self, kind: str) -> list[etree._Element]:
        """Return the devices of a kind that are there, in the order of their numbers."""
        found = [each for each in self.root.iterfind(f"Hardware/{kind}") if _of(each, "Enabled")]
        found = [each for each in found if _of(each, "Enabled") != "0"]
        return sorted(found, key=lambda each: int(_digits(_of(each, "Index"))))


def _of(element: etree._Element, key: str) -> str:
    return (element.findtext(key) or "").strip()


def _digits(text: str) -> str:
    return text if re.fullmatch("[0-9]{1,5}", text, re.ASCII) else "0"


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a configuration of Parallels."""
    return xml.root_name(head) == "ParallelsVirtualMachine"


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one config.pvs. Raises SourceError."""
    (path,) = paths
    return parse(config_file.content(path), path)


def parse(data: bytes, path: Path) -> Machine:
    """Return the guest that a config.pvs describes; ``path`` says where it lies."""
    config = _Config(str(path), xml.parse(data, str(path)), path.parent, [])
    if config.text("Settings/VmEncryptionInfo/Enabled") == "1":
        raise SourceError(
            "E-PARALLELS-ENCRYPTED",
            f"{path}: the virtual machine is encrypted",
            hint="decrypt it in Parallels: Configure, Security, Turn Off Encryption",
        )
    efi = config.text("Settings/Startup/Bios/EfiEnabled") == "1"
    disks = tuple(_disk(config, device) for device in config.devices("Hdd"))
    return Machine(
        kind=name,
        hypervisor=Hypervisor.parallels,
        name=config.text("Identification/VmName") or _folders_name(path),
        memory_bytes=config.number("Hardware/Memory/RAM") * _MIB,
        vcpus=config.number("Hardware/Cpu/Number"),
        disks=disks,
        folder=path.parent,
        features=("acpi", "apic"),
        firmware=Firmware.efi if efi else Firmware.bios,
        secure_boot=efi and config.text("Settings/Startup/Bios/EfiSecureBoot") == "1",
        uuid=uuid_text(config.text("Identification/VmUuid")),
        removables=_removables(config),
        nics=tuple(_nic(config, device) for device in config.devices("NetworkAdapter")),
        display=Display("window"),
        warnings=tuple(config.warnings),
    )


def _folders_name(path: Path) -> str:
    return path.parent.stem if path.parent.suffix == ".pvm" else name_from_file(path)


def _disk(config: _Config, device: etree._Element) -> Disk:
    image = _of(device, "SystemName")
    where = f"{config.where}: disk {_digits(_of(device, 'Index'))}"
    if _of(device, "EmulatedType") != _IMAGE:
        raise SourceError(
            "E-PARALLELS-DISK",
            f"{where}: {image or 'it'} is a disk of the host (Boot Camp), and no image",
            hint="import it into an image in Parallels first",
        )
    inside = PurePosixPath(image)
    if inside.is_absolute() and inside.parent.suffix == ".pvm":
        message = f"{where}: {image} is looked for beside the configuration"
        config.warnings.append(Finding("W-SOURCE-PATH", message))
        image = inside.name
    path = image_path(where, config.folder, image)
    return Disk(path, None, controller=_BUSES.get(_of(device, "InterfaceType")))


def _removables(config: _Config) -> tuple[Removable, ...]:
    found = []
    for device in config.devices("CdRom"):
        bus = _BUSES.get(_of(device, "InterfaceType"))
        found.append(Removable(RemovableKind.cdrom, bus, int(_digits(_of(device, "StackIndex")))))
    for number, _ in enumerate(config.devices("Fdd")):
        found.append(Removable(RemovableKind.floppy, Bus.fdc, number))
    return tuple(found)


def _nic(config: _Config, device: etree._Element) -> Nic:
    given = _of(device, "MAC")
    mac = mac_address(":".join(re.findall("..", given)) if len(given) == 12 else given)
    if given.strip("0:-") and mac is None:
        raise SourceError("E-NIC-MAC", f"{config.where}: {given!r} is not a MAC address")
    kind = _of(device, "EmulatedType")
    called = _of(device, "VirtualNetworkID") or _of(device, "AdapterName")
    # Shared is Parallels' own NAT, which libvirt's network default is, too.
    network = Network(NetworkKind.network, "default")
    if kind != _SHARED and called:
        as_bridge = kind == _BRIDGED and not _of(device, "VirtualNetworkID")
        network = Network(NetworkKind.bridge if as_bridge else NetworkKind.network, called)
    return Nic(mac, _NICS.get(_of(device, "AdapterType")), network)
