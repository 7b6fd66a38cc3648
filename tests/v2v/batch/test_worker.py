# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worker itself, on sources that need no appliance: what it says, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fixtures.xva import MIB, pack
from tests.v2v.disks.test_xva_stream import members
from v2v.batch.task import WORKER

SWIFT = Path(__file__).with_name("swift.py")
CONFIG = 'name = "web"\nmemory = 512\nbuilder = "hvm"\ndisk = [ "absent.img,raw,hda,w" ]\n'


def work(folder: Path, argv: list[str], *, dry: bool) -> tuple[int, list[dict[str, Any]]]:
    """Run a worker and return its exit status and what it says."""
    report = str(folder / "report.json")
    job = {"folder": str(folder), "argv": argv, "dry": dry, "report": report}
    with subprocess.Popen(WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        events = [json.loads(line) for line in child.stdout.read().splitlines()]
        status = child.wait(60)
    return status, events


def test_blockers_come_before_the_end(tmp_path: Path) -> None:
    (tmp_path / "web.cfg").write_text(CONFIG)
    for dry in (False, True):
        status, events = work(tmp_path, ["--", "web.cfg"], dry=dry)
        assert status == 1
        assert [event["code"] for event in events if event["type"] == "error"] == ["E-DISK-MISSING"]
        assert (events[-1]["type"], events[-1]["state"]) == ("end", "blocked")
    assert (tmp_path / "report.json").exists()


def test_a_source_that_cannot_be_read_has_failed(tmp_path: Path) -> None:
    (tmp_path / "web.cfg").write_text("name = 'web\n")
    status, events = work(tmp_path, ["--", "web.cfg"], dry=False)
    assert status == 1
    assert events[-1]["state"] == "failed"
    assert events[-2]["type"] == "error"


def test_what_passes_by_once_is_reported_on_by_its_description(tmp_path: Path) -> None:
    archive = pack(tmp_path / "export.xva", members())
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    status, events = work(tmp_path, ["--", archive.name], dry=True)
    assert (status, events[-1]["state"]) == (0, "done")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [warning["code"] for warning in report["plan"]["warnings"]] == ["W-BATCH-STREAM"]


def test_a_worker_ends_with_its_batch_and_cleans_up(tmp_path: Path) -> None:
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "disk.img").write_bytes(bytes(510) + b"\x55\xaa" + bytes(MIB - 512))
    argv = ["--output-storage=out", "--output-name=web", "--", "disk.img"]
    job = {"folder": str(tmp_path), "argv": argv, "dry": False, "report": str(tmp_path / "report")}
    settings = {**os.environ, "SWIFT_SECONDS": "60", "TMPDIR": str(tmp_path / "scratch")}
    with subprocess.Popen(
        (sys.executable, str(SWIFT)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**settings, "PYTHONPATH": str(SWIFT.parents[3])},
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        while not list((tmp_path / "scratch").glob("v2v-overlay-*/disk0.qcow2")):
            assert child.poll() is None
            time.sleep(0.02)
        child.stdin.close()  # as the kernel does it when the batch is killed
        assert child.wait(30) == 130
    assert list((tmp_path / "out").iterdir()) == []
    assert list((tmp_path / "scratch").iterdir()) == []
