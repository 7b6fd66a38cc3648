# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first boot's steps for drivers, the guest agent, the balloon service, and offline disks.

Each driver is a step of its own: one that Windows refuses, or asks a question about that nobody
sees, holds up no other. Only those of disks and NICs are required.
"""

from __future__ import annotations

from collections.abc import Iterator

from converters.windows.conversion import Conversion
from converters.windows.firstboot import Step
from drivers.virtio_win import DriverPackage
from drivers.windows_devices import Device

_REQUIRED = frozenset({Device.blk, Device.scsi, Device.net})
_VISTA = (6, 0)
_NEW_PNPUTIL = 14393  # Windows 10 1607 knows /add-driver, all before it only -i -a


def driver_steps(conversion: Conversion) -> tuple[Step, ...]:
    """Return the steps for all that the driver media have for this guest, and for its disks."""
    return (
        *_packages(conversion),
        *_agent(conversion),
        *_balloon_service(conversion),
        *_disks(conversion),
    )


def _packages(conversion: Conversion) -> Iterator[Step]:
    """Yield a step for each driver; none before Vista, which has no pnputil.

    There, Windows finds drivers by itself in the folders of DevicePath.
    """
    if conversion.windows.nt < _VISTA:
        return
    for package in conversion.drivers.packages:
        required = package.device in _REQUIRED
        yield Step(
            f"driver-{package.name}",
            1000 if required else 1100,
            _pnputil(conversion, package),
            required=required,
            tries=3,
            files=package.files,
            minutes=10,
        )


def _pnputil(conversion: Conversion, package: DriverPackage) -> str:
    """Return the script that installs a driver.

    259 is ERROR_NO_MORE_ITEMS: no device is there for it, or all have a newer one.
    """
    new = conversion.windows.build >= _NEW_PNPUTIL
    arguments = f'/add-driver "{package.inf}" /install' if new else f'-i -a "{package.inf}"'
    return f"""call pnputil {arguments}
if %errorlevel% equ 259 exit /b 0
exit /b %errorlevel%
"""


def _agent(conversion: Conversion) -> Iterator[Step]:
    """Yield the installation of the QEMU guest agent.

    1638 is ERROR_PRODUCT_VERSION: another version is installed. 1618, another installation running,
    is a reason to try again.
    """
    if conversion.drivers.agent is None:
        return
    name, content = conversion.drivers.agent
    script = f"""call msiexec /i "{name}" /qn /norestart /l*v "%V2V_DIR%\\logs\\qemu-ga-msi.txt"
if %errorlevel% equ 1638 exit /b 0
exit /b %errorlevel%
"""
    yield Step("qemu-ga", 2000, script, required=False, tries=5, files={name: content})


def _balloon_service(conversion: Conversion) -> Iterator[Step]:
    """Yield the installation of the balloon service, which stays where it is installed from."""
    if conversion.drivers.blnsvr is None:
        return
    script = r"""set home=%SystemRoot%\Drivers\VirtIO
if not exist "%home%" md "%home%"
copy /y blnsvr.exe "%home%\blnsvr.exe"
if errorlevel 1 exit /b 1
call "%home%\blnsvr.exe" -i
exit /b %errorlevel%
"""
    files = {"blnsvr.exe": conversion.drivers.blnsvr}
    yield Step("blnsvr", 2100, script, required=False, tries=2, files=files, minutes=5)


def _disks(conversion: Conversion) -> Iterator[Step]:
    """Yield what brings further disks online: Windows keeps one offline whose bus has changed.

    diskpart, not Get-Disk, which Windows 7 and 2008 R2 do not have. Before Vista, no disk is
    offline. A disk that is online already is an error of diskpart's, and none of the step's.
    """
    numbers = range(len(conversion.machine.disks))
    if conversion.windows.nt < _VISTA or len(numbers) < 2:
        return
    files = {"policy.txt": b"san policy=onlineall\r\n"}
    for number in numbers:
        files[f"disk{number}.txt"] = (
            f"select disk {number}\r\nattributes disk clear readonly noerr\r\nonline disk noerr\r\n"
        ).encode()
    calls = "\n".join(f"call diskpart /s disk{number}.txt" for number in numbers)
    script = f"{calls}\ncall diskpart /s policy.txt\nexit /b %errorlevel%\n"
    yield Step("disks-online", 1200, script, required=False, tries=2, files=files, minutes=10)
