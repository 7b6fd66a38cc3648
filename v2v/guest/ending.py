# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ending an appliance from another thread than the one that waits for it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from v2v.cancellation import stopping

_PAUSE = 0.05  # seconds between two looks for an appliance that is about to start


@contextmanager
def stoppable(mark: Path) -> Iterator[None]:
    """Let a cancellation end the appliance that has the path ``mark`` in its command line.

    Every call to it fails then. libguestfs would tell its process only between two calls, so the
    kernel is asked; and the appliance may not have started yet, so it is looked for until the block
    is left. One that libvirt started is no child of ours, and ends after the call that goes on.
    """
    left = threading.Event()

    def end() -> None:
        while not left.wait(_PAUSE):
            _kill(mark)

    ender = threading.Thread(target=end, name="v2v-ender")
    with stopping(ender.start):
        try:
            yield
        finally:
            left.set()
    if ender.ident is not None:
        ender.join()


@contextmanager
def limited(mark: Path, seconds: float) -> Iterator[None]:
    """End the appliance with the path ``mark`` in its command line if the block takes longer."""
    timer = threading.Timer(seconds, _kill, (mark,))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _kill(mark: Path) -> None:
    for child in _children(os.fsencode(mark)):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(child, signal.SIGKILL)


def _children(mark: bytes) -> Iterator[int]:
    """Yield the processes that this one started and whose command line has ``mark``; proc(5)."""
    mine = str(os.getpid())
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            if parent == mine and mark in (folder / "cmdline").read_bytes():
                yield int(folder.name)
