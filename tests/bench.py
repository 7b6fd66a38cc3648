# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares v2v with the installed virt-v2v: the same guests, alternating, in one run.

    python -m tests.bench [--runs N] [--out FILE.json] | --all | --batch [--out FILE.json]

CPU seconds and memory are those of the program and of all children that it waited for. virt-v2v
gets the settings without which it does not start where KVM does not work. `--all` leaves the clock
alone and counts: how many of all real guests each of the two converts such that they boot.
`--batch` compares eight guests by one plan with a loop; what FILE.json has of it is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fixtures.build import guest
from tests import bench_batch, matrix, reference

V2V = str(Path(sys.executable).with_name("v2v"))
BOOTS = "boots"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one program took."""

    wall: float  # seconds
    cpu: float  # seconds
    peak: int  # bytes, the largest single process
    status: int


@dataclass(frozen=True, slots=True)
class Contest:
    """Two commands that do the same; each gets an empty folder for what it makes."""

    name: str
    reference: Callable[[Path], Sequence[str]]
    ours: Callable[[Path], Sequence[str]]
    domain: str | None  # the definition that both leave, to be booted; None: nothing is left
    limit: float  # asked: the ratio of wall seconds, ours to the reference's


def _measured(argv: Sequence[str], log: Path) -> Run:
    settings = {**os.environ, "LC_ALL": "C.UTF-8"} if argv[0] == V2V else reference.environment()
    with log.open("ab") as out:
        begun = time.monotonic()
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=settings
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, child.returncode)


def contests(scratch: Path) -> tuple[Contest, ...]:
    """Return what is compared; builds the guests where they are absent."""
    xen, esx = guest("xen-web"), guest("esx-app")
    of_xen = reference.source(xen / "xen-web.cfg", scratch)
    of_esx = reference.source(esx / "esx-app.vmx", scratch)
    local = ("-o", "local", "-of", "qcow2", "-os")
    return (
        Contest(
            "xen-web",
            lambda out: ("virt-v2v", *of_xen, *local, str(out)),
            lambda out: (V2V, "convert", "-q", str(xen / "xen-web.cfg"), *local, str(out)),
            "xen-web.xml",
            0.25,
        ),
        Contest(
            "esx-app",
            lambda out: ("virt-v2v", *of_esx, *local, str(out)),
            lambda out: (V2V, "convert", "-q", str(esx / "esx-app.vmx"), *local, str(out)),
            "esx-app.xml",
            0.25,
        ),
        Contest(
            "report",
            lambda out: ("virt-v2v-inspector", *of_xen),
            lambda out: (V2V, "report", "-q", str(xen / "xen-web.cfg"), "-os", str(out)),
            None,
            0.2,
        ),
    )


def _boots(domain: Path) -> str:
    """Return "boots", or why not."""
    done = subprocess.run(
        (V2V, "verify", "-q", str(domain), "--timeout", "240", "--format", "json"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return BOOTS
    cause = json.loads(done.stdout)["cause"] if done.stdout else {"said": done.stderr}
    return f"DOES NOT BOOT ({cause['said']})"


def hold(contest: Contest, runs: int, scratch: Path) -> dict[str, object]:
    """Run both, one after the other and again, and return what each run took."""
    sides = {"virt-v2v": contest.reference, "v2v": contest.ours}
    taken: dict[str, list[Run]] = {name: [] for name in sides}
    boots: dict[str, str] = {}
    for number in range(runs):
        for name, command in sides.items():
            out = scratch / f"{contest.name}-{name}"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            run = _measured(command(out), scratch / f"{contest.name}-{name}.log")
            taken[name].append(run)
            print(
                f"{contest.name:8} {name:8} run {number + 1}: {run.wall:7.1f} s wall "
                f"{run.cpu:7.1f} s CPU {run.peak >> 20:5} MiB, exit status {run.status}",
                flush=True,
            )
            if number == runs - 1 and contest.domain is not None:
                boots[name] = "failed" if run.status else _boots(out / contest.domain)
    ratios = [
        ours.wall / theirs.wall
        for ours, theirs in zip(taken["v2v"], taken["virt-v2v"], strict=True)
    ]
    ratio = statistics.median(ratios)
    kept = "kept" if ratio <= contest.limit else "MISSED"
    print(f"{contest.name:8} wall ratio {ratio:.3f} (asked: {contest.limit}, {kept})", end="")
    print("".join(f"; {name}: {said}" for name, said in boots.items()), flush=True)
    return {
        "name": contest.name,
        "runs": {name: [asdict(run) for run in listed] for name, listed in taken.items()},
        "ratios": ratios,
        "boots": boots,
        "kept": ratio <= contest.limit
        and boots.get("v2v", BOOTS) == BOOTS
        and all(run.status == 0 for run in taken["v2v"]),
    }


def main() -> int:
    """Hold all contests; the exit status tells whether everything asked was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=main.__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="where to write all figures as JSON")
    parser.add_argument("--all", action="store_true", help="compare what boots of all real guests")
    parser.add_argument("--batch", action="store_true", help="compare a batch with a loop")
    options = parser.parse_args()
    if options.all:
        return matrix.compare()
    with tempfile.TemporaryDirectory(prefix="v2v-bench-", dir="/var/tmp") as folder:
        scratch = Path(folder)
        if options.batch:
            kept = options.out or scratch / "batch.json"
            return 0 if bench_batch.hold(scratch, kept) else 1
        held = contests(scratch)
        for contest in held:
            print(f"{contest.name:8} {shlex.join(contest.ours(scratch))}")
        results = [hold(contest, options.runs, scratch) for contest in held]
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if all(result["kept"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
