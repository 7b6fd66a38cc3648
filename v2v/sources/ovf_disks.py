# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disks of an OVF: from a device to its <Disk>, and to the <File> that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Never

from lxml import etree

from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.sources.ovf_items import Item, System
from v2v.sources.ovf_xml import attribute, child, children, number, unit

_RESOURCE = re.compile(r"(?:ovf:)?/{0,2}(disk|file)/(.+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\$\{([^{}]+)\}")
_GIB = 1 << 30
_MAX_BYTES = 1 << 50


@dataclass(frozen=True, slots=True)
class File:
    """A file of the package."""

    href: str
    compressed: bool = False  # by gzip
    chunked: bool = False  # it is in files href.000000000, href.000000001, ...


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """A disk as <DiskSection> has it."""

    file: File | None  # None: the disk is blank
    capacity: int | None = None  # bytes
    format: DiskFormat | None = None
    interface: str = ""  # oVirt's disk-interface, in lower case


class DiskTable:
    """What <References> and <DiskSection> say, by their identifiers."""

    def __init__(self, root: etree._Element, where: str) -> None:
        self._where = where
        self._properties = _properties(root)
        self._files = _by(child(root, "References"), "File", ("href", "id"))
        self._disks = _by(child(root, "DiskSection"), "Disk", ("fileRef", "diskId"))

    def entry(self, item: Item, system: System) -> DiskEntry:
        """Return the disk that a device names. Raises SourceError."""
        given = item.fields.get("HostResource", "")
        match = _RESOURCE.fullmatch(given)
        kind, name = ("disk", given) if match is None else (match[1].lower(), match[2])
        if kind == "file":
            return DiskEntry(self._file(name))
        disk = self._disks.get(name)
        if disk is None and "/" in name:  # oVirt: the disk's group, then its image
            disk = self._disks.get(name.rpartition("/")[2])
        if disk is None:
            what = f"names {given!r}, which is none" if given else "names no disk"
            label = item.fields.get("ElementName") or item.fields.get("Caption") or "a disk"
            self._refuse(f"{label}: {what}")
        return self._of(disk, system)

    def _of(self, disk: etree._Element, system: System) -> DiskEntry:
        name = attribute(disk, "diskId")
        if attribute(disk, "parentRef"):
            raise SourceError(
                "E-OVF-PARENT",
                f"{self._where}: the disk {name} is a difference to another one",
                hint="delete the guest's snapshots in its hypervisor, and export it again",
            )
        capacity = self._capacity(disk, system)
        interface = (attribute(disk, "disk-interface") or "").lower()
        reference = attribute(disk, "fileRef")
        if reference:
            return DiskEntry(self._file(reference), capacity, _format(disk), interface)
        if capacity is None:
            self._refuse(f"the disk {name} has no file and no capacity")
        return DiskEntry(None, capacity, None, interface)

    def _file(self, reference: str) -> File:
        file = self._files.get(reference)
        href = None if file is None else attribute(file, "href")
        if file is None or not href:
            self._refuse(f"the file {reference!r} is not in <References>")
        compression = (attribute(file, "compression") or "identity").lower()
        if compression not in ("identity", "gzip"):
            self._refuse(f"{href}: the compression {compression!r} is not known")
        return File(href, compression == "gzip", attribute(file, "chunkSize") is not None)

    def _capacity(self, disk: etree._Element, system: System) -> int | None:
        """Return a disk's size in bytes; old oVirt has it as ``size``, in GiB."""
        given = attribute(disk, "capacity")
        units = attribute(disk, "capacityAllocationUnits") or "byte"
        factor = unit(units)
        if given is None:
            given, factor = attribute(disk, "size"), _GIB
        if given is None:
            return None
        match = _PROPERTY.fullmatch(given)
        value = number(given if match is None else self._properties.get(match[1]))
        if value is None or factor is None or not 0 < value * factor <= _MAX_BYTES:
            system.refuse(f"a disk of {given} * {units!r} makes no sense")
        return value * factor

    def _refuse(self, fact: str) -> Never:
        raise SourceError("E-OVF-DISK", f"{self._where}: {fact}", hint="export the guest once more")


def _by(
    section: etree._Element | None, name: str, keys: tuple[str, ...]
) -> Mapping[str, etree._Element]:
    """Return elements by their attributes; the last key counts most."""
    found = [] if section is None else [*children(section, name)]
    return {
        value: element
        for key in keys
        for element in found
        if (value := attribute(element, key)) is not None
    }


def _properties(root: etree._Element) -> Mapping[str, str]:
    """Return the values of properties, that capacities may name."""
    return {
        key: value
        for each in root.iter("{*}Property")
        if (key := attribute(each, "key")) is not None
        and (value := attribute(each, "value") or attribute(each, "defaultValue")) is not None
    }


def _format(disk: etree._Element) -> DiskFormat | None:
    """Return raw where that is said; of all others the content tells more than the URI does."""
    volume = attribute(disk, "volume-format")
    if volume is not None:
        return DiskFormat.raw if volume.upper() == "RAW" else None
    uri = (attribute(disk, "format") or "").lower()
    return DiskFormat.raw if uri.rpartition("/")[2] in ("byte", "raw") else None
