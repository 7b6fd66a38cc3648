# SPDX-License-Identifier: LGPL-2.1-or-later
"""The process that converts one guest of a batch: python -m v2v.batch.worker

A line of JSON on its standard input says what to do: ``folder``, where relative paths begin;
``argv``, options and sources as v2v convert takes them; ``dry``, whether to report only;
``report``, the file for the report. What happens comes as JSON lines on its standard output; the
last one has the type ``end``. The end of the input is the end of the work: it stays open for as
long as the batch lives and wants the guest.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from v2v.arguments import parser
from v2v.cancellation import Cancellation
from v2v.errors import BlockedError, CancelledError, ConfigError, Finding, V2VError
from v2v.observer import Failed, JsonLines, Warned
from v2v.options import Options, chosen
from v2v.pipeline import convert, plan
from v2v.report import Report

_GRACE = 10.0  # seconds to clean up, when the batch is gone


def main() -> int:
    """Do what standard input says and return the exit status: 0 done, 1 failed, 130 interrupted."""
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no event
    job = json.loads(sys.stdin.buffer.readline())
    cancellation = Cancellation()
    threading.Thread(target=_end_with, args=(sys.stdin.fileno(), cancellation), daemon=True).start()
    os.chdir(job["folder"])
    args = parser().parse_args(["convert", *job["argv"]])
    observer = JsonLines(events)
    try:
        work = _looked_at if job["dry"] else convert
        report = work(args.source, chosen(args), observer, cancellation=cancellation)
    except CancelledError:
        return 130
    except BlockedError as error:
        return _ended(observer, "blocked", error.findings)
    except V2VError as error:
        return _ended(observer, "failed", (error.finding,))
    _keep(report, Path(job["report"]))
    state = "blocked" if report.blockers else "done"
    return _ended(observer, state, report.blockers, _allocated(report))


def _looked_at(
    source: Sequence[str],
    options: Options,
    observer: JsonLines,
    *,
    cancellation: Cancellation,
) -> Report:
    """Return the report of a dry run; what passes by once is told of by its description alone."""
    try:
        return plan(source, options, observer, cancellation=cancellation)
    except ConfigError as error:
        if error.finding.code != "E-STREAM":
            raise
    unseen = Finding(
        "W-BATCH-STREAM",
        f"{source[0]}: is an export that passes by once, so its disks were not looked into",
        "its description has no blockers; what the disks have shows when it is converted",
    )
    report = plan(source, options, observer, source_only=True, cancellation=cancellation)
    observer.see(Warned(unseen))
    return replace(report, warnings=(*report.warnings, unseen))


def _ended(
    observer: JsonLines, state: str, findings: Sequence[Finding], written_bytes: int = 0
) -> int:
    for finding in findings:
        observer.see(Failed(finding))
    observer.emit("end", state=state, written_bytes=written_bytes)
    return 0 if state == "done" else 1


def _keep(report: Report, path: Path) -> None:
    """Write the report such that it is there as a whole."""
    growing = path.with_name(f".{path.name}")
    growing.write_text(report.to_json(), encoding="utf-8")
    growing.rename(path)


def _allocated(report: Report) -> int:
    """Return the bytes that what was written takes."""
    return sum(path.stat().st_blocks * 512 for path in report.written)


def _end_with(batch: int, cancellation: Cancellation) -> None:
    """End the work when the batch does: first with a chance to clean up, then without.

    ``batch`` is a descriptor: a stream would be locked by who reads it when Python ends.
    """
    while os.read(batch, 1024):
        continue
    cancellation.cancel()
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
