# SPDX-License-Identifier: LGPL-2.1-or-later
"""The options -n, -b and --mac: what the target's NICs are plugged into, and their addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from v2v.errors import ConfigError, Finding
from v2v.model import Network, NetworkKind, Nic
from v2v.nic_address import NicAddress

_MAC = re.compile(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2}):(\w+):(.*)", re.IGNORECASE)
_USUAL_PREFIX = {4: 24, 6: 64}
_OPTION = {NetworkKind.network: "-n", NetworkKind.bridge: "-b"}


@dataclass(frozen=True, slots=True)
class NetworkMap:
    """Where NICs go: by MAC, else by the name of their source network, else by its kind."""

    macs: Mapping[str, Network] = field(default_factory=dict)  # keys are lower case
    named: Mapping[Network, Network] = field(default_factory=dict)
    default: Mapping[NetworkKind, Network] = field(default_factory=dict)
    addresses: Mapping[str, tuple[NicAddress, ...]] = field(default_factory=dict)  # by MAC

    def target(self, nic: Nic) -> Network:
        """Return what a NIC is plugged into in the target; unmapped, it is what it was."""
        if nic.mac is not None and nic.mac.lower() in self.macs:
            return self.macs[nic.mac.lower()]
        mapped = self.named.get(nic.network) or self.default.get(nic.network.kind)
        return mapped or nic.network


def parse_network_map(
    networks: Iterable[str] = (), bridges: Iterable[str] = (), macs: Iterable[str] = ()
) -> NetworkMap:
    """Return the map that the options' values give. Raises ConfigError that names all problems."""
    problems: list[str] = []
    named: dict[Network, Network] = {}
    default: dict[NetworkKind, Network] = {}
    for kind, values in ((NetworkKind.network, networks), (NetworkKind.bridge, bridges)):
        for value in values:
            problems += _add_name(kind, value, named, default)
    by_mac: dict[str, Network] = {}
    addresses: dict[str, tuple[NicAddress, ...]] = {}
    for value in macs:
        problems += _add_mac(value, by_mac, addresses)
    if problems:
        raise ConfigError(
            "E-NETWORK-MAP",
            "; ".join(problems),
            hint="write -n IN:OUT, -b IN:OUT, --mac MAC:KIND:OUT, or"
            " --mac MAC:ip:ADDR[,GW[,LEN[,NS...]]]; OUT can be KIND:NAME, and KIND is network,"
            " bridge, ovs or macvtap",
        )
    return NetworkMap(by_mac, named, default, addresses)


def _add_name(
    kind: NetworkKind,
    value: str,
    named: dict[Network, Network],
    default: dict[NetworkKind, Network],
) -> list[str]:
    """Add one value of -n or -b; return what is wrong with it."""
    source, _, target = value.partition(":")
    option = f"{_OPTION[kind]} {value}"
    if not source or not target:  # OUT, OUT: and :OUT all mean every network
        if not (source or target):
            return [f"{option}: no {kind} is named"]
        if kind in default:
            return [f"{option}: all are mapped to {default[kind].name} already"]
        default[kind] = _out(kind, source or target)
        return []
    network = Network(kind, source)
    if network in named:
        return [f"{option}: {source} is mapped to {named[network].name} already"]
    named[network] = _out(kind, target)
    return []


def _out(kind: NetworkKind, text: str) -> Network:
    """Return what OUT means: a network of the option's kind, or KIND:NAME of another."""
    other, _, name = text.partition(":")
    if name and other in set(NetworkKind):
        return Network(NetworkKind(other), name)
    return Network(kind, text)


def _add_mac(
    value: str, by_mac: dict[str, Network], addresses: dict[str, tuple[NicAddress, ...]]
) -> list[str]:
    """Add one value of --mac; return what is wrong with it."""
    match = _MAC.fullmatch(value)
    if match is None:
        return [f"--mac {value}: not of the form MAC:KIND:OUT"]
    mac, kind, target = match[1].lower(), match[2], match[3]
    if kind == "ip":
        try:
            addresses[mac] = (*addresses.get(mac, ()), _address(target))
        except ValueError as error:
            return [f"--mac {value}: {error}"]
        return []
    if kind not in set(NetworkKind):
        return [f"--mac {value}: {kind} is none of {', '.join(NetworkKind)} and ip"]
    if not target:
        return [f"--mac {value}: no {kind} is named"]
    if mac in by_mac:
        return [f"--mac {value}: this NIC is mapped to {by_mac[mac].name} already"]
    by_mac[mac] = Network(NetworkKind(kind), target)
    return []


def _address(text: str) -> NicAddress:
    """Return what ADDR[,GW[,LEN[,NS...]]] says, where GW and LEN may be empty.

    Raises ValueError.
    """
    address, gateway, length, *servers = [part.strip() for part in f"{text},,".split(",")]
    ip = ipaddress.ip_address(address)
    if gateway and ipaddress.ip_address(gateway).version != ip.version:
        raise ValueError(f"{gateway} is of another kind than {address}")
    if length and not (length.isdecimal() and int(length) <= ip.max_prefixlen):
        raise ValueError(f"{length} is no length of a prefix")
    named = tuple(str(ipaddress.ip_address(server)) for server in servers if server)
    return NicAddress(
        str(ip),
        int(length) if length else _USUAL_PREFIX[ip.version],
        str(ipaddress.ip_address(gateway)) if gateway else None,
        named,
    )


def map_nics(nics: Iterable[Nic], networks: NetworkMap) -> tuple[Nic, ...]:
    """Return the NICs plugged into the target's networks; order, number and MACs stay."""
    return tuple(
        replace(
            nic,
            network=networks.target(nic),
            addresses=networks.addresses.get((nic.mac or "").lower(), ()),
        )
        for nic in nics
    )


def unused_macs(nics: Iterable[Nic], networks: NetworkMap) -> tuple[Finding, ...]:
    """Return a warning for each --mac that is no NIC's: a typing error, most likely."""
    present = {nic.mac.lower() for nic in nics if nic.mac is not None}
    return tuple(
        Finding(
            "W-MAC-UNUSED",
            f"--mac {mac}: no NIC of the source has this address",
            "compare it with the NICs that v2v report --source-only prints",
        )
        for mac in dict.fromkeys((*networks.macs, *networks.addresses))
        if mac not in present
    )
