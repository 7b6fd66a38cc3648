# SPDX-License-Identifier: LGPL-2.1-or-later
"""The network adapters that the registry knows, their addresses, and which NIC each of them is.

An adapter of Windows is known by a GUID, its settings stand under it, and a new NIC is a new
adapter. So what belongs to the old one has to find the NIC, whose MAC address stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from converters.windows.conversion import Conversion
from v2v.changes import DraftHive
from v2v.model import Nic

_NET = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
_INTERFACES = "Services\\Tcpip\\Parameters\\Interfaces"
_INTERFACES6 = "Services\\Tcpip6\\Parameters\\Interfaces"
_NETBT = "Services\\NetBT\\Parameters\\Interfaces"
# Buses of NICs; adapters of others (ROOT, SWD, COMPOSITEBUS) are software: teams, VPNs, switches.
_HARDWARE = re.compile(r"(PCI|XEN|XENBUS|XENVIF|XENDEV|VMBUS|PARAVIRTUAL|USB)\\", re.IGNORECASE)
_PCI_LOCATION = re.compile(r"PCI bus (\d+), device (\d+), function (\d+)$|\((\d+),(\d+),(\d+)\)$")
_XEN_HANDLE = re.compile(r"XENVIF\\.*\\(\d+)", re.IGNORECASE)
# DEVPKEY_Device_LastArrivalDate of devpkey.h, kept since Windows 8
_ARRIVAL = "Properties\\{83da6326-97a6-4088-9453-a1923f573b29}\\0066"
_NOWHERE = (256, 0, 0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set by hand of an adapter; addresses may be of either kind of IP."""

    addresses: tuple[tuple[str, str], ...] = ()  # with the mask, or with the length of an IPv6's
    gateways: tuple[tuple[str, int], ...] = ()  # with the metric, 0: automatic
    name_servers: tuple[str, ...] = ()
    wins: tuple[str, ...] = ()
    domain: str = ""
    netbios: int | None = None
    metric: int | None = None

    @property
    def any(self) -> bool:
        """Tell whether a new adapter would lack something; a mere metric is not worth a step."""
        return bool(self.addresses or self.name_servers or self.wins or self.domain)


@dataclass(frozen=True, slots=True)
class Adapter:
    """A network adapter of hardware, be it there or not."""

    guid: str
    instance: str  # of its device, below Enum
    settings: Settings
    mac: str | None  # where the registry tells
    slot: int | None  # PCI's, as firmware numbers it
    location: tuple[int, int, int]  # PCI bus, device, function
    arrived: int  # when it was last there, in any unit; 0: not known


def adapters(conversion: Conversion) -> tuple[Adapter, ...]:
    """Return the adapters of hardware that the guest has had, in the order of their places."""
    system, current = conversion.system, conversion.current
    overrides = dict(_overrides(system, f"{current}\\Control\\Class\\{_NET}"))
    found = []
    for guid in system.keys(f"{current}\\Control\\Network\\{_NET}"):
        connection = f"{current}\\Control\\Network\\{_NET}\\{guid}\\Connection"
        instance = system.text(connection, "PnpInstanceID") or ""
        if not _HARDWARE.match(instance):
            continue
        device = f"{current}\\Enum\\{instance}"
        arrival = system.value(f"{device}\\{_ARRIVAL}", "")
        found.append(
            Adapter(
                guid,
                instance,
                _settings(system, current, guid),
                overrides.get(guid.casefold()) or _mac_of_serial(instance),
                system.number(device, "UINumber"),
                _location(system.text(device, "LocationInformation") or ""),
                0 if arrival is None else int.from_bytes(arrival.data, "little"),
            )
        )
    return tuple(sorted(found, key=lambda adapter: (adapter.location, adapter.instance)))


def _overrides(system: DraftHive, key: str) -> Iterator[tuple[str, str]]:
    """Yield the MAC addresses that were set by hand, by the adapter's GUID."""
    for instance in system.keys(key):
        guid = system.text(f"{key}\\{instance}", "NetCfgInstanceId") or ""
        digits = re.sub(r"[-:]", "", system.text(f"{key}\\{instance}", "NetworkAddress") or "")
        if guid and re.fullmatch(r"[0-9A-Fa-f]{12}", digits):
            yield guid.casefold(), bytes.fromhex(digits).hex(":")


