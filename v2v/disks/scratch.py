# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders for what a conversion needs beside its images for a while."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Make a folder for as long as the block lasts; not in /tmp, which may be memory."""
    folder = os.environ.get("TMPDIR", "/var/tmp")
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as made:
        yield Path(made)
