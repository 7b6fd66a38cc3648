# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the guest's network as it is: each card has its old name, and its configuration fits."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from converters.linux import network_config
from converters.linux.conversion import Conversion
from converters.linux.network_config import Named
from converters.linux.nic_names import assign
from v2v.changes import Draft

_NETPLAN = ("/etc/netplan/*.yaml", "/etc/netplan/*.yml", "/etc/cloud/cloud.cfg.d/*.cfg",
            "/etc/cloud/cloud.cfg")  # fmt: skip
_NETWORKD = ("/etc/systemd/network/*.network", "/etc/systemd/network/*.netdev")
_LINKS = ("/etc/systemd/network/*.link",)
_NETWORK_MANAGER = ("/etc/NetworkManager/system-connections/*",)
_RULES = ("/etc/udev/rules.d/*.rules",)
_PERSISTENT = "/etc/udev/rules.d/70-persistent-net.rules"
_CLOUD_INIT = "/etc/cloud/cloud.cfg.d/99-v2v-network.cfg"
_WHY_NAME = "the network card keeps the name that the guest's configuration has for it"
# .link files name cards on their own since udev 220, when Debian dropped its rule generator.
_LINK_FILES = 220
_OLD_DRIVERS = r"vmxnet\d?|xen-netfront|xennet|vif|e1000e?|pcnet32|8139cp|tulip|hv_netvsc"
_BY_DRIVER = re.compile(
    rf"^(?P<head>[ \t]*(?:Driver[ \t]*=|driver:)[ \t]*[\"']?)(?:{_OLD_DRIVERS})(?=[\"'\s]|$)",
    re.MULTILINE,
)

Reader = Callable[[Named, str], None]
_READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (_NETPLAN, network_config.read_netplan),
    (_NETWORKD, network_config.read_networkd),
    (_NETWORK_MANAGER, network_config.read_network_manager),
    (_LINKS, network_config.read_link),
    (_RULES, network_config.read_udev_rules),
)


def match_new_driver(draft: Draft, conversion: Conversion) -> None:
    """Let configuration that picks cards by their driver pick the new one."""
    driver = {"virtio": "virtio_net"}.get(conversion.capabilities.net_model, "e1000")
    for pattern in (*_NETPLAN, *_NETWORKD, *_LINKS):
        for path in draft.glob(pattern):
            text = _BY_DRIVER.sub(rf"\g<head>{driver}", draft.text(path))
            draft.write(path, text, why=f"on KVM the cards have the driver {driver}")


def repair_udev_rules(draft: Draft, conversion: Conversion) -> None:
    """Let rules that name cards by their MAC do so on KVM: drop the driver and the PCI address.

    A rule that has nothing but the address could name another card there, so it is put aside.
    """
    macs = {nic.mac for nic in conversion.machine.nics}
    for pattern in _RULES:
        for path in draft.glob(pattern):
            if draft.is_file(path):
                lines = draft.text(path).splitlines(keepends=True)
                text = "".join(_repaired(line, macs) for line in lines)
                draft.write(path, text, why="the card has another driver and another place on KVM")


def _repaired(rule: str, macs: set[str | None]) -> str:
    keys = {match["key"]: match["value"] for match in network_config.rule_keys(rule)}
    if rule.lstrip().startswith("#") or "NAME" not in keys or keys.get("SUBSYSTEM") != "net":
        return rule
    mac = keys.get("ATTR{address}", keys.get("SYSFS{address}", keys.get("ATTRS{address}")))
    placed = {"KERNELS", "ENV{ID_PATH}", "ID"} & keys.keys() or keys.get("DRIVERS", "?*") != "?*"
    if not placed:
        return rule
    if mac is None:
        return f"# {rule}"
    if mac.lower() not in macs:
        return rule
    rule = re.sub(r"(KERNELS|ENV\{ID_PATH\}|ID)\s*==\s*\"[^\"]*\"\s*,\s*", "", rule)
    return re.sub(r"(DRIVERS\s*==\s*)\"[^\"]*\"", r'\g<1>"?*"', rule)


