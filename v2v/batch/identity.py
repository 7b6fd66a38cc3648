# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tells whether a guest is still what it was when it was converted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from v2v.batch.entries import Entry


def of_entry(entry: Entry) -> str:
    """Return a hash of a guest's sources and options."""
    return _hash([entry.source, entry.words])


def of_source(entry: Entry, folder: Path) -> str | None:
    """Return a hash of the sizes and times of a guest's files; None where they are not here.

    ``folder`` is where the plan's relative paths begin.
    """
    if entry.machine is None:
        return None
    return _hash([_about(path) for path in _files(entry, folder)])


def _files(entry: Entry, folder: Path) -> Iterator[Path]:
    yield from (folder / source for source in entry.source)
    if entry.machine is not None:
        for disk in entry.machine.disks:
            if disk.host is None and disk.datastore is None:
                yield folder / entry.machine.folder / disk.path


def _about(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:  # that it is not there is something to know, too
        return None
    return str(path), found.st_size, found.st_mtime_ns


def _hash(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
