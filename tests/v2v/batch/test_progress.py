# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import io
import json
import re

from v2v.batch.journal import Record, State
from v2v.batch.progress import Audience, Bars, Errors, JsonProgress, Lines
from v2v.errors import Finding


class Screen(io.StringIO):
    """A terminal that keeps what it was told."""

    def isatty(self) -> bool:
        return True


def tell(progress: Audience) -> None:
    """Tell of two guests of three, one of which is tried twice; one was done before."""
    progress.begin(3, 1)
    progress.started("web", 1)
    progress.started("db", 1)
    progress.stage("web", "inspect", "Looking into the guest")
    progress.finding("web", Finding("W-KVM", "no KVM", None))
    progress.ended("db", Record(State.failed, seconds=3.0))
    progress.retried("db")
    progress.started("db", 2)
    progress.copied("web", "web-sda.qcow2", 50, 100)
    progress.ended("web", Record(State.done, seconds=61.2))
    progress.ended("db", Record(State.done, attempt=2, seconds=4.0))
    progress.finding("", Finding("W-BATCH-CHANGED", "app: changed", None))
    progress.close()


def test_lines_say_what_begins_and_ends() -> None:
    stream = io.StringIO()
    tell(Lines(stream))
    assert re.sub(r"^\[ +[0-9.]+\] ", "", stream.getvalue(), flags=re.M).splitlines() == [
        "web: started",
        "db: started",
        "warning: web: no KVM [W-KVM]",
        "db: failed after 3 s (2 of 3)",
        "db: will be tried once more",
        "db: started, attempt 2",
        "web: done after 61 s (2 of 3)",
        "db: done after 4 s (3 of 3)",
        "warning: app: changed [W-BATCH-CHANGED]",
    ]


def test_bars_show_each_guest_at_work_and_all_together() -> None:
    screen = Screen()
    tell(Bars(screen))
    said = screen.getvalue()
    assert re.search(r"web +35%.*Looking into the guest", said)
    assert re.search(r"web +90%", said)
    assert re.search(r"all +\d+%.*1 of 3 guests", said)
    assert "web: done after 61 s (2 of 3)" in said
    assert " left, 1 of 3" in said


def test_bars_take_the_lines_that_are_free() -> None:
    bars = Bars(Screen())
    bars.begin(3, 0)
    for name in ("a", "b"):
        bars.started(name, 1)
    bars.ended("a", Record(State.done))
    bars.started("c", 1)
    assert sorted(abs(bar.pos) for bar in bars._bars.values()) == [1, 2]
    bars.close()


def test_programs_get_json_lines() -> None:
    stream = io.StringIO()
    tell(JsonProgress(stream))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["type"] for line in lines] == [
        "batch", "started", "started", "stage", "warning", "ended", "retry", "started", "progress",
        "ended", "ended", "warning",
    ]  # fmt: skip
    assert lines[3] | {"timestamp": ""} == {
        "timestamp": "", "type": "stage", "guest": "web", "stage": "inspect",
        "message": "Looking into the guest",
    }  # fmt: skip
    assert lines[9]["state"] == "done"
    assert lines[-1]["guest"] is None


def test_the_quiet_one_tells_of_errors_alone() -> None:
    stream = io.StringIO()
    quiet = Errors(stream)
    tell(quiet)
    quiet.finding("db", Finding("E-NO-DISK", "no disk", None))
    quiet.finding("db", Finding("E-NO-DISK", "db: no disk", None))
    assert stream.getvalue() == "v2v: error: db: no disk [E-NO-DISK]\n" * 2


def test_the_silent_one_hears_all() -> None:
    tell(Audience())
