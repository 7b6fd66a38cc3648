# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uninstalls the old hypervisor's programs and driver packages at first boot.

Nothing that Windows calls in the guest's own language stands in the scripts. A package of the
Windows Installer is named by its product code. For other programs the script itself reads where the
uninstaller is (``UninstallString``), so that a path in any language is decoded and encoded by the
guest's own code page, and the script stays ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from converters.windows.conversion import Conversion
from converters.windows.firstboot import Step
from converters.windows.foreign_tables import PARALLELS, TOOLS, Tools
from v2v.windows_guest import App

_PROGRAMS_ORDER = 3000  # when drivers and network are there
_PACKAGES_ORDER = 3900  # when the uninstallers have had their chance
_TRIES = 2  # VMware's uninstaller refuses off VMware each time (1603)
_PRODUCT = re.compile(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}", re.IGNORECASE)
_NSIS = re.compile(r"\\_?uninst(all|aller)?\.exe\"?\s*$", re.IGNORECASE)
_VISTA = (6, 0)  # the first that has pnputil
_SERVICE_OF_A_PROGRAM = 0x30  # SERVICE_WIN32_OWN_PROCESS | SERVICE_WIN32_SHARE_PROCESS
_CLASS = "Control\\Class"

_GONE_ALREADY = 'call reg query "HKLM\\SOFTWARE\\{key}" >nul 2>&1\nif errorlevel 1 exit /b 0\n'
# 1605 and 1614: the product is not installed. 1603 and 1618 are what VMware's says off VMware; then
# its services go, which are disabled already, and the packages of its drivers later.
_MSI = """\
call msiexec /x {product} /qn{norestart} REBOOT=ReallySuppress REMOVE=ALL{options}
set code=%errorlevel%
if %code%==1605 exit /b 0
if %code%==1614 exit /b 0
if %code%==0 exit /b 0
if %code%==1641 exit /b %code%
if %code%==3010 exit /b %code%
echo the uninstaller refused: %code%
{cleanup}exit /b %code%
"""
# An uninstaller of NSIS runs a copy of itself, and only _? makes it the one that is waited for.
_EXE = """\
set line=
set "key=HKLM\\SOFTWARE\\{key}"
for /f "tokens=2,*" %%a in ('call reg query "%key%" /v UninstallString') do (
if "%%a"=="REG_SZ" set "line=%%b"
if "%%a"=="REG_EXPAND_SZ" set "line=%%b"
)
if not defined line exit /b 0
set "line=%line:"=%"
call set "line=%line%"
{change}if not exist "%line%" exit /b 0
for %%f in ("%line%") do set "folder=%%~dpf"
call "%line%" /S _?=%folder:~0,-1%
set code=%errorlevel%
if %code% GEQ 3010 exit /b 3010
exit /b %code%
"""
# RHEL's asks before it does anything, and starts this one then.
_XENPV_CHANGE = 'set "line=%line:\\uninst.exe=\\_uninst.exe%"\n'


def steps(conversion: Conversion) -> tuple[Step, ...]:
    """Return the steps that uninstall the old hypervisors' programs, and then their drivers."""
    found = []
    for tools in TOOLS:
        for number, app in enumerate(_programs(conversion.windows.apps, tools), 1):
            script = _uninstaller(conversion, tools, app)
            if script is not None:
                name = f"remove-{tools.name.lower()}-{number}"
                found.append(Step(name, _PROGRAMS_ORDER, script, False, _TRIES))
                continue
            conversion.draft.warn(
                "W-TOOLS-STAY",
                f"{app.name}: it has no uninstaller that asks nothing; its drivers are disabled",
                hint="uninstall it in the converted guest, or before the conversion",
            )
    packages = tuple(sorted(_packages(conversion)))
    if packages and conversion.windows.nt >= _VISTA:
        found.append(_packages_step(packages))
    return tuple(found)


def _programs(apps: tuple[App, ...], tools: Tools) -> list[App]:
    """Return the programs of a hypervisor, those that would install others again first."""
    found = [
        app
        for app in apps
        if tools.programs.fullmatch(app.name) or tools.programs.fullmatch(_name_of_key(app))
    ]
    return sorted(found, key=lambda app: ("Drivers" in app.name, "Installer" not in app.name))


def _name_of_key(app: App) -> str:
    return app.key.rpartition("\\")[2]


def _uninstaller(conversion: Conversion, tools: Tools, app: App) -> str | None:
    """Return a batch file that uninstalls a program and asks nothing; None: there is no way."""
    key = app.key.replace("%", "%%")
    if not key.isascii() or app.uninstall is None:
        return None
    uninstall = app.uninstall
    product = _PRODUCT.fullmatch(_name_of_key(app)) or _PRODUCT.search(uninstall)
    if product is not None and "msiexec" in uninstall.casefold():
        return _GONE_ALREADY.format(key=key) + _msi(conversion, tools, app, product[0])
    if _NSIS.search(uninstall):
        change = _XENPV_CHANGE if app.name.startswith("Red Hat Paravirt") else ""
        return _GONE_ALREADY.format(key=key) + _EXE.format(key=key, change=change)
    return None


def _msi(conversion: Conversion, tools: Tools, app: App, product: str) -> str:
    """Return the lines that uninstall a product of the Windows Installer.

    XenServer's "Tools Installer" returns success with /norestart, and does nothing (PVDriversPurge
    of XenServer's win-installer).
    """
    norestart = "" if "Tools Installer" in app.name else " /norestart"
    options = f" {tools.msi_options}" if tools.msi_options else ""
    script = _MSI.format(
        product=product,
        norestart=norestart,
        options=options,
        cleanup="".join(
            f'call sc delete "{name}"\n' for name in _programs_services(conversion, tools)
        ),
    )
    if tools is PARALLELS:  # counts who uses the filter, which keeps the uninstaller from its work
        counter = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\prl_strg\\DriverInfo"
        return f'call reg delete "{counter}" /v RefCount /f >nul 2>&1\n{script}'
    return script


def _programs_services(conversion: Conversion, tools: Tools) -> Iterator[str]:
    services = f"{conversion.current}\\Services"
    for name in tools.services:
        kind = conversion.system.number(f"{services}\\{name}", "Type") or 0
        if kind & _SERVICE_OF_A_PROGRAM:
            yield name


def _packages(conversion: Conversion) -> Iterator[str]:
    """Yield the driver packages that were installed for devices that only old hypervisors have."""
    system, classes = conversion.system, f"{conversion.current}\\{_CLASS}"
    for name in system.keys(classes):
        for instance in system.keys(f"{classes}\\{name}"):
            key = f"{classes}\\{name}\\{instance}"
            device = system.text(key, "MatchingDeviceId") or ""
            inf = (system.text(key, "InfPath") or "").lower()
            foreign = any(tools.devices.match(device) for tools in TOOLS)
            if foreign and re.fullmatch(r"oem\d+\.inf", inf):
                yield inf


def _packages_step(packages: tuple[str, ...]) -> Step:
    """Return the step that removes driver packages, by pnputil's options that all versions take.

    What the uninstallers removed is an error here that means nothing.
    """
    names = sorted(set(packages))
    script = "".join(f"call pnputil -f -d {name}\n" for name in names) + "exit /b 0\n"
    return Step("remove-foreign-drivers", _PACKAGES_ORDER, script, False, 1)
