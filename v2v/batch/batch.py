# SPDX-License-Identifier: LGPL-2.1-or-later
"""A batch from its plan to its result."""

from __future__ import annotations

import json
import time
from pathlib import Path

from v2v.batch.execution import Course, Execution, usual_jobs
from v2v.batch.forecast import Need, forecast
from v2v.batch.journal import Journal, Record, State, folder_of, known, opened, report_of
from v2v.batch.plan import Plan, read_plan
from v2v.batch.progress import Audience
from v2v.batch.rates import known_rates
from v2v.batch.recovery import changed, take_up
from v2v.batch.result import Result, Row
from v2v.batch.task import WORKER
from v2v.disks.scratch import scratch
from v2v.errors import CancelledError


def convert_all(
    path: Path,
    *,
    jobs: int | None = None,
    retry: int | None = None,
    resume: bool = False,
    progress: Audience | None = None,
    worker: tuple[str, ...] = WORKER,
) -> Result:
    """Convert the guests of a plan, or those that are left of it, and return what came of it.

    An interrupt ends it early, with what came of it so far. Raises PlanError, and V2VError if the
    journal cannot be had.
    """
    plan = read_plan(path)
    tries = plan.retry if retry is None else retry
    course = Course(jobs or plan.jobs or usual_jobs(), tries, worker=worker)
    progress = progress or Audience()
    with opened(folder_of(path), resume=resume) as journal:
        take_up(journal)
        findings = tuple(changed(journal, plan))
        for finding in findings:
            progress.finding("", finding)
        begun = time.monotonic()
        interrupted = False
        try:
            _run(plan, journal, course, progress)
        except (KeyboardInterrupt, CancelledError):
            interrupted = True
        rows = _rows(plan, journal)
    seconds = round(time.monotonic() - begun, 1)
    return Result(path, False, seconds, course.jobs, rows, findings, interrupted=interrupted)


def report_all(
    path: Path,
    *,
    jobs: int | None = None,
    progress: Audience | None = None,
    worker: tuple[str, ...] = WORKER,
) -> Result:
    """Say what a batch would do with the guests that are not done yet; nothing is written anywhere.

    Raises PlanError, and V2VError for a journal that cannot be read.
    """
    plan = read_plan(path)
    course = Course(jobs or plan.jobs or usual_jobs(), dry=True, worker=worker)
    begun = time.monotonic()
    with scratch("v2v-plan-") as folder, opened(folder, resume=True) as journal:
        journal.records |= known(folder_of(path))
        _run(plan, journal, course, progress or Audience())
        rows = _rows(plan, journal)
    needs = [
        Need(row.entry.wave, row.entry.target, row.needed, row.entry.options.in_folder)
        for row in rows
        if row.record.state is State.ready
    ]
    found = forecast(needs, course.jobs, known_rates())
    seconds = round(time.monotonic() - begun, 1)
    return Result(path, True, seconds, course.jobs, rows, found.findings(), found)


def _run(plan: Plan, journal: Journal, course: Course, progress: Audience) -> None:
    try:
        Execution(plan, journal, course, progress).run()
    finally:
        progress.close()


def _rows(plan: Plan, journal: Journal) -> tuple[Row, ...]:
    untouched = Record(State.skipped)
    # Those that are done were so before a dry run.
    folders = (journal.folder, folder_of(plan.path))
    return tuple(
        Row(entry, journal.records.get(entry.name, untouched), _report(entry.name, folders))
        for entry in plan.entries
    )


def _report(name: str, folders: tuple[Path, ...]) -> dict[str, object] | None:
    paths = (report_of(folder, name) for folder in folders)
    return next((json.loads(path.read_bytes()) for path in paths if path.exists()), None)
