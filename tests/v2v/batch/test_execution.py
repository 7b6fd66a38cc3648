# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scheduling, failures, limits and going on, with workers that are stand-ins."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.v2v.batch.running import STANDIN, at_once, log, plan, run, states
from v2v.batch import task
from v2v.batch.batch import report_all
from v2v.batch.journal import folder_of, known
from v2v.batch.processes import marked
from v2v.errors import V2VError
from v2v.targets.local import LocalTarget

ROOT = Path(__file__).parent.parent.parent.parent
# Runs a plan as the command line does, but with stand-ins for workers.
BATCH = f"""
import signal, sys
from pathlib import Path
from v2v.batch.batch import convert_all
for number in (signal.SIGINT, signal.SIGTERM):  # of a shell in the background, SIGINT is ignored
    signal.signal(number, signal.default_int_handler)
result = convert_all(Path(sys.argv[1]), resume=True, worker={STANDIN!r})
print(result.to_text())
sys.exit(130 if result.interrupted else 0 if result.is_done else 1)
"""


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def left(folder: Path) -> list[str]:
    """Return what a batch should not leave."""
    return [path.name for path in folder.iterdir() if path.name.startswith((".v2v", "v2v-"))]


def test_all_guests_of_a_plan_are_converted(tmp_path: Path) -> None:
    result = run(plan(tmp_path, ["ok-1", "ok-2", "ok-3"]))
    assert states(result) == {"ok-1": "done", "ok-2": "done", "ok-3": "done"}
    assert result.is_done
    assert [row.record.written_bytes for row in result.rows] == [1000] * 3
    assert all(row.report and row.report["timing"] for row in result.rows)
    assert left(tmp_path) == []


def test_no_more_guests_at_once_than_jobs(tmp_path: Path) -> None:
    path = plan(tmp_path, [f"slow-{number}" for number in range(6)], jobs=2)
    run(path)
    assert at_once(log(path)) == 2


def test_hosts_and_targets_have_limits_of_their_own(tmp_path: Path) -> None:
    hosts = [f"xen+ssh://root@{'a' if number < 4 else 'b'}/g" for number in range(6)]

    def guests(kind: str) -> list[str | dict[str, object]]:
        return [{"name": f"{kind}-{number}", "source": each} for number, each in enumerate(hosts)]

    path = plan(tmp_path, guests("meet3"), jobs=6, jobs_per_source={"a": 1, "others": 2})
    run(path)
    of_a = [line for line in log(path) if int(line[-1]) < 4]
    assert at_once(of_a) == 1
    assert at_once(log(path)) == 3
    (tmp_path / "log").unlink()
    folder_of(path).rename(tmp_path / "before")
    run(plan(tmp_path, guests("meet2"), jobs=6, jobs_per_target=2))
    assert at_once(log(path)) == 2


def test_a_wave_begins_when_the_one_before_has_ended(tmp_path: Path) -> None:
    guests: list[str | dict[str, object]] = [
        {"name": "ok-late", "wave": 3}, {"name": "slow-first", "wave": 1},
        {"name": "slow-other", "wave": 1}, {"name": "ok-middle", "wave": 2},
    ]  # fmt: skip
    path = plan(tmp_path, guests)
    assert run(path).is_done
    assert {line.split()[1] for line in log(path)[:4]} == {"slow-first", "slow-other"}
    assert [line.split()[1] for line in log(path)[4:]] == ["ok-middle"] * 2 + ["ok-late"] * 2


def test_a_failed_guest_stops_no_other(tmp_path: Path) -> None:
    result = run(plan(tmp_path, ["fail", "crash", "block", "ok"], jobs=1))
    assert states(result) == {"fail": "failed", "crash": "failed", "block": "blocked", "ok": "done"}
    assert not result.is_done
    findings = {row.entry.name: row.record.findings for row in result.rows}
    assert [finding.code for finding in findings["fail"]] == ["E-NO-DISK"]
    (crash,) = findings["crash"]
    assert crash.code == "E-BATCH-WORKER"
    assert crash.message == "crash: its worker was killed by signal 9: something dreadful"
    assert crash.hint == f"see {tmp_path}/plan.yaml.batch/crash.log"
    text = result.to_text()
    assert "E-NO-DISK: fail: no" in text
    assert "4 guests: 1 done, 2 failed, 1 blocked" in text


