# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest's configuration says of its network cards, collected from file after file."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field

_VIRTUAL = re.compile(
    r"lo|(bond|br|vlan|tun|tap|wg|dummy|veth|docker|virbr|vmbr|ppp|sit|gre|vxlan|macvlan|ovs|wl|ww"
    r"|ib|vrf|lxc|lxd|cni|flannel|team|usb|can)[-_\d].*|bond|br|(wl|ww)\w+|docker\w*"
)
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_NAME = re.compile(r"[\w.*?\[\]-]{1,64}", re.ASCII)  # or a pattern of glob(7)


@dataclass(slots=True)
class Named:
    """The cards of a configuration. ``path`` is the file that is being read."""

    path: str = ""
    names: dict[str, str] = field(default_factory=dict)  # or patterns, to the file that has them
    made: set[str] = field(default_factory=set)  # bridges, bonds, VLANs: names of no card
    bound: dict[str, str] = field(default_factory=dict)  # MAC to the name that udev gives it
    told: dict[str, str] = field(default_factory=dict)  # MAC to the name that it must have
    renamed: dict[str, str] = field(default_factory=dict)  # MAC to the name, told by an ifcfg file
    wanted: dict[str, str] = field(default_factory=dict)  # MAC that a file is for, to the file
    places: list[str] = field(default_factory=list)  # files, and the PCI path or driver in them

    def card(self, name: str, mac: str | None = None) -> None:
        """Note a configuration for the card of a name; for that of a MAC only, if there is one.

        An alias such as eth0:1 is one of its card.
        """
        name = name.strip().partition(":")[0]
        if name and _NAME.fullmatch(name):
            self.names.setdefault(name, self.path)
        if mac is not None and (known := mac_address(mac)):
            self.wanted.setdefault(known, self.path)
            if name:
                self.told.setdefault(known, name)

    def vlan(self, name: str) -> None:
        """Note a name that may be a VLAN's: eth0.10 is one of the card eth0."""
        base, dot, _ = name.partition(".")
        if dot:
            self.made.add(name)
        self.card(base)

    def bind(self, mac: str | None, name: str | None) -> None:
        """Note that udev names a card; without a MAC the name is bound to something else."""
        known = mac_address(mac or "")
        if name and known:
            self.bound.setdefault(known, name)

    def drivers(self, *patterns: str) -> None:
        """Note a card that is picked by its driver, one of these; on KVM it is one of ours."""
        self._places(patterns, ("virtio_net", "e1000"))

    def slots(self, *patterns: str) -> None:
        """Note a card that is picked by its PCI address, one of these."""
        self._places(patterns, ("pci-0000:01:00.0",))

    def _places(self, patterns: tuple[str, ...], there: tuple[str, ...]) -> None:
        fit = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in there)
        if patterns and not fit:
            self.places.append(f"{self.path}: {' '.join(patterns)}")

    def cards(self) -> dict[str, str]:
        """Return the names and patterns of real cards, with the files that have them."""
        return {
            name: path
            for name, path in self.names.items()
            if name not in self.made and not _VIRTUAL.fullmatch(name)
        }


def mac_address(text: str) -> str | None:
    """Return a MAC address in lower case with colons; None if the text is none."""
    mac = text.strip().lower().replace("-", ":")
    return mac if _MAC.fullmatch(mac) else None
