# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares reading an XVA with `qemu-img convert` of the raw disk in it, alternating, in one run.

    python -m tests.bench_xva [--pairs N] [--mib N]

Both write the same qcow2 and end with an fsync; the page cache is warm. Ours has all checksums
compared. Of a stream the archive comes through a pipe from cat(1). The ratio is qemu-img's time by
ours, the median of all pairs; 0.7 is asked of a file.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from fixtures.xva import MIB, blocks, pack
from v2v.disks.copy import copy
from v2v.disks.image_writer import written
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import create_overlay
from v2v.disks.verification import Verification
from v2v.disks.xva_stream import XvaStream
from v2v.model import Disk, DiskFormat

SIZE = 4096 * MIB
REF = "Ref:1"
ASKED = 0.7


def make(folder: Path, used: int) -> Path:
    """Write a disk with so many MiB of data, spread over it."""
    path = folder / "disk.raw"
    chosen = random.Random(1)
    with path.open("wb") as file:
        file.truncate(SIZE)
        for number in (0, *chosen.sample(range(1, SIZE // MIB - 1), used - 2), SIZE // MIB - 1):
            file.seek(number * MIB)
            file.write(chosen.randbytes(MIB))
    return path


def export(disk: Path, sums: str) -> Path:
    """Pack a disk."""

    def members() -> Iterator[tuple[str, bytes]]:
        yield "ova.xml", b"-"
        with disk.open("rb") as file:
            for number in range(SIZE // MIB):
                data = file.read(MIB)
                if any(data[:64]):
                    for name, content in blocks(REF, data, sums):
                        yield name.replace("00000000", f"{number:08}"), content

    return pack(disk.with_name(f"{sums}.xva"), members())


def by_qemu_img(disk: Path, result: Path) -> None:
    subprocess.run(
        ("qemu-img", "convert", "-W", "-f", "raw", "-O", "qcow2", disk, result), check=True
    )
    with result.open("rb") as file:
        os.fsync(file.fileno())


def from_file(archive: Path, result: Path) -> None:
    disk = Disk(str(archive), DiskFormat.raw, virtual_bytes=SIZE, member=REF)
    overlay = result.with_suffix(".overlay")
    with (
        open_image(disk, archive.parent, trust=False) as image,
        Verification([image.verify]) as verification,
    ):
        verification.begin()
        create_overlay(image, overlay)
        copy(overlay, result, format=DiskFormat.qcow2)
    overlay.unlink()


def from_stream(archive: Path, result: Path) -> None:
    with ExitStack() as opened:
        cat = subprocess.Popen(("cat", archive), stdout=subprocess.PIPE, bufsize=0)
        opened.enter_context(cat)
        stream = XvaStream(cast("BinaryIO", cat.stdout), archive)
        stream.description()
        stream.unpack({REF: (SIZE, opened.enter_context(written(result, SIZE)))})


def _seconds(action: Callable[[Path, Path], None], source: Path, result: Path) -> float:
    result.unlink(missing_ok=True)
    begun = time.monotonic()
    action(source, result)
    return time.monotonic() - begun


def main() -> int:
    """Hold all pairs; the exit status tells whether what is asked of files was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench_xva", description=main.__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--mib", type=int, default=500, help="data in the disk of 4 GiB")
    options = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory(prefix="v2v-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        disk = make(folder, options.mib)
        theirs, ours = folder / "theirs.qcow2", folder / "ours.qcow2"
        for sums in ("xxhash", "checksum"):
            archive = export(disk, sums)
            for action in (from_file, from_stream):
                ratios = []
                for _ in range(options.pairs):
                    reference = _seconds(by_qemu_img, disk, theirs)
                    taken = _seconds(action, archive, ours)
                    ratios.append(reference / taken)
                    print(f"{sums:8} {action.__name__:11} {reference:5.2f} s {taken:5.2f} s")
                subprocess.run(("qemu-img", "compare", "-q", theirs, ours), check=True)
                ratio = statistics.median(ratios)
                print(f"{sums:8} {action.__name__:11} ratio {ratio:.2f}", flush=True)
                kept = kept and (action is not from_file or ratio >= ASKED)
            archive.unlink()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
