# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Windows guests say of themselves."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from fixtures.hives import hive
from v2v.errors import GuestError
from v2v.files import DictFiles
from v2v.hive import Value
from v2v.windows import identify

Keys = Mapping[str, Mapping[str, Value]]
NT = r"Microsoft\Windows NT\CurrentVersion"
UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
UMLAUT = "Datei f\u00fcr \u0416"
SYSTEM: Keys = {
    "Select": {"Current": Value.dword(2)},
    r"ControlSet002\Services\Tcpip\Parameters": {"Hostname": Value.text("srv-\u00e4")},
}


def numbered(product: str, build: str, variant: str = "Client") -> dict[str, Value]:
    return {
        "ProductName": Value.text(product),
        "CurrentVersion": Value.text("6.3"),
        "CurrentMajorVersionNumber": Value.dword(10),
        "CurrentMinorVersionNumber": Value.dword(0),
        "CurrentBuild": Value.text("1.511.1 () (Obsolete data - do not use)"),
        "CurrentBuildNumber": Value.text(build),
        "InstallationType": Value.text(variant),
    }


def program(machine: int) -> bytes:
    return b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80) + bytes(0x40) + struct.pack(
        "<4sH", b"PE\0\0", machine
    )  # fmt: skip


def guest(
    software: Keys, system: Keys = SYSTEM, *, root: str = "Windows", machine: int = 0x8664
) -> DictFiles:
    return DictFiles(
        {
            f"/{root}/System32/cmd.exe": program(machine),
            f"/{root}/System32/config/SYSTEM": hive(system),
            f"/{root}/System32/config/software": hive(software),
        }
    )


def test_a_windows_is_told_by_its_registry() -> None:
    found = identify(guest({NT: numbered("Windows Server 2022 Standard", "20348", "Server Core")}))
    assert found is not None
    assert (found.product, found.version, found.arch) == (
        "Windows Server 2022 Standard", "10.0", "x86_64",
    )  # fmt: skip
    windows = found.windows
    assert (windows.nt, windows.build, windows.server) == ((10, 0), 20348, True)
    assert windows.control_set == "ControlSet002"
    assert windows.hostname == "srv-\u00e4"
    assert windows.software_hive == "/Windows/System32/config/software"


def test_windows_11_says_10_and_is_called_11() -> None:
    found = identify(guest({NT: numbered("Windows 10 Pro", "22631")}))
    assert found is not None
    assert found.product == "Windows 11 Pro"


def test_an_old_windows_has_its_version_as_text_and_another_folder() -> None:
    old = {
        "ProductName": Value.text("Microsoft Windows XP"),
        "CurrentVersion": Value.text("5.1"),
        "CurrentBuildNumber": Value.text("2600"),
    }
    found = identify(guest({NT: old}, root="WINNT", machine=0x14C))
    assert found is not None
    assert (found.version, found.arch, found.windows.build) == ("5.1", "i686", 2600)
    assert found.windows.systemroot == "/WINNT"


def test_boot_ini_tells_a_folder_of_any_name() -> None:
    files = guest({NT: numbered("Windows 10 Pro", "19045")}, root="NEU")
    assert identify(files) is None
    files.content["/BOOT.INI"] = (
        b'[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(1)\\NEU="XP" /fastdetect\r\n'
    )
    found = identify(files)
    assert found is not None
    assert found.windows.systemroot == "/NEU"


@pytest.mark.parametrize(
    ("machine", "arch"),
    [(0x14C, "i686"), (0x8664, "x86_64"), (0xAA64, "aarch64"), (0x1234, "unknown")],
)
def test_the_architecture_is_in_the_header_of_a_program(machine: int, arch: str) -> None:
    found = identify(guest({NT: numbered("Windows 11 Pro", "26100")}, machine=machine))
    assert found is not None
    assert found.arch == arch


def test_programs_are_found_in_both_views() -> None:
    software: Keys = {
        NT: numbered("Windows 10 Pro", "19045"),
        rf"{UNINSTALL}\{{11-22}}": {
            "DisplayName": Value.text("VMware Tools"),
            "Publisher": Value.text("VMware, Inc."),
            "UninstallString": Value.text("MsiExec.exe /I{11-22}"),
        },
        rf"{UNINSTALL}\KB1": {"ParentKeyName": Value.text("OperatingSystem")},
        rf"WOW6432Node\{UNINSTALL}\av": {
            "DisplayName": Value.text(f"Sophos {UMLAUT}"),
        },
        r"Microsoft\Windows\CurrentVersion\Group Policy\History\{35-46}": {},
    }
    found = identify(guest(software))
    assert found is not None
    assert [app.name for app in found.windows.apps] == ["VMware Tools", f"Sophos {UMLAUT}"]
    assert found.windows.apps[0].uninstall == "MsiExec.exe /I{11-22}"
    assert found.windows.antivirus == (f"Sophos {UMLAUT}",)
    assert found.windows.group_policy


@pytest.mark.parametrize(
    ("text", "update", "sha2"),
    [("6.1", "KB976902", False), ("6.1", "KB4474419", True), ("6.3", "KB976902", True)],
)
def test_windows_7_knows_sha_2_since_an_update(text: str, update: str, sha2: bool) -> None:
    updates = r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages"
    software: Keys = {
        NT: {"CurrentVersion": Value.text(text), "CurrentBuildNumber": Value.text("7601")},
        rf"{updates}\Package_for_{update}~31bf3856ad364e35~amd64~~6.1.3.2": {},
    }
    found = identify(guest(software))
    assert found is not None
    assert found.windows.sha2 is sha2


def test_a_hive_behind_its_log_is_refused() -> None:
    files = guest({NT: numbered("Windows 10 Pro", "19045")})
    path = "/Windows/System32/config/SYSTEM"
    data = files.read(path)
    files.content[path] = data[:8] + (int.from_bytes(data[4:8], "little") - 1).to_bytes(
        4, "little"
    ) + data[12:]  # fmt: skip
    with pytest.raises(GuestError) as caught:
        identify(files)
    assert caught.value.finding.code == "E-HIVE-LOG"


def test_what_only_looks_like_windows_is_none() -> None:
    assert identify(DictFiles({"/Windows/System32/cmd.exe": b"MZ"})) is None
    assert identify(DictFiles({"/WINDOWS/readme": b""})) is None


def test_a_hive_without_a_version_is_named() -> None:
    with pytest.raises(GuestError) as caught:
        identify(guest({NT: {"ProductName": Value.text("Windows")}}))
    assert caught.value.finding.code == "E-HIVE"
