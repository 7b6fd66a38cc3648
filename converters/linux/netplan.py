# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads netplan's YAML, and cloud-init's network configuration in either version."""

from __future__ import annotations

import yaml

from converters.linux.network_names import Named

_MADE = ("bonds", "bridges", "vlans", "tunnels", "vrfs", "dummy-devices")


def read_netplan(named: Named, text: str) -> None:
    """Read netplan(5), or cloud-init's copy of its form. Raises ValueError."""
    try:
        # All scalars as text: a MAC of digits alone would else be a number to the base of 60.
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{error}".partition("\n")[0]) from error
    network = _mapping(_mapping(document).get("network"))
    for name, value in _mapping(network.get("ethernets")).items():
        _card(named, str(name), _mapping(value))
    for kind in _MADE:
        named.made.update(map(str, _mapping(network.get(kind))))
    for item in _listed(network.get("config", ())):
        card = _mapping(item)
        if card.get("type") == "physical":
            # cloud-init itself renames the card to this, unless the file has no MAC for it.
            named.card(str(card.get("name")), _text(card.get("mac_address")))
            named.bind(_text(card.get("mac_address")), str(card.get("name")))
        elif "name" in card:
            named.made.add(str(card["name"]))


def _card(named: Named, name: str, value: dict[object, object]) -> None:
    match = _mapping(value.get("match"))
    given = _text(value.get("set-name"))
    if "macaddress" in match:
        named.card("", _text(match["macaddress"]))
        named.bind(_text(match["macaddress"]), given)
    elif "name" in match:
        for pattern in _listed(match["name"]):
            named.card(str(pattern))
    elif not match:
        named.card(name)
    named.drivers(*map(str, _listed(match.get("driver", ()))))


def _mapping(value: object) -> dict[object, object]:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
