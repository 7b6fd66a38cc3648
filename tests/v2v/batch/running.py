# SPDX-License-Identifier: LGPL-2.1-or-later
"""Running batches whose workers are stand-ins."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from v2v.batch.batch import convert_all
from v2v.batch.progress import Audience
from v2v.batch.result import Result

STANDIN = (sys.executable, str(Path(__file__).with_name("standin.py")))
CONFIG = 'name = "x"\nmemory = 512\ndisk = [ "absent.img,raw,xvda,rw" ]\n'


def plan(folder: Path, names: Sequence[str | dict[str, object]], **top: object) -> Path:
    """Write a plan with guests by names, or by names and settings, and return it."""
    if not (folder / "x.cfg").exists():
        (folder / "x.cfg").write_text(CONFIG)
    guests = [{"name": name} if isinstance(name, str) else name for name in names]
    path = folder / "plan.yaml"
    entries = [{"source": "x.cfg", **guest} for guest in guests]
    path.write_text(yaml.safe_dump({"guests": entries, "jobs": 4, **top}))
    return path


def run(path: Path, *, resume: bool = False, progress: Audience | None = None) -> Result:
    """Run a batch with stand-ins for workers."""
    return convert_all(path, resume=resume, progress=progress, worker=STANDIN)


def states(result: Result) -> dict[str, str]:
    """Return what became of each guest."""
    return {row.entry.name: str(row.record.state) for row in result.rows}


def log(path: Path) -> list[str]:
    """Return what the workers noted, in order."""
    return (path.parent / "log").read_text().splitlines()


def at_once(lines: Sequence[str]) -> int:
    """Return how many workers were at work at one time, at most."""
    count = most = 0
    for line in lines:
        count += 1 if line.startswith("begin") else -1
        most = max(most, count)
    return most