def test_a_wave_that_fails_can_hold_up_the_next(tmp_path: Path) -> None:
    guests: list[str | dict[str, object]] = [
        {"name": "once", "wave": 1}, {"name": "ok-1", "wave": 1}, {"name": "ok-2", "wave": 2},
    ]  # fmt: skip
    path = plan(tmp_path, guests, stop_on_failure=True)
    result = run(path)
    assert states(result) == {"once": "failed", "ok-1": "done", "ok-2": "skipped"}
    assert result.rows[2].record.findings[0].code == "E-BATCH-GATE"
    assert states(run(path, resume=True)) == {"once": "done", "ok-1": "done", "ok-2": "done"}


def test_what_fails_is_tried_again_where_that_is_asked(tmp_path: Path) -> None:
    path = plan(tmp_path, ["once", "fail", "block"], retry=2)
    result = run(path)
    assert states(result) == {"once": "done", "fail": "failed", "block": "blocked"}
    begun = [line for line in log(path) if line.startswith("begin")]
    assert [begun.count(f"begin {name}") for name in ("once", "fail", "block")] == [2, 3, 1]
    assert {row.entry.name: row.record.attempt for row in result.rows} == {
        "once": 2, "fail": 3, "block": 1,
    }  # fmt: skip


def test_a_guest_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    guests: list[str | dict[str, object]] = [{"name": "hang", "timeout": "1s"}, "ok"]
    begun = time.monotonic()
    result = run(plan(tmp_path, guests))
    assert time.monotonic() - begun < 20
    assert states(result) == {"hang": "failed", "ok": "done"}
    assert result.rows[0].record.findings[-1].code == "E-BATCH-TIMEOUT"


def test_one_that_does_not_hear_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "_GRACE", 0.3)
    result = run(plan(tmp_path, [{"name": "deaf", "timeout": "1s"}]))
    assert result.rows[0].record.findings[-1].code == "E-BATCH-TIMEOUT"
    assert result.rows[0].record.seconds < 15


def test_what_a_worker_leaves_running_ends_with_it(tmp_path: Path) -> None:
    path = plan(tmp_path, [{"name": "parent", "timeout": "1s"}])
    run(path)
    batch = json.loads((folder_of(path) / "journal").read_text().splitlines()[0])["batch"]
    assert list(marked(batch)) == []


def test_a_guest_that_takes_too_much_memory_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "memory_of", lambda mark: 2 << 30)
    guests: list[str | dict[str, object]] = [{"name": "hang", "memory_limit": "1536MiB"}, "ok"]
    result = run(plan(tmp_path, guests))
    assert states(result) == {"hang": "failed", "ok": "done"}
    finding = result.rows[0].record.findings[-1]
    assert finding.code == "E-BATCH-MEMORY"
    assert finding.message == "hang: takes 2.0 GiB of memory, 1.5 GiB are allowed"


def test_the_appliance_fits_into_the_memory_of_a_guest(tmp_path: Path) -> None:
    assert task._settings(tmp_path, 3 << 30)["LIBGUESTFS_MEMSIZE"] == "2560"
    assert task._settings(tmp_path, 2 << 30)["LIBGUESTFS_MEMSIZE"] == "1536"
    assert "LIBGUESTFS_MEMSIZE" not in task._settings(tmp_path, None)


def test_what_is_there_already_is_never_taken_for_a_result(tmp_path: Path) -> None:
    (tmp_path / "ok.xml").write_text("<domain/>")
    path = plan(tmp_path, ["ok"])
    result = run(path)
    assert states(result) == {"ok": "blocked"}
    assert result.rows[0].record.findings[0].code == "E-TARGET-EXISTS"
    assert not (tmp_path / "log").exists()


