# SPDX-License-Identifier: LGPL-2.1-or-later
"""Going on after a crash: what was begun is finished or undone before anything new begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from v2v.batch.identity import of_entry, of_source
from v2v.batch.journal import Journal, Record, State
from v2v.batch.plan import Plan
from v2v.batch.processes import end_all
from v2v.errors import Finding, TargetError
from v2v.options import Options
from v2v.output_options import Conflict
from v2v.targets import open_target
from v2v.targets.naming import report_path


def recovered(journal: Journal, name: str, record: Record) -> bool:
    """Tell whether a guest that was begun is there, whole; if it is not, nothing of it is left.

    Its report is put where that of a worker that was not killed would be. Raises V2VError.
    """
    storage = Path(record.storage)
    options = Options(
        output=record.output,
        storage=storage,
        output_connection=record.connection,
        on_conflict=Conflict(record.on_conflict),
    )
    target = open_target(options)
    try:
        whole = target.recovered(name)
        report = report_path(storage, name)
        if whole and report.exists() and not journal.report(name).exists():
            shutil.copyfile(report, journal.report(name))
    except OSError as error:
        raise TargetError(
            "E-TARGET-WRITE",
            f"{error.filename or storage}: {(error.strerror or str(error)).lower()}",
            hint="what was begun there can be neither used nor removed; put that right first",
        ) from error
    return whole


def take_up(journal: Journal) -> None:
    """Undo what a batch that was killed has left, or find it finished, and put that on record.

    Raises V2VError.
    """
    end_all(journal.batch)
    if os.path.lexists(journal.scratch):
        shutil.rmtree(journal.scratch)
    for name, record in [*journal.records.items()]:
        if record.state is State.started:
            whole = recovered(journal, name, record)
            journal.write(name, replace(record, state=State.done if whole else State.skipped))


def changed(journal: Journal, plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each guest that is done, and no longer what it was then."""
    entries = {entry.name: entry for entry in plan.entries}
    for name, record in journal.records.items():
        if record.state is not State.done:
            continue
        entry = entries.get(name)
        if entry is None:
            what = "is done, and not in the plan any more"
        elif record.entry != of_entry(entry):
            what = "its options or its source in the plan were changed since it was converted"
        elif record.source != of_source(entry, plan.folder):
            what = "its files were changed since it was converted"
        else:
            continue
        yield Finding(
            "W-BATCH-CHANGED",
            f"{name}: {what}",
            "it is left as it is; to convert it once more, give it another output_name",
        )
