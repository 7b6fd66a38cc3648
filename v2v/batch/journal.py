# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a batch keeps on disk beside its plan, in the folder PLAN.batch, to be gone on with.

``journal`` is written line by line, each a JSON object that is on the disk before anything follows
from it; NAME.report.json is what was done with a guest, NAME.log what its worker said last.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from v2v.errors import Finding, V2VError
from v2v.output_options import Conflict
from v2v.report import finding_json

_JOURNAL = "journal"
_SCHEMA = 1


class State(StrEnum):
    """What became of a guest."""

    started = "started"
    ready = "ready"  # by a dry run
    done = "done"
    failed = "failed"
    blocked = "blocked"
    skipped = "skipped"  # it was never begun


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a guest."""

    state: State
    attempt: int = 1
    entry: str = ""  # a hash of its options
    source: str | None = None  # a hash of its files' sizes and times; None: on another host
    output: str = ""  # -o and -os that it goes to, the latter absolute if it is a folder
    storage: str = ""
    seconds: float = 0.0
    warnings: int = 0
    findings: tuple[Finding, ...] = ()
    written_bytes: int = 0
    connection: str | None = None  # -oc and --on-conflict, of libvirt
    on_conflict: str = Conflict.fail


@dataclass(slots=True)
class Journal:
    """A journal that is open, and what it says so far. One batch has it at a time."""

    folder: Path
    batch: str = ""  # which batch this is; its processes are known by it
    scratch: Path = Path()  # for what its workers need for a while
    records: dict[str, Record] = field(default_factory=dict)
    _descriptor: int = -1

    def report(self, name: str) -> Path:
        """Return where the report of a guest is."""
        return report_of(self.folder, name)

    def log(self, name: str) -> Path:
        """Return where a worker says what it has no words for."""
        return self.folder / f"{name}.log"

    def write(self, name: str, record: Record) -> None:
        """Put on record what becomes of a guest. Raises V2VError."""
        self.records[name] = record
        self._append({"guest": name, **_json(record)})

    def _append(self, fields: Mapping[str, object]) -> None:
        fields = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **fields}
        line = json.dumps(fields).encode() + b"\n"
        before = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) < len(line):
                os.ftruncate(self._descriptor, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unusable(self.folder, (error.strerror or str(error)).lower()) from error


def known(folder: Path) -> Mapping[str, Record]:
    """Return what a journal says, if there is one; it is left as it is. Raises V2VError."""
    if not (folder / _JOURNAL).exists():
        return {}
    journal = Journal(folder)
    descriptor = os.open(folder / _JOURNAL, os.O_RDONLY)
    try:
        _replay(journal, [*_lines(descriptor, folder, mend=False)])
    finally:
        os.close(descriptor)
    return journal.records


def report_of(folder: Path, name: str) -> Path:
    """Return where the report of a guest is in a journal's folder."""
    return folder / f"{name}.report.json"


def folder_of(plan: Path) -> Path:
    """Return the folder of a plan's journal."""
    return plan.with_name(f"{plan.name}.batch")


@contextmanager
def opened(folder: Path, *, resume: bool) -> Iterator[Journal]:
    """Open the journal in a folder, which is made, for as long as the block lasts.

    Raises V2VError if there is one and it is not to be gone on with, if another batch has it, and
    if it cannot be read or written.
    """
    try:
        folder.mkdir(0o700, exist_ok=True)
        descriptor = os.open(folder / _JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise _unusable(folder, (error.strerror or str(error)).lower()) from error
    try:
        _lock(descriptor, folder)
        lines = [*_lines(descriptor, folder, mend=True)]
        if lines and not resume:
            raise V2VError(
                "E-BATCH-JOURNAL",
                f"{folder}: the plan was begun already, this is its journal",
                hint="go on with --resume; or remove the folder to begin anew",
            )
        journal = Journal(folder, _descriptor=descriptor)
        if lines:
            _replay(journal, lines)
        else:
            _begin(journal)
        yield journal
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise V2VError(
            "E-BATCH-BUSY",
            f"{folder}: another batch is at work on this plan",
            hint="wait for its end, or interrupt it",
        ) from error


def _lines(descriptor: int, folder: Path, *, mend: bool) -> Iterator[dict[str, Any]]:
    """Yield what the journal says; a last line that was not written to its end does not count.

    It is cut off, to ``mend`` the file.
    """
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, size, 0)
    whole = data[: data.rfind(b"\n") + 1]
    if mend and len(whole) < len(data):
        os.ftruncate(descriptor, len(whole))
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise _unusable(folder, f"line {number} of its journal is damaged") from error
        if not isinstance(fields, dict):
            raise _unusable(folder, f"line {number} of its journal is damaged")
        yield fields


def _begin(journal: Journal) -> None:
    journal.batch = secrets.token_hex(4)
    journal.scratch = Path(os.environ.get("TMPDIR", "/var/tmp"), f"v2v-batch-{journal.batch}")
    journal._append({"schema": _SCHEMA, "batch": journal.batch, "scratch": str(journal.scratch)})


def _replay(journal: Journal, lines: list[dict[str, Any]]) -> None:
    """Take up what the journal says."""
    if not lines:
        return
    try:
        if lines[0]["schema"] != _SCHEMA:
            raise _unusable(journal.folder, "its journal is of another version of v2v")
        journal.batch, journal.scratch = str(lines[0]["batch"]), Path(lines[0]["scratch"])
        for line in lines[1:]:
            journal.records[line["guest"]] = _record(line)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(journal.folder, f"its journal is damaged: {error}") from error


def _json(record: Record) -> dict[str, object]:
    return {
        "state": record.state,
        "attempt": record.attempt,
        "entry": record.entry,
        "source": record.source,
        "output": record.output,
        "storage": record.storage,
        "seconds": record.seconds,
        "warnings": record.warnings,
        "findings": [finding_json(each) for each in record.findings],
        "written_bytes": record.written_bytes,
        "connection": record.connection,
        "on_conflict": record.on_conflict,
    }


def _record(line: dict[str, Any]) -> Record:
    return Record(
        State(line["state"]),
        line["attempt"],
        line["entry"],
        line["source"],
        line["output"],
        line["storage"],
        line["seconds"],
        line["warnings"],
        tuple(Finding(each["code"], each["message"], each["hint"]) for each in line["findings"]),
        line["written_bytes"],
        line["connection"],
        line["on_conflict"],
    )


def _unusable(folder: Path, fact: str) -> V2VError:
    return V2VError(
        "E-BATCH-JOURNAL",
        f"{folder}: {fact}",
        hint="put that right; or remove the folder, and with it what is known of guests done",
    )
