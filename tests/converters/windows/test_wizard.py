# SPDX-License-Identifier: LGPL-2.1-or-later
"""The wizard for new hardware is silent during the first boot, and then as it was."""

from __future__ import annotations

import pytest

from converters.windows import wizard
from fixtures.hives import empty_hive, hive
from tests.converters.windows import conversions
from tests.converters.windows.conversions import CURRENT, SOFTWARE, SYSTEM, WINDOWS_10, XP
from v2v.files import DictFiles
from v2v.hive import Hive, Value

SERVER_2003 = (5, 2), 3790
POLICY = r"Policies\Microsoft\Windows\DeviceInstall\Settings"
PARAMETERS = rf"{CURRENT}\Services\PlugPlay\Parameters"


def silenced(
    files: DictFiles, version: tuple[tuple[int, int], int]
) -> tuple[DictFiles, tuple[str, ...]]:
    """The guest after it, and what runs at the end of its first boot."""
    conversion = conversions.conversion(files, version=version)
    wizard.silence(conversion)
    lines = tuple(wizard.restoring(conversion))
    for change in conversion.draft.changes:
        change.apply(files)
    return files, lines


@pytest.mark.parametrize(("before", "restored"), [(None, 0), (0, 0)])
def test_xp_asks_again_when_the_first_boot_is_over(before: int | None, restored: int) -> None:
    files = conversions.files()
    if before is not None:
        files.content[SOFTWARE] = hive({POLICY: {"SuppressNewHWUI": Value.dword(before)}})
    after, lines = silenced(files, XP)
    assert Hive(after.read(SOFTWARE), "").number(POLICY, "SuppressNewHWUI") == 1
    assert lines[0] == (
        rf'call reg add "HKLM\SOFTWARE\{POLICY}" /v SuppressNewHWUI /t REG_DWORD /d {restored}'
        " /f >nul 2>&1"
    )
    assert silenced(after, XP)[1] == lines


def test_server_2003_has_another_place_for_it() -> None:
    after, lines = silenced(conversions.files(), SERVER_2003)
    assert Hive(after.read(SYSTEM), "").number(PARAMETERS, "SuppressUI") == 1
    assert r"HKLM\SYSTEM\CurrentControlSet\Services\PlugPlay\Parameters" in lines[0]


def test_a_wizard_that_was_silent_stays_so() -> None:
    files = conversions.files()
    files.content[SOFTWARE] = hive({POLICY: {"SuppressNewHWUI": Value.dword(1)}})
    assert silenced(files, XP)[1] == ()


def test_newer_windows_has_no_such_wizard() -> None:
    files = conversions.files()
    files.content[SOFTWARE] = empty_hive()
    after, lines = silenced(files, WINDOWS_10)
    assert lines == ()
    assert not Hive(after.read(SOFTWARE), "").exists(POLICY)
