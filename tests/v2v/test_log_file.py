# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import logging
from pathlib import Path

import pytest

from v2v.cli import main
from v2v.errors import SourceError
from v2v.log_file import logged
from v2v.run import run

_SECRET = "correct-horse"
_GUEST = """\
name = "web"
memory = 256
disk = ["file:/none/web.img,xvda,w"]
"""


def test_the_log_has_stages_programs_and_errors(tmp_path: Path) -> None:
    place = tmp_path / "log"

    def work() -> None:
        with logged("convert", place, to_stderr=False):
            run("true", "with a space")
            raise SourceError("E-X", "bad")

    with pytest.raises(SourceError):
        work()
    lines = place.read_text().splitlines()
    assert "v2v.log_file: v2v " in lines[0]
    assert lines[1].endswith("v2v.run: + true 'with a space'")
    assert lines[2].endswith("ended by")
    assert lines[-1] == "v2v.errors.SourceError: bad"
    assert place.stat().st_mode & 0o777 == 0o600


def test_runs_are_added_and_the_loggers_are_as_before(tmp_path: Path) -> None:
    place = tmp_path / "log"
    before = {name: logging.getLogger(name).level for name in ("v2v", "converters", "drivers")}
    for verb in ("convert", "verify"):
        with logged(verb, place, to_stderr=False):
            run("true")
    run("true", "unseen")
    said = place.read_text()
    assert said.count("+ true") == 2
    assert "unseen" not in said
    assert {name: logging.getLogger(name).level for name in before} == before
    assert not logging.getLogger("v2v").handlers


def test_a_verb_logs_what_it_does_but_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest, place = tmp_path / "web.cfg", tmp_path / "log"
    guest.write_text(_GUEST)
    argv = ["convert", str(guest), "-os", str(tmp_path), "--key", f"all:key:{_SECRET}"]
    assert main([*argv, "--log-file", str(place), "-q"]) == 1
    said = place.read_text()
    assert "Stage(name='source'" in said
    assert "E-DISK-MISSING" in capsys.readouterr().err
    assert "v2v.errors.BlockedError" in said
    assert _SECRET not in said


def test_debugging_messages_go_to_the_terminal_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guest = tmp_path / "web.cfg"
    guest.write_text(_GUEST)
    assert main(["report", "--source-only", "-vv", str(guest)]) == 0
    assert "v2v.observer: Stage(name='source'" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "absent" / "log"
    assert main(["report", str(tmp_path), "--log-file", str(place)]) == 2
    assert f"--log-file: {place}: No such file or directory" in capsys.readouterr().err
