# SPDX-License-Identifier: LGPL-2.1-or-later
"""v2v batch as people call it, on guests whose disks are absent: workers are real, and quick."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.v2v.batch.test_plan import PLANS
from v2v.batch.journal import folder_of
from v2v.cli import main


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = Path(shutil.copytree(PLANS, tmp_path / "plans"))
    (folder / "converted").mkdir()
    return folder / "first.yaml"


def test_the_result_is_a_table_and_a_page(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = plan.with_name("result.html")
    assert main(["batch", str(plan), "--jobs", "3", "--report", str(page)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split() == [
        "NAME", "STATE", "TIME", "DISKS", "WRITTEN", "WARNINGS",
    ]  # fmt: skip
    assert "3 guests: 3 blocked" in said.out
    assert "E-DISK-MISSING: web: " in said.out
    assert "application: started" in said.err
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert all(name in text for name in ("web", "db", "application", "E-DISK-MISSING"))
    assert list((plan.parent / "converted").iterdir()) == []


def test_a_plan_that_was_begun_needs_a_word(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write_text("guests: [{source: guests/web.cfg}]\n")
    assert main(["batch", str(plan), "-q"]) == 1
    quiet = capsys.readouterr()
    assert quiet.out == ""
    assert quiet.err.startswith("v2v: error: web: ")
    assert main(["batch", str(plan), "-q"]) == 1
    assert "E-BATCH-JOURNAL" in capsys.readouterr().err
    assert main(["batch", str(plan), "-q", "--resume"]) == 1
    assert "E-DISK-MISSING" in capsys.readouterr().err


def test_programs_get_lines_or_a_document(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = plan.with_name("lines")
    argv = ["batch", str(plan), "--dry-run", f"--machine-readable=file:{told}", "--format", "json"]
    assert main(argv) == 1
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    assert lines[0]["type"] == "batch"
    assert [line["state"] for line in lines if line["type"] == "ended"] == ["blocked"] * 3
    result = json.loads(capsys.readouterr().out)
    assert (result["dry_run"], result["states"]["blocked"]) == (True, 3)
    assert [guest["report"]["source"]["name"] for guest in result["guests"]] == ["db", "web", "app"]
    assert not folder_of(plan).exists()
