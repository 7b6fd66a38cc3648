# SPDX-License-Identifier: LGPL-2.1-or-later
"""The driver of the disk that Windows starts from, on real hives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converters.windows import boot_storage, hardware, inbox_storage
from converters.windows.conversion import Conversion
from drivers.virtio_win import DriverSet
from drivers.windows_devices import Device
from fixtures.hives import hive
from tests.converters.windows import conversions
from tests.converters.windows.conversions import CURRENT, SYSTEM, WINDOWS_7, WINDOWS_10, XP
from v2v.files import DictFiles
from v2v.hive import Hive, Type, Value
from v2v.model import BlockDriver, Bus

BLK = conversions.package("viostor", Device.blk)
SCSI = conversions.package("vioscsi", Device.scsi)
BOTH = conversions.driver_set([SCSI, BLK])
SERVICES = rf"{CURRENT}\Services"
CRITICAL = rf"{CURRENT}\Control\CriticalDeviceDatabase"
DRIVERS = "/Windows/System32/drivers"
DATABASE = {"DriverDatabase": {"Version": Value.dword(0x06030000)}}


def guest(keys: dict[str, dict[str, Value]], *programs: str) -> DictFiles:
    files = conversions.files()
    files.content[SYSTEM] = hive(keys)
    files.content |= {f"{DRIVERS}/{name}.sys": b"MZ" for name in programs}
    return files


def applied(conversion: Conversion, files: DictFiles) -> Hive:
    for change in conversion.draft.changes:
        change.apply(files)
    return Hive(files.read(SYSTEM), "SYSTEM")


@pytest.mark.parametrize(
    ("asked", "service", "bus"),
    [
        (BlockDriver.virtio_blk, "viostor", Bus.virtio),
        (BlockDriver.virtio_scsi, "vioscsi", Bus.scsi),
    ],
)
def test_the_asked_driver_is_taken(asked: BlockDriver, service: str, bus: Bus) -> None:
    found = boot_storage.driver(
        replace(conversions.conversion(guest({}), BOTH), block_driver=asked)
    )
    assert found is not None
    assert (found.service, boot_storage.bus(found)) == (service, bus)


def test_a_driver_that_windows_refuses_is_not_taken_for_its_disk() -> None:
    refused = replace(BLK, refused="it is not signed")
    files = guest({rf"{SERVICES}\disk": {"Start": Value.dword(0)}})
    conversion = conversions.conversion(files, conversions.driver_set([refused]), WINDOWS_10)
    boot_storage.put_driver_in_place(conversion)
    assert hardware.capabilities(conversion).block_bus is Bus.sata
    assert not conversion.draft.changes
    codes = [finding.code for finding in conversion.draft.warnings]
    assert codes[0] == "W-DRIVER-SIGNATURE"
    assert "viostor.sys: it is not signed" in conversion.draft.warnings[0].message
    assert "for disks" not in conversion.draft.warnings[1].message


def test_the_other_driver_is_better_than_none() -> None:
    only = conversions.driver_set([SCSI])
    found = boot_storage.driver(conversions.conversion(guest({}), only))
    assert found is SCSI


def test_windows_7_finds_both_controllers_in_the_critical_devices() -> None:
    files = guest({rf"{SERVICES}\disk": {"Start": Value.dword(0)}})
    conversion = conversions.conversion(files, BOTH, WINDOWS_7)
    boot_storage.put_driver_in_place(conversion)
    system = applied(conversion, files)
    assert files.read(f"{DRIVERS}/viostor.sys") == b"MZ"
    service = system.values(rf"{SERVICES}\viostor")
    assert service == {
        "Type": Value.dword(1),
        "Start": Value.dword(0),
        "Group": Value.text("SCSI miniport"),
        "ErrorControl": Value.dword(1),
        "ImagePath": Value.text(r"system32\drivers\viostor.sys", Type.EXPAND_SZ),
    }
    assert system.keys(CRITICAL) == (
        "PCI#VEN_1AF4&DEV_1001&REV_00",
        "PCI#VEN_1AF4&DEV_1042&REV_01",
    )
    for name in system.keys(CRITICAL):
        assert system.text(rf"{CRITICAL}\{name}", "Service") == "viostor"
    assert not system.exists("DriverDatabase")


def test_windows_10_finds_both_controllers_in_the_driver_database() -> None:
    files = guest(DATABASE)
    conversion = conversions.conversion(files, BOTH)
    boot_storage.put_driver_in_place(conversion)
    system = applied(conversion, files)
    (label,) = system.keys(r"DriverDatabase\DriverPackages")
    inf, arch, digest = label.rsplit("_", 2)
    assert arch == "amd64"
    assert len(bytes.fromhex(digest)) == 8
    package = rf"DriverDatabase\DriverPackages\{label}"
    version = system.value(package, "Version")
    assert version is not None
    assert version.data.hex() == (
        "00ff090000000000" + "7be9364d25e3ce11bfc108002be10318" + "00" * 24
    )
    assert system.text(rf"DriverDatabase\DriverInfFiles\{inf}", "Active") == label
    (configuration,) = system.keys(rf"{package}\Configurations")
    assert system.text(rf"{package}\Configurations\{configuration}", "Service") == "viostor"
    for name in ("VEN_1AF4&DEV_1001&REV_00", "VEN_1AF4&DEV_1042&REV_01"):
        bound = system.value(rf"DriverDatabase\DeviceIds\PCI\{name}", inf)
        assert bound == Value.binary(b"\x01\xff\x00\x00")
        described = system.text(rf"{package}\Descriptors\PCI\{name}", "Configuration")
        assert described == configuration
    assert not system.exists(CRITICAL)


def test_a_driver_that_windows_had_switched_off_starts_again() -> None:
    key = rf"{SERVICES}\viostor"
    files = guest(
        {
            **DATABASE,
            key: {"Start": Value.dword(3)},
            rf"{key}\StartOverride": {"0": Value.dword(3)},
        }
    )
    conversion = conversions.conversion(files, BOTH)
    boot_storage.put_driver_in_place(conversion)
    system = applied(conversion, files)
    assert system.number(key, "Start") == 0
    assert not system.exists(rf"{key}\StartOverride")


@pytest.mark.parametrize("version", [XP, WINDOWS_7, WINDOWS_10], ids=str)
@pytest.mark.parametrize("drivers", [BOTH, conversions.driver_set()], ids=["virtio", "none"])
def test_a_second_plan_is_empty(version: tuple[tuple[int, int], int], drivers: DriverSet) -> None:
    names = ("intelide", "atapi", "msahci", "storahci")
    keys = {rf"{SERVICES}\{name}": {"Start": Value.dword(3)} for name in names}
    files = guest({**keys, **(DATABASE if version is WINDOWS_10 else {})}, *names)
    counts = []
    for _ in range(2):
        conversion = conversions.conversion(files, drivers, version)
        boot_storage.put_driver_in_place(conversion)
        inbox_storage.start_inbox_driver(conversion)
        counts.append(len(conversion.draft.changes))
        applied(conversion, files)
    assert counts[0] > 0
    assert counts[1] == 0


@pytest.mark.parametrize(
    ("version", "service"), [(WINDOWS_7, "msahci"), (WINDOWS_10, "storahci")], ids=str
)
def test_without_virtio_windows_starts_its_own_ahci_driver(
    version: tuple[tuple[int, int], int], service: str
) -> None:
    key = rf"{SERVICES}\{service}"
    files = guest(
        {key: {"Start": Value.dword(3)}, rf"{key}\StartOverride": {"0": Value.dword(3)}}, service
    )
    conversion = conversions.conversion(files, version=version)
    inbox_storage.start_inbox_driver(conversion)
    system = applied(conversion, files)
    assert system.number(key, "Start") == 0
    assert not system.exists(rf"{key}\StartOverride")
    assert conversion.draft.warnings == []


def test_without_virtio_xp_knows_the_ide_controller() -> None:
    keys = {rf"{SERVICES}\{name}": {"Start": Value.dword(4)} for name in ("intelide", "atapi")}
    files = guest(keys, "intelide", "atapi")
    conversion = conversions.conversion(files, version=XP)
    inbox_storage.start_inbox_driver(conversion)
    system = applied(conversion, files)
    assert [system.number(key, "Start") for key in keys] == [0, 0]
    assert system.text(rf"{CRITICAL}\pci#ven_8086&dev_7010", "Service") == "intelide"
    assert system.text(rf"{CRITICAL}\primary_ide_channel", "Service") == "atapi"


def test_an_own_driver_that_is_absent_is_said() -> None:
    keys = {rf"{SERVICES}\msahci": {"Start": Value.dword(3)}}  # its program is not there
    conversion = conversions.conversion(guest(keys), version=WINDOWS_7)
    inbox_storage.start_inbox_driver(conversion)
    assert [finding.code for finding in conversion.draft.warnings] == ["W-INBOX-DISK"]
    assert conversion.draft.changes == []


def test_with_virtio_the_own_drivers_are_left_alone() -> None:
    keys = {rf"{SERVICES}\msahci": {"Start": Value.dword(3)}}
    conversion = conversions.conversion(guest(keys, "msahci"), BOTH, WINDOWS_7)
    inbox_storage.start_inbox_driver(conversion)
    assert conversion.draft.changes == []
