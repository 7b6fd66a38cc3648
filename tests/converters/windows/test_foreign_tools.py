# SPDX-License-Identifier: LGPL-2.1-or-later
"""What starts of the old hypervisor's tools, and what stands in the way of Windows' own drivers."""

from __future__ import annotations

from converters.windows.foreign_tools import disable
from tests.converters.windows.guests import CCS, SYSTEM, conversion, files
from v2v.hive import Hive, Type, Value

SYSTEM_CLASS = r"Control\Class\{4d36e97d-e325-11ce-bfc1-08002be10318}"
HDC_CLASS = r"Control\Class\{4d36e96a-e325-11ce-bfc1-08002be10318}"
DISK_CLASS = r"Control\Class\{4d36e967-e325-11ce-bfc1-08002be10318}"
MOUSE = r"Enum\ACPI\PNP0F13\4&1d401fb5&0"
ORDER = r"Control\NetworkProvider\Order"


def driver(start: int, kind: int = 1) -> dict[str, Value]:
    return {"Start": Value.dword(start), "Type": Value.dword(kind)}


GUEST = {
    r"Services\XenBus": driver(0),
    r"Services\xenbus\StartOverride": {"0": Value.dword(0)},
    r"Services\xenfilt": driver(0),
    r"Services\xenfilt\Parameters": {"ActiveDeviceID": Value.text("PCI\\VEN_5853")},
    r"Services\xenevtchn": driver(1),
    r"Services\VMTools": driver(2, 16),
    r"Services\vmmouse": driver(3),
    r"Services\vmhgfs": driver(1, 2),
    r"Services\vmxnet3ndis6": driver(3),
    r"Services\pvscsi": driver(0),
    r"Services\prl_strg": driver(0),
    r"Services\VBoxVideo": driver(3),
    r"Services\LSI_SAS": driver(0),
    r"Services\storahci": driver(0),
    r"Services\storvsc": driver(0),
    r"Services\xenvif": {},  # what an uninstaller has left
    SYSTEM_CLASS: {"UpperFilters": Value.texts(["XENFILT"])},
    HDC_CLASS: {"UpperFilters": Value.texts(["other", "xenfilt", "last"])},
    DISK_CLASS: {
        "LowerFilters": Value.texts(["prl_strg"]),
        "UpperFilters": Value.texts(["partmgr"]),
    },
    MOUSE: {"Service": Value.text("i8042prt"), "UpperFilters": Value.texts(["vmmouse"])},
    r"Enum\PCI\VEN_5853&DEV_0001\3&1": {"Service": Value.text("xenbus")},
    r"Enum\PCI\VEN_1234&DEV_1111\3&2": {"Service": Value.text("VBoxVideo")},
    ORDER: {"ProviderOrder": Value.text("vmhgfs,RDPNP,LanmanWorkstation", Type.EXPAND_SZ)},
}


def started() -> dict[str, int | None]:
    content = files(GUEST)
    made = conversion(content)
    disable(made)
    return {
        name: made.system.number(rf"{CCS}\Services\{name}", "Start")
        for name in made.system.keys(rf"{CCS}\Services")
    }


def test_foreign_drivers_and_services_do_not_start() -> None:
    start = started()
    for name in ("XenBus", "xenfilt", "xenevtchn", "VMTools", "vmmouse", "vmhgfs", "prl_strg"):
        assert start[name] == 4, name


def test_what_windows_has_and_what_is_idle_stays_as_it_is() -> None:
    start = started()
    for name in ("pvscsi", "LSI_SAS", "storahci", "storvsc"):
        assert start[name] == 0, name
    assert start["vmxnet3ndis6"] == 3
    assert start["xenvif"] is None


def test_the_driver_of_a_device_that_is_no_hypervisors_is_never_disabled() -> None:
    assert started()["VBoxVideo"] == 3


def test_filters_go_from_classes_and_devices_and_others_stay_in_their_order() -> None:
    made = conversion(files(GUEST))
    disable(made)

    def filters(key: str, name: str) -> tuple[str, ...] | None:
        value = made.system.value(f"{CCS}\\{key}", name)
        return None if value is None else value.as_texts

    assert filters(SYSTEM_CLASS, "UpperFilters") is None
    assert filters(HDC_CLASS, "UpperFilters") == ("other", "last")
    assert filters(DISK_CLASS, "LowerFilters") is None
    assert filters(DISK_CLASS, "UpperFilters") == ("partmgr",)
    assert filters(MOUSE, "UpperFilters") is None
    assert made.system.text(f"{CCS}\\{MOUSE}", "Service") == "i8042prt"


def test_start_overrides_and_network_providers_go() -> None:
    made = conversion(files(GUEST))
    disable(made)
    assert not made.system.exists(rf"{CCS}\Services\xenbus\StartOverride")
    assert made.system.number(rf"{CCS}\Services\xenevtchn", "NoPVBoot") == 1
    order = made.system.value(f"{CCS}\\{ORDER}", "ProviderOrder")
    assert order == Value.text("RDPNP,LanmanWorkstation", Type.EXPAND_SZ)


def test_the_old_start_stands_in_the_diff_and_a_second_plan_is_empty() -> None:
    content = files(GUEST)
    made = conversion(content)
    disable(made)
    diffs = [change.diff() or "" for change in made.draft.changes]
    assert any('-"Start"=dword:00000002\n+"Start"=dword:00000004\n' in diff for diff in diffs)
    for change in made.draft.changes:
        change.apply(content)
    assert Hive(content.read(SYSTEM), SYSTEM).number(rf"{CCS}\Services\xenbus", "Start") == 4
    again = conversion(content)
    disable(again)
    assert again.draft.changes == []


def test_a_guest_without_foreign_tools_is_left_alone() -> None:
    made = conversion(files({r"Services\disk": driver(0), DISK_CLASS: GUEST[HDC_CLASS] | {}}))
    made.system.set(f"{CCS}\\{DISK_CLASS}", {"UpperFilters": Value.texts(["partmgr", "xenfilter"])})
    disable(made)
    assert made.draft.changes == []
