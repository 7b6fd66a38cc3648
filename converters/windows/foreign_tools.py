# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ends the old hypervisor's tools: what starts of them now, all of them at first boot.

A driver that is disabled but still named as a filter keeps its device from starting (code 32 of the
device manager; 0x7B for a disk). So both go together: a service is disabled, and its name leaves
the filters of all classes and devices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from converters.windows.conversion import Conversion
from converters.windows.foreign_programs import steps
from converters.windows.foreign_tables import TOOLS, XEN, Tools
from v2v.changes import DraftHive
from v2v.hive import Type, Value

__all__ = ["disable", "steps"]

_DISABLED = 4  # SERVICE_DISABLED of winnt.h
_FILTERS = ("UpperFilters", "LowerFilters")
# Buses that KVM has too; all others (XENBUS, ROOT, SW, ...) are the hypervisor's or software's own.
_COMMON_BUSES = frozenset(
    {"acpi", "hid", "ide", "pci", "pciide", "scsi", "storage", "usb", "usbstor"}
)


@dataclass(frozen=True, slots=True)
class _Device:
    """What the registry keeps of a device, be it there or not."""

    key: str  # below Enum: bus, device, instance
    service: str
    filters: tuple[str, ...]  # the names of the values that it has


def disable(conversion: Conversion) -> None:
    """Draft that no foreign driver or service starts, or stands in the way of Windows' own."""
    devices = tuple(_devices(conversion.system, f"{conversion.current}\\Enum"))
    gone = {
        name.casefold(): tools
        for tools in TOOLS
        for name in tools.services
        if not _drives_common_device(name, tools, devices)
    }
    for name in conversion.system.keys(f"{conversion.current}\\Services"):
        if name.casefold() in gone:
            _disable_service(conversion, name, gone[name.casefold()])
    _remove_filters(conversion, gone, devices)
    _remove_network_providers(conversion, gone)


def _devices(system: DraftHive, enum: str) -> Iterator[_Device]:
    for bus in system.keys(enum):
        for name in system.keys(f"{enum}\\{bus}"):
            for instance in system.keys(f"{enum}\\{bus}\\{name}"):
                key = f"{bus}\\{name}\\{instance}"
                found = system.values(f"{enum}\\{key}").items()
                values = {called.casefold(): value for called, value in found}
                service = values.get("service")
                filters = tuple(called for called in _FILTERS if called.casefold() in values)
                yield _Device(key, (service and service.as_text) or "", filters)


def _drives_common_device(service: str, tools: Tools, devices: tuple[_Device, ...]) -> bool:
    """Tell whether a service is the driver of a device that the guest has on KVM too."""
    return any(
        device.service.casefold() == service.casefold()
        and device.key.split("\\")[0].casefold() in _COMMON_BUSES
        and not tools.devices.match(device.key)
        for device in devices
    )


def _disable_service(conversion: Conversion, name: str, tools: Tools) -> None:
    system, key = conversion.system, f"{conversion.current}\\Services\\{name}"
    if system.number(key, "Start") is None:  # settings alone, of no driver
        return
    why = f"{name} of {tools.name} has nothing to do on KVM"
    system.draft(key, {"Start": Value.dword(_DISABLED)}, why=why)
    # Windows 8 and later: what stands here wins over Start.
    system.draft_removal(f"{key}\\StartOverride", why=why)
    if tools is XEN and name.casefold() == "xenevtchn":
        # XenServer's own removal program: else its other drivers stop Windows with a blue screen.
        system.draft(key, {"NoPVBoot": Value.dword(1)}, why=why)


def _remove_filters(
    conversion: Conversion, gone: dict[str, Tools], devices: tuple[_Device, ...]
) -> None:
    system, control = conversion.system, f"{conversion.current}\\Control\\Class"
    for name in system.keys(control):
        for called in _FILTERS:
            _remove_filter(system, f"{control}\\{name}", called, gone)
    for device in devices:
        for called in device.filters:
            _remove_filter(system, f"{conversion.current}\\Enum\\{device.key}", called, gone)


def _remove_filter(system: DraftHive, key: str, called: str, gone: dict[str, Tools]) -> None:
    value = system.value(key, called)
    names = () if value is None else value.as_texts
    kept = [name for name in names if name.casefold() not in gone]
    if len(kept) < len(names):
        owners = {gone[name.casefold()].name for name in names if name.casefold() in gone}
        new = Value.texts(kept) if kept else None
        why = f"without the filter of {', '.join(sorted(owners))} the device starts"
        system.draft(key, {called: new}, why=why)


def _remove_network_providers(conversion: Conversion, gone: dict[str, Tools]) -> None:
    """Take shared folders out of the network providers, which logging on would wait for."""
    for name in ("Order", "HwOrder"):
        key = f"{conversion.current}\\Control\\NetworkProvider\\{name}"
        value = conversion.system.value(key, "ProviderOrder")
        names = ((value and value.as_text) or "").split(",")
        kept = ",".join(name for name in names if name.strip().casefold() not in gone)
        if value is not None and kept != value.as_text:
            new = Value.text(kept, Type(value.type))
            why = "the shared folders of the old hypervisor are gone"
            conversion.system.draft(key, {"ProviderOrder": new}, why=why)
