# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads networks that shell scripts set up: ifupdown, netctl, netifrc, etcnet, dhcpcd."""

from __future__ import annotations

import posixpath
import re

from converters.linux.network_names import Named
from converters.linux.shell_settings import settings

_PORTS = re.compile(
    r"bridge[-_]ports|bond[-_](slaves|members|primary)|slaves|vlan[-_]raw[-_]device"
)
_MADE = re.compile(
    r"bridge[-_](?!access|vids|pvid)\w+|bond[-_](?!master|primary)\w+|slaves|vlan[-_]raw[-_]device"
)
_NETIFRC = re.compile(
    r"(?P<kind>config|routes|bridge|slaves|vlans)_(?P<name>[A-Za-z0-9]+)(?:_\w+)?"
)


def read_ifupdown(named: Named, text: str) -> None:
    """Read interfaces(5), ifupdown-ng's and busybox' too."""
    interface = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "iface" and len(words) > 1:
            interface = words[1]
            named.vlan(interface)
        elif words[0] in ("auto", "mapping", "source", "source-directory", "rename") or words[
            0
        ].startswith("allow-"):
            interface = ""
        elif interface:
            if _PORTS.fullmatch(words[0]):
                for name in words[1:]:
                    if name not in ("none", "all", "regex"):
                        named.vlan(name)
            if _MADE.fullmatch(words[0]):
                named.made.add(interface)


def read_netctl(named: Named, text: str) -> None:
    """Read a profile of Arch's netctl.profile(5)."""
    found = settings(text)
    if found.get("Connection") == "ethernet":
        named.card(found.get("Interface", ""))
    else:
        named.made.add(found.get("Interface", ""))
    for name in found.get("BindsToInterfaces", "").split():
        named.vlan(name)


def read_netifrc(named: Named, text: str) -> None:
    """Read Gentoo's /etc/conf.d/net; in its names of variables all but letters and digits is _."""
    for key, value in settings(text).items():
        match = _NETIFRC.fullmatch(key)
        if match is None:
            continue
        if match["kind"] in ("bridge", "slaves"):
            named.made.add(match["name"])
            for name in value.split():
                named.vlan(name)
        named.card(match["name"])


def read_etcnet(named: Named, text: str) -> None:
    """Read /etc/net/ifaces/NAME/options of ALT's etcnet; HOST is what a bond or VLAN is made of."""
    found = settings(text)
    name = posixpath.basename(posixpath.dirname(named.path))
    if name in ("default", "unknown"):  # they hold for all others
        return
    if found.get("TYPE", "eth") != "eth":
        named.made.add(name)
    named.card(name)
    for host in found.get("HOST", "").split():
        named.card(host)


def read_dhcpcd(named: Named, text: str) -> None:
    """Read dhcpcd.conf(5), where Void and Raspberry Pi OS keep static addresses."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "interface":
            named.vlan(words[1])


def read_table(named: Named, text: str) -> None:
    """Read a table of names and MACs: nameif's /etc/mactab, iftab of ifrename and etcnet."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 1:
            named.bind(words[-1].removeprefix("mac="), words[0])
