# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is put into a Windows guest to run at its first boot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converters.windows.firstboot import SERVICE, Step, install
from converters.windows.firstboot_drivers import driver_steps
from drivers.windows_devices import Device
from tests.converters.windows.conversions import (
    CURRENT,
    SYSTEM,
    WINDOWS_7,
    WINDOWS_10,
    XP,
    conversion,
    driver_set,
    files,
    package,
)
from v2v.files import DictFiles
from v2v.hive import Hive, Type

CYRILLIC = "\u041f\u0440\u043e\u0433\u0440\u0430\u043c\u043c\u0430"
STEPS = (
    Step("late", 3000, "exit /b 0", required=False, tries=2),
    Step("early", 2000, "exit /b 0", required=False, tries=1, files={"a.txt": b"a"}),
    Step("needed", 9000, "exit /b 0", required=True, tries=3),
)
HERE = "/Windows/v2v"


def installed(guest: DictFiles, steps: tuple[Step, ...] = STEPS) -> int:
    """Convert a guest, and return how many changes that took."""
    made = conversion(guest)
    install(made, steps)
    for change in made.draft.changes:
        change.apply(guest)
    return len(made.draft.changes)


def test_the_service_is_a_program_that_every_windows_has() -> None:
    guest = files()
    installed(guest)
    system = Hive(guest.read(SYSTEM), "SYSTEM")
    values = system.values(rf"{CURRENT}\Services\{SERVICE}")
    assert {name: value.as_number for name, value in values.items() if value.as_number} == {
        "Type": 0x10,
        "Start": 2,
    }
    command = values["ImagePath"]
    assert command.type == Type.EXPAND_SZ
    assert command.as_text is not None
    assert command.as_text.startswith(r'%SystemRoot%\System32\cmd.exe /d /c start "" /b ')
    assert command.as_text.endswith(r"%SystemRoot%\v2v\firstboot.cmd")
    assert values["ObjectName"].as_text == "LocalSystem"


def test_required_steps_come_first_and_the_others_by_their_order() -> None:
    guest = files()
    installed(guest)
    lines = guest.read(f"{HERE}/firstboot.cmd").decode("ascii").split("\r\n")
    assert [line for line in lines if line.startswith("call :step")] == [
        "call :step 9000-needed 3 1800",
        "call :step 2000-early 1 1800",
        "call :step 3000-late 2 1800",
    ]
    assert not any("\n" in line or "@" in line.replace("@echo", "") for line in lines)
    assert guest.read(f"{HERE}/files/2000-early/a.txt") == b"a"


def test_a_second_conversion_changes_nothing() -> None:
    guest = files()
    assert installed(guest) > 0
    assert installed(guest) == 0


def test_a_conversion_after_a_first_boot_starts_anew() -> None:
    guest = files()
    installed(guest)
    for name in ("complete", "state/starts", "state/9000-needed.done"):
        guest.content[f"{HERE}/{name}"] = b"1\r\n"
    guest.content[f"{HERE}/log.txt"] = b"what happened\r\n"
    assert installed(guest) == 3
    assert not any(path.startswith(f"{HERE}/state/") for path in guest.content)
    assert f"{HERE}/complete" not in guest.content
    assert f"{HERE}/log.txt" in guest.content


def test_nothing_is_installed_where_nothing_is_to_run() -> None:
    assert installed(files(), ()) == 0


@pytest.mark.parametrize(
    ("page", "expected"),
    [("866", CYRILLIC.encode("cp866")), ("437", b"?" * 9), ("junk", b"?" * 9)],
)
def test_scripts_are_in_the_code_page_that_the_guest_reads_them_in(
    page: str, expected: bytes
) -> None:
    guest = files(page)
    installed(guest, (Step("remove", 3000, f"echo {CYRILLIC}", required=False, tries=1),))
    assert b"echo " + expected + b"\r\n" in guest.read(f"{HERE}/steps/3000-remove.cmd")


