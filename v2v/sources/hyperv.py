# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Hyper-V as their configuration describes them: XML to 2012 R2, .vmcx since.

Both are one tree of the same names. Nothing of it is published; it is here as exports show it, and
what is of no known form is left out rather than guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

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
from v2v.sources import config_file, vmcx, xml
from v2v.sources.identity import image_path, mac_address, name_from_file
from v2v.sources.vmcx import Tree

name = "hyperv"
about = "an exported .xml or .vmcx file, a Hyper-V guest"

_MIB = 1 << 20
_MOST = 1 << 30
_CONFIGS = ("Virtual Machines", "Snapshots")  # folders of an export, beside that of its disks
_DISKS = "Virtual Hard Disks"
_IDE = "83f8638b-8dca-4152-9eda-2ca8b33039b4"
_KINDS = ("VHD", "")  # of drives that are disks; VHDX are called so, too


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a configuration of Hyper-V."""
    if vmcx.is_vmcx(head):
        return True
    # Its root's name is a common word: what stands in it counts.
    plain = head.replace(b"\0", b"")
    return xml.root_name(head) == "configuration" and b"VDEVVersion" in plain


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one configuration file. Raises SourceError."""
    (path,) = paths
    data = config_file.content(path)
    if vmcx.is_vmcx(data):
        return from_tree(vmcx.parse(data, str(path)), path)
    return from_tree({"configuration": _tree(xml.parse(data, str(path)))}, path)


def parse(data: bytes, path: Path) -> Machine:
    """Return the guest that an XML file describes; ``path`` says where it lies."""
    return from_tree({"configuration": _tree(xml.parse(data, str(path)))}, path)


def _tree(element: etree._Element) -> Tree:
    found: Tree = {}
    for child in element:
        text = (child.text or "").strip()
        found[etree.QName(child).localname] = _tree(child) if len(child) else text
    return found


def from_tree(tree: Tree, path: Path) -> Machine:
    """Return the guest of a configuration. Raises SourceError."""
    where = str(path)
    whole = _branch(tree, "configuration")
    properties, settings = _branch(whole, "properties"), _branch(whole, "settings")
    if not properties or not settings:
        raise SourceError("E-HYPERV-SYNTAX", f"{where}: has no properties and settings of a guest")
    # Of the second generation are those without BIOS, IDE and floppies.
    second = _text(properties, "subtype") == "1"
    warnings: list[Finding] = []
    drives = tuple(_drives(whole))
    own = path.parent.parent if path.parent.name in _CONFIGS else path.parent
    return Machine(
        kind=name,
        hypervisor=Hypervisor.hyperv,
        name=_text(properties, "name") or name_from_file(path),
        memory_bytes=_number(where, _branch(settings, "memory", "bank"), "size") * _MIB,
        vcpus=_number(where, _branch(settings, "processors"), "count"),
        disks=tuple(_disks(where, drives, path, warnings)),
        folder=own,
        features=("acpi", "apic"),
        firmware=Firmware.efi if second else Firmware.bios,
        secure_boot=second and _flag(whole, "securebootenabled"),
        removables=tuple(
            Removable(RemovableKind.cdrom, bus, slot)
            for bus, slot, drive in drives
            if _text(drive, "type") in ("ISO", "NONE")
        ),
        nics=tuple(_nics(whole)),
        display=Display("window"),
        warnings=tuple(warnings),
    )


def _branch(tree: Tree, *keys: str) -> Tree:
    """Return what is below some keys, nothing if there is no such branch."""
    for key in keys:
        found = tree.get(key)
        if not isinstance(found, dict):
            return {}
        tree = found
    return tree


def _text(tree: Tree, key: str) -> str:
    found = tree.get(key)
    return "" if found is None or isinstance(found, dict) else str(found)


def _number(where: str, tree: Tree, key: str) -> int:
    text = _text(tree, key)
    if re.fullmatch("[0-9]{1,10}", text, re.ASCII) is None or not 0 < int(text) < _MOST:
        raise SourceError("E-HYPERV-VALUE", f"{where}: {key}: {text!r} makes no sense")
    return int(text)


