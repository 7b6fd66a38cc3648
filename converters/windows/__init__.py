# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conversion of a Windows guest: what is done while it is off, and what at its first boot."""

from __future__ import annotations

from collections.abc import Callable

from converters.windows import (
    boot_storage,
    firstboot,
    firstboot_drivers,
    foreign_programs,
    foreign_tools,
    geometry,
    hardware,
    inbox_storage,
    network,
    offline,
    wizard,
)
from converters.windows.conversion import Conversion
from drivers.virtio_win import DriverSet
from v2v.changes import Draft
from v2v.model import BlockDriver, Capabilities, Guest, Machine
from v2v.windows_guest import Windows

_OLDEST = 5, 1
STEPS: tuple[Callable[[Conversion], None], ...] = (
    offline.warn_of_guards,
    boot_storage.put_driver_in_place,
    inbox_storage.start_inbox_driver,
    offline.put_drivers_on_the_search_path,
    offline.allow_new_devices,
    geometry.set_heads,
    wizard.silence,
    offline.show_what_stops_it,
    offline.mend_efi_boot,
    foreign_tools.disable,
)


def convert(
    draft: Draft,
    machine: Machine,
    guest: Guest,
    windows: Windows,
    drivers: DriverSet,
    block_driver: BlockDriver,
) -> tuple[Guest, Capabilities]:
    """Draft the conversion; return the guest, and what it has drivers for."""
    if windows.nt < _OLDEST:
        draft.block(
            "E-GUEST-WINDOWS",
            f"{guest.product}: Windows before XP is not converted",
            hint="copy its disk with -i disk, and give it IDE and an rtl8139 by hand",
        )
        return guest, Capabilities()
    conversion = Conversion(
        draft=draft,
        machine=machine,
        guest=guest,
        windows=windows,
        drivers=drivers,
        system=draft.hive(windows.system_hive),
        software=draft.hive(windows.software_hive),
        current=windows.control_set,
        block_driver=block_driver,
    )
    for step in STEPS:
        step(conversion)
    firstboot.install(
        conversion,
        (
            *firstboot_drivers.driver_steps(conversion),
            *network.steps(conversion),
            *foreign_programs.steps(conversion),
        ),
    )
    return guest, hardware.capabilities(conversion)
