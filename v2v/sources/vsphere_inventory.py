# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where guests are in the inventory of a vCenter or ESXi host, and finding one there.

Names are as the API has them: %, / and \\ inside of a name are written %25, %2f and %5c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from v2v.errors import SourceError
from v2v.hosts.vsphere import Inventory
from v2v.sources.identity import uuid_text
from v2v.sources.vsphere import name_of

_UP = ("parent", "parentVApp", "parentFolder")
_MOST = 20  # names in an error


@dataclass(frozen=True, slots=True)
class Entry:
    """A guest in the inventory."""

    reference: Any
    name: str
    path: tuple[str, ...]  # datacenter, vm, folders, the guest
    host: tuple[str, ...]  # datacenter, host, cluster, ESXi, the guest: libvirt's view
    datacenter: str
    uuids: tuple[str, ...]
    properties: Mapping[str, Any]

    @property
    def where(self) -> str:
        return "/".join(self.path)

    def is_at(self, wanted: Sequence[str]) -> bool:
        """Tell whether parts of a path, in order and with the guest's name last, lead here."""
        return wanted[-1] == self.name and (
            _within(wanted, self.path) or _within(wanted, self.host)
        )

    def is_below(self, wanted: Sequence[str]) -> bool:
        return _within(wanted, self.path) or _within(wanted, self.host)


def _within(wanted: Sequence[str], path: Sequence[str]) -> bool:
    rest = iter(path)
    return all(any(part == each for each in rest) for part in wanted)


def entries(found: Inventory) -> Iterator[Entry]:
    """Yield the guests that are no templates."""
    for reference, properties in found.items():
        if name_of(reference) != "VirtualMachine" or properties.get("config.template"):
            continue
        way, host = _way(found, reference), _way(found, properties.get("runtime.host"))
        name = str(properties.get("name", reference._moId))
        uuids = (properties.get(f"config.{key}") for key in ("uuid", "instanceUuid"))
        yield Entry(
            reference,
            name,
            tuple(part for part, _ in way),
            (*(part for part, _ in host), name),
            _datacenter(way or host),
            tuple(filter(None, (uuid_text(str(each or "")) for each in uuids))),
            properties,
        )


def _way(found: Inventory, reference: Any) -> tuple[tuple[str, str], ...]:
    """Return names and kinds from below the root folder down to an object."""
    way: list[tuple[str, str]] = []
    while (properties := found.get(reference)) is not None:
        way.append((str(properties.get("name", "")), name_of(reference)))
        above = filter(None, map(properties.get, _UP))
        reference = next(above, None)
    return tuple(reversed(way))


def _datacenter(way: Sequence[tuple[str, str]]) -> str:
    """Return a datacenter's path, with the folders that it is in."""
    ends = [number for number, (_, each) in enumerate(way) if each == "Datacenter"]
    return "/".join(name for name, _ in way[: ends[0] + 1]) if ends else "ha-datacenter"


def port_groups(found: Inventory) -> dict[str, str]:
    """Return the names of distributed port groups by key."""
    return {
        str(each["key"]): str(each.get("name", each["key"]))
        for each in found.values()
        if "key" in each
    }


def only(found: Inventory, wanted: str, host: str) -> Entry:
    """Return the guest of a name, path, uuid:UUID or moref:ID. Raises SourceError."""
    every = tuple(entries(found))
    prefix, _, value = wanted.partition(":")
    if prefix == "uuid" and (uuid := uuid_text(value)) is not None:
        fitting = [each for each in every if uuid in each.uuids]
    elif prefix == "moref":
        fitting = [each for each in every if each.reference._moId == value]
    else:
        fitting = [each for each in every if each.is_at(wanted.split("/"))]
        # What is meant by its whole path is not meant by a part of another's.
        fitting = [each for each in fitting if each.where == wanted] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        paths = ", ".join(f"{each.where} (moref:{each.reference._moId})" for each in fitting)
        raise SourceError(
            "E-HOST-GUEST",
            f"{host}: {len(fitting)} guests are {wanted!r}",
            hint=f"name one by its path, uuid: or moref: {paths}",
        )
    names = sorted(each.where for each in every)
    more = f", and {len(names) - _MOST} more: v2v list" if len(names) > _MOST else ""
    raise SourceError(
        "E-HOST-GUEST",
        f"{host}: has no guest {wanted!r}",
        hint=f"it has: {', '.join(names[:_MOST]) or 'none'}{more}",
    )
