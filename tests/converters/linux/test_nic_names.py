# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.nic_names import assign
from v2v.model import Network, NetworkKind, Nic

_NETWORK = Network(NetworkKind.network, "default")


def nics(count: int, *slots: int | None) -> tuple[Nic, ...]:
    places = (*slots, *(None for _ in range(count)))
    return tuple(
        Nic(f"00:16:3e:00:00:0{index}", None, _NETWORK, places[index]) for index in range(count)
    )


def test_the_mac_decides_first() -> None:
    pins = assign(nics(2), ["eth0", "eth1"], {"00:16:3e:00:00:01": "lan"})
    assert pins.names == {1: "lan", 0: "eth0"}


def test_kernel_names_are_numbers_of_cards() -> None:
    pins = assign(nics(3), ["eth2", "eth0"], {})
    assert (pins.names, pins.doubts) == ({0: "eth0", 2: "eth2"}, ())


def test_vmware_slots_are_in_the_names() -> None:
    pins = assign(nics(2, 224, 192), ["ens192", "ens224"], {})
    assert (pins.names, pins.doubts) == ({0: "ens224", 1: "ens192"}, ())


def test_unknown_slots_go_in_the_order_in_which_vmware_fills_them() -> None:
    pins = assign(nics(4), ["ens161", "ens192", "ens256", "ens224"], {})
    assert pins.names == {0: "ens192", 1: "ens224", 2: "ens256", 3: "ens161"}


def test_numbers_count_as_numbers() -> None:
    pins = assign(nics(2), ["enp0s10", "enp0s9"], {})
    assert pins.names == {0: "enp0s9", 1: "enp0s10"}


@pytest.mark.parametrize(("count", "cards"), [(2, ["ens192"]), (1, ["ens192", "ens224"])])
def test_more_or_less_names_than_cards_are_a_doubt(count: int, cards: list[str]) -> None:
    pins = assign(nics(count), cards, {})
    assert pins.names == {0: "ens192"}
    assert "by their order" in pins.doubts[0]


def test_names_that_the_kernel_gives_to_other_cards_are_a_doubt() -> None:
    pins = assign(nics(2), [], {"00:16:3e:00:00:00": "eth1", "00:16:3e:00:00:01": "eth0"})
    assert "eth1 is the name of network card 1" in pins.doubts[0]
    assert len(pins.doubts) == 2


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("en*", {}), ("e*", {}), ("eth*", {0: "eth0"}), ("ens*", {0: "ens192"}), ("wl*", {})],
)
def test_a_pattern_is_pinned_only_where_the_new_name_does_not_fit(
    pattern: str, names: dict[int, str]
) -> None:
    assert assign(nics(1), [pattern], {}).names == names


def test_a_guest_without_cards_has_no_doubts() -> None:
    pins = assign((), ["eth0"], {})
    assert (pins.names, pins.doubts) == ({}, ())
