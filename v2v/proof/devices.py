# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ``<devices>`` of a libvirt domain XML."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from v2v.devices import drive_index
from v2v.errors import Finding, ProofError
from v2v.model import Bus, DiskFormat
from v2v.proof.domxml import Element, attribute, choice, number, text
from v2v.proof.hardware import Address, Card, Device, Drive, Place, Variant

AGENT_CHANNEL = "org.qemu.guest_agent.0"

_BUS_OF_PREFIX = {"vd": "virtio", "sd": "scsi", "hd": "ide", "xvd": "xen", "fd": "fdc"}
_BUSES = {bus.value: bus for bus in (Bus.virtio, Bus.scsi, Bus.sata, Bus.ide, Bus.usb)}
_TARGET = re.compile(r"(vd|sd|hd|xvd|fd)([a-z]{1,3})")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MODEL = re.compile(r"[A-Za-z0-9._-]+")
_SERIAL_NUMBER = re.compile(r"[A-Za-z0-9_.+ :-]+")  # libvirt allows a little less
_VARIANTS = {f"virtio{variant.value}": variant for variant in Variant}
_SCSI_DEFAULT = "lsilogic"  # libvirt's for x86
_QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
_NOT_CARRIED = ("hostdev", "filesystem", "tpm", "vsock", "shmem", "iommu", "redirdev")


def device(element: Element, model: str = "virtio") -> Device:
    """Return an element's model (the attribute or the child element) and address."""
    named = element.get("model") or attribute(element, "model", "type") or model
    if not _MODEL.fullmatch(named):
        raise ProofError("E-PROOF-DOMAIN", f"<{element.tag}>: bad model name: {named!r}")
    variant = _VARIANTS.get(named, Variant.any)
    return Device("virtio" if named in _VARIANTS else named, variant, _address(element))


def _address(element: Element) -> Address | None:
    found = element.find("address")
    if found is None or found.get("type") != "pci":
        return None
    bus, slot, function = (
        _part(element, found, name, limit)
        for name, limit in (("bus", 0xFF), ("slot", 0x1F), ("function", 7))
    )
    return Address(bus, slot, function) if slot or bus else None


def _part(element: Element, address: Element, name: str, limit: int) -> int:
    what = f"<{element.tag}> address {name}"
    found = number(address.get(name, "0"), what)
    if found > limit:
        raise ProofError("E-PROOF-DOMAIN", f"{what}: {found} is more than {limit}")
    return found


def drives(devices: Element, folder: Path, boot_order: tuple[str, ...]) -> tuple[Drive, ...]:
    """Return disks and CD-ROM drives. ``boot_order``: of <os>, which stands for the first ones."""
    elements = [disk for disk in devices.findall("disk") if disk.get("device") != "floppy"]
    own_order = any(disk.find("boot") is not None for disk in devices)
    places = {} if own_order else _places(elements, boot_order or ("hd",))
    return tuple(_drive(element, folder, places.get(at)) for at, element in enumerate(elements))


def _places(elements: list[Element], boot_order: tuple[str, ...]) -> dict[int, int]:
    """Return the boot place of each element that has one: the first disk, the first CD-ROM."""
    places = {}
    for place, kind in enumerate(boot_order, 1):
        kinds = {"hd": ("disk", "lun"), "cdrom": ("cdrom",)}.get(kind, ())
        first = (at for at, one in enumerate(elements) if one.get("device", "disk") in kinds)
        if (at := next(first, None)) is not None:
            places[at] = place
    return places


def _drive(element: Element, folder: Path, place: int | None) -> Drive:
    target = attribute(element, "target", "dev") or ""
    match = _TARGET.fullmatch(target)
    if match is None:
        raise ProofError("E-PROOF-DISK", f"disk target {target!r}: not a name that libvirt gives")
    bus = choice(
        attribute(element, "target", "bus") or _BUS_OF_PREFIX[match[1]],
        _BUSES,
        f"disk {target}: bus",
    )
    cdrom = element.get("device") == "cdrom"
    order = attribute(element, "boot", "order")
    form = attribute(element, "driver", "type") or "raw"
    return Drive(
        target,
        bus,
        _place(element, bus, match[2]),
        _medium(element, target, folder, cdrom),
        choice(form, {each.value: each.value for each in DiskFormat}, f"disk {target}: format"),
        cdrom=cdrom,
        boot=number(order, f"disk {target}: boot order") if order else place,
        serial=_serial_number(element, target),
        block_size=_block_size(element, target),
        device=device(element),
        discard=attribute(element, "driver", "discard") == "unmap",
    )


