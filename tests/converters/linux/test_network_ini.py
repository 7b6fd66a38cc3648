# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import network_ini as ini
from converters.linux.network_names import Named
from tests.converters.linux.reading import cards, read

_KEYFILE = "[connection]\nid=100% done\ntype={}\ninterface-name={}\n"


def test_networkd_matches_by_name_mac_or_place() -> None:
    named = Named()
    for text in (
        "[Match]\nName=eth0 en*\n[Network]\nDHCP=yes\n",
        "[Match]\nMACAddress=00:16:3e:00:00:01\nName=no\n",
        "# c\n[Match]\nPath=pci-0000:0b:00.0\n",
        "[NetDev]\nName=lan\nKind=bridge\n",
        "[Match]\nName=lan\n",
    ):
        read(ini.read_networkd, text, into=named)
    assert list(named.cards()) == ["eth0", "en*"]
    assert named.wanted == {"00:16:3e:00:00:01": "/etc/x"}
    assert named.places == ["/etc/x: pci-0000:0b:00.0"]


@pytest.mark.parametrize("condition", ["Path=pci-0000:0b:*", "Driver=mlx5_core"])
def test_networkd_wants_all_conditions_to_hold(condition: str) -> None:
    text = f"[Match]\nName=eth0\nMACAddress=00:16:3e:00:00:01\n{condition}\n"
    assert read(ini.read_networkd, text).places == [f"/etc/x: {condition.partition('=')[2]}"]


@pytest.mark.parametrize("condition", ["Path=pci-*", "Driver=virtio_net", "Driver=ixgbe virtio*"])
def test_conditions_that_hold_on_kvm_are_no_doubt(condition: str) -> None:
    assert read(ini.read_networkd, f"[Match]\n{condition}\n").places == []


def test_link_files_bind_names_to_macs() -> None:
    named = Named()
    for text in (
        "[Match]\nMACAddress=00:16:3E:00:00:01\n[Link]\nName=lan0\n",
        "[Match]\nPath=pci-0000:0b:00.0\n[Link]\nName=wan0\n",
        "[Match]\nOriginalName=*\n[Link]\nNamePolicy=kernel\n",
    ):
        read(ini.read_link, text, into=named)
    assert named.bound == {"00:16:3e:00:00:01": "lan0"}
    assert list(named.cards()) == ["wan0"]


def test_network_manager_names_cards_and_parents() -> None:
    named = Named()
    for text in (
        _KEYFILE.format("ethernet", "ens33"),
        _KEYFILE.format("bridge", "br-lan"),
        _KEYFILE.format("vlan", "v9") + "[vlan]\nparent=ens34\n",
        _KEYFILE.format("vlan", "v8") + "[vlan]\nparent=0e5bd21c-72a8-4f2c-9b7e-2f9c6a1b3d4e\n",
        _KEYFILE.format("wifi", "wlan0"),
    ):
        read(ini.read_network_manager, text, into=named)
    assert list(named.cards()) == ["ens33", "ens34"]


@pytest.mark.parametrize("section", ["ethernet", "802-3-ethernet"])
def test_network_manager_asks_for_both_name_and_mac(section: str) -> None:
    text = _KEYFILE.format(section, "lan") + f"[{section}]\nmac-address=00:50:56:AA:00:01\n"
    named = read(ini.read_network_manager, text)
    assert named.told == {"00:50:56:aa:00:01": "lan"}
    assert named.wanted == {"00:50:56:aa:00:01": "/etc/x"}


def test_network_manager_may_match_patterns_drivers_and_paths() -> None:
    text = (
        "[connection]\ntype=ethernet\n[match]\ninterface-name=ens*;|eth0;!ens9;\n"
        "driver=mlx5_core;ixgbe;\npath=pci-0000:0b:00.0\n"
    )
    named = read(ini.read_network_manager, text)
    assert list(named.cards()) == ["ens*", "eth0"]
    assert named.places == ["/etc/x: mlx5_core ixgbe", "/etc/x: pci-0000:0b:00.0"]


def test_a_connection_for_any_card_names_none() -> None:
    assert cards(ini.read_network_manager, "[connection]\ntype=ethernet\n") == []


def test_a_broken_keyfile_is_an_error() -> None:
    with pytest.raises(ValueError, match="no section headers"):
        read(ini.read_network_manager, "id=x\n")
