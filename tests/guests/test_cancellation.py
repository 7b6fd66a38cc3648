# SPDX-License-Identifier: LGPL-2.1-or-later
"""Conversions that are cancelled, and two at once in one process."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import v2v
from fixtures.build import guest
from tests.guests.test_conversions import hashes
from v2v.guest.ending import _children

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("esx")]

# From the request to its end, in seconds. It is less than one, but before QEMU starts, libguestfs
# sees to its appliance, which on a busy machine takes its time.
_SOON = 30.0


class Ender(v2v.Observer):
    """Cancels some time after a stage has begun."""

    def __init__(self, stage: str, seconds: float) -> None:
        self.cancellation = v2v.Cancellation()
        self.at: float | None = None
        self._stage = stage
        self._timer = threading.Timer(seconds, self._cancel)

    def see(self, event: v2v.Event) -> None:
        if isinstance(event, v2v.Stage) and event.name == self._stage:
            self._timer.start()

    def _cancel(self) -> None:
        self.at = time.monotonic()
        self.cancellation.cancel()


def _ended(ender: Ender, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert, and see that nothing is left where the result, overlays and the appliance were."""
    source = guest("esx-app") / "esx-app.vmx"
    scratch = target.with_name("scratch")
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("LIBGUESTFS_CACHEDIR", "/var/tmp")  # else a new appliance is put together
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(v2v.CancelledError):
        v2v.convert(source, v2v.Options(storage=target), ender, cancellation=ender.cancellation)
    assert ender.at is not None
    assert time.monotonic() - ender.at < _SOON
    assert list(target.iterdir()) == []
    assert list(scratch.iterdir()) == []
    assert list(_children(b"")) == []


@pytest.mark.parametrize(("stage", "seconds"), [("launch", 0.1), ("inspect", 1.0)])
def test_a_conversion_ends_where_it_is(
    stage: str, seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    _ended(Ender(stage, seconds), target, monkeypatch)


@pytest.mark.every
@pytest.mark.parametrize("seed", range(20))
def test_a_conversion_ends_at_any_moment(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    stage = random.Random(seed).choice(["source", "launch", "inspect", "plan", "convert", "copy"])
    _ended(Ender(stage, random.Random(-seed - 1).random()), target, monkeypatch)


def test_two_threads_convert_at_once(tmp_path: Path) -> None:
    names = {"esx-app": "esx-app.vmx", "xen-web": "xen-web.cfg"}
    before = {name: hashes(guest(name)) for name in names}
    targets = {name: tmp_path / name for name in names}
    for target in targets.values():
        target.mkdir()

    def converted(name: str) -> v2v.Report:
        return v2v.convert(guest(name) / names[name], v2v.Options(storage=targets[name]))

    with ThreadPoolExecutor(len(names)) as pool:
        reports = dict(zip(names, pool.map(converted, names), strict=True))
    for name, report in reports.items():
        assert report.machine.name == name
        assert sorted(report.written) == sorted(targets[name].iterdir())
        assert hashes(guest(name)) == before[name]


@pytest.mark.every
def test_one_of_two_threads_is_cancelled_and_the_other_goes_on(tmp_path: Path) -> None:
    ender = Ender("inspect", 1.0)
    kept, ended = tmp_path / "kept", tmp_path / "ended"
    kept.mkdir()
    ended.mkdir()
    with ThreadPoolExecutor(2) as pool:
        goes_on = pool.submit(v2v.plan, guest("xen-web") / "xen-web.cfg", v2v.Options(storage=kept))
        source = guest("esx-app") / "esx-app.vmx"
        with pytest.raises(v2v.CancelledError):
            v2v.convert(source, v2v.Options(storage=ended), ender, cancellation=ender.cancellation)
        assert goes_on.result().blockers == ()
    assert list(ended.iterdir()) == []
