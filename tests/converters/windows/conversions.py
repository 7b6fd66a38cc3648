# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows guests made of a dict, on their way to KVM, for tests of what runs at the first boot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converters.windows.conversion import Conversion
from drivers.virtio_win import DriverPackage, DriverSet
from drivers.windows_devices import Device
from fixtures.hives import hive
from v2v.changes import Draft
from v2v.files import DictFiles
from v2v.hive import Value
from v2v.model import Disk, Firmware, Guest, Hypervisor, Machine, OsType
from v2v.windows_guest import Windows

SYSTEM = "/Windows/System32/config/SYSTEM"
SOFTWARE = "/Windows/System32/config/SOFTWARE"
CURRENT = "ControlSet001"
WINDOWS_10 = ((10, 0), 19045)
WINDOWS_7 = ((6, 1), 7601)
XP = ((5, 1), 2600)


def files(oem_code_page: str = "437") -> DictFiles:
    pages = {rf"{CURRENT}\Control\Nls\CodePage": {"OEMCP": Value.text(oem_code_page)}}
    return DictFiles({SYSTEM: hive(pages), SOFTWARE: hive({})})


def package(name: str, device: Device) -> DriverPackage:
    content = {f"{name}.inf": b"; INF", f"{name}.sys": b"MZ", f"{name}.cat": b"cat"}
    return DriverPackage(name, device, f"{name}.inf", name, f"{name}.sys", "1.0", "{}", (), content)


def driver_set(
    packages: Sequence[DriverPackage] = (),
    agent: tuple[str, bytes] | None = None,
    blnsvr: bytes | None = None,
) -> DriverSet:
    return DriverSet(tuple(packages), agent=agent, blnsvr=blnsvr, searched="/usr/share/virtio-win")


def conversion(
    guest_files: DictFiles,
    drivers: DriverSet | None = None,
    version: tuple[tuple[int, int], int] = WINDOWS_10,
    disks: int = 1,
) -> Conversion:
    draft = Draft(guest_files)
    nt, build = version
    windows = Windows("/Windows", SYSTEM, SOFTWARE, CURRENT, nt, build, "Client")
    machine = Machine(
        kind="vmx",
        hypervisor=Hypervisor.vmware,
        name="win",
        memory_bytes=2 << 30,
        vcpus=2,
        disks=tuple(Disk(f"{number}.vmdk", None) for number in range(disks)),
        folder=Path(),
    )
    guest = Guest(
        type=OsType.windows,
        distro="windows",
        version=f"{nt[0]}.{nt[1]}",
        product="Windows",
        arch="x86_64",
        firmware=Firmware.bios,
        root="/dev/sda2",
        mountpoints={"/": "/dev/sda2"},
        windows=windows,
    )
    return Conversion(
        draft=draft,
        machine=machine,
        guest=guest,
        windows=windows,
        drivers=drivers or driver_set(),
        system=draft.hive(SYSTEM),
        software=draft.hive(SOFTWARE),
        current=CURRENT,
    )
