# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ending work from another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from v2v.cancellation import Cancellation, check, heeding, stopping, unheeding
from v2v.errors import CancelledError, CommandError, SourceError
from v2v.observer import Event, Observer, Progress
from v2v.run import listens, run, running

_SOON = 10.0  # seconds; what is ended would go on for a minute


def _later(action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(0.3, action)
    timer.start()
    return timer


def test_a_program_that_is_waited_for_is_ended() -> None:
    cancellation = Cancellation()
    timer = _later(cancellation.cancel)
    begun = time.monotonic()
    with pytest.raises(CancelledError), heeding(cancellation):
        run("sleep", "60")
    timer.join()
    assert time.monotonic() - begun < _SOON


def test_waiting_for_a_server_is_ended(tmp_path: Path) -> None:
    cancellation = Cancellation()
    timer = _later(cancellation.cancel)
    begun = time.monotonic()
    with (
        pytest.raises(CancelledError),
        heeding(cancellation),
        running("sleep", "60", stderr=tmp_path / "log") as child,
    ):
        listens(child, tmp_path / "socket", 60)
    timer.join()
    assert time.monotonic() - begun < _SOON


def test_an_error_that_comes_of_the_end_is_not_told() -> None:
    cancellation = Cancellation()

    def work() -> None:
        cancellation.cancel()
        raise SourceError("E-X", "the server went away")

    with pytest.raises(CancelledError) as caught, heeding(cancellation):
        work()
    assert isinstance(caught.value.__cause__, SourceError)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(SourceError), heeding(Cancellation()):
        raise SourceError("E-X", "bad")
    with pytest.raises(CommandError), heeding(None):
        run("false")


def test_what_was_ended_before_it_began_does_not_begin() -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    begun = []
    with pytest.raises(CancelledError), heeding(cancellation):
        begun.append(1)
    assert begun == []


def test_cleaning_up_is_not_ended() -> None:
    cancellation = Cancellation()
    cleaned = []

    def work() -> None:
        cancellation.cancel()
        with unheeding():
            check()
            cleaned.append(run("echo", "gone"))
        check()

    with pytest.raises(CancelledError), heeding(cancellation):
        work()
    assert cleaned == ["gone\n"]


def test_what_is_made_elsewhere_is_not_broken_off() -> None:
    cancellation = Cancellation()
    timer = _later(cancellation.cancel)

    def work() -> None:
        with unheeding():
            assert run("sh", "-c", "sleep 1; echo made") == "made\n"
        check()

    with pytest.raises(CancelledError), heeding(cancellation):
        work()
    timer.join()


def test_a_stop_is_called_once_and_only_while_its_block_lasts() -> None:
    cancellation = Cancellation()
    calls = []

    def work() -> None:
        with stopping(lambda: calls.append("early")):
            check()
        with stopping(lambda: calls.append("now")):
            cancellation.cancel()
            cancellation.cancel()
        check()

    with pytest.raises(CancelledError), heeding(cancellation):
        work()
    assert calls == ["now"]


def test_the_inner_work_heeds_what_the_outer_does() -> None:
    cancellation = Cancellation()

    def work() -> None:
        with heeding(None):
            cancellation.cancel()
            check()

    with pytest.raises(CancelledError), heeding(cancellation):
        work()


def test_each_thread_has_its_own() -> None:
    cancellation = Cancellation()
    ended: list[str] = []

    def other() -> None:
        check()
        ended.append("by itself")

    def work() -> None:
        cancellation.cancel()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        check()

    with pytest.raises(CancelledError), heeding(cancellation):
        work()
    assert ended == ["by itself"]


def test_an_observer_may_cancel() -> None:
    cancellation = Cancellation()

    class Impatient(Observer):
        def see(self, event: Event) -> None:
            cancellation.cancel()

    progress = Progress(Impatient(), cancellation)

    def work() -> None:
        with progress.running():
            progress.stage("a", "")
            pytest.fail("the stage went on")

    with pytest.raises(CancelledError):
        work()
