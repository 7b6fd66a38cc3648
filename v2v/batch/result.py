# SPDX-License-Identifier: LGPL-2.1-or-later
"""What came of a batch, or would: as JSON (docs/report.md) and as a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2v.batch.entries import Entry
from v2v.batch.forecast import Forecast
from v2v.batch.journal import Record, State
from v2v.batch.progress import about
from v2v.errors import Finding
from v2v.report import finding_json
from v2v.units import iec, lasting
from v2v.version import VERSION

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a guest."""

    entry: Entry
    record: Record
    report: dict[str, Any] | None  # of the conversion, or the dry run

    @property
    def warnings(self) -> int:
        """How many warnings its report has."""
        return len(self.report["plan"]["warnings"]) if self.report else self.record.warnings

    @property
    def needed(self) -> int:
        """The bytes that its images take, or will at most."""
        if self.record.written_bytes or self.record.state not in (State.ready, State.done):
            return self.record.written_bytes
        if self.report is None or self.report["target"] is None:  # nobody looked into its disks
            return self.virtual
        return sum(disk["estimated_bytes"] for disk in self.report["target"]["disks"])

    @property
    def virtual(self) -> int:
        """The bytes of its disks as the guest sees them."""
        if self.report is None:
            return 0
        return sum(disk["virtual_bytes"] or 0 for disk in self.report["source"]["disks"])


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a batch."""

    plan: Path
    dry_run: bool
    seconds: float
    jobs: int
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...] = ()  # about the batch as a whole
    forecast: Forecast | None = None  # of a dry run
    interrupted: bool = False

    @property
    def is_done(self) -> bool:
        """Whether all guests are done, or could be."""
        wrong = any(finding.code.startswith("E-") for finding in self.findings)
        return not wrong and all(row.record.state in (State.ready, State.done) for row in self.rows)

    @property
    def is_warned(self) -> bool:
        """Whether a guest that is to be taken strictly has warnings."""
        return any(row.entry.strict and row.warnings for row in self.rows)

    def to_json(self) -> str:
        """Return the result as a JSON document."""
        return json.dumps(result_json(self), indent=2) + "\n"

    def to_text(self) -> str:
        """Return the result for people."""
        return "".join(f"{line}\n" for line in _text(self))


def result_json(result: Result) -> dict[str, object]:
    """Return the result as what the json module takes."""
    return {
        "schema": SCHEMA,
        "v2v": VERSION,
        "plan": str(result.plan),
        "dry_run": result.dry_run,
        "interrupted": result.interrupted,
        "jobs": result.jobs,
        "seconds": result.seconds,
        "states": _states(result),
        "totals": {
            "virtual_bytes": sum(row.virtual for row in result.rows),
            "needed_bytes": sum(row.needed for row in result.rows),
            "warnings": sum(row.warnings for row in result.rows),
        },
        "forecast": result.forecast and result.forecast.to_json(),
        "findings": [finding_json(finding) for finding in result.findings],
        "guests": [_row_json(row) for row in result.rows],
    }


def _states(result: Result) -> dict[str, int]:
    count = Counter(row.record.state for row in result.rows)
    return {state: count[state] for state in State if state is not State.started}


def _row_json(row: Row) -> dict[str, object]:
    record = row.record
    return {
        "name": row.entry.name,
        "source": list(row.entry.source),
        "wave": row.entry.wave,
        "target": row.entry.target,
        "state": record.state,
        "attempts": record.attempt,
        "seconds": record.seconds,
        "written_bytes": record.written_bytes,
        "findings": [finding_json(finding) for finding in record.findings],
        "report": row.report,
    }


def _text(result: Result) -> Iterator[str]:
    head = ("NAME", "STATE", "TIME", "DISKS", "NEEDS" if result.dry_run else "WRITTEN", "WARNINGS")
    yield from _table((head, *(_cells(row) for row in result.rows)))
    for row in result.rows:
        for finding in row.record.findings:
            yield from _finding(row.entry.name, finding)
    for finding in result.findings:
        yield from _finding("", finding)
    count = ", ".join(f"{number} {state}" for state, number in _states(result).items() if number)
    yield f"{len(result.rows)} guests: {count or 'none'}; {lasting(result.seconds)}"
    if result.forecast is not None:
        yield from result.forecast.to_text()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.entry.name, row.record.state, lasting(row.record.seconds),
        iec(row.virtual) if row.virtual else "-", iec(row.needed) if row.needed else "-",
        str(row.warnings or "-"),
    )  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with names to the left and figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, state, *figures in rows:
        words: Iterable[str] = map(str.rjust, figures, widths[2:])
        yield "  ".join((name.ljust(widths[0]), state.ljust(widths[1]), *words)).rstrip()


def _finding(name: str, finding: Finding) -> Iterator[str]:
    yield f"  {finding.code}: {about(name, finding)}"
    if finding.hint:
        yield f"    {finding.hint}"
