# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares the way from an OVA to qcow2 with qemu-img convert of the same VMDK, taken out before.

    python -m tests.bench_ova [--pairs N] [--ova FILE]

Ours reads the disk inside of the archive, through the overlay that conversions work on, and
compares its checksum meanwhile. Both end when the result is on stable storage: v2v always does.
The two alternate, in one run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import v2v
from fixtures.build import guest
from fixtures.ova import taken_out
from v2v.disks.copy import copy
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import create_overlay
from v2v.disks.sums import compare
from v2v.disks.verification import Verification
from v2v.model import DiskFormat, Machine

LEAST = 0.8  # of qemu-img's speed


def ours(machine: Machine, folder: Path) -> Path:
    """Copy the first disk of an OVA; the only other thing that is made is a small overlay."""
    (disk, *_), overlay, target = machine.disks, folder / "overlay", folder / "ours.qcow2"
    with (
        open_image(disk, machine.folder, trust=False) as image,
        Verification([partial(compare, machine.sums)]) as verification,
    ):
        verification.begin()
        create_overlay(image, overlay)
        copy(overlay, target, format=DiskFormat.qcow2)
    overlay.unlink()
    return target


def theirs(disk: Path, folder: Path) -> Path:
    """Copy the VMDK that was taken out of the OVA."""
    target = folder / "qemu-img.qcow2"
    words = ("qemu-img", "convert", "-f", "vmdk", "-O", "qcow2", disk, target)
    subprocess.run(words, check=True)
    with target.open("rb") as made:
        os.fsync(made.fileno())
    return target


def _seconds(make: Callable[[], Path]) -> tuple[float, Path]:
    begun = time.monotonic()
    made = make()
    return time.monotonic() - begun, made


def main() -> int:
    """Run the pairs; the exit status tells whether the speed asked for was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_ova", description=main.__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--ova", type=Path, help="an OVA of yours in place of the built one")
    options = parser.parse_args()
    source = options.ova or guest("ova-vmware") / "ova-vmware.ova"
    machine = v2v.open(source)
    speeds = []
    with tempfile.TemporaryDirectory(prefix="v2v-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        disk = taken_out(source, Path(machine.disks[0].path).name, folder)
        for number in range(options.pairs):
            reference, expected = _seconds(lambda: theirs(disk, folder))
            taken, made = _seconds(lambda: ours(machine, folder))
            if number == 0:
                subprocess.run(("qemu-img", "compare", "-q", expected, made), check=True)
            speeds.append(reference / taken)
            print(
                f"pair {number + 1}: qemu-img {reference:6.2f} s, v2v {taken:6.2f} s, "
                f"{speeds[-1]:.2f} of its speed",
                flush=True,
            )
            expected.unlink()
            made.unlink()
    median = statistics.median(speeds)
    print(f"median {median:.2f} (asked: {LEAST}, {'kept' if median >= LEAST else 'MISSED'})")
    return 0 if median >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
