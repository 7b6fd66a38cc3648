# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.netplan import read_netplan
from tests.converters.linux.reading import read


def test_netplan_tells_names_from_ids() -> None:
    named = read(
        read_netplan,
        """\
network:
  ethernets:
    ens160: {dhcp4: true}
    any: {match: {name: ["ens*", "eth?"]}, dhcp4: true}
    lan: {match: {macaddress: 52:54:00:12:34:56}, set-name: lan}
    id: {match: {macaddress: 52:54:00:12:34:57}}
    san: {match: {driver: mlx5_core}, dhcp4: true}
    new: {match: {driver: [virtio_net, "e1000*"]}}
  bonds: {bond0: {interfaces: [ens160]}}
""",
    )
    assert list(named.cards()) == ["ens160", "ens*", "eth?"]
    assert named.bound == {"52:54:00:12:34:56": "lan"}
    assert list(named.wanted) == ["52:54:00:12:34:56", "52:54:00:12:34:57"]
    assert named.places == ["/etc/x: mlx5_core"]
    assert named.made == {"bond0"}


def test_cloud_init_version_1_names_physical_cards() -> None:
    named = read(
        read_netplan,
        """\
network:
  version: 1
  config:
  - {type: physical, name: eth0, mac_address: 'AA:BB:CC:00:00:01'}
  - {type: physical, name: eth1}
  - {type: bond, name: lan, bond_interfaces: [eth0, eth1]}
  - {type: nameserver, address: 192.0.2.53}
""",
    )
    assert list(named.cards()) == ["eth0", "eth1"]
    assert named.bound == {"aa:bb:cc:00:00:01": "eth0"}
    assert named.made == {"lan"}


def test_a_network_that_cloud_init_leaves_alone_says_nothing() -> None:
    assert read(read_netplan, "network: {config: disabled}\n").cards() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [("network: a: b\n", "mapping values are not allowed"), ("[" * 5000, "recursion")],
)
def test_broken_netplan_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(read_netplan, text)