def _mac_of_serial(instance: str) -> str | None:
    """Return the MAC address in a PCI Express device's serial number, which names its instance.

    The number is an EUI-64, in two words of 32 bits: vmxnet3 writes FF565000 BB0895FE for
    00:50:56:95:08:bb, Intel's cards 00505695 and FFFF08BB in the order of reading.
    """
    match = re.search(r"\\([0-9A-F]{8})([0-9A-F]{8})[0-9A-F]{2}$", instance, re.IGNORECASE)
    if match is None:
        return None
    first, second = bytes.fromhex(match[1]), bytes.fromhex(match[2])
    for eui in (first[::-1] + second[::-1], first + second):
        if eui[3] == 0xFF and eui[4] in (0xFE, 0xFF):
            return (eui[:3] + eui[5:]).hex(":")
    return None


def _location(text: str) -> tuple[int, int, int]:
    """Return a PCI location: "PCI bus 3, device 0, function 0", or a resource with "(3,0,0)"."""
    match = _PCI_LOCATION.search(text)
    if match is None:
        return _NOWHERE
    bus, device, function = (int(number) for number in match.groups() if number is not None)
    return bus, device, function


def _settings(system: DraftHive, current: str, guid: str) -> Settings:
    key, netbt = f"{current}\\{_INTERFACES}\\{guid}", f"{current}\\{_NETBT}\\Tcpip_{guid}"
    servers = f"{system.text(key, 'NameServer') or ''} " + (
        system.text(f"{current}\\{_INTERFACES6}\\{guid}", "NameServer") or ""
    )
    addresses: tuple[tuple[str, str], ...] = ()
    gateways: tuple[tuple[str, int], ...] = ()
    if not system.number(key, "EnableDHCP"):
        masks = _texts(system, key, "SubnetMask")
        pairs = zip(_texts(system, key, "IPAddress"), masks, strict=False)
        addresses = tuple((address, mask) for address, mask in pairs if address != "0.0.0.0")
        metrics = (*_texts(system, key, "DefaultGatewayMetric"), *["0"] * 99)
        listed = zip(_texts(system, key, "DefaultGateway"), metrics, strict=False)
        gateways = tuple((gw, int(metric) if metric.isdecimal() else 0) for gw, metric in listed)
    return Settings(
        addresses,
        gateways if addresses else (),
        tuple(re.split(r"[,\s]+", servers.strip())) if servers.strip() else (),
        tuple(filter(None, _texts(system, netbt, "NameServerList"))),
        system.text(key, "Domain") or "",
        system.number(netbt, "NetbiosOptions"),
        system.number(key, "InterfaceMetric"),
    )


def _texts(system: DraftHive, key: str, name: str) -> tuple[str, ...]:
    value = system.value(key, name)
    return () if value is None else value.as_texts


@dataclass(frozen=True, slots=True)
class Match:
    """A NIC and the adapter that it was."""

    nic: Nic
    adapter: Adapter
    sure: bool


def match(found: tuple[Adapter, ...], nics: tuple[Nic, ...]) -> tuple[Match, ...]:
    """Return which NIC each adapter was: by MAC address, by slot, by Xen's number, else by order.

    Of adapters that no NIC is known to be, those are taken that were there last; others are what
    earlier NICs have left.
    """
    matches: list[Match] = []
    adapters_left, nics_left = list(found), list(nics)

    def take(adapter: Adapter, nic: Nic, *, sure: bool) -> None:
        matches.append(Match(nic, adapter, sure))
        adapters_left.remove(adapter)
        nics_left.remove(nic)

    for nic in nics:
        for same in (_same_mac, _same_slot, _same_handle):
            number = nics.index(nic)
            known = [adapter for adapter in adapters_left if same(adapter, nic, number)]
            if len(known) == 1 and nic in nics_left:
                take(known[0], nic, sure=True)
    fixed = [adapter for adapter in adapters_left if adapter.settings.any]
    if len(nics) == 1 and len(nics_left) == 1 and len(fixed) == 1:
        take(fixed[0], nics_left[0], sure=True)
    count = min(len(nics_left), len(adapters_left))
    latest = sorted(adapters_left, key=lambda known: (-known.arrived, not known.settings.any))
    chosen = [adapter for adapter in adapters_left if adapter in latest[:count]]
    sure = len(nics_left) == len(adapters_left) == 1
    for adapter, nic in zip(chosen, tuple(nics_left), strict=False):
        take(adapter, nic, sure=sure)
    return tuple(matches)


def _same_mac(adapter: Adapter, nic: Nic, number: int) -> bool:
    return adapter.mac is not None and nic.mac is not None and adapter.mac == nic.mac.lower()


def _same_slot(adapter: Adapter, nic: Nic, number: int) -> bool:
    return nic.slot is not None and adapter.slot == nic.slot


def _same_handle(adapter: Adapter, nic: Nic, number: int) -> bool:
    """Tell whether an adapter has the NIC's number: xenvif names instances by it."""
    handle = _XEN_HANDLE.fullmatch(adapter.instance)
    return handle is not None and int(handle[1]) == number
