# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a Windows guest says of itself: its folders, its programs' headers and its registry.

Nothing here writes, and nothing needs more of a guest than to read its files.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from v2v.errors import GuestError
from v2v.files import Files, any_case
from v2v.hive import Hive
from v2v.windows_guest import App, Windows

_ROOTS = ("Windows", "WINNT", "Win32", "Win", "ReactOS")
_BOOT_INI = re.compile(r"(?:multi|scsi)\([^)]*\)[^\\\r\n]*\\([^\\=\r\n]+)=", re.IGNORECASE)
_VERSION = r"Microsoft\Windows NT\CurrentVersion"
_POLICY = r"Microsoft\Windows\CurrentVersion\Group Policy\History"
_UNINSTALL = (
    r"Microsoft\Windows\CurrentVersion\Uninstall",
    r"WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
_UPDATES = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
# Windows 8 knows SHA-2 from the start; before, the first two are what taught it, and the last a
# collection of all until 2016 (Microsoft security advisory 3033929, KB4474419, KB3125574).
_SHA2 = re.compile("Package_for_KB(?:3033929|4474419|3125574)~")
_WINDOWS_8 = 6, 2
_ANTIVIRUS = re.compile(
    r"\b(?:anti-?virus|kaspersky|mcafee|norton|sophos|apexonent|avg technologies|bitdefender"
    r"|crowdstrike|sentinelone|trellix|eset (?:endpoint|server|security))",
    re.IGNORECASE,
)
# PE/COFF specification, "Machine Types"; under the names that Guest.arch has.
_MACHINES = {0x014C: "i686", 0x8664: "x86_64", 0xAA64: "aarch64", 0x01C4: "armv7l"}


@dataclass(frozen=True, slots=True)
class Identity:
    """What a Windows is called, beside what its registry says of its inner workings."""

    product: str
    version: str  # such as 10.0
    arch: str
    windows: Windows


def identify(files: Files) -> Identity | None:
    """Return what a Windows is, or None where there is none on this file system.

    Raises GuestError(E-HIVE) where a hive cannot be read, or is older than its log.
    """
    systemroot = _systemroot(files)
    if systemroot is None:
        return None
    config = any_case(files, f"{systemroot}/System32/config")
    paths = [any_case(files, f"{config}/{name}") for name in ("SYSTEM", "SOFTWARE")]
    if any(files.stat(path) is None for path in paths):
        return None
    system, software = (Hive(_clean(files, path), path) for path in paths)
    nt = _nt(software)
    windows = Windows(
        systemroot=systemroot,
        system_hive=paths[0],
        software_hive=paths[1],
        control_set=_control_set(system),
        nt=nt,
        build=_build(software),
        variant=software.text(_VERSION, "InstallationType") or "",
        hostname=_hostname(system),
        apps=(apps := tuple(_apps(software))),
        group_policy=any(key.startswith("{") for key in software.keys(_POLICY)),
        sha2=nt >= _WINDOWS_8 or any(map(_SHA2.match, software.keys(_UPDATES))),
        antivirus=tuple(_antivirus(software, apps)),
    )
    return Identity(
        product=_product(software, windows),
        version=".".join(map(str, nt)),
        arch=_arch(files, any_case(files, f"{systemroot}/System32/cmd.exe")),
        windows=windows,
    )


def _systemroot(files: Files) -> str | None:
    for name in (*_ROOTS, *_of_boot_ini(files)):
        path = any_case(files, f"/{name}")
        shell = any_case(files, f"{path}/System32/cmd.exe")
        config = files.stat(any_case(files, f"{path}/System32/config"))
        if config is not None and config.is_dir and files.stat(shell) is not None:
            return path
    return None


def _of_boot_ini(files: Files) -> list[str]:
    """Return the folders that boot.ini of XP and before names."""
    try:
        text = files.read(any_case(files, "/boot.ini")).decode("ascii", "replace")
    except FileNotFoundError:
        return []
    return _BOOT_INI.findall(text)


def _clean(files: Files, path: str) -> bytes:
    """Return a hive that nothing newer stands beside.

    The two numbers of its first block differ while Windows writes to it ("Windows registry file
    format specification", base block). The rest is in its log then, and when Windows next loads it,
    it overwrites what anybody put into the hive.
    """
    data = files.read(path)
    if data[:4] == b"regf" and data[4:8] != data[8:12]:
        raise GuestError(
            "E-HIVE-LOG",
            f"{path}: Windows was not shut down, its newest changes are in the hive's log only",
            hint="start the guest where it was, and shut it down there: shutdown /s /t 0",
        )
    return data


def _control_set(system: Hive) -> str:
    current = system.number("Select", "Current")
    if current is None:
        raise GuestError("E-HIVE", f"{system.name}: it does not say which control set is in use")
    return f"ControlSet{current:03}"


def _nt(software: Hive) -> tuple[int, int]:
    """Return the version of NT; the text stays at 6.3 from Windows 8.1 on."""
    numbers = [software.number(_VERSION, f"Current{part}VersionNumber") for part in
               ("Major", "Minor")]  # fmt: skip
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0], numbers[1]
    text = software.text(_VERSION, "CurrentVersion") or ""
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if match is None:
        raise GuestError("E-HIVE", f"{software.name}: {text!r} is no version of Windows")
    return int(match[1]), int(match[2])


def _build(software: Hive) -> int:
    """Return the number of the build; what XP has under CurrentBuild is none."""
    text = software.text(_VERSION, "CurrentBuildNumber") or ""
    return int(text) if text.isascii() and text.isdigit() else 0


def _product(software: Hive, windows: Windows) -> str:
    """Return its name; that of Windows 11 still says Windows 10."""
    name = software.text(_VERSION, "ProductName") or "Windows"
    if windows.build >= 22000 and not windows.server:
        name = name.replace("Windows 10", "Windows 11")
    return name


def _hostname(system: Hive) -> str:
    key = rf"{_control_set(system)}\Services\Tcpip\Parameters"
    return system.text(key, "Hostname") or system.text(key, "NV Hostname") or ""


def _apps(software: Hive) -> Iterator[App]:
    """Yield the installed programs, 64-bit ones first."""
    for view in _UNINSTALL:
        for name in software.keys(view):
            key = rf"{view}\{name}"
            title = software.text(key, "DisplayName")
            if title:
                yield App(
                    title,
                    key,
                    software.text(key, "Publisher") or "",
                    software.text(key, "DisplayVersion") or "",
                    software.text(key, "UninstallString"),
                )


def _antivirus(software: Hive, apps: tuple[App, ...]) -> Iterator[str]:
    """Yield the virus scanners that may keep new drivers out; Defender is none of those."""
    seen = set()
    for app in apps:
        if _ANTIVIRUS.search(f"{app.name}\n{app.publisher}") and app.name not in seen:
            seen.add(app.name)
            yield app.name


def _arch(files: Files, path: str) -> str:
    """Read the architecture off the header of a program (PE/COFF specification, section 3)."""
    try:
        header = files.read(path)[:4096]
    except FileNotFoundError:
        return "unknown"
    if header[:2] != b"MZ" or len(header) < 0x40:
        return "unknown"
    at = struct.unpack_from("<I", header, 0x3C)[0]
    if header[at : at + 4] != b"PE\0\0" or len(header) < at + 6:
        return "unknown"
    return _MACHINES.get(struct.unpack_from("<H", header, at + 4)[0], "unknown")
