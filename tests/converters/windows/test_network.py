# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixed addresses in real hives, the NIC that each belongs to, and the script that sets them."""

from __future__ import annotations

import pytest

from converters.windows.network import steps
from converters.windows.network_adapters import adapters, match
from tests.converters.windows.guests import Keys, conversion, files
from v2v.files import DictFiles
from v2v.hive import Value
from v2v.model import Network, NetworkKind, Nic
from v2v.nic_address import NicAddress

CLASS = "{4D36E972-E325-11CE-BFC1-08002BE10318}"
GUIDS = tuple(f"{{{number}0000000-0000-0000-0000-000000000000}}" for number in range(1, 6))
MAC = "00:50:56:95:08:bb"
OTHER = "52:54:00:00:00:02"
VMXNET3 = r"PCI\VEN_15AD&DEV_07B0&SUBSYS_07B015AD&REV_01"
SERIAL = rf"{VMXNET3}\FF565000BB0895FE00"
CYRILLIC = "\u0421\u0435\u0442\u044c"


def nic(mac: str | None, slot: int | None = None, *addresses: NicAddress) -> Nic:
    return Nic(mac, "vmxnet3", Network(NetworkKind.network, "lan"), slot, addresses)


def static(address: str, **more: Value) -> dict[str, Value]:
    return {
        "EnableDHCP": Value.dword(0),
        "IPAddress": Value.texts([address]),
        "SubnetMask": Value.texts(["255.255.255.0"]),
        **more,
    }


DHCP = {"EnableDHCP": Value.dword(1), "IPAddress": Value.texts(["192.0.2.99"])}


def adapter(
    number: int, instance: str, settings: dict[str, Value], **device: Value
) -> dict[str, dict[str, Value]]:
    guid = GUIDS[number]
    name = Value.text(f"{CYRILLIC} {number}")
    connection = {"Name": name, "PnpInstanceID": Value.text(instance)}
    return {
        rf"Services\Tcpip\Parameters\Interfaces\{guid}": settings,
        rf"Control\Network\{CLASS}\{guid}\Connection": connection,
        rf"Enum\{instance}": {"Service": Value.text("vmxnet3"), **device},
    }


def guest(*parts: Keys) -> DictFiles:
    return files({key: values for part in parts for key, values in part.items()})


def matched(content: DictFiles, *nics: Nic) -> dict[str | None, tuple[str, bool]]:
    made = conversion(content, nics=nics)
    return {
        one.nic.mac: (one.adapter.guid, one.sure)
        for one in match(adapters(made), made.machine.nics)
    }


@pytest.mark.parametrize("serial", ["FF565000BB0895FE00", "005056FFFF9508BB00"])
def test_the_serial_number_of_a_device_tells_its_mac_address(serial: str) -> None:
    content = guest(
        adapter(0, rf"{VMXNET3}\4&2B7C36E&0&00A8", static("192.0.2.1")),
        adapter(1, rf"{VMXNET3}\{serial}", static("192.0.2.2")),
    )
    found = matched(content, nic(OTHER), nic(MAC))
    assert found == {OTHER: (GUIDS[0], True), MAC: (GUIDS[1], True)}


def test_a_mac_address_set_by_hand_and_a_slot_tell_the_nic() -> None:
    override = {
        "NetCfgInstanceId": Value.text(GUIDS[1]),
        "NetworkAddress": Value.text("52-54-00-00-00-02"),
    }
    content = guest(
        adapter(0, rf"{VMXNET3}\1", static("192.0.2.1"), UINumber=Value.dword(224)),
        adapter(1, rf"{VMXNET3}\2", static("192.0.2.2")),
        {rf"Control\Class\{CLASS}\0007": override},
    )
    assert matched(content, nic(OTHER, 192), nic(MAC, 224)) == {
        OTHER: (GUIDS[1], True),
        MAC: (GUIDS[0], True),
    }


def test_xens_number_of_an_interface_tells_the_nic() -> None:
    xenvif = r"XENVIF\VEN_XP0001&DEV_NET&REV_0800000B"
    content = guest(
        adapter(0, rf"{xenvif}\1", static("192.0.2.1")), adapter(1, rf"{xenvif}\0", DHCP)
    )
    assert matched(content, nic(MAC), nic(OTHER)) == {
        MAC: (GUIDS[1], True),
        OTHER: (GUIDS[0], True),
    }


def test_else_the_order_of_pci_places_decides_with_a_warning() -> None:
    at = r"@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;({},0,0)"
    content = guest(
        adapter(0, r"PCI\A\1", static("192.0.2.1"), LocationInformation=Value.text(at.format(11))),
        adapter(
            1, r"PCI\B\1", static("192.0.2.2"),
            LocationInformation=Value.text("PCI bus 3, device 0, function 0"),
        ),
    )  # fmt: skip
    assert matched(content, nic(MAC), nic(OTHER)) == {
        MAC: (GUIDS[1], False),
        OTHER: (GUIDS[0], False),
    }
    made = conversion(content, nics=(nic(MAC), nic(OTHER)))
    assert len(steps(made)) == 1
    assert [warning.code for warning in made.draft.warnings] == ["W-NET-MATCH"] * 2


