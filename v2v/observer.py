# SPDX-License-Identifier: LGPL-2.1-or-later
"""Progress as events: a silent observer for libraries, one for terminals, one for programs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Never, TextIO

from tqdm import tqdm

from v2v.cancellation import Cancellation, check, heeding
from v2v.errors import Finding

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage begins."""

    name: str  # stable: see timing in the report
    text: str  # for people


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning was found; it is in the report too."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Failed:
    """The work ends with an error, which is also raised."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Copied:
    """So many bytes of a disk are through."""

    disk: str  # name of the image
    done: int
    total: int


Event = Stage | Warned | Failed | Copied


class Observer:
    """Hears of progress and does nothing with it. Subclass it and override ``see``."""

    def see(self, event: Event) -> None:
        """Something happened. This is called in the thread that does the work, which waits."""


class Terminal(Observer):
    """One line for each stage, and a bar while disks are copied if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._bar: tqdm[Never] | None = None

    def see(self, event: Event) -> None:
        match event:
            case Stage(text=text):
                self._close_bar()
                elapsed = time.monotonic() - self._begun
                self._stream.write(f"[{elapsed:6.1f}] {text}\n")
                self._stream.flush()
            case Warned(finding):
                self._close_bar()
                self._stream.write(f"v2v: warning: {finding.message} [{finding.code}]\n")
            case Failed():
                self._close_bar()
            case Copied() if self._stream.isatty():
                self._show(event)

    def _show(self, copied: Copied) -> None:
        if self._bar is None or self._bar.desc != copied.disk:
            self._close_bar()
            self._bar = tqdm(
                total=copied.total, desc=copied.disk, unit="B", unit_scale=True,
                unit_divisor=1024, file=self._stream, leave=False,
            )  # fmt: skip
        self._bar.update(copied.done - self._bar.n)
        if copied.done >= copied.total:
            self._close_bar()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonLines(Observer):
    """One JSON object a line; ``type`` is stage, warning, error or progress."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def see(self, event: Event) -> None:
        match event:
            case Stage(name, text):
                self.emit("stage", stage=name, message=text)
            case Warned(finding):
                self.emit("warning", **asdict(finding))
            case Failed(finding):
                self.emit("error", **asdict(finding))
            case Copied():
                self.emit("progress", **asdict(event))

    def emit(self, kind: str, **fields: object) -> None:
        """Write a line of this ``type``."""
        line = {"timestamp": datetime.now(UTC).isoformat(), "type": kind, **fields}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()


class Progress:
    """Tells an observer of the work, keeps the seconds of each stage, and heeds cancellation.

    Each method raises CancelledError if the work is to end.
    """

    def __init__(self, observer: Observer | None, cancellation: Cancellation | None = None) -> None:
        self._observer = observer or Observer()
        self._cancellation = cancellation
        self._stage: str | None = None
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}

    def stage(self, name: str, text: str) -> None:
        """A stage begins, and the one before has ended."""
        self.stop()
        self._stage, self._since = name, time.monotonic()
        self._tell(Stage(name, text))

    def stop(self) -> None:
        """End the stage that is going on."""
        if self._stage is not None:
            spent = time.monotonic() - self._since
            self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + spent, 3)
            self._stage = None

    def warned(self, finding: Finding) -> None:
        """A warning was found."""
        self._tell(Warned(finding))

    def copied(self, disk: str, done: int, total: int) -> None:
        """So many bytes of a disk's ``total`` are through."""
        self._tell(Copied(disk, done, total))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the work in the block be cancelled, and its last stage end with it."""
        try:
            with heeding(self._cancellation):
                yield
        finally:
            self.stop()

    def _tell(self, event: Event) -> None:
        log.debug("%s", event)
        self._observer.see(event)
        check()
