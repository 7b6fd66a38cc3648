# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is changed in the registry and the folders of Windows beside the driver of its disk."""

from __future__ import annotations

import posixpath
import re

from converters.windows import boot_storage
from converters.windows.conversion import Conversion
from v2v.files import any_case
from v2v.hive import Type, Value
from v2v.model import Firmware

_CURRENT_VERSION = r"Microsoft\Windows\CurrentVersion"
_DRIVERS = "Drivers/VirtIO"
_DEVICE_PATH = r"%SystemRoot%\Drivers\VirtIO"
_RESTRICTIONS = r"Policies\Microsoft\Windows\DeviceInstall\Restrictions"


def put_drivers_on_the_search_path(conversion: Conversion) -> None:
    """Draft all drivers into a folder where Windows looks for those of new devices by itself."""
    files = {
        name: data
        for package in conversion.drivers.packages
        for name, data in package.files.items()
    }
    folder = any_case(conversion.draft, f"{conversion.windows.systemroot}/{_DRIVERS}")
    draft = conversion.draft
    missing = {
        name: data
        for name, data in files.items()
        if not draft.is_file(posixpath.join(folder, name))
        or draft.read(posixpath.join(folder, name)) != data
    }
    if missing:
        draft.upload_folder(folder, missing, why="Windows finds the drivers of its new devices")
    found = conversion.software.value(_CURRENT_VERSION, "DevicePath")
    text = found.as_text if found is not None else None
    if not files or found is None or text is None:
        return
    places = [place for place in text.split(";") if place]
    if _DEVICE_PATH.lower() not in map(str.lower, places):
        conversion.software.draft(
            _CURRENT_VERSION,
            {"DevicePath": Value.text(";".join((*places, _DEVICE_PATH)), Type(found.type))},
            why="Windows looks for the drivers there",
        )


def show_what_stops_it(conversion: Conversion) -> None:
    """Draft that a crash stays on the screen: a guest that restarts for ever tells nobody why."""
    conversion.system.draft(
        rf"{conversion.current}\Control\CrashControl",
        {"AutoReboot": Value.dword(0)},
        why="a crash at the first boot stays readable",
    )


def allow_new_devices(conversion: Conversion) -> None:
    """Draft the end of policies that forbid new devices, all of which are new on KVM."""
    conversion.software.draft_removal(
        _RESTRICTIONS, why="a policy would keep the virtio devices from being installed"
    )


def local_time(conversion: Conversion) -> bool:
    """Tell whether Windows takes its clock for local time, as it does unless it is told not to."""
    key = rf"{conversion.current}\Control\TimeZoneInformation"
    return not conversion.system.number(key, "RealTimeIsUniversal")


def warn_of_guards(conversion: Conversion) -> None:
    """Warn of what may keep the new driver from being loaded, if there is one."""
    if boot_storage.driver(conversion) is None:
        return
    hint = "if Windows stops with 0x7B on KVM, remove it before the conversion"
    windows = conversion.windows
    if windows.group_policy:
        conversion.draft.warn(
            "W-GROUP-POLICY",
            f"{conversion.guest.product}: group policies of a domain apply to it",
            hint="one that restricts the installation of devices must except the virtio ones",
        )
    if windows.antivirus:
        names = ", ".join(windows.antivirus)
        conversion.draft.warn(
            "W-ANTIVIRUS", f"{names}: a virus scanner may refuse new drivers", hint=hint
        )


_GRAPHICS_MODE_DISABLED = "16000046"
_DEFAULT = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\23000003"
_GUID = re.compile(r"\{[0-9a-f-]{36}\}", re.IGNORECASE)
_LOADERS = {"x86_64": "bootx64.efi", "i686": "bootia32.efi", "aarch64": "bootaa64.efi"}


def mend_efi_boot(conversion: Conversion) -> None:
    """Draft a loader where firmware looks without a boot entry, and graphics while it starts.

    Boot entries are in the old machine's NVRAM and stay there. The element graphicsmodedisabled
    (BCD WMI provider, BcdOSLoaderBoolean 0x16000046) leaves a UEFI guest without a picture.
    """
    draft = conversion.draft
    esp = next((path for path in conversion.guest.mountpoints if path != "/"), None)
    if esp is None:
        if conversion.guest.firmware is Firmware.efi:
            draft.warn(
                "W-ESP-MOUNT",
                f"{conversion.windows.systemroot}/Temp: no such folder, so that the EFI system"
                " partition is left as it is",
                hint="make the folder in the guest, then convert again",
            )
        return
    manager = any_case(draft, f"{esp}/EFI/Microsoft/Boot/bootmgfw.efi")
    loader = _LOADERS.get(conversion.guest.arch)
    if loader is not None and draft.is_file(manager):
        path = any_case(draft, f"{esp}/EFI/Boot/{loader}")
        draft.upload(path, draft.read(manager), why="UEFI finds a loader without a boot entry")
    store = any_case(draft, f"{esp}/EFI/Microsoft/Boot/BCD")
    if not draft.is_file(store):
        return
    bcd = draft.hive(store)
    chosen = bcd.text(_DEFAULT, "Element") or ""
    if _GUID.fullmatch(chosen):
        bcd.draft_removal(
            rf"Objects\{chosen}\Elements\{_GRAPHICS_MODE_DISABLED}",
            why="Windows starts with a picture",
        )
