# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import network_config as config
from converters.linux.network_config import Named


def test_ifupdown_names_cards_below_bridges_bonds_and_vlans() -> None:
    named = Named()
    config.read_ifupdown(
        named,
        """\
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
""",
    )
    assert named.cards() == ("eth0", "eth1", "eth2", "eth3", "eth4", "eth5", "eth6")


def test_netplan_tells_names_from_ids() -> None:
    named = Named()
    config.read_netplan(
        named,
        """\
network:
  ethernets:
    ens160: {dhcp4: true}
    any: {match: {name: "ens*"}, dhcp4: true}
    lan: {match: {macaddress: 52:54:00:12:34:56}, set-name: lan}
    san: {match: {driver: mlx5_core}, dhcp4: true}
    new: {match: {driver: virtio_net}}
  bonds: {bond0: {interfaces: [ens160]}}
""",
    )
    assert named.cards() == ("ens160", "ens*")
    assert named.bound == {"52:54:00:12:34:56": "lan"}
    assert named.places == ["mlx5_core"]
    assert named.made == {"bond0"}


def test_cloud_init_version_1_names_physical_cards() -> None:
    named = Named()
    config.read_netplan(
        named,
        """\
network:
  version: 1
  config:
  - {type: physical, name: eth0, mac_address: 'AA:BB:CC:00:00:01'}
  - {type: bond, name: bond0}
""",
    )
    assert named.cards() == ("eth0",)
    assert named.bound == {"aa:bb:cc:00:00:01": "eth0"}


def test_broken_netplan_is_an_error() -> None:
    with pytest.raises(ValueError, match="mapping values are not allowed"):
        config.read_netplan(Named(), "network: a: b\n")


def test_networkd_matches_by_name_mac_or_place() -> None:
    named = Named()
    config.read_networkd(named, "[Match]\nName=eth0 en*\n[Network]\nDHCP=yes\n")
    config.read_networkd(named, "[Match]\nMACAddress=00:16:3e:00:00:01\nName=no\n")
    config.read_networkd(named, "# c\n[Match]\nPath=pci-0000:0b:00.0\n")
    config.read_networkd(named, "[NetDev]\nName=lan\nKind=bridge\n")
    config.read_networkd(named, "[Match]\nName=lan\n")
    assert named.cards() == ("eth0", "en*")
    assert named.places == ["pci-0000:0b:00.0"]


def test_link_files_bind_names_to_macs() -> None:
    named = Named()
    config.read_link(named, "[Match]\nMACAddress=00:16:3E:00:00:01\n[Link]\nName=lan0\n")
    config.read_link(named, "[Match]\nPath=pci-0000:0b:00.0\n[Link]\nName=wan0\n")
    config.read_link(named, "[Match]\nOriginalName=*\n[Link]\nNamePolicy=kernel\n")
    assert named.bound == {"00:16:3e:00:00:01": "lan0"}
    assert named.cards() == ("wan0",)


def test_network_manager_names_cards_and_parents() -> None:
    named = Named()
    keyfile = "[connection]\nid=100% done\ntype={}\ninterface-name={}\n"
    config.read_network_manager(named, keyfile.format("ethernet", "ens33"))
    config.read_network_manager(named, keyfile.format("bridge", "br-lan"))
    config.read_network_manager(named, keyfile.format("vlan", "v9") + "[vlan]\nparent=ens34\n")
    config.read_network_manager(named, keyfile.format("wifi", "wlan0"))
    assert named.cards() == ("ens33", "ens34")


def test_a_broken_keyfile_is_an_error() -> None:
    with pytest.raises(ValueError, match="no section headers"):
        config.read_network_manager(Named(), "id=x\n")


def test_udev_rules_bind_names_to_macs_or_to_what_is_lost() -> None:
    named = Named()
    config.read_udev_rules(
        named,
        """\
SUBSYSTEM=="net", ATTR{address}=="00:16:3e:00:00:01", NAME="eth0"
# SUBSYSTEM=="net", ATTR{address}=="00:16:3e:00:00:02", NAME="eth1"
SUBSYSTEM=="net", KERNELS=="0000:0b:00.0", NAME="lan"
SUBSYSTEM=="block", KERNEL=="sda", SYMLINK+="x"
""",
    )
    assert named.bound == {"00:16:3e:00:00:01": "eth0"}
    assert named.cards() == ("lan",)
