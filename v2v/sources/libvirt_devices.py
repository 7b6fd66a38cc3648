# SPDX-License-Identifier: LGPL-2.1-or-later
"""The devices of a libvirt domain."""

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
    Display,
    Network,
    NetworkKind,
    Nic,
    Removable,
    RemovableKind,
)
from v2v.sources.identity import image_path, mac_address
from v2v.sources.xen import GuestType, disk_bus, slot

_BUS_OF_NAME = {"hd": Bus.ide, "sd": Bus.scsi, "vd": Bus.virtio, "xvd": Bus.xen, "fd": Bus.fdc}
"""libvirt's own rule for a target without a bus."""

_FORMATS = {
    **{str(image_format): image_format for image_format in DiskFormat},
    "aio": DiskFormat.raw,  # blktap: <driver name='tap' type='aio'/>
    "phy": DiskFormat.raw,  # Xen's drivers, which need no type
    "file": DiskFormat.raw,
    "vhd": DiskFormat.vpc,
}
_SOUND = frozenset(
    ("ac97", "es1370", "ich6", "ich7", "ich9", "pcspk", "sb16", "usb", "virtio"),
)
_UNNEEDED = """emulator disk interface controller input graphics video sound audio console serial
    parallel channel memballoon rng watchdog panic hub redirdev redirfilter"""
"""Read here, or what every target has anyway."""

_DISK_LEFT = frozenset(("serial", "shareable", "transient", "wwn"))
_NIC_UNNEEDED = """mac source model target address alias boot script ip link driver backend rom acpi
    guest mtu coalesce tune"""


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain's XML on its way to be a machine."""

    where: str
    root: etree._Element
    folder: Path
    xen: GuestType | None  # None: another hypervisor's
    warnings: list[Finding]

    def text(self, path: str) -> str | None:
        """Return an element's text without the blanks around it, None if there is nothing."""
        return (self.root.findtext(path) or "").strip() or None

    def attribute(self, path: str, key: str) -> str | None:
        element = self.root.find(path)
        return None if element is None else element.get(key)

    def number(self, what: str, text: str) -> int:
        if re.fullmatch(r"\s*[0-9]{1,19}\s*", text, re.ASCII) is None:
            self.refuse(f"{what}: {text!r} is not a number")
        return int(text)

    def refuse(self, what: str) -> Never:
        raise SourceError("E-LIBVIRT-VALUE", f"{self.where}: {what}")

    def warn(self, code: str, message: str, hint: str | None = None) -> None:
        self.warnings.append(Finding(code, message, hint))


def drives(domain: Domain) -> tuple[tuple[Disk, ...], tuple[Removable, ...]]:
    """Return the disks in the document's order, and the drives with removable media."""
    disks: list[Disk] = []
    removables: list[Removable] = []
    for index, element in enumerate(domain.root.iterfind("devices/disk")):
        device = element.get("device", "disk")
        name = _child(element, "target", "dev")
        if device in tuple(RemovableKind):
            kind = RemovableKind(device)
            removables.append(Removable(kind, _bus(domain, element), slot(name or "")))
        elif device in ("disk", "lun"):
            disks.append(_disk(domain, element, f"{domain.where}: disk {name or index}", name))
        else:
            domain.refuse(f"disk {name or index}: unknown device {device!r}")
    return tuple(disks), tuple(removables)


def _child(element: etree._Element, path: str, key: str) -> str | None:
    """Return an attribute of a child, None if either is missing or it is empty."""
    child = element.find(path)
    return None if child is None else child.get(key) or None


def _disk(domain: Domain, element: etree._Element, where: str, name: str | None) -> Disk:
    key = {"file": "file", "block": "dev"}.get(element.get("type", "file"))
    if key is None:
        protocol = _child(element, "source", "protocol")
        kind = " ".join(filter(None, (element.get("type"), protocol)))
        raise SourceError(
            "E-LIBVIRT-DISK",
            f"{where}: a disk of type {kind} cannot be read",
            hint="copy it to an image file and name that with type='file' and <source file='...'>",
        )
    path = _child(element, "source", key)
    if path is None:
        raise SourceError("E-LIBVIRT-DISK", f"{where}: has no <source {key}='...'>")
    if element.find("encryption") is not None or element.find("source/encryption") is not None:
        raise SourceError("E-LIBVIRT-DISK", f"{where}: is encrypted by QEMU")
    if element.find("readonly") is not None:
        message = f"{where}: is read-only in the source, will be writable"
        domain.warn("W-DISK-READ-ONLY", message)
    if left := sorted({child.tag for child in element} & _DISK_LEFT):
        domain.warn("W-SOURCE-KEY", f"{where}: not carried over: {', '.join(left)}")
    if re.match(r"\[[^]]+\] ", path):
        message = f"{where}: {path} is in a datastore of VMware, not on this host"
        hint = "copy the guest's folder to this host and name the file there in <source>"
        domain.warn("W-DISK-DATASTORE", message, hint)
    return Disk(
        path=image_path(where, domain.folder, path),
        format=_format(element, where),
        controller=_bus(domain, element),
        device=name,
    )


