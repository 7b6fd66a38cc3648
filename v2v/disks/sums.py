# SPDX-License-Identifier: LGPL-2.1-or-later
"""Comparing files with the checksums of their manifest.

A disk is read here and there and not at once, so its file is read on its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from threading import Event

from v2v.disks.archive import stored
from v2v.errors import SourceError
from v2v.packed import Sum


def compare(sums: Iterable[Sum], ended: Event) -> None:
    """Compare files with their sums, until ``ended``. Raises SourceError for one that differs."""
    for each in sums:
        made = hashlib.new(each.algorithm)
        try:
            for data in stored(each.content):
                if ended.is_set():
                    return
                made.update(data)
        except OSError as error:
            raise SourceError("E-SOURCE-READ", f"{each.name}: {error.strerror}") from error
        except ValueError as error:
            raise SourceError("E-OVA-DAMAGED", f"{each.name}: {error}") from error
        if made.hexdigest() != each.digest:
            raise wrong(each.name)


def wrong(name: str) -> SourceError:
    """Return the error for a file that is not what the manifest says."""
    return SourceError(
        "E-OVF-SUM",
        f"{name}: is not what its checksum in the manifest says",
        hint="copy the export again; if the file was changed on purpose, remove the manifest (.mf)",
    )
