# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux import network
from tests.converters.guests import Case
from tests.converters.linux.drafting import case, described, draft
from v2v.model import Machine

XEN, OLD = "xen-pygrub-debian12", "vmware-debian8-sysvinit"
NETWORKD = "xen-hvm-debian11-networkd"


def without_macs(guest: Case) -> Case:
    machine: Machine = replace(
        guest.machine, nics=tuple(replace(nic, mac=None) for nic in guest.machine.nics)
    )
    return replace(guest, machine=machine)


def test_the_only_card_needs_no_mac() -> None:
    drafted, _ = draft(network.keep_nic_names, without_macs(case(XEN, {})))
    assert drafted.text("/etc/systemd/network/10-v2v-eth0.link").endswith(
        "[Match]\nPath=pci-*\n\n[Link]\nName=eth0\n"
    )


@pytest.mark.parametrize("name", [NETWORKD, OLD])
def test_cards_without_mac_cannot_be_told_apart(name: str) -> None:
    drafted, _ = draft(network.keep_nic_names, without_macs(case(name, {})))
    assert described(drafted) == []
    assert {found.code for found in drafted.warnings} == {"W-NIC-NAME"}
    assert "eth0: the source gives card 1 no MAC" in drafted.warnings[0].message


def test_a_card_picked_by_its_place_is_warned_of() -> None:
    content = {"/etc/systemd/network/x.network": "[Match]\nPath=pci-0000:0b:00.0\n"}
    drafted, _ = draft(network.keep_nic_names, case(XEN, content))
    assert [found.message for found in drafted.warnings] == [
        "pci-0000:0b:00.0: this picks a network card by what it loses on KVM"
    ]


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("/etc/netplan/1.yaml", "a: b: c\n", "mapping values are not allowed"),
        ("/etc/NetworkManager/system-connections/x", "id=1\n", "no section headers"),
    ],
)
def test_configuration_that_cannot_be_read_is_warned_of(path: str, text: str, message: str) -> None:
    drafted, _ = draft(network.keep_nic_names, case(XEN, {path: text}))
    assert f"{path}: it cannot be read: " in drafted.warnings[0].message
    assert message in drafted.warnings[0].message


def test_a_name_that_is_bound_already_is_not_bound_again() -> None:
    content = {
        "/etc/systemd/network/10-lan.link": (
            "[Match]\nMACAddress=00:16:3e:5a:1e:01\n[Link]\nName=eth0\n"
        )
    }
    drafted, _ = draft(network.keep_nic_names, case(XEN, content))
    assert described(drafted) == []


def test_included_files_are_read_even_if_they_include_each_other() -> None:
    content = {
        "/etc/network/interfaces": "source-directory more\nsource lan/\n",
        "/etc/network/more/a": "source ../interfaces\niface eth0 inet dhcp\n",
        "/etc/network/lan/b": "source /etc/network/lan/b\niface lan0 inet manual\n",
        "/etc/network/lan/b~": "iface old0 inet manual\n",
    }
    drafted, _ = draft(network.keep_nic_names, case(XEN, content))
    assert described(drafted) == ["create /etc/systemd/network/10-v2v-eth0.link"]


def test_a_rule_is_freed_of_the_old_driver_and_place() -> None:
    rule = (
        'SUBSYSTEM=="net", DRIVERS=="vmxnet3", KERNELS=="0000:0b:00.0", '
        'ATTR{address}=="00:16:3E:5A:1E:01", NAME="lan"\n'
        'SUBSYSTEM=="net", DRIVERS=="vmxnet3", ATTR{address}=="00:00:00:00:00:99", NAME="old"\n'
        'SUBSYSTEM=="net", ENV{ID_PATH}=="pci-0000:0b:00.0", NAME="wan"\n'
        'SUBSYSTEM=="block", KERNELS=="1:0:0:0", NAME="disk"\n'
    )
    path = "/etc/udev/rules.d/10-names.rules"
    drafted, _ = draft(network.repair_udev_rules, case(XEN, {path: rule}))
    assert drafted.text(path).splitlines() == [
        'SUBSYSTEM=="net", DRIVERS=="?*", ATTR{address}=="00:16:3E:5A:1E:01", NAME="lan"',
        *rule.splitlines()[1:2],
        '# SUBSYSTEM=="net", ENV{ID_PATH}=="pci-0000:0b:00.0", NAME="wan"',
        *rule.splitlines()[3:],
    ]


def test_cloud_init_keeps_a_network_that_it_was_given_on_purpose() -> None:
    given = {"/etc/cloud/cloud.cfg.d/net.cfg": "network:\n  version: 2\n"}
    drafted, _ = draft(network.keep_cloud_init_off, case("vmware-ubuntu2204-netplan", given))
    assert described(drafted) == []
