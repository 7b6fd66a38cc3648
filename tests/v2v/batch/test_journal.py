# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from v2v.batch.journal import Record, State, known, opened
from v2v.errors import Finding, V2VError

BLOCKED = Record(
    State.blocked, 2, "a", "b", "local", "/out", 1.5, 3, (Finding("E-X", "no\nnewline", None),), 7
)
DONE = Record(State.done, entry="c", output="null")


def written(folder: Path) -> bytes:
    with opened(folder, resume=False) as journal:
        journal.write("web", replace_started(DONE))
        journal.write("db", BLOCKED)
        journal.write("web", DONE)
    return (folder / "journal").read_bytes()


def replace_started(record: Record) -> Record:
    return Record(State.started, record.attempt, record.entry, output=record.output)


def test_what_is_written_is_known_again(tmp_path: Path) -> None:
    written(tmp_path)
    with opened(tmp_path, resume=True) as journal:
        assert journal.records == {"web": DONE, "db": BLOCKED}
        assert len(journal.batch) == 8
        assert journal.scratch.name == f"v2v-batch-{journal.batch}"
    assert known(tmp_path) == {"web": DONE, "db": BLOCKED}


def test_a_last_line_may_be_torn_anywhere(tmp_path: Path) -> None:
    whole = written(tmp_path)
    lines = whole.splitlines(keepends=True)
    before = b"".join(lines[:-1])
    for end in range(len(before), len(whole)):
        (tmp_path / "journal").write_bytes(whole[:end])
        assert known(tmp_path)["web"].state is State.started
        assert (tmp_path / "journal").stat().st_size == end
        with opened(tmp_path, resume=True) as journal:
            assert journal.records["web"].state is State.started
            journal.write("web", DONE)
        assert known(tmp_path) == {"web": DONE, "db": BLOCKED}


def test_a_first_line_may_be_torn_too(tmp_path: Path) -> None:
    whole = written(tmp_path)
    (tmp_path / "journal").write_bytes(whole[:10])
    with opened(tmp_path, resume=False) as journal:
        assert journal.records == {}
        assert len(journal.batch) == 8


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b'"guest": "db"', b'"guest": '),
        lambda data: data.replace(b'"state": "blocked"', b'"state": "better"'),
        lambda data: data.replace(b'"attempt": 2, ', b""),
        lambda data: data.replace(b'"schema": 1', b'"schema": 2'),
        lambda data: b"[]\n" + data,
        lambda data: b"\xff\n" + data,
    ],
)
def test_a_damaged_journal_is_refused(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    (tmp_path / "journal").write_bytes(damage(written(tmp_path)))
    with pytest.raises(V2VError) as caught, opened(tmp_path, resume=True):
        pass
    assert caught.value.finding.code == "E-BATCH-JOURNAL"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "x"
    with pytest.raises(V2VError, match="not a directory") as caught, opened(folder, resume=False):
        pass
    assert caught.value.finding.code == "E-BATCH-JOURNAL"


def test_a_full_disk_tears_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with opened(tmp_path, resume=False) as journal:
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda file, data: write(file, data[:20]))
            with pytest.raises(V2VError, match=os.strerror(errno.ENOSPC).lower()):
                journal.write("web", DONE)
        journal.write("db", BLOCKED)
    assert known(tmp_path) == {"db": BLOCKED}


def test_nothing_is_known_where_there_is_no_journal(tmp_path: Path) -> None:
    assert known(tmp_path) == {}
