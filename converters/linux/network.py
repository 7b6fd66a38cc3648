# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the guest's network as it is: each card has its old name, and its configuration fits."""

from __future__ import annotations

import re

from converters.linux import network_config, nic_pins
from converters.linux.conversion import Conversion
from converters.linux.network_names import Named
from converters.linux.nic_names import Said, assign
from converters.linux.nic_rules import repaired
from v2v.changes import Draft
from v2v.model import Nic

_CLOUD_INIT = "/etc/cloud/cloud.cfg.d/99-v2v-network.cfg"
_OLD_DRIVER = re.compile(
    r"\b(?:vmxnet\d?|xen-netfront|xennet|vif|e1000e?|pcnet32|8139cp|tulip|hv_netvsc)\b"
)
# Driver= of systemd, driver= of NetworkManager, driver: of netplan, which may stand in { }.
_BY_DRIVER = re.compile(r"(?<![\w.-])(?P<head>[Dd]river[ \t]*[:=][ \t]*)(?P<drivers>[^\n}#]*)")


def match_new_driver(draft: Draft, conversion: Conversion) -> None:
    """Let configuration that picks cards by their driver pick the new one."""
    driver = {"virtio": "virtio_net"}.get(conversion.capabilities.net_model, "e1000")

    def change(match: re.Match[str]) -> str:
        return match["head"] + _OLD_DRIVER.sub(driver, match["drivers"])

    for pattern in (
        *network_config.NETPLAN,
        *network_config.NETWORKD,
        *network_config.LINKS,
        *network_config.NETWORK_MANAGER,
    ):
        for path in draft.glob(pattern):
            if draft.is_file(path):
                text = _BY_DRIVER.sub(change, draft.text(path))
                draft.write(path, text, why=f"on KVM the cards have the driver {driver}")


def replace_lost_mac(draft: Draft, conversion: Conversion) -> None:
    """Let the only configuration be for the only card, if it is for a MAC that no card has.

    Such a configuration never starts: it came with a copy of another machine.
    """
    named, _ = network_config.read(draft)
    nics = conversion.machine.nics
    lost = {mac: path for mac, path in named.wanted.items() if mac not in {n.mac for n in nics}}
    for mac, path in lost.items():
        new = _sole(named, nics, mac)
        if new is not None:
            pattern = re.compile(mac.replace(":", "[:-]"), re.IGNORECASE)
            text = pattern.sub(new, draft.text(path))
            draft.write(path, text, why="this was for the MAC address of another network card")
        else:
            draft.warn(
                "W-NIC-MAC",
                f"{path}: this is for a network card with the MAC address {mac}, and none has it",
                hint="give a card that address in the domain, or this file the card's",
            )


def _sole(named: Named, nics: tuple[Nic, ...], mac: str) -> str | None:
    """Return the only card's MAC, if it has no name and there is no configuration but this."""
    others = named.cards().keys() - {named.told.get(mac)}
    if len(nics) != 1 or len(named.wanted) != 1 or others or nics[0].mac in named.bound:
        return None
    return nics[0].mac


def keep_nic_names(draft: Draft, conversion: Conversion) -> None:
    """Bind the name that the configuration counts on to each card's MAC."""
    named, broken = network_config.read(draft)
    said = Said(
        {**named.told, **named.bound},
        named.cards(),
        network_config.mentions(draft),
        nic_pins.is_predictable(draft, conversion),
    )
    nics = conversion.machine.nics
    pins = assign(nics, said)
    for message in broken:
        _doubt(draft, message, None)
    for doubt in pins.doubts:
        _doubt(draft, doubt, "look at the guest's network after the first start")
    for place in named.places:
        what = "this picks a network card by what it loses on KVM"
        _doubt(draft, f"{place}: {what}", "match by MAC address instead")
    loose = {
        i: name for i, name in pins.names.items() if named.bound.get(nics[i].mac or "") != name
    }
    for name, reason in nic_pins.pin(draft, conversion, loose).items():
        _doubt(draft, ": ".join(filter(None, (said.cards.get(name), name, reason))), None)


def _doubt(draft: Draft, message: str, hint: str | None) -> None:
    draft.warn("W-NIC-NAME", message, hint=hint)


def repair_udev_rules(draft: Draft, conversion: Conversion) -> None:
    """Let rules that name cards by their MAC do so on KVM: drop the driver and the PCI address."""
    macs = {nic.mac for nic in conversion.machine.nics}
    for pattern in network_config.RULES:
        for path in draft.glob(pattern):
            if draft.is_file(path):
                lines = draft.text(path).splitlines(keepends=True)
                text = "".join(repaired(line, macs) for line in lines)
                draft.write(path, text, why="the card has another driver and another place on KVM")


def keep_cloud_init_off(draft: Draft, conversion: Conversion) -> None:
    """Keep cloud-init from writing a new network configuration.

    Without its old data source it takes the guest for a new instance, and gives that DHCP on one
    card in place of what was configured.
    """
    if not draft.is_file("/etc/cloud/cloud.cfg") or draft.exists(_CLOUD_INIT):
        return
    if draft.exists("/etc/cloud/cloud-init.disabled"):
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
