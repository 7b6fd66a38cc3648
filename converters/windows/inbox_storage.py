# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows' own driver of an emulated disk, made to start with Windows.

A Windows that was installed on another controller has its driver of AHCI or IDE, but switched off:
it then stops with 0x7B. Since Vista the service's Start decides (Microsoft KB922976), and since
Windows 8 the key StartOverride below it wins over Start. Before Vista, the CriticalDeviceDatabase
must name the controller as well (Microsoft KB314082).
"""

from __future__ import annotations

from converters.windows import boot_storage
from converters.windows.conversion import Conversion
from v2v.files import any_case
from v2v.hive import Value

_VISTA = 6, 0
_WINDOWS_8 = 6, 2
_WHY = "Windows starts from an emulated disk"
_HDC_CLASS = "{4D36E96A-E325-11CE-BFC1-08002BE10318}"
# QEMU's machine type pc has the IDE controller of Intel's PIIX3; its channels come from that.
_IDE = {
    "PCI#VEN_8086&DEV_7010": "intelide",
    "Primary_IDE_Channel": "atapi",
    "Secondary_IDE_Channel": "atapi",
}


def start_inbox_driver(conversion: Conversion) -> None:
    """Draft that Windows' own driver starts, where there is none for virtio disks."""
    if boot_storage.driver(conversion) is not None:
        return
    nt = conversion.windows.nt
    if nt < _VISTA:
        _bind_ide(conversion)
        services: tuple[str, ...] = ("intelide", "atapi")
    else:
        services = ("storahci",) if nt >= _WINDOWS_8 else ("msahci",)
    lacking = [service for service in services if not _start(conversion, service)]
    if lacking:
        conversion.draft.warn(
            "W-INBOX-DISK",
            f"{conversion.guest.product}: its own driver {', '.join(lacking)} is not installed,"
            " so that it cannot start from an emulated disk",
            hint="name a virtio-win.iso that has drivers for this Windows: --virtio-win",
        )


def _start(conversion: Conversion, service: str) -> bool:
    """Draft a driver's start, and tell whether the driver is there at all."""
    key = rf"{conversion.current}\Services\{service}"
    folder = f"{conversion.windows.systemroot}/System32/drivers"
    program = any_case(conversion.draft, f"{folder}/{service}.sys")
    if not (conversion.system.exists(key) and conversion.draft.is_file(program)):
        return False
    conversion.system.draft(key, {"Start": Value.dword(0)}, why=_WHY)
    conversion.system.draft_removal(rf"{key}\StartOverride", why=_WHY)
    return True


def _bind_ide(conversion: Conversion) -> None:
    for name, service in _IDE.items():
        conversion.system.draft(
            rf"{conversion.current}\Control\CriticalDeviceDatabase\{name}",
            {"Service": Value.text(service), "ClassGUID": Value.text(_HDC_CLASS)},
            why=_WHY,
        )
