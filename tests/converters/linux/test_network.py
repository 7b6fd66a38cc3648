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
        "[Match]\nPath=*pci-*\n\n[Link]\nName=eth0\n"
    )


def test_cards_without_mac_cannot_be_told_apart() -> None:
    drafted, _ = draft(network.keep_nic_names, without_macs(case(NETWORKD, {})))
    assert described(drafted) == []
    assert {found.code for found in drafted.warnings} == {"W-NIC-NAME"}
    found = "".join(finding.message for finding in drafted.warnings)
    assert "/etc/systemd/network/20-lan.network: eth0: the source gives card 1 no MAC" in found


def test_a_card_picked_by_its_place_is_warned_of() -> None:
    content = {"/etc/systemd/network/x.network": "[Match]\nPath=pci-0000:0b:00.0\n"}
    drafted, _ = draft(network.keep_nic_names, case(XEN, content))
    assert [found.message for found in drafted.warnings] == [
        "/etc/systemd/network/x.network: pci-0000:0b:00.0: "
        "this picks a network card by what it loses on KVM"
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


CARD, OTHER = "00:16:3e:5a:1e:01", "00:50:56:99:00:01"
IFCFG = "/etc/sysconfig/network-scripts/ifcfg-"
NO_INTERFACES = ("/etc/network/interfaces",)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{IFCFG}eth0", "DEVICE=eth0\nHWADDR={}\n"),
        ("/etc/NetworkManager/system-connections/lan.nmconnection",
         "[connection]\ntype=ethernet\n[ethernet]\nmac-address={}\n"),
        ("/etc/netplan/50-cloud-init.yaml",
         "network: {{ethernets: {{lan: {{match: {{macaddress: '{}'}}, set-name: lan}}}}}}\n"),
        ("/etc/systemd/network/lan.network", "[Match]\nMACAddress={}\n"),
        (f"/etc/sysconfig/network/ifcfg-eth-id-{OTHER}", "# {}\n"),
    ],
)  # fmt: skip
def test_the_only_configuration_is_for_the_only_card(path: str, text: str) -> None:
    content = {path: text.format(OTHER.upper())}
    drafted, _ = draft(network.replace_lost_mac, case(XEN, content, without=NO_INTERFACES))
    assert drafted.text(path) == text.format(CARD)
    assert drafted.warnings == []


@pytest.mark.parametrize(
    "more",
    [
        {f"{IFCFG}eth1": "DEVICE=eth1\n"},
        {f"{IFCFG}eth1": "DEVICE=eth1\nHWADDR=00:50:56:99:00:02\n"},
        {"/etc/udev/rules.d/70-persistent-net.rules": (
            f'SUBSYSTEM=="net", ATTR{{address}}=="{CARD}", NAME="eth1"\n')},
    ],
)  # fmt: skip
def test_a_configuration_for_another_card_is_warned_of(more: dict[str, str]) -> None:
    content = {f"{IFCFG}eth0": f"DEVICE=eth0\nHWADDR={OTHER}\n", **more}
    drafted, _ = draft(network.replace_lost_mac, case(XEN, content, without=NO_INTERFACES))
    assert described(drafted) == []
    assert drafted.warnings[0].code == "W-NIC-MAC"
    assert drafted.warnings[0].message == (
        f"{IFCFG}eth0: this is for a network card with the MAC address {OTHER}, and none has it"
    )


def test_a_card_without_mac_cannot_be_the_one_that_is_meant() -> None:
    content = {f"{IFCFG}eth0": f"DEVICE=eth0\nHWADDR={OTHER}\n"}
    guest = without_macs(case(XEN, content, without=NO_INTERFACES))
    drafted, _ = draft(network.replace_lost_mac, guest)
    assert [found.code for found in drafted.warnings] == ["W-NIC-MAC"]


@pytest.mark.parametrize("folder", ["/etc", "/lib", "/usr/lib"])
def test_rename_device_names_the_cards_of_ifcfg_files(folder: str) -> None:
    content = {
        f"{IFCFG}eth0": f"DEVICE=eth0\nHWADDR={CARD}\n",
        f"{folder}/udev/rules.d/60-net.rules": 'PROGRAM="/lib/udev/rename_device"\n',
    }
    drafted, _ = draft(network.keep_nic_names, case(XEN, content))
    assert described(drafted) == []


def test_without_rename_device_they_are_bound() -> None:
    content = {f"{IFCFG}lan": f"DEVICE=lan0\nHWADDR={CARD}\n"}
    drafted, _ = draft(network.keep_nic_names, case(XEN, content, without=NO_INTERFACES))
    assert described(drafted) == ["create /etc/systemd/network/10-v2v-lan0.link"]


def test_a_name_in_a_firewall_is_kept_though_the_network_names_none() -> None:
    content = {
        "/etc/nftables.conf": 'table inet f { chain i { iifname "eth0" accept } }\n# eth9\n',
        "/etc/NetworkManager/system-connections/any": "[connection]\ntype=ethernet\n",
    }
    drafted, _ = draft(network.keep_nic_names, case(XEN, content, without=NO_INTERFACES))
    assert described(drafted) == ["create /etc/systemd/network/10-v2v-eth0.link"]


def test_network_manager_gets_the_new_driver_and_others_keep_theirs() -> None:
    path = "/etc/NetworkManager/system-connections/lan"
    text = "[connection]\ntype=ethernet\nid=driver=vmxnet3\n[match]\ndriver=vmxnet3;mlx5_core;\n"
    drafted, _ = draft(network.match_new_driver, case(XEN, {path: text}))
    assert "\ndriver=virtio_net;mlx5_core;\n" in drafted.text(path)


def test_cloud_init_that_is_disabled_needs_nothing() -> None:
    guest = case("vmware-ubuntu2204-netplan", {"/etc/cloud/cloud-init.disabled": ""})
    drafted, _ = draft(network.keep_cloud_init_off, guest)
    assert described(drafted) == []
