# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small disk images for tests, made by qemu-img, and a look at what they hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

from v2v.disks.copy import copy
from v2v.disks.image import Image, inspect_image
from v2v.disks.qemu_img import create_overlay
from v2v.model import Disk, DiskFormat
from v2v.run import run

MIB = 1 << 20
SIZE = 4 * MIB


def content(size: int = SIZE) -> bytes:
    """Return a disk's content: data at its start, in its middle and at its very end, holes else."""
    block = bytes(range(256)) * 1024
    return block + bytes(size // 2 - len(block)) + block + bytes(size // 2 - 2 * len(block)) + block


def raw(path: Path, data: bytes | None = None) -> Path:
    """Write a raw image."""
    path.write_bytes(content() if data is None else data)
    return path


def made(path: Path, format: str, *options: str, data: bytes | None = None) -> Path:
    """Make an image of a format that holds ``data``."""
    source = raw(path.with_name("made-from.raw"), data)
    extra = ("-o", ",".join(options)) if options else ()
    run("qemu-img", "convert", "-f", "raw", "-O", format, *extra, source, path)
    source.unlink()
    return path


def inspected(
    path: Path, format: DiskFormat | None = None, *, folder: Path | None = None, trust: bool = False
) -> Image:
    """Inspect an image as a disk of a guest that lives in its folder."""
    return inspect_image(Disk(str(path), format), folder or path.parent, trust=trust)


def shown(image: Image, work: Path) -> bytes:
    """Return what an overlay on an image shows, by the road that conversions take."""
    overlay, target = work / "shown.overlay", work / "shown.raw"
    create_overlay(image, overlay)
    copy(overlay, target, format=DiskFormat.raw)
    data = target.read_bytes()
    target.unlink()
    return data


def digest(path: Path) -> str:
    """Return a file's checksum."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