def test_a_powershell_script_is_run_whatever_its_policy() -> None:
    guest = files()
    step = Step("net", 3000, "%RUN_PS1%", required=False, tries=1, ps1=f"'{CYRILLIC}'\nexit 3")
    installed(guest, (step,))
    script = guest.read(f"{HERE}/files/3000-net/net.ps1")
    assert script.decode("utf-8-sig") == f"'{CYRILLIC}'\r\nexit 3\r\n"
    assert script.startswith(b"\xef\xbb\xbf")
    batch = guest.read(f"{HERE}/steps/3000-net.cmd").decode()
    assert "Invoke-Expression (Get-Content 'net.ps1' | Out-String)" in batch
    assert "-File" not in batch


DRIVERS = driver_set(
    [package("viostor", Device.blk), package("netkvm", Device.net), package("viorng", Device.rng)],
    agent=("qemu-ga-x86_64.msi", b"msi"),
    blnsvr=b"MZ",
)


def test_each_driver_is_a_step_and_only_disks_and_nics_are_required() -> None:
    steps = driver_steps(conversion(files(), DRIVERS))
    assert [(step.name, step.required) for step in steps] == [
        ("driver-viostor", True),
        ("driver-netkvm", True),
        ("driver-viorng", False),
        ("qemu-ga", False),
        ("blnsvr", False),
    ]
    assert set(steps[0].files) == {"viostor.inf", "viostor.sys", "viostor.cat"}
    assert steps[3].files == {"qemu-ga-x86_64.msi": b"msi"}


@pytest.mark.parametrize(
    ("version", "command"),
    [
        (WINDOWS_7, 'call pnputil -i -a "viostor.inf"'),
        (((10, 0), 10586), 'call pnputil -i -a "viostor.inf"'),
        (WINDOWS_10, 'call pnputil /add-driver "viostor.inf" /install'),
    ],
)
def test_pnputil_is_asked_in_the_words_of_its_age(
    version: tuple[tuple[int, int], int], command: str
) -> None:
    first = driver_steps(conversion(files(), DRIVERS, version))[0]
    assert first.script.splitlines()[0] == command


def test_windows_xp_has_neither_pnputil_nor_offline_disks() -> None:
    steps = driver_steps(conversion(files(), DRIVERS, XP, disks=3))
    assert [step.name for step in steps] == ["qemu-ga", "blnsvr"]


def test_further_disks_are_brought_online() -> None:
    assert driver_steps(conversion(files(), disks=1)) == ()
    (step,) = driver_steps(conversion(files(), disks=2))
    assert sorted(step.files) == ["disk0.txt", "disk1.txt", "policy.txt"]
    assert b"online disk" in step.files["disk1.txt"]


def test_what_is_new_in_windows_own_folders_is_closed_to_ordinary_users() -> None:
    guest = files()
    made = conversion(guest, driver_set([package("viostor", Device.blk)]))
    install(made, STEPS)
    for change in made.draft.changes:
        change.apply(guest)
    program = guest.read(f"{HERE}/firstboot.cmd").decode()
    for path in ("Drivers", r"System32\drivers\viostor.sys"):
        assert f'call icacls "%SystemRoot%\\{path}" /reset /t /c /q >nul 2>&1\r\n' in program


def test_a_service_program_of_the_host_is_the_service() -> None:
    guest = files()
    drivers = replace(driver_set(), wrapper=("rhsrvany.exe", b"MZ"))
    made = conversion(guest, drivers)
    install(made, STEPS)
    for change in made.draft.changes:
        change.apply(guest)
    assert guest.read(f"{HERE}/rhsrvany.exe") == b"MZ"
    key = rf"{CURRENT}\Services\{SERVICE}"
    system = Hive(guest.read(SYSTEM), "SYSTEM")
    assert system.text(key, "ImagePath") == rf"%SystemRoot%\v2v\rhsrvany.exe -s {SERVICE}"
    command = system.text(rf"{key}\Parameters", "CommandLine")
    assert command == r"cmd.exe /d /c %SystemRoot%\v2v\firstboot.cmd"
    assert system.text(rf"{key}\Parameters", "PWD") == r"C:\Windows\v2v"
    assert installed(guest) > 0  # without it, the service is cmd.exe again
    assert not Hive(guest.read(SYSTEM), "SYSTEM").exists(rf"{key}\Parameters")
