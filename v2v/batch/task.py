# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that is being converted: its worker, what that says, and when it has to end."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from v2v.batch.entries import Entry
from v2v.batch.journal import Journal
from v2v.batch.processes import MARK, memory_of
from v2v.batch.progress import Audience
from v2v.errors import Finding
from v2v.run import Child, running
from v2v.units import iec

log = logging.getLogger(__name__)

WORKER = (sys.executable, "-P", "-m", "v2v.batch.worker")
_GRACE = 10.0  # seconds for a worker to clean up
_APPLIANCE = 2560  # MiB that an appliance gets by itself, see v2v.guest.session
_BESIDE = 512  # MiB for what works beside an appliance
_PIECE = 1 << 16


@dataclass(slots=True)
class Task:
    """A worker that was started."""

    entry: Entry
    attempt: int
    mark: str  # of all its processes
    scratch: Path
    child: Child
    held: ExitStack  # ends the worker
    begun: float = field(default_factory=time.monotonic)
    unread: bytes = b""
    errors: list[Finding] = field(default_factory=list)
    warnings: int = 0
    end: dict[str, Any] = field(default_factory=dict)  # the worker's last event
    ended_for: Finding | None = None  # why it has to end before its time
    kill_at: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        return round(time.monotonic() - self.begun, 1)

    def read(self, progress: Audience) -> bool:
        """Take what the worker says, and pass it on; False when it will say no more."""
        assert self.child.stdout is not None  # running() asks for the pipe
        piece = os.read(self.child.stdout.fileno(), _PIECE)
        *lines, self.unread = (self.unread + piece).split(b"\n")
        for line in lines:
            self._take(json.loads(line), progress)
        return bool(piece)

    def _take(self, event: dict[str, Any], progress: Audience) -> None:
        name, kind = self.entry.name, event["type"]
        if kind == "stage":
            progress.stage(name, event["stage"], event["message"])
        elif kind == "progress":
            progress.copied(name, event["disk"], event["done"], event["total"])
        elif kind in ("warning", "error"):
            finding = Finding(event["code"], event["message"], event["hint"])
            progress.finding(name, finding)
            if kind == "error":
                self.errors.append(finding)
            else:
                self.warnings += 1
        elif kind == "end":
            self.end = event

    def watch(self) -> bool:
        """End the worker if it takes too long or too much; True if it has to be killed."""
        limit, most = self.entry.timeout, self.entry.memory_limit
        if self.ended_for is not None:
            return self.kill_at is not None and time.monotonic() > self.kill_at
        if limit is not None and self.seconds > limit:
            self.stop(
                Finding(
                    "E-BATCH-TIMEOUT",
                    f"{self.entry.name}: is not done after {limit:.0f} seconds",
                    "give it a longer timeout, or fewer guests at once (jobs)",
                )
            )
        elif most is not None and (used := memory_of(self.mark)) > most:
            self.stop(
                Finding(
                    "E-BATCH-MEMORY",
                    f"{self.entry.name}: takes {iec(used)} of memory, {iec(most)} are allowed",
                    "give it a larger memory_limit",
                )
            )
        return False

    def stop(self, why: Finding) -> None:
        """Ask the worker to end, by the end of its input."""
        self.ended_for = why
        self.kill_at = time.monotonic() + _GRACE
        assert self.child.stdin is not None  # it is asked for
        with suppress(BrokenPipeError):  # what it did not read
            self.child.stdin.close()


def start(
    entry: Entry, attempt: int, journal: Journal, number: int, job: dict[str, object],
    command: tuple[str, ...] = WORKER,
) -> Task:  # fmt: skip
    """Start the worker of a guest, the batch's so manieth; it is told its job. Raises V2VError."""
    mark = f"{journal.batch}/{number}"
    scratch = journal.scratch / str(number)
    scratch.mkdir(0o700)
    held = ExitStack()
    child = held.enter_context(
        running(
            *command, stderr=journal.log(entry.name), stdin=True,
            settings={MARK: mark, **_settings(scratch, entry.memory_limit)},
        )
    )  # fmt: skip
    assert child.stdin is not None  # it is asked for
    try:
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()  # and stays open: see v2v.batch.worker
    except BrokenPipeError:  # it is dead already, which will show
        log.debug("%s: its worker reads nothing", entry.name)
    return Task(entry, attempt, mark, scratch, child, held)


def _settings(scratch: Path, memory_limit: int | None) -> dict[str, str]:
    """Return the environment of a worker: a temporary folder of its own, a fitting appliance."""
    before = os.environ.get("TMPDIR", "/var/tmp")
    settings = {
        "TMPDIR": str(scratch),
        # The appliance is made once for all; see guestfs(3), "environment variables".
        "LIBGUESTFS_CACHEDIR": os.environ.get("LIBGUESTFS_CACHEDIR", before),
    }
    if memory_limit is not None and "LIBGUESTFS_MEMSIZE" not in os.environ:
        room = (memory_limit >> 20) - _BESIDE
        settings["LIBGUESTFS_MEMSIZE"] = str(min(_APPLIANCE, room))
    return settings
