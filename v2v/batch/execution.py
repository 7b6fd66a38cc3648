# SPDX-License-Identifier: LGPL-2.1-or-later
"""Carrying out a plan: waves one after the other, in each as many guests at once as may be."""

from __future__ import annotations

import os
import selectors
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from v2v.batch.entries import Entry
from v2v.batch.identity import of_entry, of_source
from v2v.batch.journal import Journal, Record, State
from v2v.batch.plan import Plan, Wave
from v2v.batch.processes import end_all
from v2v.batch.progress import Audience
from v2v.batch.rates import add_rates
from v2v.batch.recovery import recovered
from v2v.batch.task import WORKER, Task, start
from v2v.errors import Finding, V2VError

_TICK = 0.5  # seconds between looks at times and memory
_SOON = 0.02
_INTERRUPTED = "E-BATCH-INTERRUPTED"
_PER_JOB = 4 << 30  # bytes of this host's memory
_LOG_END = 2000  # bytes of what a worker said last


@dataclass(frozen=True, slots=True)
class Course:
    """How a plan is carried out."""

    jobs: int
    retry: int = 0
    dry: bool = False  # report only
    worker: tuple[str, ...] = WORKER


def usual_jobs() -> int:
    """Return how many guests at once suit this host: two CPUs and 4 GiB of memory for each."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(len(os.sched_getaffinity(0)) // 2, memory // _PER_JOB))


@dataclass(slots=True)
class Execution:
    """A plan that is being carried out."""

    plan: Plan
    journal: Journal
    course: Course
    progress: Audience
    _tasks: dict[str, Task] = field(default_factory=dict)
    _waiting: list[Entry] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _started: int = 0
    _tried: Counter[str] = field(default_factory=Counter)  # once more, in this run

    def run(self) -> None:
        """Convert all guests that are not done; what becomes of each is in the journal.

        At KeyboardInterrupt the workers end first. Raises V2VError if the journal fails.
        """
        records = self.journal.records
        todo = [each for each in self.plan.entries if not _is_done(records.get(each.name))]
        self.progress.begin(len(self.plan.entries), len(self.plan.entries) - len(todo))
        with self._workshop():
            try:
                self._waves(todo)
            except BaseException:
                self._stop_all()
                raise

    def _waves(self, todo: Sequence[Entry]) -> None:
        if self.course.dry:
            self._wave(todo)
            return
        held_up: Wave | None = None
        for wave in self.plan.waves:
            entries = [entry for entry in todo if entry.wave == wave.name]
            if held_up is None:
                self._wave(entries)
                if wave.stop_on_failure and self._has_failed(wave):
                    held_up = wave
                continue
            for entry in entries:
                self._skip(entry, held_up)

    def _has_failed(self, wave: Wave) -> bool:
        names = [entry.name for entry in self.plan.entries if entry.wave == wave.name]
        return not all(_is_done(self.journal.records.get(name)) for name in names)

    def _skip(self, entry: Entry, wave: Wave) -> None:
        gate = Finding(
            "E-BATCH-GATE",
            f"{entry.name}: was not begun, as guests of wave {wave.name} failed",
            "see what they failed of, and go on with --resume",
        )
        self._record(entry, replace(self._record_of(entry, State.skipped), findings=(gate,)))

    def _wave(self, entries: Sequence[Entry]) -> None:
        """Convert guests until all have ended."""
        self._waiting = list(entries)
        while self._waiting or self._tasks:
            while (entry := self._next()) is not None:
                self._waiting.remove(entry)
                self._start(entry)
            silent = len(self._selector.get_map()) < len(self._tasks)  # it is about to end
            for key, _ in self._selector.select(_SOON if silent else _TICK):
                if not key.data.read(self.progress):
                    self._selector.unregister(key.fileobj)
            for task in [*self._tasks.values()]:
                if task.child.poll() is not None or task.watch():
                    self._forget(task)
                    self._finish(task)

    def _forget(self, task: Task) -> None:
        """Wait no longer for a worker's words."""
        pipe = task.child.stdout
        if pipe is not None and pipe in self._selector.get_map():
            self._selector.unregister(pipe)

    def _next(self) -> Entry | None:
        """Return the first guest that waits and may be begun now."""
        if len(self._tasks) >= self.course.jobs:
            return None
        hosts = Counter(task.entry.host for task in self._tasks.values())
        targets = Counter(task.entry.target for task in self._tasks.values())
        for entry in self._waiting:
            of_host = self.plan.per_source.of(entry.host)
            of_target = self.plan.per_target.of(entry.target)
            if (of_host is None or hosts[entry.host] < of_host) and (
                of_target is None or targets[entry.target] < of_target
            ):
                return entry
        return None

    def _start(self, entry: Entry) -> None:
        """Start a guest's worker, unless what it would make is there already."""
        before = self.journal.records.get(entry.name)
        attempt = 1 if before is None else before.attempt + 1
        record = replace(self._record_of(entry, State.started), attempt=attempt)
        obstacle = None if self.course.dry else self._obstacle(entry.name, record)
        if obstacle is not None:
            self.progress.finding(entry.name, obstacle)
            self._record(entry, replace(record, state=State.blocked, findings=(obstacle,)))
            return
        self.journal.write(entry.name, record)
        self._started += 1
        job: dict[str, object] = {
            "folder": str(self.plan.folder),
            "argv": entry.argv,
            "dry": self.course.dry,
            "report": str(self.journal.report(entry.name)),
        }
        self.journal.report(entry.name).unlink(missing_ok=True)
        task = start(entry, attempt, self.journal, self._started, job, self.course.worker)
        self._tasks[entry.name] = task
        assert task.child.stdout is not None  # running() asks for the pipe
        self._selector.register(task.child.stdout, selectors.EVENT_READ, task)
        self.progress.started(entry.name, attempt)

    def _obstacle(self, name: str, record: Record) -> Finding | None:
        """Return what keeps a guest from its target; what an earlier attempt left is removed."""
        try:
            if not recovered(self.journal, name, record):
                return None
        except V2VError as error:
            return error.finding
        return Finding(
            "E-TARGET-EXISTS",
            f"{name}: exists already in {record.storage}",
            "remove what is there, or give the guest another output_name",
        )

    def _finish(self, task: Task) -> None:
        """Put on record what became of a guest whose worker has ended; maybe try once more."""
        name = task.entry.name
        record = self._outcome(task)
        self._record(task.entry, record)
        if record.state is State.failed and self._tried[name] < self.course.retry:
            self._tried[name] += 1
            self._waiting.append(task.entry)
            self.progress.retried(name)

    def _outcome(self, task: Task) -> Record:
        """Tidy up behind a worker, and return what became of its guest."""
        name = task.entry.name
        del self._tasks[name]
        record = replace(self.journal.records[name], seconds=task.seconds, warnings=task.warnings)
        try:
            end_all(task.mark)  # it, and what it left: its pipe may be open there
            while task.read(self.progress):
                continue
            return self._told(task, record)
        except V2VError as error:  # the next attempt tidies up first
            self.progress.finding(name, error.finding)
            return replace(record, state=State.failed, findings=(*task.errors, error.finding))
        finally:
            task.held.close()
            shutil.rmtree(task.scratch, ignore_errors=True)

    def _told(self, task: Task, record: Record) -> Record:
        """Return what a worker has told, or what the target tells where it was killed."""
        name = task.entry.name
        state = State(task.end["state"]) if task.end else State.started
        if state is State.done and self.course.dry:
            return replace(record, state=State.ready)
        if state is State.done:
            self.journal.log(name).unlink(missing_ok=True)
            written = int(task.end["written_bytes"])
            add_rates(self.journal.report(name), written)
            return replace(record, state=state, written_bytes=written)
        if state is not State.started and task.ended_for is None:
            return replace(record, state=state, findings=(*task.errors,))
        if not self.course.dry and recovered(self.journal, name, record):
            return replace(record, state=State.done)  # it was killed when all was there
        why = task.ended_for or _crash(task, self.journal)
        self.progress.finding(name, why)
        state = State.skipped if why.code == _INTERRUPTED else State.failed
        return replace(record, state=state, findings=(*task.errors, why))

    def _record(self, entry: Entry, record: Record) -> None:
        self.journal.write(entry.name, record)
        self.progress.ended(entry.name, record)

    def _record_of(self, entry: Entry, state: State) -> Record:
        storage = entry.options.storage
        return Record(
            state,
            entry=of_entry(entry),
            source=of_source(entry, self.plan.folder),
            output=entry.options.output,
            storage=str(self.plan.folder / storage if entry.options.in_folder else storage),
            connection=entry.options.output_connection,
            on_conflict=entry.options.on_conflict,
        )

    @contextmanager
    def _workshop(self) -> Iterator[None]:
        """Make the folder for temporary files, for as long as the block lasts."""
        try:
            self.journal.scratch.mkdir(0o700)
        except OSError as error:
            raise V2VError(
                "E-BATCH-SCRATCH",
                f"{self.journal.scratch}: {(error.strerror or str(error)).lower()}",
                hint="choose a folder for temporary files that is there: TMPDIR=DIR",
            ) from error
        try:
            yield
        finally:
            self._selector.close()
            shutil.rmtree(self.journal.scratch, ignore_errors=True)

    def _stop_all(self) -> None:
        """End all workers, with a chance for each to clean up, and what they leave."""
        for task in self._tasks.values():
            if task.ended_for is None:
                task.stop(Finding(_INTERRUPTED, f"{task.entry.name}: the batch was interrupted"))
        for task in [*self._tasks.values()]:
            while task.child.poll() is None and not task.watch():
                time.sleep(_SOON)
            self._record(task.entry, self._outcome(task))
        end_all(self.journal.batch)


def _is_done(record: Record | None) -> bool:
    return record is not None and record.state is State.done


def _crash(task: Task, journal: Journal) -> Finding:
    """Return why a worker has ended without a word, as far as can be told."""
    log = journal.log(task.entry.name)
    said = log.read_bytes()[-_LOG_END:].decode(errors="replace").strip().splitlines()
    status = task.child.returncode
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return Finding(
        "E-BATCH-WORKER",
        f"{task.entry.name}: its worker {how}" + (f": {said[-1]}" if said else ""),
        f"see {log}" if said else "memory may have run out: journalctl -k",
    )
