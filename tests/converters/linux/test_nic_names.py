# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.linux.nic_names import Pins, Said, assign
from v2v.model import Network, NetworkKind, Nic

_NETWORK = Network(NetworkKind.network, "default")


def nics(count: int, *slots: int | None) -> tuple[Nic, ...]:
    places = (*slots, *(None for _ in range(count)))
    return tuple(
        Nic(f"00:16:3e:00:00:0{index}", None, _NETWORK, places[index]) for index in range(count)
    )


def named(cards: list[str], given: dict[str, str] | None = None) -> Said:
    return Said(given or {}, dict.fromkeys(cards, "/etc/interfaces"))


def names(nics: tuple[Nic, ...], said: Said) -> dict[int, str]:
    return assign(nics, said).names


def test_the_mac_decides_first() -> None:
    said = named(["eth0", "eth1"], {"00:16:3e:00:00:01": "lan"})
    assert names(nics(2), said) == {1: "lan", 0: "eth0"}


@pytest.mark.parametrize("prefix", ["eth", "enX"])
def test_kernel_names_are_numbers_of_cards(prefix: str) -> None:
    pins = assign(nics(3), named([f"{prefix}2", f"{prefix}0"]))
    assert pins == Pins({0: f"{prefix}0", 2: f"{prefix}2"}, ())


def test_vmware_slots_are_in_the_names() -> None:
    pins = assign(nics(2, 224, 192), named(["ens192", "ens224"]))
    assert pins == Pins({0: "ens224", 1: "ens192"}, ())


@pytest.mark.parametrize(("predictable", "name"), [(True, "ens192"), (False, "eth0")])
def test_a_card_with_two_configurations_has_the_name_that_its_udev_gives(
    predictable: bool, name: str
) -> None:
    said = Said({}, {"eth0": "/a", "ens192": "/b"}, predictable=predictable)
    assert names(nics(1, 192), said) == {0: name}


def test_unknown_slots_go_in_the_order_in_which_vmware_fills_them() -> None:
    found = names(nics(4), named(["ens161", "ens192", "ens256", "ens224"]))
    assert found == {0: "ens192", 1: "ens224", 2: "ens256", 3: "ens161"}


def test_numbers_count_as_numbers() -> None:
    assert names(nics(2), named(["enp0s10", "enp0s9"])) == {0: "enp0s9", 1: "enp0s10"}


@pytest.mark.parametrize(("count", "cards"), [(2, ["ens192"]), (1, ["ens192", "ens224"])])
def test_more_or_less_names_than_cards_are_a_doubt(count: int, cards: list[str]) -> None:
    pins = assign(nics(count), named(cards))
    assert pins.names == {0: "ens192"}
    assert pins.doubts[0].startswith("/etc/interfaces: the configuration names ens192")
    assert "by their order" in pins.doubts[0]


def test_names_that_the_kernel_gives_to_other_cards_are_a_doubt() -> None:
    given = {"00:16:3e:00:00:00": "eth1", "00:16:3e:00:00:01": "eth0"}
    pins = assign(nics(2), named([], given))
    assert "eth1 is the name of network card 1" in pins.doubts[0]
    assert len(pins.doubts) == 2


@pytest.mark.parametrize(
    ("pattern", "pins"),
    [("en*", {}), ("e*", {}), ("eth*", {0: "eth0"}), ("ens*", {0: "ens192"}), ("wl*", {})],
)
def test_a_pattern_is_pinned_only_where_the_new_name_does_not_fit(
    pattern: str, pins: dict[int, str]
) -> None:
    assert names(nics(1), named([pattern])) == pins


@pytest.mark.parametrize(("pattern", "pins"), [("eth*", {}), ("en*", {0: "ens192"})])
def test_without_predictable_names_the_new_one_is_the_kernels(
    pattern: str, pins: dict[int, str]
) -> None:
    assert names(nics(1), Said({}, {pattern: "/x"}, predictable=False)) == pins


@pytest.mark.parametrize(
    ("slot", "mentions", "pins"),
    [
        (192, {"ens192"}, {0: "ens192"}),
        (192, {"eth0"}, {}),
        (192, {"ens224"}, {}),
        (None, {"eth0"}, {0: "eth0"}),
        (None, {"enX0"}, {0: "enX0"}),
        (None, {"ens192"}, {}),
    ],
)
def test_a_card_under_any_name_keeps_one_that_others_count_on(
    slot: int | None, mentions: set[str], pins: dict[int, str]
) -> None:
    assert names(nics(1, slot), Said({}, {}, mentions)) == pins


def test_a_name_that_others_count_on_must_fit_the_patterns() -> None:
    assert names(nics(1), Said({}, {"en*": "/x"}, {"eth0"})) == {}
    assert names(nics(1, 192), Said({}, {"en*": "/x"}, {"ens192"})) == {0: "ens192"}


def test_a_guest_without_cards_has_no_doubts() -> None:
    assert assign((), named(["eth0"])) == Pins({}, ())


_NAMES = st.one_of(
    st.from_regex(r"(eth|ens|enX|enp0s|lan)\d{1,4}", fullmatch=True),
    st.sampled_from(["e*", "ens?"]),
)


@given(
    st.lists(_NAMES, max_size=6),
    st.lists(st.one_of(st.none(), st.integers(0, 4096)), max_size=6),
    st.frozensets(_NAMES, max_size=3),
    st.booleans(),
)
def test_no_two_cards_have_one_name(
    cards: list[str], slots: list[int | None], mentions: frozenset[str], predictable: bool
) -> None:
    said = Said({}, dict.fromkeys(cards, "/x"), mentions, predictable)
    found = names(nics(len(slots), *slots), said)
    assert len(set(found.values())) == len(found)
    assert not any("*" in name or "?" in name for name in found.values())