def test_what_earlier_nics_left_is_passed_over() -> None:
    content = guest(
        adapter(0, r"PCI\OLD\1", static("192.0.2.1")),
        adapter(1, r"PCI\NEW\1", static("192.0.2.2")),
        {r"Enum\PCI\NEW\1\Properties\{83da6326-97a6-4088-9453-a1923f573b29}\0066": {
            "": Value(0xFFFF0010, bytes(7) + b"\1")
        }},
        adapter(2, r"ROOT\VPN\0000", static("192.0.2.3")),
    )  # fmt: skip
    assert matched(content, nic(MAC)) == {MAC: (GUIDS[1], False)}


def script_of(content: DictFiles, *nics: Nic, nt: tuple[int, int] = (10, 0)) -> str:
    made = conversion(content, nics=nics, nt=nt)
    (step,) = steps(made)
    assert step.script.isascii()
    assert made.draft.changes == []
    return step.script


def test_one_fixed_address_and_one_nic_are_clear() -> None:
    content = guest(
        adapter(
            0,
            r"PCI\A\1",
            static(
                "192.0.2.5",
                DefaultGateway=Value.texts(["192.0.2.1"]),
                DefaultGatewayMetric=Value.texts(["5"]),
                NameServer=Value.text("192.0.2.2,192.0.2.3"),
                Domain=Value.text("example.com"),
            ),
        ),
        adapter(1, r"PCI\GHOST\1", DHCP),
    )
    made = conversion(content, nics=(nic(MAC),))
    (step,) = steps(made)
    assert made.draft.warnings == []
    assert (
        r"""
:nic1
call :find 00:50:56:95:08:BB 00-50-56-95-08-BB
if not defined nic goto missing
if /i "%guid%"=="{10000000-0000-0000-0000-000000000000}" exit /b 0
call :forget "{10000000-0000-0000-0000-000000000000}" "PCI\A\1"
call netsh interface ip set address "%nic%" static 192.0.2.5 255.255.255.0 192.0.2.1 5
if errorlevel 1 set failed=1
call netsh interface ip set dns "%nic%" static 192.0.2.2 validate=no
call netsh interface ip add dns "%nic%" 192.0.2.3 index=2 validate=no
call reg add "%tcp%\%guid%" /v Domain /t REG_SZ /d "example.com" /f
call :rename "{10000000-0000-0000-0000-000000000000}"
exit /b 0
"""
        in step.script
    )


def test_windows_before_7_knows_no_validation() -> None:
    content = guest(adapter(0, SERIAL, static("192.0.2.5", NameServer=Value.text("192.0.2.2"))))
    assert "validate" not in script_of(content, nic(MAC), nt=(5, 1))


def test_name_servers_alone_are_kept_and_dhcp_stays() -> None:
    content = guest(adapter(0, SERIAL, {**DHCP, "NameServer": Value.text("192.0.2.2")}))
    script = script_of(content, nic(MAC))
    assert 'set dns "%nic%" static 192.0.2.2' in script
    assert "set address" not in script


def test_a_nic_with_dhcp_has_the_name_of_the_one_that_is_gone() -> None:
    script = script_of(guest(adapter(0, SERIAL, DHCP)), nic(MAC))
    assert "call :forget" in script
    assert "call :rename" in script
    assert "call netsh interface ip set" not in script


def test_dhcp_and_no_adapter_that_is_surely_the_same_need_no_step() -> None:
    content = guest(adapter(0, r"PCI\A\1", DHCP), adapter(1, r"PCI\B\1", DHCP))
    assert steps(conversion(content, nics=(nic(MAC),))) == ()


def test_the_users_address_wins() -> None:
    content = guest(adapter(0, SERIAL, static("192.0.2.5", NameServer=Value.text("192.0.2.9"))))
    given = (
        NicAddress("198.51.100.7", 28, "198.51.100.1", ("192.0.2.2",)),
        NicAddress("2001:db8::7", 64, "fe80::1"),
    )
    script = script_of(content, nic(MAC, None, *given))
    assert "192.0.2.5" not in script
    assert "192.0.2.9" not in script
    assert "static 198.51.100.7 255.255.255.240 198.51.100.1 0\n" in script
    assert 'ipv6 add address "%nic%" 2001:db8::7/64\n' in script
    assert 'ipv6 add route ::/0 "%nic%" fe80::1\n' in script


def test_a_nic_without_a_mac_address_is_told_of() -> None:
    made = conversion(guest(adapter(0, r"PCI\A\1", static("192.0.2.5"))), nics=(nic(None),))
    assert steps(made) == ()
    assert [warning.code for warning in made.draft.warnings] == ["W-NET-MATCH"]
