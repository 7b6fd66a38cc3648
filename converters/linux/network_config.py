# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads which names of network cards a guest's configuration counts on.

One reader for each stack: ifupdown, netplan (and cloud-init's copy of its form), systemd-networkd
and NetworkManager; and one for each way to give names: udev rules and .link files.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import yaml

_VIRTUAL = re.compile(
    r"lo|(bond|br|vlan|tun|tap|wg|dummy|veth|docker|virbr|vmbr|ppp|sit|gre|vxlan|macvlan|ovs|wl|ww"
    r"|ib|vrf|lxc|lxd|cni|flannel|team)[-_\d].*|bond|br|(wl|ww)\w+|docker\w*"
)
_RULE = re.compile(
    r"(?P<key>[A-Z]+(?:\{[^}]*\})?)\s*(?P<operator>[=!+:]?=)\s*\"(?P<value>[^\"]*)\""
)
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_PORTS = re.compile(r"bridge[-_]ports|bond[-_]slaves|slaves|vlan[-_]raw[-_]device|bond[-_]primary")
_MADE = re.compile(
    r"bridge[-_](?!access|vids|pvid)\w+|bond[-_](?!master|primary)\w+|slaves|vlan[-_]raw[-_]device"
)
_NEW_DRIVERS = frozenset({"virtio_net", "e1000", "virtio*"})
_NM_ETHERNET = frozenset({"ethernet", "802-3-ethernet"})


@dataclass(slots=True)
class Named:
    """What a guest's configuration says of its network cards; filled file by file."""

    names: list[str] = field(default_factory=list)  # or patterns, in the order of the files
    made: set[str] = field(default_factory=set)  # bridges, bonds, VLANs: names of no card
    bound: dict[str, str] = field(default_factory=dict)  # MAC to the name that it is given
    places: list[str] = field(default_factory=list)  # PCI paths and drivers that pick a card

    def cards(self) -> tuple[str, ...]:
        """Return the names and patterns of real cards, each once."""
        cards = (name.split(":")[0] for name in self.names)
        return tuple(
            dict.fromkeys(
                name for name in cards if name not in self.made and not _VIRTUAL.fullmatch(name)
            )
        )

    def bind(self, mac: str | None, name: str | None) -> None:
        """Note that a card has a name; without a MAC the name is bound to something else."""
        if name and mac and _MAC.fullmatch(mac.strip().lower()):
            self.bound.setdefault(mac.strip().lower(), name)


def read_ifupdown(named: Named, text: str) -> None:
    """Read interfaces(5); a dot in a name makes it a VLAN of what stands before."""
    interface = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "iface" and len(words) > 1:
            interface = words[1]
            _add_maybe_vlan(named, interface)
        elif words[0] in ("auto", "mapping", "source", "source-directory", "rename") or words[
            0
        ].startswith("allow-"):
            interface = ""
        elif interface:
            if _PORTS.fullmatch(words[0]):
                for name in words[1:]:
                    if name not in ("none", "all", "regex"):
                        _add_maybe_vlan(named, name)
            if _MADE.fullmatch(words[0]):
                named.made.add(interface)


def _add_maybe_vlan(named: Named, name: str) -> None:
    base, dot, _ = name.partition(".")
    if dot:
        named.made.add(name)
    named.names.append(base)


def read_netplan(named: Named, text: str) -> None:
    """Read netplan's YAML, or cloud-init's in either version. Raises ValueError."""
    try:
        # All scalars as text: a MAC of digits alone would else be a number to the base of 60.
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    network = _mapping(_mapping(document).get("network"))
    for name, value in _mapping(network.get("ethernets")).items():
        _netplan_card(named, str(name), _mapping(value))
    for kind in ("bonds", "bridges", "vlans", "tunnels", "vrfs", "dummy-devices"):
        named.made.update(map(str, _mapping(network.get(kind))))
    listed = network.get("config")
    for item in listed if isinstance(listed, list) else []:
        card = _mapping(item)
        if card.get("type") == "physical":
            named.names.append(str(card.get("name")))
            named.bind(_text(card.get("mac_address")), str(card.get("name")))


def _netplan_card(named: Named, name: str, value: dict[object, object]) -> None:
    match = _mapping(value.get("match"))
    given = _text(value.get("set-name"))
    if "macaddress" in match:
        named.bind(_text(match["macaddress"]), given)
    elif "name" in match:
        patterns = match["name"]
        named.names += map(str, patterns if isinstance(patterns, list) else [patterns])
    elif match:
        _add_places(named, match.values())
    else:
        named.names.append(name)


def _add_places(named: Named, places: Iterable[object]) -> None:
    """Note what picks a card by its place or its driver, unless that will be the driver on KVM."""
    named.places += [str(place) for place in places if str(place) not in _NEW_DRIVERS]


def _mapping(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _ini(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, key and value of systemd.syntax(7); keys may be repeated."""
    section = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        stripped = line.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1]
        elif stripped and stripped[0] not in "#;":
            key, _, value = stripped.partition("=")
            yield section, key.strip(), value.strip()


def read_networkd(named: Named, text: str) -> None:
    """Read a .network or .netdev file, systemd.network(5) and systemd.netdev(5)."""
    settings = list(_ini(text))
    match = {key: value for section, key, value in settings if section == "Match"}
    made = [value for section, key, value in settings if (section, key) == ("NetDev", "Name")]
    named.made.update(made)
    if {"MACAddress", "PermanentMACAddress"} & match.keys():
        return
    named.names += [name for name in match.get("Name", "").split() if not name.startswith("!")]
    if "Name" not in match:
        _add_places(named, (match[key] for key in ("Path", "Driver") if key in match))


def read_link(named: Named, text: str) -> None:
    """Read a .link file, systemd.link(5)."""
    settings = {(section, key): value for section, key, value in _ini(text)}
    name = settings.get(("Link", "Name"))
    macs = [
        mac
        for key in ("MACAddress", "PermanentMACAddress")
        for mac in settings.get(("Match", key), "").split()
    ]
    for mac in macs:
        named.bind(mac, name)
    if name and not macs and ("Match", "Path") in settings:
        named.names.append(name)


def read_network_manager(named: Named, text: str) -> None:
    """Read a keyfile of NetworkManager, nm-settings-keyfile(5). Raises ValueError."""
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error).splitlines()[0]) from error
    kind = parser.get("connection", "type", fallback="")
    name = parser.get("connection", "interface-name", fallback="")
    if kind in _NM_ETHERNET and name:
        named.names.append(name)
    elif name:
        named.made.add(name)
    parent = parser.get("vlan", "parent", fallback="")
    if parent and not re.fullmatch(r"[0-9a-f]{8}-.*", parent):
        named.names.append(parent)


def read_udev_rules(named: Named, text: str) -> None:
    """Read rules that give names to cards, udev(7), as 70-persistent-net.rules has them."""
    for rule in text.splitlines():
        keys = {match["key"]: match["value"] for match in rule_keys(rule)}
        if rule.lstrip().startswith("#") or "NAME" not in keys:
            continue
        mac = keys.get("ATTR{address}") or keys.get("SYSFS{address}") or keys.get("ATTRS{address}")
        if mac:
            named.bind(mac, keys["NAME"])
        elif {"KERNELS", "ENV{ID_PATH}", "DRIVERS", "ID"} & keys.keys():
            named.names.append(keys["NAME"])


def rule_keys(rule: str) -> Iterable[re.Match[str]]:
    """Return the keys of a udev rule, with their operators and values."""
    return _RULE.finditer(rule)
