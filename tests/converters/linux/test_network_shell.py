# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import network_shell as shell
from tests.converters.linux.reading import cards, read


def test_ifupdown_names_cards_below_bridges_bonds_and_vlans() -> None:
    text = """\
auto lo br0 bond0
iface lo inet loopback
iface br0 inet static
    address 192.0.2.1/24
    bridge_ports eth0 \\
        eth1
iface bond0 inet manual
    bond-slaves none
iface eth2 inet manual
    bond-master bond0
iface eth3.10 inet dhcp
iface uplink inet dhcp
    vlan-raw-device eth4
iface eth5:1 inet static
# iface eth9 inet dhcp
allow-hotplug eth6
iface eth6 inet6 auto
"""
    assert cards(shell.read_ifupdown, text) == [f"eth{number}" for number in range(7)]


def test_ifupdown_ng_calls_slaves_members() -> None:
    text = "iface lan\n  bond-members eth0 eth1\n  bond-mode 802.3ad\n"
    assert cards(shell.read_ifupdown, text) == ["eth0", "eth1"]


def test_netctl_has_the_card_in_the_profile() -> None:
    text = "Description='A card'\nInterface=ens192\nConnection=ethernet\nIP=dhcp\n"
    assert cards(shell.read_netctl, text) == ["ens192"]


@pytest.mark.parametrize("ports", ["(ens192 'ens224')", '"ens192 ens224"'])
def test_netctl_binds_bridges_and_bonds_to_cards(ports: str) -> None:
    text = f"Interface=lan\nConnection=bond\nBindsToInterfaces={ports}\n"
    assert cards(shell.read_netctl, text) == ["ens192", "ens224"]


def test_netifrc_has_cards_in_the_names_of_variables() -> None:
    text = """\
# config_eth9="dhcp"
config_ens192="192.0.2.9/24
192.0.2.10/24"
routes_ens192=( "default via 192.0.2.1" )
slaves_lan="eth1 eth2"
config_lan="dhcp"
vlans_eth3="10"
config_eth3_10="dhcp"
dns_servers="192.0.2.53"
"""
    assert cards(shell.read_netifrc, text) == ["ens192", "eth1", "eth2", "eth3"]


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("eth0", "TYPE=eth\nBOOTPROTO=static\n", ["eth0"]),
        ("eth1", "BOOTPROTO=dhcp\n", ["eth1"]),
        ("lan", "TYPE=bri\nHOST='eth0 eth1'\n", ["eth0", "eth1"]),
        ("eth0.5", "TYPE=vlan\nHOST=eth0\nVID=5\n", ["eth0"]),
        ("default", "TYPE=eth\n", []),
        ("lo", "TYPE=lo\n", []),
    ],
)
def test_etcnet_has_cards_in_the_names_of_folders(name: str, text: str, names: list[str]) -> None:
    path = f"/etc/net/ifaces/{name}/options"
    assert cards(shell.read_etcnet, text, path=path) == names


def test_dhcpcd_has_static_addresses_below_a_name() -> None:
    text = "hostname\n# interface eth9\ninterface eth0\nstatic ip_address=192.0.2.7/24\n"
    assert cards(shell.read_dhcpcd, text) == ["eth0"]


def test_tables_bind_names_to_macs() -> None:
    text = (
        "# nameif\nlan 00:16:3e:00:00:01\nwan mac=00:16:3E:00:00:02\n"
        "eth7 mac 00:16:3e:00:00:03 # ifrename\neth8 driver e1000\n\n"
    )
    assert read(shell.read_table, text).bound == {
        "00:16:3e:00:00:01": "lan",
        "00:16:3e:00:00:02": "wan",
        "00:16:3e:00:00:03": "eth7",
    }
