# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands for v2v.batch.worker: talks as it does, and does what the guest's name says.

The name is a word and whatever: ok, slow, meet3 (waits until three have begun), fail, block, crash,
hang, deaf (to the end), parent (of a process that outlives it), once (fails the first time).
``log`` in the plan's folder gets a line when it begins and one when it ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPORT = {
    "plan": {"warnings": [{"code": "W-KVM"}]},
    "timing": {"source": 1.0, "copy": 2.0},
    "source": {"disks": [{"virtual_bytes": 1 << 30}]},
    "target": {"disks": [{"estimated_bytes": 1 << 20}]},
}


def say(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    job = json.loads(sys.stdin.readline())
    os.chdir(job["folder"])
    name = next(word.partition("=")[2] for word in job["argv"] if word.startswith("--output-name"))
    tried = note("begin", name)
    kind = name.split("-")[0]
    say(type="stage", stage="source", message="Reading")
    say(type="progress", disk="sda", done=1, total=2)
    if kind == "parent":
        subprocess.Popen(["sleep", "600"])
    if kind == "slow":
        time.sleep(0.3)
    if kind.startswith("meet"):
        meet(int(kind.removeprefix("meet")))
    if kind == "hang":
        sys.stdin.read()
        return 130
    if kind in ("deaf", "parent"):
        time.sleep(60)
    if kind == "crash":
        sys.stderr.write("something dreadful\n")
        os.kill(os.getpid(), signal.SIGKILL)
    say(type="warning", code="W-KVM", message="slow", hint=None)
    note("end", name)
    if kind in ("fail", "block") or (kind == "once" and tried == 1):
        say(type="error", code="E-NO-DISK", message=f"{name}: no", hint="get one")
        say(type="end", state="blocked" if kind == "block" else "failed")
        return 1
    Path(job["report"]).write_text(json.dumps(REPORT))
    if not job["dry"]:
        Path(f"{name}.xml").write_text("<domain/>")
    say(type="end", state="done", written_bytes=1000)
    return 0


def meet(count: int) -> None:
    """Wait until so many have begun; those that did are still there for a moment."""
    deadline = time.monotonic() + 30
    while Path("log").read_text().count("begin ") < count and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)


def note(what: str, name: str) -> int:
    """Write a line, and return how many there are of the same."""
    line = f"{what} {name}\n"
    with Path("log").open("a+") as log:
        log.write(line)
        log.seek(0)
        return log.read().splitlines(keepends=True).count(line)


if __name__ == "__main__":
    sys.exit(main())