def test_a_plan_that_was_begun_is_gone_on_with_only_if_that_is_asked(tmp_path: Path) -> None:
    path = plan(tmp_path, ["ok", "once"])
    run(path)
    with pytest.raises(V2VError, match="begun already") as caught:
        run(path)
    assert caught.value.finding.code == "E-BATCH-JOURNAL"
    assert states(run(path, resume=True)) == {"ok": "done", "once": "done"}
    assert log(path).count("begin ok") == 1


def test_a_plan_that_was_never_begun_can_be_resumed(tmp_path: Path) -> None:
    assert run(plan(tmp_path, ["ok"]), resume=True).is_done


def test_what_was_changed_since_is_told(tmp_path: Path) -> None:
    path = plan(tmp_path, ["ok-1", "ok-2"])
    run(path)
    again = run(path, resume=True)
    assert again.findings == ()
    plan(tmp_path, [{"name": "ok-1", "no_fstrim": True}, "ok-2"])
    assert ["ok-1: its options" in each.message for each in run(path, resume=True).findings] == [
        True
    ]
    plan(tmp_path, ["ok-1", "ok-2"])
    with (tmp_path / "x.cfg").open("a") as config:
        config.write("# more\n")
    findings = run(path, resume=True).findings
    assert [finding.message for finding in findings] == [
        "ok-1: its files were changed since it was converted",
        "ok-2: its files were changed since it was converted",
    ]
    plan(tmp_path, ["ok-2"])
    (gone, _) = run(path, resume=True).findings
    assert gone.message == "ok-1: is done, and not in the plan any more"
    assert log(path).count("begin ok-1") == 1


def _begin(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", BATCH, str(path)], cwd=ROOT, stdout=subprocess.PIPE
    )


