# SPDX-License-Identifier: LGPL-2.1-or-later
"""Comparing files with the checksums of their manifest, while other work goes on.

A disk is read here and there and not at once, so its file is read on its own, beside the
appliance's work and the copying; most of it comes from the page cache then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from v2v.disks.archive import stored
from v2v.errors import SourceError
from v2v.packed import Sum


class Comparison:
    """Checksums that are being compared."""

    def __init__(self, running: Future[None]) -> None:
        self._running = running

    def glance(self) -> None:
        """Raise SourceError if a wrong one was found by now."""
        if self._running.done():
            self._running.result()

    def finish(self) -> None:
        """Wait for the last one. Raises SourceError if one is wrong."""
        self._running.result()


@contextmanager
def compared(sums: Sequence[Sum]) -> Iterator[Comparison]:
    """Compare files for as long as the block lasts; what is not done at its end is given up."""
    ended = Event()
    with ThreadPoolExecutor(1) as threads:
        try:
            yield Comparison(threads.submit(_compare, sums, ended))
        finally:
            ended.set()


def _compare(sums: Sequence[Sum], ended: Event) -> None:
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
