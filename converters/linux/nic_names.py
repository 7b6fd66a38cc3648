# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds out which network card had which name, as the guest's configuration counts on names.

Xen's cards have no PCI slot and are eth0, eth1, ...; VMware's are named by slots that do not exist
on KVM. With a new name a card has no configuration, and the guest comes up without network.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from v2v.model import Nic

_PREDICTED = "enp1s0"  # what udev calls a card on KVM if nobody says otherwise, as an example
_SLOT = re.compile(r"ens(\d+)")
_KERNEL = re.compile(r"eth(\d+)")
_COUNTED = re.compile(r"(?:eth|enX)(\d+)")  # enX0 is udev's name for Xen's first since 252


@dataclass(frozen=True, slots=True)
class Pins:
    """The name of each card, by its position; and what is doubtful about it."""

    names: dict[int, str]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """What the guest says of names, in the order of its certainty."""

    given: Mapping[str, str]  # MACs, and the names that they have
    cards: Mapping[str, str]  # names and patterns in the configuration, and their files
    mentions: Collection[str] = frozenset()  # names in firewalls and the like
    predictable: bool = True  # udev gives names by slot; without, they are the kernel's eth0, eth1


def assign(nics: Sequence[Nic], said: Said) -> Pins:
    """Return which card had which name.

    ``nics`` are in the order in which the guest's kernel finds them. What is certain goes first:
    the MAC, then VMware's slot of ens192 and the number of eth0, and the order at last. A card
    that is configured under any name keeps one that others count on.
    """
    given = ((i, said.given.get(nic.mac or "")) for i, nic in enumerate(nics))
    pins = {index: name for index, name in given if name is not None}
    literal = [name for name in said.cards if not _is_pattern(name) and name not in pins.values()]
    for name in sorted(literal, key=lambda name: bool(_KERNEL.match(name)) is said.predictable):
        index = _certain(name, nics)
        if index is not None and index not in pins:
            pins[index] = name
            literal.remove(name)
    doubts: list[str] = []
    free = [index for index in range(len(nics)) if index not in pins]
    if len(literal) != len(free) and literal and nics and (free or not pins):
        files = ", ".join(dict.fromkeys(said.cards[name] for name in literal))
        doubts.append(
            f"{files}: the configuration names {', '.join(literal)}, which are matched with "
            f"{len(free)} network cards by their order"
        )
    pins |= zip(free, sorted(literal, key=_in_order), strict=False)
    for index, nic in enumerate(nics):
        fitting = _fitting(said, nic, index, pins.values())
        if fitting is not None:
            pins.setdefault(index, fitting)
    return Pins(pins, (*doubts, *_clashes(pins, len(nics))))


def _is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern of glob(7)."""
    return any(character in name for character in "*?[")


def _certain(name: str, nics: Sequence[Nic]) -> int | None:
    """Return the card that a name can only mean: eth1 is the second, ens192 is in slot 192."""
    counted, slot = _COUNTED.fullmatch(name), _SLOT.fullmatch(name)
    if counted and int(counted[1]) < len(nics):
        return int(counted[1])
    if slot:
        return next((i for i, nic in enumerate(nics) if nic.slot == int(slot[1])), None)
    return None


def _in_order(name: str) -> list[tuple[str, int, int]]:
    """Sort names as the cards are: by number, those of VMware's slots as it fills them.

    A slot's number is the bridge's function plus 32 times its device, and ESXi takes one of each
    device first: 160, 192, 224, 256, 161, ...
    """
    key = []
    for text, digits in re.findall(r"(\D*)(\d*)", name):
        number = int(digits or 0)
        slot = text == "ens"
        key.append((text, number & 31 if slot else number, number >> 5 if slot else 0))
    return key


def _fitting(said: Said, nic: Nic, index: int, taken: Collection[str]) -> str | None:
    """Return a name for a card that is configured under any name, or by a pattern.

    It needs one if its new name does not fit the pattern, or if others count on the old one.
    """
    patterns = [card for card in said.cards if _is_pattern(card)]
    slot = nic.slot
    eth, enx = f"eth{index}", f"enX{index}"
    new = _PREDICTED if said.predictable else eth
    if patterns and not _matches(new, patterns):
        names = [eth, f"ens{192 + 32 * index if slot is None else slot}", f"eno{index + 1}"]
    else:
        known = [eth, enx] if slot is None else [f"ens{slot}"] if said.predictable else [eth]
        names = [name for name in known if name in said.mentions]
    return next(
        (
            name
            for name in names
            if name not in taken and (not patterns or _matches(name, patterns))
        ),
        None,
    )


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _clashes(pins: Mapping[int, str], count: int) -> list[str]:
    """Return names that the kernel gives to another card first; udev cannot swap two names."""
    return [
        f"{name} is the name of network card {index + 1}, and the kernel gives it to card "
        f"{int(match[1]) + 1} first"
        for index, name in pins.items()
        if (match := _KERNEL.fullmatch(name)) and int(match[1]) != index and int(match[1]) < count
    ]
