# SPDX-License-Identifier: LGPL-2.1-or-later
"""Batches of real guests: from several kinds of sources, and with kills of all that is at work."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from fixtures.build import RECIPES, guest
from tests.guests.test_conversions import hashes
from tests.matrix import configuration
from v2v.batch.journal import folder_of
from v2v.batch.processes import marked

pytestmark = [pytest.mark.guest, pytest.mark.every]

V2V = str(Path(sys.executable).with_name("v2v"))
MIXED = (
    "xen-web", "esx-app", "xen-xva", "esx-alma9", "xen-sles15", "luks", "systemd-boot",
    "three-kernels",
)  # fmt: skip
KILLED = ("esx-app", "xen-web", "xen-vhd")  # the last one is served by nbdkit
# Those that live shortest come first. "interrupted" is a batch that is asked to end.
VICTIMS = ("qemu-img", "nbdkit", "qemu-system-x86_64", "worker", "interrupted", "batch")
SECONDS = 3600  # a bound that a healthy run is far from


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def written(folder: Path, names: tuple[str, ...]) -> Path:
    """Write a plan of guests, all to one folder, and return it."""
    (folder / "out").mkdir()
    plan = folder / "plan.yaml"
    guests = [
        {"source": str(configuration(guest(name))), "output_name": name, **options(name)}
        for name in names
    ]
    plan.write_text(yaml.safe_dump({"defaults": {"output_storage": "out"}, "guests": guests}))
    return plan


def options(name: str) -> dict[str, str]:
    """Return a guest's own options by their names in a plan."""
    words = RECIPES[name].options
    pairs = zip(words[::2], words[1::2], strict=True)
    return {option.lstrip("-").replace("-", "_"): value for option, value in pairs}


def batch(plan: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (V2V, "batch", plan, "--jobs", "2", *words),
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip


def test_eight_guests_of_mixed_sources_are_converted(tmp_path: Path) -> None:
    plan = written(tmp_path, MIXED)
    before = {name: hashes(guest(name)) for name in MIXED}
    dry = batch(plan, "--dry-run", "--format", "json", "-q")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    said = json.loads(dry.stdout)
    assert said["states"]["ready"] == len(MIXED)
    assert said["totals"]["needed_bytes"] == said["forecast"]["targets"][0]["needed_bytes"]
    assert list((tmp_path / "out").iterdir()) == []
    done = batch(plan, "--report", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["states"]["done"] == len(MIXED)
    for entry in result["guests"]:
        target = [disk["path"] for disk in entry["report"]["target"]["disks"]]
        assert all(Path(path).stat().st_size for path in target)
        assert (tmp_path / "out" / f"{entry['name']}.xml").exists()
    assert result["totals"]["needed_bytes"] <= said["totals"]["needed_bytes"]
    assert {name: hashes(guest(name)) for name in MIXED} == before
    journal = (folder_of(plan) / "journal").read_bytes()
    again = batch(plan, "--resume")
    assert again.returncode == 0
    assert "8 guests: 8 done" in again.stdout
    assert (folder_of(plan) / "journal").read_bytes() == journal


def find(kind: str, running: subprocess.Popen[bytes], plan: Path) -> int | None:
    """Return a process of a kind, if there is one."""
    if kind in ("batch", "interrupted"):
        return running.pid
    journal = folder_of(plan) / "journal"
    first = journal.read_text().partition("\n")[0] if journal.exists() else ""
    if not first:
        return None
    wanted = "v2v.batch.worker" if kind == "worker" else kind
    for process in marked(json.loads(first)["batch"]):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
        if wanted in (words[0].rpartition("/")[2], *words[1:5]):
            return process
    return None


def test_real_programs_are_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    plan = written(tmp_path, KILLED)
    before = {name: hashes(guest(name)) for name in KILLED}
    rng = random.Random(7)
    killed: Counter[str] = Counter()
    ended: set[int] = set()
    wanted = [*VICTIMS]
    deadline = time.monotonic() + SECONDS
    status = -1
    while status != 0:
        assert time.monotonic() < deadline, killed
        argv = (V2V, "batch", "-q", str(plan), "--jobs", "2", "--resume")
        with subprocess.Popen(argv) as running:
            at = time.monotonic() + rng.uniform(2, 12)
            while running.poll() is None:
                time.sleep(0.05)
                if not wanted or time.monotonic() < at:
                    continue
                found = ((kind, find(kind, running, plan)) for kind in wanted)
                kind, victim = next(pair for pair in (*found, ("", None)) if pair[1] or not pair[0])
                if victim is not None:
                    wanted.remove(kind)
                    os.kill(victim, signal.SIGTERM if kind == "interrupted" else signal.SIGKILL)
                    killed[kind] += 1
                    ended.add(running.wait() if kind == "interrupted" else 0)
                    at = time.monotonic() + rng.uniform(2, 12)
        status = running.returncode
    assert killed == Counter(VICTIMS)
    assert 130 in ended
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        f"{name}{end}"
        for name in KILLED
        for end in (".xml", ".report.json", "-sda.qcow2", *("-sdb.qcow2",) * (name == "xen-web"))
    }
    for image in (tmp_path / "out").glob("*.qcow2"):
        subprocess.run(("qemu-img", "check", "-q", image), check=True)
    lines = [json.loads(line) for line in (folder_of(plan) / "journal").read_text().splitlines()]
    done = [line["guest"] for line in lines[1:] if line["state"] == "done"]
    assert sorted(done) == sorted(KILLED)
    assert list(marked(lines[0]["batch"])) == []
    assert {name: hashes(guest(name)) for name in KILLED} == before
