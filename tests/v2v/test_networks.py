# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest

from v2v.errors import ConfigError
from v2v.model import Network, NetworkKind, Nic
from v2v.networks import map_nics, parse_network_map, unused_macs
from v2v.nic_address import NicAddress

MAC = "52:54:00:aa:bb:cc"


def bridge(name: str) -> Network:
    return Network(NetworkKind.bridge, name)


def network(name: str) -> Network:
    return Network(NetworkKind.network, name)


NICS = (
    Nic(MAC, "vmxnet3", network("VM Network")),
    Nic("52:54:00:00:00:02", "e1000", bridge("xenbr0")),
    Nic(None, None, network("backup")),
)


def mapped(
    n: tuple[str, ...] = (), b: tuple[str, ...] = (), mac: tuple[str, ...] = ()
) -> list[Network]:
    return [nic.network for nic in map_nics(NICS, parse_network_map(n, b, mac))]


def test_without_a_map_nics_stay_as_they_are() -> None:
    assert map_nics(NICS, parse_network_map()) == NICS


def test_n_maps_one_network_and_keeps_its_kind() -> None:
    assert mapped(n=("VM Network:lan",)) == [network("lan"), bridge("xenbr0"), network("backup")]


@pytest.mark.parametrize("value", ["lan", "lan:", ":lan"])
def test_n_with_one_name_maps_every_network_and_no_bridge(value: str) -> None:
    assert mapped(n=(value,)) == [network("lan"), bridge("xenbr0"), network("lan")]


def test_b_maps_bridges_only() -> None:
    assert mapped(b=("br0",)) == [network("VM Network"), bridge("br0"), network("backup")]
    assert mapped(b=("xenbr0:br1", "VM Network:br2"))[:2] == [network("VM Network"), bridge("br1")]


def test_a_named_map_wins_over_the_default() -> None:
    assert mapped(n=("lan", "backup:store")) == [network("lan"), bridge("xenbr0"), network("store")]


def test_mac_wins_over_all_and_may_change_the_kind() -> None:
    assert mapped(n=("lan",), mac=(f"{MAC.upper()}:bridge:br0",))[0] == bridge("br0")
    assert mapped(mac=("52:54:00:00:00:02:network:lan",))[1] == network("lan")


def test_a_mac_in_capitals_in_the_source_is_found() -> None:
    nic = Nic(MAC.upper(), None, network("a"))
    (found,) = map_nics((nic,), parse_network_map(macs=(f"{MAC}:network:b",)))
    assert found == Nic(MAC.upper(), None, network("b"))


def test_only_the_first_colon_parts_source_and_target() -> None:
    assert mapped(n=("backup:vlan:7",))[2] == network("vlan:7")


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("network:lan", Network(NetworkKind.network, "lan")),
        ("ovs:br-int", Network(NetworkKind.ovs, "br-int")),
        ("macvtap:eth0", Network(NetworkKind.macvtap, "eth0")),
        ("ovs", Network(NetworkKind.bridge, "ovs")),
        ("tap:eth0", Network(NetworkKind.bridge, "tap:eth0")),
    ],
)
def test_what_a_nic_goes_to_can_be_of_another_kind(out: str, expected: Network) -> None:
    networks = parse_network_map(bridges=(f"xenbr0:{out}",), macs=())
    assert networks.target(Nic(MAC, None, bridge("xenbr0"))) == expected
    everywhere = parse_network_map(bridges=(f":{out}",))
    assert everywhere.target(Nic(MAC, None, bridge("another"))) == expected


@pytest.mark.parametrize("kind", NetworkKind)
def test_one_nic_can_be_plugged_into_each_kind(kind: NetworkKind) -> None:
    networks = parse_network_map(macs=(f"{MAC}:{kind}:x",))
    assert networks.target(Nic(MAC, None, network("a"))) == Network(kind, "x")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"networks": ("",)}, "-n : no network is named"),
        ({"bridges": (":",)}, "-b :: no bridge is named"),
        ({"networks": ("a", "b")}, "-n b: all are mapped to a already"),
        ({"networks": ("in:a", "in:b")}, "-n in:b: in is mapped to a already"),
        ({"bridges": ("in:a", "in:a")}, "-b in:a: in is mapped to a already"),
        ({"macs": ("br0",)}, "--mac br0: not of the form MAC:KIND:OUT"),
        ({"macs": ("52:54:00:aa:bb:network:x",)}, "not of the form"),
        ({"macs": (f"{MAC}:tap:x",)}, "tap is none of bridge, network, ovs, macvtap and ip"),
        ({"macs": (f"{MAC}:bridge:",)}, "no bridge is named"),
        (
            {"macs": (f"{MAC}:bridge:a", f"{MAC.upper()}:network:b")},
            "this NIC is mapped to a already",
        ),
        ({"macs": (f"{MAC}:ip:192.0.2",)}, "'192.0.2' does not appear to be an IPv4 or IPv6"),
        ({"macs": (f"{MAC}:ip:192.0.2.1,fe80::1",)}, "fe80::1 is of another kind than 192.0.2.1"),
        ({"macs": (f"{MAC}:ip:192.0.2.1,,33",)}, "33 is no length of a prefix"),
        ({"macs": (f"{MAC}:ip:192.0.2.1,,-1",)}, "-1 is no length of a prefix"),
        ({"macs": (f"{MAC}:ip:192.0.2.1,,,dns",)}, "'dns' does not appear to be"),
    ],
)
def test_a_bad_map_is_refused(options: dict[str, tuple[str, ...]], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_network_map(**options)
    assert problem in str(caught.value)
    assert caught.value.finding.code == "E-NETWORK-MAP"


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError, match=r"-n : no network.*; -b in:y: in is.*; --mac z: not of"):
        parse_network_map(("",), ("in:x", "in:y"), ("z",))


def test_the_same_name_may_be_a_network_and_a_bridge() -> None:
    found = parse_network_map(("in:a",), ("in:b",))
    assert found.named == {network("in"): network("a"), bridge("in"): bridge("b")}


def test_a_mac_that_no_nic_has_is_a_warning() -> None:
    networks = parse_network_map(macs=(f"{MAC}:bridge:a", "52:54:00:00:00:99:bridge:a"))
    (warning,) = unused_macs(NICS, networks)
    assert warning.code == "W-MAC-UNUSED"
    assert "52:54:00:00:00:99: no NIC of the source" in warning.message


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.0.2.1", NicAddress("192.0.2.1", 24)),
        ("192.0.2.1,,,", NicAddress("192.0.2.1", 24)),
        (
            "192.0.2.1,192.0.2.254,28,192.0.2.2,192.0.2.3",
            NicAddress("192.0.2.1", 28, "192.0.2.254", ("192.0.2.2", "192.0.2.3")),
        ),
        ("2001:DB8::1,fe80::1", NicAddress("2001:db8::1", 64, "fe80::1")),
    ],
)
def test_mac_gives_a_nic_an_address(value: str, address: NicAddress) -> None:
    networks = parse_network_map(macs=(f"{MAC.upper()}:ip:{value}", f"{MAC}:bridge:br0"))
    first, second, third = map_nics(NICS, networks)
    assert first == Nic(MAC, "vmxnet3", bridge("br0"), addresses=(address,))
    assert (second.addresses, third.addresses) == ((), ())
    assert unused_macs(NICS, networks) == ()


def test_an_address_for_a_mac_that_no_nic_has_is_a_warning() -> None:
    networks = parse_network_map(macs=("52:54:00:00:00:99:ip:192.0.2.1",))
    assert [warning.code for warning in unused_macs(NICS, networks)] == ["W-MAC-UNUSED"]
