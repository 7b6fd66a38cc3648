# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every guest in fixtures/guests: its plan is the expected one, and applied it leaves nothing."""

from __future__ import annotations

import pytest

from converters.linux import STEPS, prepare
from tests.conftest import Golden
from tests.converters.guests import FOLDER, NAMES, described, load
from v2v.changes import Draft, RunCommand
from v2v.model import InitramfsMode


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_expected_one(name: str, golden: Golden) -> None:
    golden(FOLDER / name / "plan.txt", described(*load(name).plan()))


@pytest.mark.parametrize("mode", [InitramfsMode.auto, InitramfsMode.rebuild])
@pytest.mark.parametrize("name", NAMES)
def test_an_applied_plan_leaves_nothing_to_plan(name: str, mode: InitramfsMode) -> None:
    case = load(name)
    _, plan = case.plan(mode)
    _, again = case.applied(plan).plan(mode)
    assert [change.describe() for change in again.changes] == []
    assert again.capabilities == plan.capabilities


@pytest.mark.parametrize("name", NAMES)
def test_planning_changes_nothing(name: str) -> None:
    case = load(name)
    before = dict(case.files.content)
    case.plan()
    assert case.files.content == before


@pytest.mark.parametrize("name", NAMES)
def test_without_guest_code_nothing_runs_and_nothing_else_changes(name: str) -> None:
    case = load(name)
    _, free = case.plan()
    _, bound = case.plan(guest_code=False)
    commands = [change for change in free.changes if isinstance(change, RunCommand)]
    assert not any(isinstance(change, RunCommand) for change in bound.changes)
    new = [found for found in bound.blockers if found not in free.blockers]
    assert [found.code for found in new] == ["E-GUEST-CODE"] * len(commands)
    for command, found in zip(commands, new, strict=True):
        assert command.why in found.message


def test_every_folder_is_a_whole_guest() -> None:
    for folder in FOLDER.iterdir():
        assert {path.name for path in folder.iterdir()} == {"guest.json", "tree.txt", "plan.txt"}
    assert len(NAMES) >= 10


def test_every_step_has_a_guest_that_needs_it() -> None:
    idle = set(STEPS)
    for name in NAMES:
        case = load(name)
        draft = Draft(case.files)
        conversion = prepare(draft, case.machine, case.guest, InitramfsMode.auto)
        for step in STEPS:
            before = len(draft.changes)
            step(draft, conversion)
            if len(draft.changes) > before:
                idle.discard(step)
    assert sorted(step.__name__ for step in idle) == []
