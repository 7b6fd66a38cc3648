# SPDX-License-Identifier: LGPL-2.1-or-later
"""Having a disk of the source where QEMU can read it, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.disks.image import Image, inspect_image
from v2v.model import Disk


@contextmanager
def open_image(disk: Disk, folder: Path, *, trust: bool) -> Iterator[Image]:
    """Open the image of a disk; see inspect_image, which tells what is checked and raised."""
    yield inspect_image(disk, folder, trust=trust)
