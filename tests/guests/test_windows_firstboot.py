# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first boot of Windows, in Wine's cmd: it ends in every branch and seldom restarts Windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from converters.windows.firstboot import Step
from converters.windows.firstboot_drivers import driver_steps
from converters.windows.firstboot_script import MAX_REBOOTS, MAX_STARTS
from drivers.windows_devices import Device
from tests.converters.windows.conversions import conversion, driver_set, files, package
from tests.guests.windows_boots import WindowsBoots

pytestmark = pytest.mark.guest


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wine")


@pytest.fixture
def boots(prefix: Path) -> Iterator[WindowsBoots]:
    made = WindowsBoots(prefix)
    yield made
    made.stop()


def step(
    name: str, script: str, *, order: int = 3000, required: bool = False, tries: int = 2
) -> Step:
    return Step(name, order, script, required=required, tries=tries, minutes=1)


def test_all_is_done_in_one_boot_without_a_restart(boots: WindowsBoots) -> None:
    boots.convert([step("b", "exit /b 0"), step("a", "exit /b 0", order=9000, required=True)])
    boots.run()
    assert boots.complete
    assert boots.deleted
    assert (boots.starts, boots.reboots) == (1, 0)
    assert boots.log == [
        "start 1",
        "9000-a: try 1 of 2",
        "9000-a: exit code 0",
        "3000-b: try 1 of 2",
        "3000-b: exit code 0",
        "all steps are done",
    ]
    assert not any((boots.folder / name).exists() for name in ("state", "steps", "files"))


def test_a_start_after_the_end_does_nothing_but_delete_the_service(boots: WindowsBoots) -> None:
    boots.convert([step("a", "echo ran")])
    boots.run()
    log = boots.log
    boots.start()
    assert boots.log == log
    assert boots.calls.count("sc delete v2v-firstboot") == 2


@pytest.mark.parametrize("code", [3010, 1641])
def test_windows_restarts_between_required_steps_and_others(boots: WindowsBoots, code: int) -> None:
    boots.convert(
        [
            step("a", f"exit /b {code}", required=True),
            step("b", f"exit /b {code}", required=True),
            step("c", f"exit /b {code}"),
            step("d", "exit /b 0"),
        ]
    )
    boots.run()
    assert boots.complete
    assert (boots.starts, boots.reboots) == (3, 2)
    first = boots.log.index("start 2")
    assert "3000-b: exit code " + str(code) in boots.log[:first]
    assert "3000-c: try 1 of 2" in boots.log[first:]


@pytest.mark.parametrize("script", ["exit /b 7", "exit 7", "no-such-program", "exit /b -5"])
@pytest.mark.parametrize("required", [True, False])
def test_a_step_that_always_fails_is_given_up_and_the_others_run(
    boots: WindowsBoots, script: str, required: bool
) -> None:
    boots.convert([step("bad", script, required=required, tries=3), step("good", "exit /b 0")])
    boots.run()
    assert boots.complete
    assert boots.deleted
    assert (boots.starts, boots.reboots) == (1, 0)
    assert "3000-bad: try 3 of 3" in boots.log
    assert "3000-bad: given up" in boots.log
    assert "3000-good: exit code 0" in boots.log


def test_a_step_that_fails_once_is_done_at_its_second_try(boots: WindowsBoots) -> None:
    boots.convert(
        [step("a", 'if exist "%V2V_DIR%\\again" exit /b 0\necho.>"%V2V_DIR%\\again"\nexit /b 1')]
    )
    boots.run()
    assert "3000-a: try 2 of 2" in boots.log
    assert "3000-a: given up" not in boots.log


def test_a_step_that_hangs_is_left_alone(boots: WindowsBoots) -> None:
    boots.convert(
        [step("hangs", ':x\nif exist "%V2V_DIR%\\complete" exit /b 0\ngoto x'), step("z", "")]
    )
    boots.run()
    assert boots.complete
    assert "3000-hangs: not ended after 60 seconds, left alone" in boots.log
    assert "3000-z: try 1 of 2" in boots.log


@pytest.mark.parametrize("code", [5, 1])
def test_the_steps_go_on_when_windows_cannot_be_restarted(boots: WindowsBoots, code: int) -> None:
    steps = [step("a", "exit /b 3010", required=True), step("b", "exit /b 3010")]
    boots.convert(steps, {"shutdown": {"": code}})
    boots.start()
    assert boots.complete
    assert boots.reboots == 1
    assert "a restart is wanted, and left to people" in boots.log


@pytest.mark.parametrize("code", [1115, 1190])
def test_a_restart_that_somebody_else_began_is_one(boots: WindowsBoots, code: int) -> None:
    boots.convert([step("a", "exit /b 3010")], {"shutdown": {"": code}})
    boots.start()
    assert not boots.complete
    boots.start()
    assert boots.complete


def started(boots: WindowsBoots, times: int) -> None:
    """Make the guest one whose service has been started that often."""
    (boots.folder / "state").mkdir()
    (boots.folder / "state/starts").write_text(f"{times}\r\n")


def test_after_so_many_restarts_there_is_none(boots: WindowsBoots) -> None:
    boots.convert([step("a", "exit /b 3010", required=True), step("b", "exit /b 0")])
    started(boots, MAX_REBOOTS)
    boots.run()
    assert boots.complete
    assert boots.reboots == 0
    assert "3000-b: exit code 0" in boots.log


def test_a_guest_that_falls_down_at_a_step_is_not_troubled_for_ever(boots: WindowsBoots) -> None:
    boots.convert([step("a", "exit /b 0")])
    started(boots, MAX_STARTS)
    boots.run()
    assert boots.log == ["given up: started too often"]
    assert boots.complete
    assert boots.deleted


@pytest.mark.parametrize("blocked", ["starts", "3000-a.tries"])
def test_nothing_restarts_when_a_count_cannot_be_written(boots: WindowsBoots, blocked: str) -> None:
    boots.convert([step("a", "exit /b 3010", required=True), step("b", "exit /b 3010")])
    (boots.folder / "state" / blocked).mkdir(parents=True)
    for _ in range(3):
        boots.start()
    assert boots.reboots == 0


def test_a_driver_that_windows_refuses_holds_up_no_other(boots: WindowsBoots) -> None:
    drivers = driver_set(
        [
            package("viostor", Device.blk),
            package("netkvm", Device.net),
            package("smbus", Device.mem),
            package("balloon", Device.balloon),
        ],
        agent=("qemu-ga-x86_64.msi", b"msi"),
    )
    refused = {"viostor.inf": 3010, "netkvm.inf": 259, "smbus.inf": -536870353}
    boots.convert(
        driver_steps(conversion(files(), drivers)),
        {"pnputil": refused, "msiexec": {"qemu-ga-x86_64.msi": 3010}},
        drivers,
    )
    boots.run()
    assert boots.complete
    assert (boots.starts, boots.reboots) == (3, 2)
    asked = [call for call in boots.calls if call.startswith(("pnputil", "msiexec", "shutdown"))]
    assert [call.split('"')[1] if '"' in call else call.split()[0] for call in asked] == [
        "netkvm.inf",
        "viostor.inf",
        "shutdown",
        "balloon.inf",
        "smbus.inf",
        "qemu-ga-x86_64.msi",
        "shutdown",
        "smbus.inf",
        "smbus.inf",
    ]