def _flag(tree: Tree, wanted: str) -> bool:
    """Tell whether a key is true anywhere; releases spell it in different ways."""
    for key, value in tree.items():
        if isinstance(value, dict):
            if _flag(value, wanted):
                return True
        elif key.lower().replace("_", "") == wanted:
            return str(value).lower() in ("true", "1")
    return False


def _devices(whole: Tree) -> list[tuple[str, Tree]]:
    """Return the devices, which are called by their GUIDs: _83f8638b-..._."""
    return [
        (key.strip("_").lower(), value)
        for key, value in whole.items()
        if key.startswith("_") and isinstance(value, dict)
    ]


def _drives(whole: Tree) -> list[tuple[Bus, int, Tree]]:
    """Return bus, place and settings of all drives: IDE comes first, as the guest starts there."""
    found: list[tuple[bool, int, int, Bus, int, Tree]] = []
    for number, (guid, device) in enumerate(_devices(whole)):
        ide = _IDE in (guid, _class_of(whole, guid))
        for channel, drives in _numbered(device, "controller"):
            for place, drive in _numbered(drives, "drive"):
                slot = 2 * channel + place if ide else place
                bus = Bus.ide if ide else Bus.scsi
                found.append((not ide, number, slot, bus, slot, drive))
    found.sort(key=lambda each: each[:3])
    return [(bus, slot, drive) for *_, bus, slot, drive in found]


def _class_of(whole: Tree, guid: str) -> str:
    """Return the class of a device, which the manifest has."""
    for entry in _branch(whole, "manifest").values():
        if isinstance(entry, dict) and _text(entry, "instance").lower() == guid:
            return _text(entry, "device").lower()
    return ""


def _numbered(tree: Tree, prefix: str) -> list[tuple[int, Tree]]:
    """Return the branches whose names are a word and a number."""
    found = []
    for key, value in tree.items():
        match = re.fullmatch(f"{prefix}([0-9]{{1,3}})", key, re.ASCII)
        if match is not None and isinstance(value, dict):
            found.append((int(match[1]), value))
    return sorted(found, key=lambda each: each[0])


def _disks(
    where: str, drives: Sequence[tuple[Bus, int, Tree]], path: Path, warnings: list[Finding]
) -> list[Disk]:
    disks = []
    for bus, slot, drive in drives:
        kind, image = _text(drive, "type"), _text(drive, "pathname")
        if kind in ("ISO", "NONE") or (kind in _KINDS and not image):
            continue
        if kind not in _KINDS or not re.search(r"\.a?vhdx?$", image, re.IGNORECASE):
            raise SourceError(
                "E-HYPERV-DISK",
                f"{where}: {bus} {slot}: {image or kind!r} is no virtual hard disk",
                hint="a disk that is passed through: copy it into a VHDX first (New-VHD"
                " -SourceDisk), and give that with -i disk",
            )
        disks.append(Disk(_place(f"{where}: {bus} {slot}", image, path), None, controller=bus))
        moved = f"{where}: {image} is a path of Windows, looked for in the export"
        warnings.append(Finding("W-SOURCE-PATH", moved))
    return disks


def _place(where: str, image: str, path: Path) -> str:
    """Return where a disk is on this host: exports have a folder for the disks."""
    last = PureWindowsPath(image).name
    if path.parent.name in _CONFIGS:
        return image_path(where, path.parent.parent / _DISKS, last)
    return image_path(where, path.parent, last)


def _nics(whole: Tree) -> list[Nic]:
    found = []
    for _, device in _devices(whole):
        if "MacAddress" not in device:
            continue
        switch = _text(device, "AltSwitchName") or _text(device, "SwitchName") or "default"
        network = Network(NetworkKind.network, switch)
        # A dynamic address that was never given is all zeros.
        found.append(Nic(mac_address(_with_dashes(_text(device, "MacAddress"))), "netvsc", network))
    return found


def _with_dashes(text: str) -> str:
    return "-".join(re.findall("..", text)) if re.fullmatch("[0-9A-Fa-f]{12}", text) else text
