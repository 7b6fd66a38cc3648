# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the names of network cards, which the guest's configuration counts on.

Xen's cards have no PCI slot and are eth0, eth1, ...; VMware's are named by slots that do not exist
on KVM. With a new name a card has no configuration, and the guest comes up without network.
The MAC stays, so the old name is bound to it: by a .link file, or by a udev rule for udev < 220.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from v2v.model import Nic

_NEW_NAME = "enp1s0"  # what a card is called on KVM if nobody says otherwise, as an example
_SLOT = re.compile(r"ens(\d+)")
_KERNEL = re.compile(r"eth(\d+)")


@dataclass(frozen=True, slots=True)
class Pins:
    """The name of each card, by its position; and what is doubtful about it."""

    names: dict[int, str]
    doubts: tuple[str, ...]


def assign(nics: Sequence[Nic], cards: Sequence[str], bound: dict[str, str]) -> Pins:
    """Return which card had which name.

    ``cards`` are the names and patterns in the configuration, ``bound`` are MACs with the names
    that they are given already. What is certain goes first: the MAC, then the number of eth0 and
    the like, then the slot of VMware's ens192, and the order at last.
    """
    pins = {i: bound[nic.mac] for i, nic in enumerate(nics) if nic.mac in bound}
    literal = [name for name in cards if not is_pattern(name) and name not in pins.values()]
    for name in list(literal):
        index = _certain(name, nics)
        if index is not None and index not in pins:
            pins[index] = name
            literal.remove(name)
    doubts: list[str] = []
    free = [index for index in range(len(nics)) if index not in pins]
    if len(literal) != len(free) and literal and nics and (free or not pins):
        doubts.append(
            f"the configuration names {', '.join(literal)}, which are matched with "
            f"{len(free)} network cards by their order"
        )
    pins |= zip(free, sorted(literal, key=_order), strict=False)
    for index in range(len(nics)):
        fitting = _fitting(cards, nics[index], index, pins.values())
        if fitting is not None:
            pins.setdefault(index, fitting)
    return Pins(pins, (*doubts, *_clashes(pins, len(nics))))


def is_pattern(name: str) -> bool:
    """Tell whether a name is a pattern of glob(7)."""
    return any(character in name for character in "*?[")


def _certain(name: str, nics: Sequence[Nic]) -> int | None:
    """Return the card that a name can only mean: eth1 is the second, ens192 is in slot 192."""
    kernel, slot = _KERNEL.fullmatch(name), _SLOT.fullmatch(name)
    if kernel and int(kernel[1]) < len(nics):
        return int(kernel[1])
    if slot:
        return next((i for i, nic in enumerate(nics) if nic.slot == int(slot[1])), None)
    return None


def _order(name: str) -> list[tuple[str, int, int]]:
    """Sort names as the cards are: by number, those of VMware's slots as it fills them.

    A slot's number is its device plus 32 times its bus, and the buses are filled in turn: 160,
    192, 224, 256, 161, ...
    """
    key = []
    for text, digits in re.findall(r"(\D*)(\d*)", name):
        number = int(digits or 0)
        slot = text == "ens"
        key.append((text, number & 31 if slot else number, number >> 5 if slot else 0))
    return key


def _fitting(cards: Iterable[str], nic: Nic, index: int, taken: Iterable[str]) -> str | None:
    """Return a name for a card that is configured by a pattern which its new name does not fit."""
    patterns = [card for card in cards if is_pattern(card)]
    if not patterns or any(fnmatch.fnmatchcase(_NEW_NAME, pattern) for pattern in patterns):
        return None
    slot = nic.slot if nic.slot is not None else 192 + 32 * index
    names = (f"eth{index}", f"ens{slot}", f"eno{index + 1}")
    return next(
        (
            name
            for name in names
            if name not in taken and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ),
        None,
    )


def _clashes(pins: dict[int, str], count: int) -> list[str]:
    """Return names that the kernel gives to another card first; udev cannot swap two names."""
    return [
        f"{name} is the name of network card {index + 1}, and the kernel gives it to card "
        f"{int(match[1]) + 1} first"
        for index, name in pins.items()
        if (match := _KERNEL.fullmatch(name)) and int(match[1]) != index and int(match[1]) < count
    ]
