# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and repairs the udev rules that give names to network cards, udev(7)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from converters.linux.network_names import Named

_RULE = re.compile(
    r"(?P<key>[A-Z]+(?:\{[^}]*\})?)\s*(?P<operator>[=!+:]?=)\s*\"(?P<value>[^\"]*)\""
)
_BY_MAC = ("ATTR{address}", "SYSFS{address}", "ATTRS{address}")
_BY_PLACE = frozenset({"KERNELS", "ENV{ID_PATH}", "ID"})


def _keys(rule: str) -> dict[str, str]:
    return {match["key"]: match["value"] for match in _RULE.finditer(rule)}


def _mac(keys: Mapping[str, str]) -> str | None:
    return next((keys[key] for key in _BY_MAC if key in keys), None)


def _is_placed(keys: Mapping[str, str]) -> bool:
    """Tell whether a rule asks for a driver or a PCI address."""
    return bool(_BY_PLACE & keys.keys()) or keys.get("DRIVERS", "?*") != "?*"


def read_rules(named: Named, text: str) -> None:
    """Read rules that give names to cards, as 70-persistent-net.rules has them."""
    for rule in text.splitlines():
        keys = _keys(rule)
        if rule.lstrip().startswith("#") or "NAME" not in keys:
            continue
        mac = _mac(keys)
        if mac:
            named.bind(mac, keys["NAME"])
        elif keys.get("SUBSYSTEM") == "net" and _is_placed(keys):
            named.card(keys["NAME"])


def repaired(rule: str, macs: Collection[str | None]) -> str:
    """Return a rule without the driver and the address that its card loses.

    One that has nothing but the address could name another card, so it becomes a comment.
    """
    keys = _keys(rule)
    if rule.lstrip().startswith("#") or "NAME" not in keys or keys.get("SUBSYSTEM") != "net":
        return rule
    mac = _mac(keys)
    if not _is_placed(keys):
        return rule
    if mac is None:
        return f"# {rule}"
    if mac.lower() not in macs:
        return rule
    rule = re.sub(r"(KERNELS|ENV\{ID_PATH\}|ID)\s*==\s*\"[^\"]*\"\s*,\s*", "", rule)
    return re.sub(r"(DRIVERS\s*==\s*)\"[^\"]*\"", r'\g<1>"?*"', rule)
