# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads networks written as INI files: systemd-networkd's, .link files, NetworkManager's."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from converters.linux.network_names import Named

_ETHERNET = ("802-3-ethernet", "ethernet")  # what NetworkManager calls it, before and since 0.9.10
_ID = re.compile(r"[0-9a-f]{8}-.*")
_NETDEV = ("NetDev", "Name")


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
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
    """Read a .network or .netdev file, systemd.network(5) and systemd.netdev(5).

    All conditions of [Match] must hold.
    """
    settings = list(_settings(text))
    match = {key: value for section, key, value in settings if section == "Match"}
    named.made.update(value for section, key, value in settings if (section, key) == _NETDEV)
    named.drivers(*match.get("Driver", "").split())
    named.slots(*match.get("Path", "").split())
    macs = f"{match.get('MACAddress', '')} {match.get('PermanentMACAddress', '')}".split()
    for mac in macs:
        named.card("", mac)
    if not macs:
        for name in match.get("Name", "").split():
            named.card(name)


def read_link(named: Named, text: str) -> None:
    """Read a .link file, systemd.link(5)."""
    settings = {(section, key): value for section, key, value in _settings(text)}
    name = settings.get(("Link", "Name"))
    macs = [
        mac
        for key in ("MACAddress", "PermanentMACAddress")
        for mac in settings.get(("Match", key), "").split()
    ]
    for mac in macs:
        named.bind(mac, name)
    if name and not macs and ("Match", "Path") in settings:
        named.card(name)


def read_network_manager(named: Named, text: str) -> None:
    """Read a keyfile of NetworkManager, nm-settings-keyfile(5). Raises ValueError."""
    parser = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    kind = parser.get("connection", "type", fallback="")
    name = parser.get("connection", "interface-name", fallback="")
    if kind in _ETHERNET:
        macs = [parser.get(section, "mac-address", fallback="") for section in _ETHERNET]
        named.card(name, next(filter(None, macs), None))
    elif name:
        named.made.add(name)
    parent = parser.get("vlan", "parent", fallback="")
    if parent and not _ID.fullmatch(parent):
        named.card(parent)
    for pattern in _list(parser, "interface-name"):
        named.card(pattern)
    named.drivers(*_list(parser, "driver"))
    named.slots(*_list(parser, "path"))


def _list(parser: configparser.RawConfigParser, key: str) -> list[str]:
    """Return what [match] asks for; ! excludes, and | is what is meant without it."""
    patterns = (part.strip() for part in parser.get("match", key, fallback="").split(";"))
    return [pattern.lstrip("|&") for pattern in patterns if pattern and pattern[0] != "!"]
