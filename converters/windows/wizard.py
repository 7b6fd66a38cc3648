# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wizard for new hardware of XP and Server 2003, which is silent during the first boot.

It would ask for each new device, on a screen that nobody sees. What was set before is set again
when the first boot is over.
"""

from __future__ import annotations

from collections.abc import Iterator

from converters.windows.conversion import Conversion
from v2v.changes import DraftHive
from v2v.hive import Value

_XP = 5, 1
_VISTA = 6, 0
_POLICY = r"Policies\Microsoft\Windows\DeviceInstall\Settings"
_KEPT = "v2vBefore"  # where the value of before is kept, under its own name


def silence(conversion: Conversion) -> None:
    """Draft that it does not ask, and keep what was set before."""
    if conversion.windows.nt >= _VISTA:
        return
    hive, key, name = _place(conversion)
    before = hive.number(key, name)
    if before == 1:  # its own choice, or an earlier conversion's
        return
    values: dict[str, Value | None] = {name: Value.dword(1)}
    values[_KEPT] = Value.dword(before or 0)
    hive.draft(key, values, why="no wizard waits for an answer at the first boot")


def restoring(conversion: Conversion) -> Iterator[str]:
    """Yield the lines of a batch file that set what was set before."""
    if conversion.windows.nt >= _VISTA:
        return
    hive, key, name = _place(conversion)
    before = hive.number(key, _KEPT)
    if before is None:
        return
    top = r"HKLM\SYSTEM\CurrentControlSet" if hive is conversion.system else r"HKLM\SOFTWARE"
    path = f"{top}\\{key.removeprefix(conversion.current).strip(chr(92))}"
    yield f'call reg add "{path}" /v {name} /t REG_DWORD /d {before} /f >nul 2>&1'
    yield f'call reg delete "{path}" /v {_KEPT} /f >nul 2>&1'


def _place(conversion: Conversion) -> tuple[DraftHive, str, str]:
    """Return where it is said: of XP a policy, of Server 2003 and XP x64 a service's parameter."""
    if conversion.windows.nt == _XP:
        return conversion.software, _POLICY, "SuppressNewHWUI"
    return conversion.system, rf"{conversion.current}\Services\PlugPlay\Parameters", "SuppressUI"
