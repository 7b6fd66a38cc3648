# SPDX-License-Identifier: LGPL-2.1-or-later
"""Progress as events: a silent observer for libraries, one for terminals, one for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Never, TextIO

from tqdm import tqdm

from v2v.errors import Finding


class Observer:
    """Hears of progress and does nothing with it. Subclass it and override what you need."""

    def stage(self, name: str, text: str) -> None:
        """A stage begins: ``name`` is stable (see timing in the report), ``text`` is for people."""

    def finding(self, finding: Finding) -> None:
        """A warning was found."""

    def error(self, finding: Finding) -> None:
        """The work ends with an error, which is also raised."""

    def copied(self, disk: str, done: int, total: int) -> None:
        """So many bytes of a disk's ``total`` are through."""


class Terminal(Observer):
    """One line for each stage, and a bar while disks are copied if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._bar: tqdm[Never] | None = None

    def stage(self, name: str, text: str) -> None:
        self._close_bar()
        elapsed = time.monotonic() - self._begun
        self._stream.write(f"[{elapsed:6.1f}] {text}\n")
        self._stream.flush()

    def finding(self, finding: Finding) -> None:
        self._close_bar()
        self._stream.write(f"v2v: warning: {finding.message} [{finding.code}]\n")

    def copied(self, disk: str, done: int, total: int) -> None:
        if not self._stream.isatty():
            return
        if self._bar is None or self._bar.desc != disk:
            self._close_bar()
            self._bar = tqdm(
                total=total, desc=disk, unit="B", unit_scale=True, unit_divisor=1024,
                file=self._stream, leave=False,
            )  # fmt: skip
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._close_bar()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class JsonLines(Observer):
    """One JSON object a line; ``type`` is stage, warning, error or progress."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _emit(self, kind: str, **fields: object) -> None:
        line = {"timestamp": datetime.now(UTC).isoformat(), "type": kind, **fields}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def stage(self, name: str, text: str) -> None:
        self._emit("stage", stage=name, message=text)

    def finding(self, finding: Finding) -> None:
        self._emit("warning", code=finding.code, message=finding.message, hint=finding.hint)

    def error(self, finding: Finding) -> None:
        self._emit("error", code=finding.code, message=finding.message, hint=finding.hint)

    def copied(self, disk: str, done: int, total: int) -> None:
        self._emit("progress", disk=disk, done=done, total=total)


class Stopwatch(Observer):
    """Passes events on and keeps the seconds that each stage took."""

    def __init__(self, audience: Observer) -> None:
        self._audience = audience
        self._stage: str | None = None
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}

    def stage(self, name: str, text: str) -> None:
        self.stop()
        self._stage, self._since = name, time.monotonic()
        self._audience.stage(name, text)

    def stop(self) -> None:
        """End the stage that is going on."""
        if self._stage is not None:
            spent = time.monotonic() - self._since
            self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + spent, 3)
            self._stage = None

    def finding(self, finding: Finding) -> None:
        self._audience.finding(finding)

    def copied(self, disk: str, done: int, total: int) -> None:
        self._audience.copied(disk, done, total)

    @contextmanager
    def running(self) -> Iterator[Stopwatch]:
        try:
            yield self
        finally:
            self.stop()
