# SPDX-License-Identifier: LGPL-2.1-or-later
"""NICs, screen and sound of an xl.cfg(5); NICs as in xl-network-configuration(5)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from v2v.errors import Finding, SourceError
from v2v.model import Display, Network, NetworkKind, Nic
from v2v.sources.identity import mac_address
from v2v.sources.xen import GuestType, derived_mac
from v2v.sources.xl_syntax import Config

_BRIDGE = "xenbr0"  # xl's default
_HVM_MODEL = "rtl8139"  # xl's default of an emulated NIC
_PV_MODEL = "netfront"
_VNC_BASE = 5900  # TCP port of display 0
_VIF_KEYS = frozenset(("mac", "bridge", "model", "type", "script"))
_HOST_KEYS = frozenset(("ip", "vifname", "devid", "uuid", "accel", "policy", "backend"))
"""The Xen host's own affair; ip= is a filter of the host, not the guest's address."""

_SOUND = {
    "hda": "ich6",  # QEMU's intel-hda, which libvirt calls ich6
    "ac97": "ac97",
    "es1370": "es1370",
    "sb16": "sb16",
    "pcspk": "pcspk",
}


def nics(config: Config, guest: GuestType, seed: str, warnings: list[Finding]) -> tuple[Nic, ...]:
    """Return the NICs of ``vif``. ``seed`` makes MAC addresses where none is given."""
    return tuple(
        _nic(spec, f"{config.where}: vif {index}", index, guest, seed, warnings)
        for index, spec in enumerate(config.strings("vif"))
    )


def _nic(
    spec: str, where: str, index: int, guest: GuestType, seed: str, warnings: list[Finding]
) -> Nic:
    keys = _keys(spec, where)
    if left := sorted(keys.keys() - _VIF_KEYS - _HOST_KEYS):
        message = f"{where}: not carried over: {', '.join(left)}"
        warnings.append(Finding("W-SOURCE-KEY", message))
    emulated = guest is GuestType.hvm and keys.get("type", "ioemu") == "ioemu"
    model = keys.get("model") or _HVM_MODEL
    if not emulated or model in ("netfront", "vif"):
        model = _PV_MODEL
    mac = _mac(keys.get("mac", ""), where, index, seed, warnings)
    return Nic(mac, model, _network(keys, where, warnings))


def _keys(spec: str, where: str) -> dict[str, str]:
    """Return the pairs of a vifspec; a later one wins, an empty one says nothing."""
    keys = {}
    for part in filter(None, (part.strip() for part in spec.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise SourceError(
                "E-XL-VIF",
                f"{where}: {part!r} is not key=value",
                hint="see xl-network-configuration(5)",
            )
        keys[key.strip().lower()] = value.strip()
    return keys


def _mac(text: str, where: str, index: int, seed: str, warnings: list[Finding]) -> str:
    if text:
        mac = mac_address(text)
        if mac is None:
            raise SourceError("E-NIC-MAC", f"{where}: {text!r} is not a MAC address")
        return mac
    mac = derived_mac(seed, index)
    warnings.append(
        Finding(
            "W-NIC-NO-MAC",
            f"{where}: has no MAC address (Xen makes a new one at each start), it gets {mac}",
            "put the guest's own mac= into the configuration if it ever saw one that matters",
        )
    )
    return mac


def _network(keys: dict[str, str], where: str, warnings: list[Finding]) -> Network:
    script = PurePosixPath(keys.get("script", "")).name
    bridge = keys.get("bridge") or _BRIDGE
    if script in ("vif-route", "vif-nat") and "bridge" not in keys:
        message = f"{where}: is routed by {script}, will be on the network default"
        warnings.append(Finding("W-NIC-TYPE", message, "choose a network with -b or -n"))
        return Network(NetworkKind.network, "default")
    if script == "vif-openvswitch" and any(mark in bridge for mark in ".:"):
        # BRIDGE.TAG or BRIDGE:TRUNK:TRUNK, tools/hotplug/Linux/vif-openvswitch
        given, bridge = bridge, bridge.replace(":", ".").split(".")[0]
        message = f"{where}: the VLANs of {given} are not carried over"
        warnings.append(Finding("W-NIC-VLAN", message, "set <vlan> in the domain's interface"))
    return Network(NetworkKind.bridge, bridge)


def display(config: Config, guest: GuestType) -> Display | None:
    """Return the guest's screen: an HVM guest has VNC by default, a PV guest only as it says."""
    keys = "spicehost", "spiceport", "spicepasswd", "spicedisable_ticketing"
    host, port, password, _ = (config.filled(key) for key in keys)
    screen = {
        key: config.filled(key) or ""
        for key in ("vnc", "sdl", "vnclisten", "vncdisplay", "vncunused", "vncpasswd", "keymap")
    }
    if config.flag("nographic"):
        return None
    if config.flag("spice"):
        return Display("spice", host, _port(port or ""), password, screen["keymap"] or None)
    framebuffers = config.strings("vfb")
    if guest is not GuestType.hvm and framebuffers:
        return _screen(_keys(framebuffers[0], f"{config.where}: vfb 0"), True)
    return _screen(screen, guest is GuestType.hvm)


def _screen(keys: dict[str, str], vnc_is_default: bool) -> Display | None:
    """Return what the keys of VNC and SDL say, which are alike in vfb and on their own."""
    on = ("1" if vnc_is_default else "0") if not keys.get("vnc") else keys["vnc"]
    if keys.get("type") in ("vnc", "sdl"):  # xend: vfb = ['type=vnc,vncdisplay=1']
        on = "1" if keys["type"] == "vnc" else "0"
    keymap = keys.get("keymap") or None
    if on == "0":
        sdl = keys.get("sdl", "0") not in ("", "0") or keys.get("type") == "sdl"
        return Display("window", keymap=keymap) if sdl else None
    listen, number = keys.get("vnclisten", ""), ""
    if listen.count(":") == 1:  # ADDRESS:DISPLAY; more colons are IPv6
        listen, _, number = listen.partition(":")
    fixed = keys.get("vncunused", "0") in ("", "0")
    port = _port(keys.get("vncdisplay") or number, _VNC_BASE) if fixed else None
    return Display("vnc", listen or None, port, keys.get("vncpasswd") or None, keymap)


def _port(text: str, base: int = 0) -> int | None:
    """Return a TCP port, None where none is fixed."""
    if re.fullmatch("[0-9]{1,5}", text, re.ASCII) is None:
        return None
    port = base + int(text)
    return port if 0 < port < 1 << 16 else None


def sound(config: Config, warnings: list[Finding]) -> str | None:
    """Return libvirt's name of the sound card, None if there is none or it is unknown."""
    given = config.filled("soundhw")
    if given is None:
        return None
    model = next((_SOUND[card] for card in given.split(",") if card in _SOUND), None)
    if model is None:
        message = f"{config.where}: unknown sound card {given!r}, the guest will have none"
        warnings.append(Finding("W-SOURCE-SOUND", message))
    return model
