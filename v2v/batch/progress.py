# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a batch tells while it runs: to nobody, as lines, as bars on a terminal, as JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Never, TextIO

from tqdm import tqdm

from v2v.batch.journal import Record
from v2v.errors import Finding

_NAME = 24  # characters
# How far a guest is when a stage begins, by where the time goes in most conversions.
_SHARES: Mapping[str, float] = {
    "source": 0.0, "disks": 0.02, "launch": 0.05, "inspect": 0.35, "plan": 0.5, "convert": 0.6,
    "fstrim": 0.7, "check": 0.75, "flush": 0.78, "copy": 0.8,
}  # fmt: skip


class Audience:
    """Hears what happens and does nothing with it."""

    def begin(self, guests: int, ended: int) -> None:
        """A batch of so many guests begins; so many of them have ended before."""

    def started(self, name: str, attempt: int) -> None:
        """A guest's worker was started."""

    def stage(self, name: str, stage: str, text: str) -> None:
        """A stage of a guest begins, as Observer has it."""

    def copied(self, name: str, disk: str, done: int, total: int) -> None:
        """So many bytes of a guest's disk are through."""

    def finding(self, name: str, finding: Finding) -> None:
        """Something about a guest, or the batch (no name), that the user should know."""

    def ended(self, name: str, record: Record) -> None:
        """A guest has ended; if it is tried again, this comes again."""

    def retried(self, name: str) -> None:
        """A guest that failed will be tried once more."""

    def close(self) -> None:
        """The batch ends."""


class Errors(Audience):
    """Only what goes wrong."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def finding(self, name: str, finding: Finding) -> None:
        if finding.code.startswith("E-"):
            self._stream.write(f"v2v: error: {about(name, finding)} [{finding.code}]\n")
            self._stream.flush()


class Lines(Audience):
    """One line when a guest begins and one when it has ended, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = time.monotonic()
        self._total = self._ended = 0

    def _say(self, text: str) -> None:
        self._stream.write(f"[{time.monotonic() - self._begun:7.1f}] {text}\n")
        self._stream.flush()

    def begin(self, guests: int, ended: int) -> None:
        self._total, self._ended = guests, ended

    def started(self, name: str, attempt: int) -> None:
        self._say(f"{name}: started" + (f", attempt {attempt}" if attempt > 1 else ""))

    def finding(self, name: str, finding: Finding) -> None:
        kind = "error" if finding.code.startswith("E-") else "warning"
        self._say(f"{kind}: {about(name, finding)} [{finding.code}]")

    def ended(self, name: str, record: Record) -> None:
        self._ended += 1
        count = f"{self._ended} of {self._total}"
        self._say(f"{name}: {record.state} after {record.seconds:.0f} s ({count})")

    def retried(self, name: str) -> None:
        self._ended -= 1
        self._say(f"{name}: will be tried once more")


class Bars(Lines):
    """On a terminal: a bar for all guests, and under it a line for each that is at work."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._bars: dict[str, tqdm[Never]] = {}
        self._all: tqdm[Never] | None = None

    def _say(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def begin(self, guests: int, ended: int) -> None:
        super().begin(guests, ended)
        self._all = tqdm(
            total=guests, initial=ended, desc=_short("all"), file=self._stream, position=0,
            leave=False,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}",
        )  # fmt: skip

    def started(self, name: str, attempt: int) -> None:
        taken = {abs(bar.pos) for bar in self._bars.values()}
        free = next(number for number in range(1, len(taken) + 2) if number not in taken)
        self._bars[name] = tqdm(
            total=1.0, desc=_short(name), file=self._stream, position=free, leave=False,
            bar_format="{desc} {percentage:3.0f}%|{bar:20}| {elapsed}{postfix}",
        )  # fmt: skip

    def stage(self, name: str, stage: str, text: str) -> None:
        self._bars[name].set_postfix_str(text, refresh=False)
        self._to(name, _SHARES.get(stage, 0.0))

    def copied(self, name: str, disk: str, done: int, total: int) -> None:
        copying = _SHARES["copy"]
        self._to(name, copying + (1 - copying) * done / max(total, 1))

    def _to(self, name: str, share: float) -> None:
        """Move a guest's bar, never back, and that of all with it."""
        bar = self._bars[name]
        bar.n = max(bar.n, share)
        bar.refresh()
        self._sum()

    def _sum(self) -> None:
        if self._all is not None:
            self._all.n = self._ended + sum(bar.n for bar in self._bars.values())
            self._all.set_postfix_str(f"{self._ended} of {self._total} guests")

    def ended(self, name: str, record: Record) -> None:
        if name in self._bars:
            self._bars.pop(name).close()
        super().ended(name, record)
        self._sum()

    def close(self) -> None:
        for bar in (*self._bars.values(), self._all):
            if bar is not None:
                bar.close()


def about(name: str, finding: Finding) -> str:
    """Return a finding's message with the guest that it is about, once."""
    told = not name or finding.message.startswith(f"{name}:")
    return finding.message if told else f"{name}: {finding.message}"


def _short(name: str) -> str:
    """Return a name such that bars stand under each other."""
    return f"{name:{_NAME}}" if len(name) <= _NAME else f"{name[: _NAME - 3]}..."


class JsonProgress(Audience):
    """JSON lines; ``type`` is batch, started, stage, progress, warning, error, retry or ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _emit(self, kind: str, **fields: object) -> None:
        line = {"timestamp": datetime.now(UTC).isoformat(), "type": kind, **fields}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def begin(self, guests: int, ended: int) -> None:
        self._emit("batch", guests=guests, ended=ended)

    def started(self, name: str, attempt: int) -> None:
        self._emit("started", guest=name, attempt=attempt)

    def stage(self, name: str, stage: str, text: str) -> None:
        self._emit("stage", guest=name, stage=stage, message=text)

    def copied(self, name: str, disk: str, done: int, total: int) -> None:
        self._emit("progress", guest=name, disk=disk, done=done, total=total)

    def finding(self, name: str, finding: Finding) -> None:
        kind = "error" if finding.code.startswith("E-") else "warning"
        self._emit(
            kind, guest=name or None, code=finding.code, message=finding.message, hint=finding.hint
        )

    def ended(self, name: str, record: Record) -> None:
        self._emit(
            "ended", guest=name, state=record.state, seconds=record.seconds,
            attempt=record.attempt,
        )  # fmt: skip

    def retried(self, name: str) -> None:
        self._emit("retry", guest=name)
