# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares `v2v batch --jobs 2` with a loop over virt-v2v: the same eight guests, in one run.

What is measured is kept in a file, guest by guest of the loop: a run that was ended goes on there.
Each line of the loop tells the ratio so far, which only becomes smaller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from fixtures.build import guest
from tests import reference
from tests.matrix import configuration

V2V = str(Path(sys.executable).with_name("v2v"))
GUESTS = ("xen-web", "esx-app") * 4
JOBS = 2
LIMIT = 0.25  # asked: wall seconds of the batch to those of the loop


def hold(scratch: Path, kept: Path) -> bool:
    """Run the loop and the batch, or what is left of them; tell whether what is asked was kept."""
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    if "batch" not in known:
        known["batch"] = _by_batch(scratch / "batch")
        _keep(known, kept)
    ours = known["batch"]
    print(f"v2v batch --jobs {JOBS} {ours['wall']:7.1f} s, {ours['states']}", flush=True)
    loop = 0.0
    for number, name in enumerate(GUESTS):
        key = f"{name}-{number}"
        if key not in known:
            known[key] = _by_reference(name, scratch / key)
            _keep(known, kept)
        loop += known[key]["wall"]
        ratio = ours["wall"] / loop
        print(
            f"virt-v2v {key:12} {known[key]['wall']:7.1f} s, status {known[key]['status']}; "
            f"all eight by the batch to {number + 1} by the loop: {ratio:.3f}",
            flush=True,
        )
    whole = bool(ours["states"]["done"] == len(GUESTS))
    print(f"batch: {ours['wall']:.1f} s to {loop:.1f} s: ratio {ratio:.3f} (asked: {LIMIT})")
    return whole and bool(ratio <= LIMIT)


def _keep(known: dict[str, Any], kept: Path) -> None:
    growing = kept.with_suffix(".new")
    growing.write_text(json.dumps(known, indent=2) + "\n")
    growing.rename(kept)


def _by_reference(name: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    words = reference.source(configuration(guest(name)), folder)
    with (folder / "log").open("wb") as log:
        begun = time.monotonic()
        done = subprocess.run(
            ("virt-v2v", *words, "-o", "local", "-of", "qcow2", "-os", folder),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
            env=reference.environment(),
        )  # fmt: skip
    return {"wall": time.monotonic() - begun, "status": done.returncode, "load": os.getloadavg()}


def _by_batch(folder: Path) -> dict[str, Any]:
    folder.mkdir()
    guests = [
        {"source": str(configuration(guest(name))), "output_name": f"{name}-{number}"}
        for number, name in enumerate(GUESTS)
    ]
    plan, result = folder / "plan.yaml", folder / "result.json"
    plan.write_text(yaml.safe_dump({"guests": guests}))
    begun = time.monotonic()
    subprocess.run(
        (V2V, "batch", "-q", plan, "--jobs", str(JOBS), "--report", result),
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    wall = time.monotonic() - begun
    states = json.loads(result.read_text())["states"]
    return {"wall": wall, "states": states, "load": os.getloadavg()}
