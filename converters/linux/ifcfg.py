# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the ifcfg files of Red Hat's and SUSE's families, and the XML form of SUSE's wicked."""

from __future__ import annotations

import posixpath
import re

from converters.linux.network_names import Named, mac_address
from converters.linux.shell_settings import settings

# network-functions of initscripts skips these copies, and so does NetworkManager.
_COPY = re.compile(r".*(~|\.(bak|old|orig|rpmnew|rpmorig|rpmsave))")
# sysconfig.txt of initscripts; ifcfg-bonding(5), ifcfg-bridge(5) and others of SUSE.
_MADE = re.compile(
    r"BONDING_(MODULE_)?OPTS|BRIDGE_(PORTS|STP)|ETHERDEVICE|PHYSDEV|TEAM_(CONFIG|RUNNER)|TUNNEL"
    r"|OVS_BRIDGE_PORTS|MACVLAN_DEVICE|DUMMY"
)
_MADE_IF = frozenset({"VLAN", "BONDING_MASTER", "BRIDGE"})  # if they say yes
_CARDS = frozenset({"", "ethernet", "eth", "teamport", "ovs", "ovsport"})
_PORT = re.compile(r"BONDING_SLAVE_?\d+|TEAM_PORT_DEVICE_?\d+|BRIDGE_PORTS|ETHERDEVICE|PHYSDEV")


def read_red_hat(named: Named, text: str) -> None:
    """Read /etc/sysconfig/network-scripts/ifcfg-NAME, as initscripts and NetworkManager do.

    HWADDR is the card that the file is for; rename_device gives it the name DEVICE.
    """
    found = settings(text)
    if _COPY.fullmatch(named.path):
        return
    device = found.get("DEVICE", "")
    if _is_made(found):
        named.made.add(device)
    named.made.update(found[key] for key in ("MASTER", "BRIDGE", "TEAM_MASTER") if key in found)
    named.vlan(device)
    mac = mac_address(found.get("HWADDR", ""))
    if mac and device not in named.made:
        named.card(device, mac)
        if device:
            named.renamed.setdefault(mac, device)
    _ports(named, found)


def read_suse(named: Named, text: str) -> None:
    """Read /etc/sysconfig/network/ifcfg-NAME, ifcfg(5); its own name says which card it is for.

    Before SLES 11 that could be ifcfg-eth-id-MAC or ifcfg-eth-bus-pci-ADDRESS.
    """
    found = settings(text)
    name = posixpath.basename(named.path).removeprefix("ifcfg-")
    by_mac, by_slot = name.partition("-id-")[2], name.partition("-bus-")[2]
    if _COPY.fullmatch(named.path):
        return
    if by_mac:
        named.card("", by_mac)
    elif by_slot:
        named.slots(by_slot)
    else:
        if _is_made(found):
            named.made.add(name)
        named.vlan(name)
    _ports(named, found)


def _is_made(found: dict[str, str]) -> bool:
    """Tell whether this is a bond, a bridge or the like."""
    said = {found[key].lower() for key in _MADE_IF & found.keys()}
    types = {found.get(key, "").lower() for key in ("TYPE", "DEVICETYPE")}
    return "yes" in said or bool(types - _CARDS) or any(map(_MADE.fullmatch, found))


def _ports(named: Named, found: dict[str, str]) -> None:
    for key, value in found.items():
        if _PORT.fullmatch(key):
            for port in value.split():
                named.vlan(port)


def read_wicked(named: Named, text: str) -> None:
    """Read an XML file of wicked-config(5): an interface has a name, and maybe ports below it."""
    for interface in re.findall(r"<interface\b[^>]*>(.*?)</interface>", text, re.DOTALL):
        names = re.findall(r"<name>\s*([^<\s]+)\s*</name>", interface)
        if re.search(r"<(?:bridge|bond|vlan|team|tunnel|macvlan|dummy)\b", interface):
            named.made.update(names)
        for name in (*names, *re.findall(r"<device>\s*([^<\s]+)\s*</device>", interface)):
            named.vlan(name)
