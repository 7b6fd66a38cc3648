# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the old hypervisor's programs are uninstalled."""

from __future__ import annotations

import pytest

from converters.windows.foreign_tables import TOOLS
from converters.windows.foreign_tools import steps
from tests.converters.windows.guests import conversion, files
from v2v.hive import Value
from v2v.windows_guest import App

UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
GUID = "{0FD5F2D4-3A3D-4C8E-9C4A-0123456789AB}"
VMWARE = App("VMware Tools", f"{UNINSTALL}\\{GUID}", "VMware, Inc.", "12", f"MsiExec.exe /I{GUID}")
WOW = r"WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall"
XENPV = "Red Hat Paravirtualized Xen Drivers for Windows(R)"
CYRILLIC = "\u041f\u0440\u043e\u0433\u0440\u0430\u043c\u043c\u044b"


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("VMware Tools", "VMware"),
        (XENPV, "Xen"),
        ("Citrix XenServer Tools Installer", "Xen"),
        ("Citrix Xen Windows x64 PV Drivers", "Xen"),
        ("Citrix Hypervisor PV Tools", "Xen"),
        ("XenServer VM Tools for Windows", "Xen"),
        ("XCP-ng Windows Management Agent", "Xen"),
        ("GPL PV Drivers for Windows", "Xen"),
        ("Oracle VM Windows PV Drivers", "Xen"),
        ("Oracle VM VirtualBox Guest Additions 6.1.50", "VirtualBox"),
        ("Oracle VirtualBox Guest Additions 7.2.0", "VirtualBox"),
        ("Parallels Tools", "Parallels"),
        ("Virtuozzo Tools", "Parallels"),
        ("Citrix XenApp 6.5", None),
        ("Citrix XenCenter", None),
        ("VMware vSphere Client 6.0", None),
        ("VMware Workstation", None),
        ("Oracle VM VirtualBox 6.1.50", None),
        ("Virtio-win-guest-tools", None),
        ("Novell SUSE Linux Enterprise Virtual Machine Driver Pack", None),
    ],
)
def test_programs_are_known_by_name(name: str, tools: str | None) -> None:
    assert [known.name for known in TOOLS if known.programs.fullmatch(name)] == (
        [tools] if tools else []
    )


def script_of(app: App) -> str:
    (step,) = steps(conversion(files({}), apps=(app,)))
    assert (step.required, step.tries) == (False, 2)
    assert step.script.isascii()
    return step.script


def test_vmwares_install_command_becomes_an_uninstallation_by_product_code() -> None:
    script = script_of(VMWARE)
    assert f"msiexec /x {GUID} /qn /norestart REBOOT=ReallySuppress" in script
    assert "/I" not in script
    assert "if %code%==1605 exit /b 0" in script


def test_where_vmware_refuses_its_services_go_and_no_driver() -> None:
    services = {
        r"Services\VMTools": {"Type": Value.dword(16), "Start": Value.dword(2)},
        r"Services\vmmouse": {"Type": Value.dword(1), "Start": Value.dword(3)},
    }
    (step,) = steps(conversion(files(services), apps=(VMWARE,)))
    assert 'sc delete "VMTools"' in step.script
    assert "vmmouse" not in step.script


def test_xenservers_installer_goes_first_and_without_norestart() -> None:
    names = (
        "Citrix Xen Windows x64 PV Drivers",
        "Citrix XenServer VSS Provider",
        "Citrix XenServer Tools Installer",
    )
    apps = tuple(
        App(name, f"{UNINSTALL}\\{{{number}{GUID[2:]}", uninstall="MsiExec.exe /X")
        for number, name in enumerate(names)
    )
    scripts = [step.script for step in steps(conversion(files({}), apps=apps))]
    assert ["/norestart" in script for script in scripts] == [False, True, True]
    assert [script[script.index("/x {") + 4] for script in scripts] == ["2", "1", "0"]


def test_an_uninstaller_in_any_language_is_read_by_the_script() -> None:
    path = rf"C:\{CYRILLIC}\VirtualBox\uninst.exe"
    name = "Oracle VM VirtualBox Guest Additions 6.1.50"
    script = script_of(App(name, rf"{WOW}\{name}", uninstall=path))
    assert rf'set "key=HKLM\SOFTWARE\{WOW}\{name}"' in script
    assert "/v UninstallString" in script
    assert "_uninst" not in script


def test_rhels_uninstaller_is_the_one_that_asks_nothing() -> None:
    uninstall = r'"C:\Program Files\Red Hat\Xen\uninst.exe"'
    script = script_of(App(XENPV, rf"{UNINSTALL}\{XENPV}", uninstall=uninstall))
    assert r"%line:\uninst.exe=\_uninst.exe%" in script


@pytest.mark.parametrize("uninstall", [None, r'"C:\x\setup.exe" -runfromtemp -removeonly'])
def test_a_program_that_would_ask_stays_with_a_warning(uninstall: str | None) -> None:
    app = App("Oracle VM Windows PV Drivers", f"{UNINSTALL}\\{GUID}", uninstall=uninstall)
    made = conversion(files({}), apps=(app,))
    assert steps(made) == ()
    assert [warning.code for warning in made.draft.warnings] == ["W-TOOLS-STAY"]


NET = r"Control\Class\{4d36e972-e325-11ce-bfc1-08002be10318}"


def package(device: str, inf: str) -> dict[str, Value]:
    return {"MatchingDeviceId": Value.text(device), "InfPath": Value.text(inf)}


def test_driver_packages_of_foreign_devices_go_last_and_no_others() -> None:
    classes = {
        rf"{NET}\0001": package(r"pci\ven_15ad&dev_07b0", "oem7.inf"),
        rf"{NET}\0002": package(r"PCI\VEN_15AD&DEV_07B0", "OEM7.inf"),
        rf"{NET}\0003": package(r"pci\ven_1af4&dev_1000", "oem8.inf"),
        rf"{NET}\0004": package(r"pci\ven_15ad&dev_0405", "display.inf"),
        rf"{NET}\0005": package(r"XENVIF\VEN_XP0001&DEV_NET", "oem10.inf"),
    }
    made = conversion(files(classes), apps=(VMWARE,))
    first, last = steps(made)
    assert first.order < last.order
    assert last.script == "call pnputil -f -d oem10.inf\ncall pnputil -f -d oem7.inf\nexit /b 0\n"
    assert steps(conversion(files(classes), nt=(5, 2))) == ()