def _format(element: etree._Element, where: str) -> DiskFormat | None:
    """Return the driver's format, None if it has none: the image's header decides then."""
    given = _child(element, "driver", "type")
    if given is None:
        given = _child(element, "driver", "name")
        return None if given is None else _FORMATS.get(given)
    found = _FORMATS.get(given.rpartition(":")[2])  # tapdisk:aio
    if found is None:
        raise SourceError("E-LIBVIRT-DISK", f"{where}: unknown format {given!r}")
    return found


def _bus(domain: Domain, element: etree._Element) -> Bus | None:
    """Return where a drive hangs: a PV guest's drives are all Xen's, whatever they are called."""
    name, given = (_child(element, "target", key) for key in ("dev", "bus"))
    if domain.xen in (GuestType.pv, GuestType.pvh):
        return disk_bus(domain.xen, name or "")
    if given is None:
        found = re.match("xvd|hd|sd|vd|fd", name or "")
        return None if found is None else _BUS_OF_NAME[found[0]]
    return Bus(given) if given in tuple(Bus) else None


def nics(domain: Domain) -> tuple[Nic, ...]:
    """Return the NICs in the document's order; none is lost, whatever it was plugged into."""
    return tuple(
        _nic(domain, element, f"{domain.where}: interface {index}")
        for index, element in enumerate(domain.root.iterfind("devices/interface"))
    )


def _nic(domain: Domain, element: etree._Element, where: str) -> Nic:
    left = {child.tag for child in element} - set(_NIC_UNNEEDED.split())
    if left:
        domain.warn("W-SOURCE-KEY", f"{where}: not carried over: {', '.join(sorted(left))}")
    given = _child(element, "mac", "address")
    mac = None if given is None else mac_address(given.strip())
    if given is not None and mac is None and re.sub("[0:-]", "", given):
        raise SourceError("E-NIC-MAC", f"{where}: {given!r} is not a MAC address")
    model = _child(element, "model", "type")
    if model is None and domain.xen is not None:
        model = "rtl8139" if domain.xen is GuestType.hvm else "netfront"
    return Nic(mac, None if model is None else model.lower(), _network(domain, element, where))


def _network(domain: Domain, element: etree._Element, where: str) -> Network:
    kind = element.get("type", "")
    if kind in tuple(NetworkKind):
        name = _child(element, "source", kind)
        if name is not None:
            return Network(NetworkKind(kind), name)
        code, message = "W-NIC-SOURCE", f"{where}: is plugged into no {kind}"
    else:
        code, message = "W-NIC-TYPE", f"{where}: is of type {kind!r}, which is not carried over"
    hint = "choose a network with -b, -n or --mac"
    domain.warn(code, f"{message}, will be on the network default", hint)
    return Network(NetworkKind.network, "default")


def display(domain: Domain) -> Display | None:
    """Return the first <graphics> that people look at."""
    for element in domain.root.iterfind("devices/graphics"):
        kind = {"sdl": "window", "desktop": "window"}.get(element.get("type", ""))
        kind = kind or element.get("type", "")
        if kind in ("vnc", "spice", "window"):
            return Display(
                kind,
                listen=_listen(element),
                port=_port(element),
                password=element.get("passwd"),
                keymap=element.get("keymap"),
            )
        domain.warn("W-SOURCE-DISPLAY", f"{domain.where}: unknown display {kind!r}")
    return None


def _listen(element: etree._Element) -> str | None:
    listen = element.find("listen")
    if listen is not None:
        return listen.get("address") if listen.get("type") == "address" else None
    return element.get("listen")


def _port(element: etree._Element) -> int | None:
    port = element.get("port", "")
    fixed = element.get("autoport") != "yes" and re.fullmatch("[1-9][0-9]{0,4}", port, re.ASCII)
    return int(port) if fixed else None


def sound(domain: Domain) -> str | None:
    """Return the first sound card's model, None if there is none or it is unknown."""
    model = domain.attribute("devices/sound", "model")
    if model is None or model in _SOUND:
        return model
    message = f"{domain.where}: unknown sound card {model!r}, the guest will have none"
    domain.warn("W-SOURCE-SOUND", message)
    return None


def unknown_devices(domain: Domain) -> set[str]:
    """Return the kinds of devices that are not carried over, such as hostdev and tpm."""
    known = set(_UNNEEDED.split())
    return {
        f"<{element.tag}>"
        for element in domain.root.iterfind("devices/*")
        if element.tag not in known
    }
