# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is changed in Windows while it is off, and the hardware that it gets, on real hives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from converters.windows import hardware, offline, wizard
from converters.windows.conversion import Conversion
from drivers.windows_devices import Device
from fixtures.hives import hive
from tests.converters.windows import conversions
from tests.converters.windows.conversions import (
    CURRENT,
    SOFTWARE,
    SYSTEM,
    WINDOWS_7,
    WINDOWS_10,
    XP,
)
from v2v.files import DictFiles
from v2v.hive import Hive, Type, Value
from v2v.model import Bus

NET = conversions.package("netkvm", Device.net)
BLK = conversions.package("viostor", Device.blk)
VERSION = r"Microsoft\Windows\CurrentVersion"
PATH = r"%SystemRoot%\inf;D:\Treiber"
RESTRICTIONS = r"Policies\Microsoft\Windows\DeviceInstall\Restrictions"
CLOCK = rf"{CURRENT}\Control\TimeZoneInformation"
ESP = "/Windows/Temp"
LOADER = "{11111111-2222-3333-4444-555555555555}"
MANAGER = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003"
GRAPHICS = rf"Objects\{LOADER}\Elements\16000046"


def guest() -> DictFiles:
    files = conversions.files()
    files.content[SOFTWARE] = hive(
        {
            VERSION: {"DevicePath": Value.text(PATH, Type.EXPAND_SZ)},
            rf"{RESTRICTIONS}\DenyDeviceIDs": {"1": Value.text("PCI")},
        }
    )
    files.content[f"{ESP}/efi/MICROSOFT/Boot/bootmgfw.efi"] = b"MZ manager"
    files.content[f"{ESP}/efi/MICROSOFT/Boot/bcd"] = hive(
        {
            MANAGER: {"Element": Value.text(LOADER)},
            GRAPHICS: {"Element": Value.binary(b"\1")},
            rf"Objects\{LOADER}\Elements\12000002": {"Element": Value.text("winload.efi")},
        }
    )
    return files


def with_esp(conversion: Conversion) -> Conversion:
    return replace(
        conversion,
        guest=replace(conversion.guest, mountpoints={"/": "/dev/sda2", ESP: "/dev/sda1"}),
    )


def after(files: DictFiles, conversion: Conversion, *steps: Callable[[Conversion], None]) -> None:
    for step in steps:
        step(conversion)
    for change in conversion.draft.changes:
        change.apply(files)


def test_the_drivers_are_where_windows_looks() -> None:
    files = guest()
    drivers = conversions.driver_set([BLK, NET])
    after(files, conversions.conversion(files, drivers), offline.put_drivers_on_the_search_path)
    assert {f"{package.name}.inf" for package in (BLK, NET)} <= set(
        files.listdir("/Windows/Drivers/VirtIO")
    )
    value = Hive(files.read(SOFTWARE), "SOFTWARE").value(VERSION, "DevicePath")
    assert value == Value.text(rf"{PATH};%SystemRoot%\Drivers\VirtIO", Type.EXPAND_SZ)


def test_without_drivers_windows_looks_where_it_did() -> None:
    conversion = conversions.conversion(guest())
    offline.put_drivers_on_the_search_path(conversion)
    assert conversion.draft.changes == []


def test_a_policy_against_new_devices_goes() -> None:
    files = guest()
    after(files, conversions.conversion(files), offline.allow_new_devices)
    assert not Hive(files.read(SOFTWARE), "SOFTWARE").exists(RESTRICTIONS)


def test_a_crash_stays_on_the_screen() -> None:
    files = guest()
    after(files, conversions.conversion(files), offline.show_what_stops_it)
    system = Hive(files.read(SYSTEM), "SYSTEM")
    assert system.number(rf"{CURRENT}\Control\CrashControl", "AutoReboot") == 0


def test_uefi_finds_a_loader_and_windows_shows_a_picture() -> None:
    files = guest()
    after(files, with_esp(conversions.conversion(files)), offline.mend_efi_boot)
    assert files.read(f"{ESP}/efi/Boot/bootx64.efi") == b"MZ manager"
    store = Hive(files.read(f"{ESP}/efi/MICROSOFT/Boot/bcd"), "BCD")
    assert not store.exists(GRAPHICS)
    assert store.exists(rf"Objects\{LOADER}\Elements\12000002")


def test_what_lies_below_a_bios_root_is_no_system_partition() -> None:
    conversion = conversions.conversion(guest())
    offline.mend_efi_boot(conversion)
    assert conversion.draft.changes == []


@pytest.mark.parametrize(
    ("value", "local"),
    [
        (None, True),
        (Value(Type.NONE, b""), True),
        (Value.dword(0), True),
        (Value.dword(1), False),
        (Value(Type.QWORD, (1).to_bytes(8, "little")), False),
    ],
    ids=str,
)
def test_the_clock_is_local_unless_windows_says_otherwise(value: Value | None, local: bool) -> None:
    files = guest()
    files.content[SYSTEM] = hive({CLOCK: {} if value is None else {"RealTimeIsUniversal": value}})
    conversion = conversions.conversion(files)
    assert offline.local_time(conversion) is local
    assert hardware.capabilities(conversion).localtime is local


@pytest.mark.parametrize(
    ("version", "machine", "bus", "nic"),
    [
        (XP, "pc", Bus.ide, "rtl8139"),
        (WINDOWS_7, "q35", Bus.sata, "e1000"),
        (WINDOWS_10, "q35", Bus.sata, "e1000e"),
    ],
    ids=str,
)
def test_without_drivers_the_hardware_is_emulated_and_said_so(
    version: tuple[tuple[int, int], int], machine: str, bus: Bus, nic: str
) -> None:
    conversion = conversions.conversion(guest(), version=version)
    found = hardware.capabilities(conversion)
    assert (found.machine, found.block_bus, found.net_model) == (machine, bus, nic)
    assert (found.rng, found.balloon, found.agent) == (False, False, False)
    (warning,) = conversion.draft.warnings
    assert warning.code == "W-VIRTIO-WIN"
    assert "/usr/share/virtio-win" in warning.message


def test_each_driver_brings_its_device() -> None:
    extra = [conversions.package(device, device) for device in (Device.rng, Device.serial)]
    conversion = conversions.conversion(guest(), conversions.driver_set([BLK, NET, *extra]))
    found = hardware.capabilities(conversion)
    assert (found.block_bus, found.net_model) == (Bus.virtio, "virtio")
    assert (found.rng, found.balloon, found.agent) == (True, False, True)
    assert conversion.draft.warnings == []


@pytest.mark.parametrize("version", [XP, ((5, 2), 3790), WINDOWS_10], ids=str)
def test_a_second_plan_is_empty(version: tuple[tuple[int, int], int]) -> None:
    files = guest()
    steps = (
        offline.put_drivers_on_the_search_path, offline.allow_new_devices,
        wizard.silence, offline.show_what_stops_it, offline.mend_efi_boot,
    )  # fmt: skip
    drivers = conversions.driver_set([BLK, NET])
    after(files, with_esp(conversions.conversion(files, drivers, version)), *steps)
    again = with_esp(conversions.conversion(files, drivers, version))
    after(files, again, *steps)
    assert again.draft.changes == []
