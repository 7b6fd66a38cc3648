# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads which names of network cards a guest's configuration counts on.

READERS is the table of stacks: where each keeps its files, and what reads one of them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from converters.linux import ifcfg, network_ini, network_shell, nic_rules
from converters.linux.netplan import read_netplan
from converters.linux.network_names import Named
from v2v.changes import Draft

Reader = Callable[[Named, str], None]

INTERFACES = "/etc/network/interfaces"
NETPLAN = ("/etc/netplan/*.yaml", "/etc/netplan/*.yml", "/etc/cloud/cloud.cfg.d/*.cfg",
           "/etc/cloud/cloud.cfg")  # fmt: skip
NETWORKD = ("/etc/systemd/network/*.network", "/etc/systemd/network/*.netdev")
LINKS = ("/etc/systemd/network/*.link",)
NETWORK_MANAGER = ("/etc/NetworkManager/system-connections/*",)
RULES = ("/etc/udev/rules.d/*.rules",)

READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("/etc/sysconfig/network-scripts/ifcfg-*",), ifcfg.read_red_hat),
    (("/etc/sysconfig/network/ifcfg-*",), ifcfg.read_suse),
    (("/etc/wicked/ifconfig/*.xml",), ifcfg.read_wicked),
    (("/etc/netctl/*",), network_shell.read_netctl),
    (("/etc/conf.d/net",), network_shell.read_netifrc),
    (("/etc/net/ifaces/*/options",), network_shell.read_etcnet),
    (("/etc/dhcpcd.conf",), network_shell.read_dhcpcd),
    (NETPLAN, read_netplan),
    (NETWORKD, network_ini.read_networkd),
    (NETWORK_MANAGER, network_ini.read_network_manager),
    (LINKS, network_ini.read_link),
    (RULES, nic_rules.read_rules),
    (("/etc/mactab", "/etc/iftab", "/etc/net/iftab"), network_shell.read_table),
)  # fmt: skip

# initscripts' rule, whose rename_device gives cards the names that ifcfg files have for them.
_RENAME_DEVICE = tuple(f"{top}/udev/rules.d/60-net.rules" for top in ("/etc", "/usr/lib", "/lib"))
# Firewalls, kernel settings, servers and others that may name a card which has no configuration.
_MENTIONS = (
    "/etc/firewalld/*.xml", "/etc/firewalld/zones/*.xml", "/etc/nftables.conf", "/etc/nftables/*",
    "/etc/sysconfig/nftables.conf", "/etc/sysconfig/ip*tables", "/etc/iptables/*",
    "/etc/ufw/*.rules", "/etc/shorewall*/interfaces", "/etc/sysctl.conf", "/etc/sysctl.d/*.conf",
    "/etc/default/isc-dhcp-server", "/etc/dnsmasq.conf", "/etc/dnsmasq.d/*",
    "/etc/keepalived/*.conf", "/etc/rc.local", "/etc/rc.d/rc.local", "/etc/default/grub",
    "/etc/kernel/cmdline", "/etc/NetworkManager/*.conf", "/etc/NetworkManager/conf.d/*.conf",
)  # fmt: skip
_MENTION = re.compile(r"(?<![\w-])(?:eth|ens|enX)\d+(?![\w-])")


def read(draft: Draft) -> tuple[Named, tuple[str, ...]]:
    """Return what is said of network cards, and the files that cannot be read, with the reason."""
    named = Named()
    broken: list[str] = []
    for path, reader in (*_interfaces(draft), *_files(draft)):
        named.path = path
        try:
            reader(named, draft.text(path))
        except ValueError as error:
            broken.append(f"{path}: it cannot be read: {error}")
    if named.renamed and any(draft.is_file(path) for path in _RENAME_DEVICE):
        named.bound = {**named.renamed, **named.bound}
    return named, tuple(broken)


def _files(draft: Draft) -> Iterator[tuple[str, Reader]]:
    for patterns, reader in READERS:
        for pattern in patterns:
            yield from ((path, reader) for path in draft.glob(pattern) if draft.is_file(path))


def _interfaces(draft: Draft) -> Iterator[tuple[str, Reader]]:
    """Yield /etc/network/interfaces and all that it includes, interfaces(5)."""
    found: set[str] = set()
    todo = [INTERFACES]
    while todo:
        path = todo.pop(0)
        if path in found or not draft.is_file(path):
            continue
        found.add(path)
        yield path, network_shell.read_ifupdown
        for line in draft.text(path).splitlines():
            words = line.split()
            if len(words) < 2 or words[0] not in ("source", "source-directory"):
                continue
            place = posixpath.join(posixpath.dirname(INTERFACES), words[1])
            whole = words[0] == "source-directory" or place.endswith("/")
            pattern = posixpath.join(place, "*") if whole else place
            todo += [name for name in draft.glob(pattern) if not name.endswith("~")]


def mentions(draft: Draft) -> frozenset[str]:
    """Return the names of cards in files that are no network configuration but count on them."""
    return frozenset(
        name
        for pattern in _MENTIONS
        for path in draft.glob(pattern)
        if draft.is_file(path)
        for line in draft.text(path).splitlines()
        if not line.lstrip().startswith(("#", ";"))
        for name in _MENTION.findall(line)
    )
