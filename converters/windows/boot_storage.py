# SPDX-License-Identifier: LGPL-2.1-or-later
"""The driver of the disk that Windows starts from, put in place while Windows is off.

Windows cannot install a driver for the disk that it has to start from. So the service is there
already, and the device's ids are bound to it: up to Windows 7 in the CriticalDeviceDatabase, since
Windows 8 in the DriverDatabase, where a package stands for the driver until the real one is
installed at first boot. What holds for a real package's names holds for that one: a label without
architecture and hash breaks `pnputil /enum-drivers`, Windows Update and upgrades (RHEL-112517,
MTV-2256).
"""

from __future__ import annotations

import hashlib
import uuid

from converters.windows.conversion import Conversion
from drivers.virtio_win import DriverPackage
from drivers.windows_devices import PCI_IDS, Device
from v2v.files import any_case
from v2v.hive import Type, Value
from v2v.model import BlockDriver, Bus

_WHY = "Windows starts from a virtio disk"
_SCSI_CLASS = uuid.UUID("4D36E97B-E325-11CE-BFC1-08002BE10318")
_ARCHITECTURES = {"i686": "x86", "x86_64": "amd64", "aarch64": "arm64"}
_BUSES = {Device.blk: Bus.virtio, Device.scsi: Bus.scsi}
# Of the value Version in a package: what a real one begins with, the class's GUID, then version and
# date, of which zeros mean none. Windows 10's Kernel-PnP ignores a package without it.
_VERSION_HEAD = bytes.fromhex("00ff090000000000")
_BOUND = bytes.fromhex("01ff0000")


def driver(conversion: Conversion) -> DriverPackage | None:
    """Return the driver of the disk, the asked one first; None if there is none for virtio."""
    return next((package for package in found(conversion) if package.refused is None), None)


def found(conversion: Conversion) -> tuple[DriverPackage, ...]:
    """Return all drivers of virtio disks, the asked one first, those that Windows refuses too."""
    order = [Device.blk, Device.scsi]
    if conversion.block_driver is BlockDriver.virtio_scsi:
        order.reverse()
    return tuple(filter(None, map(conversion.drivers.get, order)))


def bus(package: DriverPackage) -> Bus:
    """Return the bus that a driver's disks are on."""
    return _BUSES[package.device]


def put_driver_in_place(conversion: Conversion) -> None:
    """Draft the driver's program, its service, and what binds the disk's controller to it."""
    package = driver(conversion)
    if package is None:
        _warn_of_refused(conversion)
        return
    draft = conversion.draft
    folder = f"{conversion.windows.systemroot}/System32/drivers"
    path = any_case(draft, f"{folder}/{package.binary}")
    draft.upload(path, package.files[package.binary], why=_WHY)
    key = rf"{conversion.current}\Services\{package.service}"
    conversion.system.draft(
        key,
        {
            "Type": Value.dword(1),  # a driver of the kernel
            "Start": Value.dword(0),  # loaded by the boot loader
            "Group": Value.text("SCSI miniport"),
            "ErrorControl": Value.dword(1),
            "ImagePath": Value.text(rf"system32\drivers\{package.binary}", Type.EXPAND_SZ),
        },
        why=_WHY,
    )
    # Windows 8 and later leave it with a driver whose device was not there, and it wins over Start.
    conversion.system.draft_removal(rf"{key}\StartOverride", why=_WHY)
    if conversion.system.exists("DriverDatabase"):
        _bind_in_driver_database(conversion, package)
    else:
        _bind_in_critical_devices(conversion, package)


def _warn_of_refused(conversion: Conversion) -> None:
    refused = "; ".join(f"{package.binary}: {package.refused}" for package in found(conversion))
    if refused:
        conversion.draft.warn(
            "W-DRIVER-SIGNATURE",
            f"{conversion.guest.product} would not start from a virtio disk: {refused}",
            hint="name an older virtio-win.iso, of the time of this Windows: --virtio-win",
        )


def _bind_in_critical_devices(conversion: Conversion, package: DriverPackage) -> None:
    for hardware_id in PCI_IDS[package.device].hardware_ids:
        name = f"PCI#{hardware_id}"
        conversion.system.draft(
            rf"{conversion.current}\Control\CriticalDeviceDatabase\{name}",
            {
                "Service": Value.text(package.service),
                "ClassGUID": Value.text(f"{{{str(_SCSI_CLASS).upper()}}}"),
            },
            why=_WHY,
        )


def _bind_in_driver_database(conversion: Conversion, package: DriverPackage) -> None:
    inf = f"v2v{package.service}.inf"
    arch = _ARCHITECTURES.get(conversion.guest.arch, "amd64")
    digest = hashlib.sha256(inf.encode()).hexdigest()[:16]
    label = f"{inf}_{arch}_{digest}"
    configuration = f"{package.service}_conf"
    ids = [rf"PCI\{name}" for name in PCI_IDS[package.device].hardware_ids]
    top = rf"DriverDatabase\DriverPackages\{label}"
    version = _VERSION_HEAD + _SCSI_CLASS.bytes_le + bytes(24)
    keys = {
        rf"DriverDatabase\DriverInfFiles\{inf}": {
            "": Value.texts([label]),
            "Active": Value.text(label),
            "Configurations": Value.texts([configuration]),
        },
        top: {"Version": Value.binary(version)},
        rf"{top}\Configurations\{configuration}": {
            "ConfigFlags": Value.dword(0),
            "Service": Value.text(package.service),
        },
    }
    for name in ids:
        keys[rf"DriverDatabase\DeviceIds\{name}"] = {inf: Value.binary(_BOUND)}
        keys[rf"{top}\Descriptors\{name}"] = {"Configuration": Value.text(configuration)}
    for key, values in keys.items():
        conversion.system.draft(key, values, why=_WHY)