def _place(element: Element, bus: Bus, letters: str) -> Place:
    """Return the drive address that the XML or, by the target's name, libvirt gives."""
    found = element.find("address[@type='drive']")
    if found is not None:
        parts = ("controller", "bus", "target", "unit")
        return Place(*(_part(element, found, name, 0xFF) for name in parts))
    index = drive_index(letters)
    if bus is Bus.ide:
        return Place(bus=index // 2, unit=index % 2)
    per_controller = 6 if bus is Bus.sata else 7
    return Place(index // per_controller, unit=index % per_controller)


def _medium(element: Element, target: str, folder: Path, cdrom: bool) -> Path | None:
    kind = element.get("type", "file")
    if kind not in ("file", "block"):
        raise ProofError(
            "E-PROOF-DISK",
            f"disk {target}: of type {kind!r}, which is not a file or block device of this host",
            hint="copy the disk to a file and let the XML name it",
        )
    name = attribute(element, "source", "file" if kind == "file" else "dev")
    if not name:
        if cdrom:
            return None
        raise ProofError("E-PROOF-DISK", f"disk {target}: the XML names no image")
    return folder / name


def require_media(drives: tuple[Drive, ...]) -> None:
    """Raise ProofError (E-PROOF-DISK) unless the image of each drive is there."""
    for drive in drives:
        if drive.path is not None:
            _require_medium(drive.target, drive.path)


def _require_medium(target: str, path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise ProofError(
            "E-PROOF-DISK",
            f"disk {target}: {path}: {getattr(error, 'strerror', error)}",
            hint="the XML must name images that are on this host",
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise ProofError("E-PROOF-DISK", f"disk {target}: {path}: not a file or block device")


def _serial_number(element: Element, target: str) -> str | None:
    found = text(element, "serial")
    if found and not _SERIAL_NUMBER.fullmatch(found):
        raise ProofError("E-PROOF-DOMAIN", f"disk {target}: bad serial number: {found!r}")
    return found or None


def _block_size(element: Element, target: str) -> tuple[int, int] | None:
    found = element.find("blockio")
    if found is None:
        return None
    logical = number(found.get("logical_block_size", "512"), f"disk {target}: block size")
    physical = number(found.get("physical_block_size", str(logical)), f"disk {target}: block size")
    return logical, physical


def cards(devices: Element) -> tuple[Card, ...]:
    """Return the network cards; those without a MAC get one."""
    return tuple(_card(element, at) for at, element in enumerate(devices.findall("interface")))


def _card(element: Element, at: int) -> Card:
    mac = (attribute(element, "mac", "address") or f"52:54:00:76:32:{at:02x}").lower()
    if not _MAC.fullmatch(mac):
        raise ProofError("E-PROOF-DOMAIN", f"interface {at + 1}: bad MAC address: {mac!r}")
    return Card(mac, device(element, "rtl8139"), attribute(element, "source", "bridge"))


def scsi_controllers(devices: Element, drives: tuple[Drive, ...]) -> tuple[tuple[int, Device], ...]:
    """Return the SCSI controllers by index; libvirt adds those that only disks speak of."""
    named = {
        number(element.get("index", "0"), "controller index"): _scsi(element)
        for element in devices.findall("controller")
        if element.get("type") == "scsi"
    }
    implied = {one.place.controller for one in drives if one.bus is Bus.scsi}
    return tuple(
        sorted((dict.fromkeys(implied, Device(_SCSI_DEFAULT)) | named).items(), key=itemgetter(0))
    )


def _scsi(element: Element) -> Device:
    found = device(element, _SCSI_DEFAULT)
    return replace(found, model="virtio-scsi") if found.model == "virtio" else found


def single(devices: Element, tag: str, model: str = "virtio") -> Device | None:
    """Return the first device of a kind; None where there is none, or its model is none."""
    found = devices.find(tag)
    if found is None:
        return None
    described = device(found, model)
    return None if described.model == "none" else described


def balloon(devices: Element) -> Device | None:
    """Return the balloon, which libvirt gives to every domain that does not refuse it."""
    return Device() if devices.find("memballoon") is None else single(devices, "memballoon")


def video(devices: Element) -> Device | None:
    """Return the graphics card, which libvirt gives to a domain that has graphics."""
    if devices.find("video") is None and devices.find("graphics") is not None:
        return Device("vga")
    return single(devices, "video", "vga")


def consoles(devices: Element) -> tuple[int, int]:
    """Return the numbers of serial ports and of virtio consoles."""
    kinds = [attribute(one, "target", "type") or "serial" for one in devices.findall("console")]
    serials = sum(
        (attribute(one, "target", "type") or "isa-serial") == "isa-serial"
        for one in devices.findall("serial")
    )
    # <console type="serial"> is another view of the first <serial>, or makes it (libvirt manual).
    return serials or int("serial" in kinds), kinds.count("virtio")


def has_agent(devices: Element) -> bool:
    """Tell whether there is a channel for the guest agent."""
    return any(
        attribute(one, "target", "name") == AGENT_CHANNEL for one in devices.findall("channel")
    )


def usb(devices: Element) -> Device | None:
    """Return the USB controller; libvirt leaves it to the machine type if the XML names none."""
    for element in devices.findall("controller"):
        if element.get("type") == "usb" and element.get("model") == "none":
            return None
        if element.get("type") == "usb" and "xhci" in element.get("model", ""):
            return device(element)
    return Device("machine")


def channels(devices: Element) -> Device | None:
    """Return the virtio-serial controller, which libvirt adds where something hangs on it."""
    for element in devices.findall("controller"):
        if element.get("type") == "virtio-serial":
            return device(element)
    return Device() if has_agent(devices) or consoles(devices)[1] else None


def left_out(domain: Element, devices: Element) -> Iterator[Finding]:
    """Warn of devices that the proof does without though the guest may wait for them."""
    kinds = [kind for kind in _NOT_CARRIED if devices.find(kind) is not None]
    kinds += ["hostdev"] * any(
        element.get("type") == "hostdev" for element in devices.findall("interface")
    )
    if domain.find(f"{{{_QEMU_NAMESPACE}}}commandline") is not None:
        kinds.append("qemu:commandline")
    for kind in dict.fromkeys(kinds):
        yield Finding(
            "W-PROOF-DEVICE",
            f"{kind}: not part of the boot proof",
            hint="the guest is tried without it",
        )
