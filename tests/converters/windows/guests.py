# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows guests of real hives, as small as a test can do with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from converters.windows.conversion import Conversion
from drivers.virtio_win import DriverSet
from fixtures.hives import hive
from v2v.changes import Draft
from v2v.files import DictFiles
from v2v.hive import Value
from v2v.model import Firmware, Guest, Hypervisor, Machine, Nic, OsType
from v2v.windows_guest import App, Windows

Keys = Mapping[str, Mapping[str, Value]]
SYSTEM = "/Windows/System32/config/SYSTEM"
SOFTWARE = "/Windows/System32/config/SOFTWARE"
CCS = "ControlSet001"
NO_DRIVERS = DriverSet((), None, None, "nowhere")


def files(system: Keys) -> DictFiles:
    return DictFiles(
        {
            SYSTEM: hive({f"{CCS}\\{key}": values for key, values in system.items()}),
            SOFTWARE: hive({}),
        }
    )


def conversion(
    content: DictFiles,
    *,
    nt: tuple[int, int] = (10, 0),
    apps: tuple[App, ...] = (),
    nics: tuple[Nic, ...] = (),
) -> Conversion:
    draft = Draft(content)
    windows = Windows("/Windows", SYSTEM, SOFTWARE, CCS, nt, 17763, "Server", apps=apps)
    machine = Machine("vmx", Hypervisor.vmware, "win", 2**32, 2, (), Path("/"), nics=nics)
    guest = Guest(
        OsType.windows, "windows", "10.0", "Windows Server 2019", "x86_64", Firmware.bios,
        "/dev/sda2", {}, windows=windows,
    )  # fmt: skip
    return Conversion(
        draft, machine, guest, windows, NO_DRIVERS, draft.hive(SYSTEM), draft.hive(SOFTWARE), CCS
    )