def _wait_for(path: Path, line: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (path.parent / "log").exists() and line in log(path):
            return
        time.sleep(0.05)
    raise AssertionError(f"{line} did not come")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_and_can_be_gone_on_with(tmp_path: Path, how: signal.Signals) -> None:
    path = plan(tmp_path, ["hang-1", "hang-2", "ok"], jobs=3)
    batch = _begin(path)
    for name in ("hang-1", "hang-2"):
        _wait_for(path, f"begin {name}")
    _wait_for(path, "end ok")
    time.sleep(0.5)
    batch.send_signal(how)
    said, _ = batch.communicate(timeout=30)
    assert batch.returncode == 130
    assert b"3 guests: 1 done, 2 skipped" in said
    assert b"E-BATCH-INTERRUPTED: hang-1" in said
    assert {name: str(each.state) for name, each in known(folder_of(path)).items()} == {
        "hang-1": "skipped", "hang-2": "skipped", "ok": "done",
    }  # fmt: skip
    assert left(tmp_path) == []


def test_a_batch_that_is_killed_is_gone_on_with(tmp_path: Path) -> None:
    path = plan(tmp_path, ["parent", "ok"], jobs=2)
    batch = _begin(path)
    _wait_for(path, "end ok")
    _wait_for(path, "begin parent")
    time.sleep(0.5)
    with batch:
        batch.kill()
    assert batch.returncode == -signal.SIGKILL
    identity = json.loads((folder_of(path) / "journal").read_text().splitlines()[0])["batch"]
    assert len(list(marked(identity))) == 2  # the stand-in reads no end of its input
    plan(tmp_path, ["ok"], jobs=2)
    assert states(run(path, resume=True)) == {"ok": "done"}
    assert list(marked(identity)) == []
    assert log(path).count("begin ok") == 1
    assert left(tmp_path) == []


def test_two_batches_do_not_work_on_one_plan(tmp_path: Path) -> None:
    path = plan(tmp_path, ["hang"])
    batch = _begin(path)
    try:
        _wait_for(path, "begin hang")
        with pytest.raises(V2VError, match="another batch is at work") as caught:
            run(path, resume=True)
        assert caught.value.finding.code == "E-BATCH-BUSY"
    finally:
        batch.send_signal(signal.SIGTERM)
        batch.communicate(timeout=30)
    assert batch.returncode == 130


def test_a_dry_run_adds_up_what_a_batch_takes(tmp_path: Path) -> None:
    path = plan(tmp_path, ["ok-1", {"name": "ok-2", "wave": 2}, "block"])
    first = report_all(path, worker=STANDIN)
    assert states(first) == {"ok-1": "ready", "ok-2": "ready", "block": "blocked"}
    assert not first.is_done
    assert first.forecast is not None
    assert first.forecast.seconds is None
    (room,) = first.forecast.rooms
    assert room.needed_bytes == 2 << 20
    assert "there are no rates" in first.to_text()
    assert not (tmp_path / "ok-1.xml").exists()
    assert not folder_of(path).exists()
    assert left(tmp_path) == []
    run(path)
    second = report_all(path, worker=STANDIN)
    assert states(second) == {"ok-1": "done", "ok-2": "done", "block": "blocked"}
    plan(tmp_path, ["ok-1", {"name": "ok-3", "wave": 2}, {"name": "ok-4", "wave": 2}])
    third = report_all(path, jobs=1, worker=STANDIN)
    assert third.forecast is not None
    assert third.forecast.seconds == pytest.approx(2 * (1.0 + (1 << 20) / 500), rel=0.01)
    assert "going by 2 earlier conversions: 1 s each" in third.to_text()


def test_too_little_room_for_all_is_a_blocker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2v.batch.forecast.free_bytes", lambda folder: (2 << 20) - 1)
    result = report_all(plan(tmp_path, ["ok-1", "ok-2"]), worker=STANDIN)
    assert [finding.code for finding in result.findings] == ["E-TARGET-SPACE"]
    assert not result.is_done


def test_the_result_is_what_readers_count_on(tmp_path: Path) -> None:
    path = plan(tmp_path, [{"name": "ok", "strict": True}, "fail"])
    result = run(path)
    assert result.is_warned
    document = json.loads(result.to_json())
    assert document["schema"] == 1
    assert document["states"]["done"] == document["states"]["failed"] == 1
    done, failed = document["guests"]
    assert (done["name"], done["state"], done["attempts"]) == ("ok", "done", 1)
    assert done["report"]["timing"] == {"source": 1.0, "copy": 2.0}
    assert failed["report"] is None
    assert failed["findings"] == [{"code": "E-NO-DISK", "message": "fail: no", "hint": "get one"}]
    assert os.stat(folder_of(path)).st_mode & 0o777 == 0o700  # noqa: PTH116


def test_a_folder_for_temporary_files_that_is_absent_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "absent"))
    with pytest.raises(V2VError, match="no such file") as caught:
        run(plan(tmp_path, ["ok"]))
    assert caught.value.finding.code == "E-BATCH-SCRATCH"


def test_one_guest_that_cannot_be_tidied_up_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(mark: str) -> int:
        if mark.endswith("/1"):
            raise V2VError("E-BATCH-PROCESS", "process 7 of an earlier run does not end")
        return 0

    monkeypatch.setattr("v2v.batch.execution.end_all", stuck)
    result = run(plan(tmp_path, ["ok-1", "ok-2"], jobs=1))
    assert states(result) == {"ok-1": "failed", "ok-2": "done"}
    assert result.rows[0].record.findings[0].code == "E-BATCH-PROCESS"


def test_a_target_that_cannot_be_looked_into_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(target: LocalTarget, name: str) -> bool:
        if name == "ok-1":
            raise OSError(errno.ESTALE, "Stale file handle", "/mnt/out")
        return False

    monkeypatch.setattr(LocalTarget, "recovered", lost)
    result = run(plan(tmp_path, ["ok-1", "ok-2"]))
    assert states(result) == {"ok-1": "blocked", "ok-2": "done"}
    (finding,) = result.rows[0].record.findings
    assert finding.message == "/mnt/out: stale file handle"
