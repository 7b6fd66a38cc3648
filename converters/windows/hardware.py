# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which hardware a Windows guest has drivers for: those of virtio, else those it brings itself."""

from __future__ import annotations

from converters.windows import boot_storage
from converters.windows.conversion import Conversion
from converters.windows.offline import local_time
from drivers.windows_devices import Device
from v2v.model import Bus, Capabilities
from v2v.windows_guest import Windows

_VISTA = 6, 0
_WINDOWS_8 = 6, 2


def machine(windows: Windows) -> str:
    """Return the machine type: q35 since Vista, which has drivers for AHCI and PCI Express."""
    return "q35" if windows.nt >= _VISTA else "pc"


def inbox_nic(windows: Windows) -> str:
    """Return the model of a network card that this Windows has a driver for.

    Intel's 82574L (e1000e) since Windows 8, the 82540EM (e1000) since Vista, and Realtek's 8139 in
    XP and Server 2003. VMware chooses its default models by the same drivers.
    """
    if windows.nt >= _WINDOWS_8:
        return "e1000e"
    return "e1000" if windows.nt >= _VISTA else "rtl8139"


def capabilities(conversion: Conversion) -> Capabilities:
    """Return the hardware for the guest, with a warning for what has to be emulated."""
    windows, drivers = conversion.windows, conversion.drivers
    disk = boot_storage.driver(conversion)
    kind = machine(windows)
    lacking = []
    if not boot_storage.found(conversion):
        lacking.append("disks")
    if drivers.get(Device.net) is None:
        lacking.append("network cards")
    if lacking:
        conversion.draft.warn(
            "W-VIRTIO-WIN",
            f"{conversion.guest.product}: no virtio driver for {' and '.join(lacking)} was found;"
            f" they are emulated (searched: {drivers.searched})",
            hint="name a virtio-win.iso that has drivers for this Windows: --virtio-win",
        )
    emulated = Bus.sata if kind == "q35" else Bus.ide
    return Capabilities(
        block_bus=emulated if disk is None else boot_storage.bus(disk),
        net_model="virtio" if drivers.get(Device.net) else inbox_nic(windows),
        machine=kind,
        rng=drivers.get(Device.rng) is not None,
        balloon=drivers.get(Device.balloon) is not None,
        agent=drivers.get(Device.serial) is not None,
        panic=drivers.get(Device.pvpanic) is not None,
        localtime=local_time(conversion),
    )
