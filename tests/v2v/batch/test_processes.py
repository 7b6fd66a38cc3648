# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from v2v.batch import processes
from v2v.batch.processes import MARK, end_all, marked, memory_of
from v2v.errors import V2VError

# Holds 64 MiB and says so when it does.
HOLDER = "data = bytearray(b'x') * (64 << 20); print(len(data), flush=True); input()"


def test_processes_are_found_by_their_mark_and_ended() -> None:
    names = [f"test{os.getpid()}/1", f"test{os.getpid()}/12", f"test{os.getpid()}x/1"]
    children = [subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: name}) for name in names]
    first, twelfth, other = children
    try:
        assert set(marked(f"test{os.getpid()}")) == {first.pid, twelfth.pid}
        assert set(marked(names[0])) == {first.pid}
        assert end_all(names[0]) == 1
        assert first.wait(10) == -9
        assert twelfth.poll() is other.poll() is None
        assert end_all(f"test{os.getpid()}") == 1
        assert twelfth.wait(10) == -9
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_the_memory_of_a_guest_is_that_of_its_processes() -> None:
    mark = f"test{os.getpid()}/2"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env={**os.environ, MARK: mark},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 64 << 20 < memory_of(mark) < 128 << 20
        child.kill()
    assert memory_of(mark) == 0


def test_a_process_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_SECONDS", 0.1)
    monkeypatch.setattr(processes, "_kill", lambda process, mark: None)
    mark = f"test{os.getpid()}/3"
    with subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: mark}) as child:
        with pytest.raises(V2VError, match=f"process {child.pid} .* does not end") as caught:
            end_all(mark)
        child.kill()
    assert caught.value.finding.code == "E-BATCH-PROCESS"
