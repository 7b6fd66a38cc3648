# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import ifcfg
from converters.linux.network_names import Named
from tests.converters.linux.reading import cards, read

RED_HAT, SUSE = "/etc/sysconfig/network-scripts/ifcfg-", "/etc/sysconfig/network/ifcfg-"
MAC = "00:50:56:aa:00:01"


def test_hwaddr_is_the_card_and_device_its_name() -> None:
    text = f"TYPE=Ethernet\nDEVICE='eth0'\nHWADDR=\"{MAC.upper()}\" # of the card\nONBOOT=yes\n"
    named = read(ifcfg.read_red_hat, text, path=RED_HAT + "lan")
    assert named.cards() == {"eth0": RED_HAT + "lan"}
    assert named.told == named.renamed == {MAC: "eth0"}
    assert named.wanted == {MAC: RED_HAT + "lan"}


def test_a_file_may_be_for_a_mac_without_a_name() -> None:
    named = read(ifcfg.read_red_hat, f"NAME='Wired 1'\nHWADDR={MAC}\n", path=RED_HAT + "Wired_1")
    assert (named.cards(), named.told) == ({}, {})
    assert named.wanted == {MAC: RED_HAT + "Wired_1"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("DEVICE=ens192\nMASTER=uplink\nSLAVE=yes\n", ["ens192"]),
        ("DEVICE=ens192\nBRIDGE=lan\n", ["ens192"]),
        ("DEVICE=ens192\nDEVICETYPE=TeamPort\nTEAM_MASTER=t0\n", ["ens192"]),
        ("DEVICE=ens192\nTYPE=OVSPort\nDEVICETYPE=ovs\nOVS_BRIDGE=ovs0\n", ["ens192"]),
        ("DEVICE=uplink\nBONDING_OPTS='mode=1'\n", []),
        ("DEVICE=uplink\nTYPE=Bond\nBONDING_MASTER=yes\n", []),
        ("DEVICE=lan\nTYPE=Bridge\n", []),
        ("DEVICE=ens192.20\nVLAN=yes\n", ["ens192"]),
        ("DEVICE=tag20\nVLAN=yes\nPHYSDEV=ens224\nVLAN_ID=20\n", ["ens224"]),
        ("DEVICE=ens192:1\nIPADDR=192.0.2.2\n", ["ens192"]),
        ("DEVICE=mlx\nTYPE=InfiniBand\n", []),
        ("DEVICE=lo\n", []),
        ("DEVICE=$X/../y\n", []),
    ],
)
def test_red_hat_has_cards_below_bonds_bridges_and_vlans(text: str, names: list[str]) -> None:
    assert cards(ifcfg.read_red_hat, text, path=RED_HAT + "x") == names


def test_masters_and_bridges_are_no_cards_though_their_files_do_not_say_so() -> None:
    named = Named()
    read(ifcfg.read_red_hat, "DEVICE=lan\n", into=named)
    read(ifcfg.read_red_hat, "DEVICE=ens192\nBRIDGE=lan\n", into=named)
    assert list(named.cards()) == ["ens192"]


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("eth0", "BOOTPROTO='static'\nIPADDR='192.0.2.9/24'\n", ["eth0"]),
        ("uplink", "BONDING_MASTER='yes'\nBONDING_SLAVE_0='eth0'\nBONDING_SLAVE1=eth1\n",
         ["eth0", "eth1"]),
        ("lan", "BRIDGE='yes'\nBRIDGE_PORTS='eth2 uplink.5'\n", ["eth2", "uplink"]),
        ("tag7", "ETHERDEVICE='eth3'\nVLAN_ID='7'\n", ["eth3"]),
        ("team0", "TEAM_RUNNER='activebackup'\nTEAM_PORT_DEVICE_0='eth4'\n", ["eth4"]),
    ],
)  # fmt: skip
def test_suse_has_cards_in_the_names_of_files(name: str, text: str, names: list[str]) -> None:
    assert cards(ifcfg.read_suse, text, path=SUSE + name) == names


def test_old_suse_names_files_by_mac_or_slot() -> None:
    named = read(ifcfg.read_suse, "BOOTPROTO=dhcp\n", path=f"{SUSE}eth-id-{MAC}")
    assert (named.cards(), named.wanted) == ({}, {MAC: f"{SUSE}eth-id-{MAC}"})
    named = read(ifcfg.read_suse, "", path=f"{SUSE}eth-bus-pci-0000:02:01.0")
    assert (named.cards(), len(named.places)) == ({}, 1)


@pytest.mark.parametrize("ending", ["~", ".bak", ".rpmsave"])
def test_copies_are_not_read(ending: str) -> None:
    assert cards(ifcfg.read_suse, "", path=f"{SUSE}eth0{ending}") == []
    assert cards(ifcfg.read_red_hat, "DEVICE=eth0\n", path=f"{RED_HAT}eth0{ending}") == []


def test_wicked_has_names_and_ports_in_xml() -> None:
    text = """\
<interface origin="static"><name>eth0</name><ipv4:static/></interface>
<interface>
  <name>lan</name>
  <bridge><ports><port><device>eth1</device></port></ports></bridge>
</interface>
<interface><name>eth2.9</name><vlan><device>eth2</device><tag>9</tag></vlan></interface>
"""
    assert cards(ifcfg.read_wicked, text) == ["eth0", "eth1", "eth2"]
