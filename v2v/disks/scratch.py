# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders for what a conversion needs beside its images for a while."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Make a folder for as long as the block lasts; not in /tmp, which may be memory."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=_folder()) as made:
        yield Path(made)


def _folder() -> str:
    return os.environ.get("TMPDIR", "/var/tmp")


@contextmanager
def work_folder(folder: Path | None, name: str) -> Iterator[Path]:
    """Make a hidden folder for a guest's files where they are to be; it goes with the block.

    It is locked (flock(2)), so that what a killed conversion leaves can be told from the folder of
    one that goes on. Without ``folder`` it is a temporary one. Raises OSError.
    """
    with tempfile.TemporaryDirectory(
        prefix=f".v2v-{name}-", dir=folder or _folder(), ignore_cleanup_errors=True
    ) as made:
        descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _locked(descriptor, fcntl.LOCK_SH)
            yield Path(made)
        finally:
            os.close(descriptor)


def abandoned(folder: Path, name: str) -> Iterator[Path]:
    """Yield the work folders of a guest that nobody works in any more; each is ours meanwhile."""
    pattern = re.compile(rf"\.v2v-{re.escape(name)}-[a-z0-9_]{{8}}")  # of tempfile's names
    for path in sorted(folder.iterdir()):
        if pattern.fullmatch(path.name):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if _locked(descriptor, fcntl.LOCK_EX):
                    yield path
            finally:
                os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    """Lock a folder; False if somebody else has it, or the file system knows no such locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        # NFS keeps locks for writers only, and a folder is never open for writing.
        if error.errno in (errno.EWOULDBLOCK, errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP):
            return False
        raise
    return True
