# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hardware of one virtual system of an OVF, as items of CIM_ResourceAllocationSettingData."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Never

from lxml import etree

from v2v.errors import Finding, SourceError
from v2v.sources.ovf_xml import attribute, child, children, local, number, text

CPU, MEMORY, IDE, SCSI, NIC, FLOPPY, CD, DVD = 3, 4, 5, 6, 10, 14, 15, 16
DISK, STORAGE_EXTENT, OTHER_STORAGE, SERIAL, PARALLEL, USB, VIDEO = 17, 19, 20, 21, 22, 23, 24
LOGICAL_DISK, SOUND = 31, 35
OTHER = 1

_TAGS = ("Item", "StorageItem", "EthernetPortItem")  # the last two are of OVF 2
_MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """A resource: what it is (CIM's ResourceType), and its fields by their names."""

    type: int
    fields: Mapping[str, str]
    config: Mapping[str, str]  # VMware's, vmw:Config

    def number(self, name: str) -> int | None:
        return number(self.fields.get(name))

    @property
    def subtype(self) -> str:
        return self.fields.get("ResourceSubType", "").lower()


@dataclass(frozen=True, slots=True)
class System:
    """A virtual system on its way."""

    where: str  # for people
    root: etree._Element
    element: etree._Element  # <VirtualSystem>
    hardware: etree._Element  # its <VirtualHardwareSection>
    type: str  # vssd:VirtualSystemType, such as vmx-19, in lower case
    items: tuple[Item, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)  # vmw:Config of the section
    extra: Mapping[str, str] = field(default_factory=dict)  # vmw:ExtraConfig: lines of the VMX
    warnings: list[Finding] = field(default_factory=list)

    def of(self, *types: int) -> Iterator[Item]:
        """Yield the items of some types, in their order."""
        return (item for item in self.items if item.type in types)

    def refuse(self, fact: str) -> Never:
        raise SourceError("E-OVF-VALUE", f"{self.where}: {fact}")


def is_paravirtual(system: System) -> bool:
    """Tell of a guest of Xen whether it is: xen-3.0-... are, hvm-3.0-... are not."""
    return system.type.startswith("xen-") or system.type == "dmtf:xen:pv"


def system_of(root: etree._Element, element: etree._Element, where: str) -> System:
    """Return the hardware of a <VirtualSystem>. Raises SourceError if it has none, or too much."""
    hardware = child(element, "VirtualHardwareSection")
    if hardware is None:
        raise SourceError(
            "E-OVF-SYNTAX",
            f"{where}: describes no hardware",
            hint="export the guest once more; give its disks alone with -i disk",
        )
    vssd = child(hardware, "System")
    kind = None if vssd is None else text(vssd, "VirtualSystemType")
    warnings: list[Finding] = []
    chosen = _configuration(root, where, warnings)
    found = (each for each in hardware if local(each.tag) in _TAGS and _holds(each, chosen))
    items: dict[str, Item] = {}
    for count, each in enumerate(found):
        if count >= _MAX_ITEMS:
            raise SourceError("E-OVF-VALUE", f"{where}: has over {_MAX_ITEMS} devices")
        item = _item(each, where)
        # What a configuration has of a device stands in place of what all have.
        number_of = item.fields.get("InstanceID", "")
        instead = number_of in items and attribute(each, "configuration") is not None
        items[f"{number_of}#{count}" if number_of in items and not instead else number_of] = item
    return System(
        where,
        root,
        element,
        hardware,
        (kind or "").lower(),
        tuple(items.values()),
        _settings(hardware, "Config"),
        _settings(hardware, "ExtraConfig"),
        warnings,
    )


def _configuration(root: etree._Element, where: str, warnings: list[Finding]) -> str | None:
    """Return the one to deploy, of a <DeploymentOptionSection>: the default, else the first."""
    section = child(root, "DeploymentOptionSection")
    found = [] if section is None else [*children(section, "Configuration")]
    if not found:
        return None
    default = next((each for each in found if attribute(each, "default") == "true"), found[0])
    chosen = attribute(default, "id") or ""
    if len(found) > 1:
        message = f"{where}: of {len(found)} configurations, {chosen} is taken"
        hint = "change CPUs and memory of the domain if it is to be another one"
        warnings.append(Finding("W-OVF-CONFIGURATION", message, hint))
    return chosen


def _holds(element: etree._Element, configuration: str | None) -> bool:
    """Tell whether an item counts: not if it is a limit, or of another configuration."""
    if attribute(element, "bound") not in (None, "", "normal"):
        return False
    given = attribute(element, "configuration")
    return given is None or configuration in given.split()


def _item(element: etree._Element, where: str) -> Item:
    fields: dict[str, str] = {}
    for each in element:
        name, said = local(each.tag), (each.text or "").strip()
        if said:
            fields.setdefault("InstanceID" if name == "InstanceId" else name, said)
    given = fields.get("ResourceType")
    kind = number(given)
    if kind is None:
        raise SourceError("E-OVF-VALUE", f"{where}: a device has the ResourceType {given!r}")
    return Item(kind, fields, _settings(element, "Config"))


def _settings(element: etree._Element, name: str) -> dict[str, str]:
    """Return settings of VMware by their keys."""
    return {
        attribute(each, "key") or "": attribute(each, "value") or ""
        for each in element
        if local(each.tag) == name
    }
