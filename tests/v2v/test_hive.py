# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registry hives, real ones: read, drafted, changed."""

from __future__ import annotations

import pytest

from fixtures.hives import empty_hive, hive
from v2v.changes import Draft, SetRegistry
from v2v.errors import GuestError
from v2v.files import DictFiles, any_case
from v2v.hive import Hive, Type, Value

CYRILLIC = "\u0414\u0438\u0441\u043a"
PATH = "/Windows/System32/config/SYSTEM"
DISK = r"ControlSet001\Services\disk"
CONTENT = {
    DISK: {"Start": Value.dword(3), "ImagePath": Value.text(r"drivers\disk.sys", Type.EXPAND_SZ)},
    rf"ControlSet001\{CYRILLIC}": {"": Value.text(CYRILLIC), "List": Value.texts(["a", CYRILLIC])},
    r"ControlSet001\Control\Class\X": {"UpperFilters": Value.texts(["xenfilt", "other"])},
}


@pytest.fixture
def files() -> DictFiles:
    return DictFiles({PATH: hive(CONTENT)})


def test_names_are_found_in_any_case_and_any_language() -> None:
    made = Hive(hive(CONTENT), "SYSTEM")
    assert made.keys("CONTROLSET001") == ("Control", "Services", CYRILLIC)
    assert made.number(r"controlset001\SERVICES\Disk", "START") == 3
    assert made.text(rf"ControlSet001\{CYRILLIC.lower()}", "") == CYRILLIC
    list_value = made.value(rf"ControlSet001\{CYRILLIC.upper()}", "list")
    assert list_value is not None
    assert list_value.as_texts == ("a", CYRILLIC)
    assert made.value(DISK, "Absent") is None
    assert made.values("no\\such") == {}
    assert made.keys("no\\such") == ()


def test_a_change_keeps_what_it_does_not_name() -> None:
    made = Hive(hive(CONTENT), "SYSTEM")
    made.set(DISK, {"start": Value.dword(0), "ImagePath": None, "New": Value.binary(b"\1" * 9000)})
    again = Hive(made.commit(), "SYSTEM")
    assert {name: value.type for name, value in again.values(DISK).items()} == {
        "Start": Type.DWORD,
        "New": Type.BINARY,
    }
    assert again.number(DISK, "Start") == 0
    assert again.keys("ControlSet001") == made.keys("ControlSet001")


def test_a_removed_key_is_gone_with_what_is_below() -> None:
    made = Hive(hive(CONTENT), "SYSTEM")
    made.remove(r"ControlSet001\Control")
    assert not made.exists(r"ControlSet001\Control\Class\X")
    made.remove(r"ControlSet001\Control")
    assert Hive(made.commit(), "SYSTEM").keys("ControlSet001") == ("Services", CYRILLIC)


@pytest.mark.parametrize("data", [b"", b"junk" * 4096, empty_hive()[:4200]], ids=len)
def test_what_is_no_hive_is_said_so(data: bytes) -> None:
    with pytest.raises(GuestError) as caught:
        Hive(data, "SYSTEM").keys("")
    assert caught.value.finding.code == "E-HIVE"


def test_a_drafted_value_is_seen_and_applied_and_drafted_once(files: DictFiles) -> None:
    draft = Draft(files)
    drafted = draft.hive(PATH)
    drafted.draft(DISK, {"Start": Value.dword(0), "Group": Value.text("SCSI")}, why="boot")
    drafted.draft(DISK, {"start": Value.dword(0)}, why="not again")
    assert draft.hive(PATH).number(DISK, "Start") == 0
    assert Hive(files.read(PATH), "SYSTEM").number(DISK, "Start") == 3
    (change,) = draft.changes
    assert change.describe() == rf"set SYSTEM\{DISK}"
    assert change.diff() == (
        " [SYSTEM\\" + DISK + "]\n"
        '-"Start"=dword:00000003\n'
        '+"Start"=dword:00000000\n'
        '+"Group"="SCSI"\n'
    )
    change.apply(files)
    again = Draft(files)
    again.hive(PATH).draft(DISK, {"Start": Value.dword(0), "Group": Value.text("SCSI")}, why="")
    assert again.changes == []


def test_a_drafted_removal_says_what_goes(files: DictFiles) -> None:
    draft = Draft(files)
    draft.hive(PATH).draft_removal(r"ControlSet001\Control", why="filters")
    draft.hive(PATH).draft_removal(r"ControlSet001\Control", why="not again")
    (change,) = draft.changes
    assert isinstance(change, SetRegistry)
    assert change.describe() == r"remove SYSTEM\ControlSet001\Control"
    assert change.diff() == (
        "-[SYSTEM\\ControlSet001\\Control]\n"
        "-[SYSTEM\\ControlSet001\\Control\\Class]\n"
        "-[SYSTEM\\ControlSet001\\Control\\Class\\X]\n"
    )
    change.apply(files)
    assert Hive(files.read(PATH), "SYSTEM").keys("ControlSet001") == ("Services", CYRILLIC)


def test_values_read_as_in_a_reg_file() -> None:
    assert str(Value.text('a "b" \\c')) == '"a \\"b\\" \\\\c"'
    assert str(Value.texts(["a", "b"])) == 'multi_sz:"a","b"'
    assert str(Value.text("%a%", Type.EXPAND_SZ)) == 'expand_sz:"%a%"'
    assert str(Value(Type.MULTI_SZ, b"a\0\0\0")) == "hex(7):61,00,00,00"
    assert str(Value.binary(b"\1\xff")) == "hex:01,ff"
    assert str(Value(0xFFFF0012, b"\0")) == "hex(ffff0012):00"
    assert Value(Type.QWORD, bytes([1, 0, 0, 0, 0, 0, 0, 0])).as_number == 1
    assert Value(Type.DWORD, b"\1").as_number is None
    assert Value(Type.SZ, b"a").as_texts == ()


def test_paths_are_found_in_any_case(files: DictFiles) -> None:
    assert any_case(files, "/WINDOWS/system32/Config/system") == PATH
    assert any_case(files, "/windows/New/File") == "/Windows/New/File"