def keep_nic_names(draft: Draft, conversion: Conversion) -> None:
    """Bind the name that the configuration counts on to each card's MAC."""
    named = _read(draft)
    nics = conversion.machine.nics
    pins = assign(nics, named.cards(), named.bound)
    for doubt in pins.doubts:
        _doubt(draft, doubt, "look at the guest's network after the first start")
    for place in named.places:
        what = "this picks a network card by what it loses on KVM"
        _doubt(draft, f"{place}: {what}", "match by MAC address instead")
    for index, name in sorted(pins.names.items()):
        mac = nics[index].mac
        if mac is None and (len(nics) > 1 or conversion.udev < _LINK_FILES):
            _doubt(draft, f"{name}: the source gives card {index + 1} no MAC to know it by", None)
        elif mac is None or named.bound.get(mac) != name:
            _pin(draft, conversion, name, mac)


def _doubt(draft: Draft, message: str, hint: str | None) -> None:
    draft.warn("W-NIC-NAME", message, hint=hint)


def _read(draft: Draft) -> Named:
    named = Named()
    for path in _interfaces(draft):
        network_config.read_ifupdown(named, draft.text(path))
    for patterns, reader in _READERS:
        for pattern in patterns:
            for path in draft.glob(pattern):
                if not draft.is_file(path):
                    continue
                try:
                    reader(named, draft.text(path))
                except ValueError as error:
                    _doubt(draft, f"{path}: it cannot be read: {error}", None)
    return named


def _interfaces(draft: Draft) -> tuple[str, ...]:
    """Return /etc/network/interfaces and all that it includes, interfaces(5)."""
    found: dict[str, None] = {}
    todo = ["/etc/network/interfaces"]
    while todo:
        path = todo.pop(0)
        if path in found or not draft.is_file(path):
            continue
        found[path] = None
        for line in draft.text(path).splitlines():
            words = line.split()
            if len(words) < 2 or words[0] not in ("source", "source-directory"):
                continue
            place = posixpath.join("/etc/network", words[1])
            whole = words[0] == "source-directory" or place.endswith("/")
            pattern = posixpath.join(place, "*") if whole else place
            todo += [name for name in draft.glob(pattern) if not name.endswith("~")]
    return tuple(found)


def _pin(draft: Draft, conversion: Conversion, name: str, mac: str | None) -> None:
    if conversion.udev >= _LINK_FILES or mac is None:
        draft.write(f"/etc/systemd/network/10-v2v-{name}.link", link_file(name, mac), why=_WHY_NAME)
    else:
        old = draft.text(_PERSISTENT) if draft.is_file(_PERSISTENT) else ""
        before = old if old.endswith("\n") or not old else f"{old}\n"
        draft.write(_PERSISTENT, before + udev_rule(name, mac), why=_WHY_NAME)


def link_file(name: str, mac: str | None) -> str:
    """Return a systemd.link(5) file; bonds, bridges and VLANs copy MACs but have no PCI path."""
    match = f"MACAddress={mac}\n" if mac else ""
    return (
        "# The name that this network card had before v2v converted the guest to KVM.\n"
        f"[Match]\n{match}Path=pci-*\n\n[Link]\nName={name}\n"
    )


def udev_rule(name: str, mac: str) -> str:
    """Return a rule in the form of Debian's 75-persistent-net-generator.rules."""
    return (
        "# The name that this network card had before v2v converted the guest to KVM.\n"
        f'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{{address}}=="{mac}", '
        f'ATTR{{type}}=="1", KERNEL=="eth*", NAME="{name}"\n'
    )


def keep_cloud_init_off(draft: Draft, conversion: Conversion) -> None:
    """Keep cloud-init from writing a new network configuration.

    Without its old data source it takes the guest for a new instance, and gives that DHCP on one
    card in place of what was configured.
    """
    if "cloud-init" not in conversion.packages or draft.exists(_CLOUD_INIT):
        return
    for pattern in ("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg"):
        for path in draft.glob(pattern):
            if draft.is_file(path) and re.search(r"^network:", draft.text(path), re.MULTILINE):
                return
    draft.write(
        _CLOUD_INIT,
        "# The network stays as it was before v2v converted this guest to KVM.\n"
        "network: {config: disabled}\n",
        why="cloud-init would replace the network's configuration on a new hypervisor",
    )
