# SPDX-License-Identifier: LGPL-2.1-or-later
"""What surrounds a boot, with programs that stand in for QEMU's: no guest is started here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.v2v.proof.making import MINIMAL, placed
from v2v.accel import kvm_works
from v2v.errors import MissingProgram, ProofError
from v2v.observer import Observer
from v2v.proof import Cause, Evidence, Level, Reason, verify
from v2v.proof.boot import timer_failed


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is all of $PATH; temporary files go to a folder beside it."""
    folder, scratch = tmp_path / "bin", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    kvm_works.cache_clear()
    yield folder
    kvm_works.cache_clear()


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


# Enough of qemu-img: what `dd` is to write is there afterwards.
QEMU_IMG = 'for word; do case "$word" in of=*) : > "${word#of=}";; esac; done'


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "scratch").iterdir())


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    return placed(MINIMAL, tmp_path)


def test_a_qemu_that_refuses_to_start_is_an_error_with_its_words(
    programs: Path, domain: Path, tmp_path: Path
) -> None:
    script(programs, "qemu-img", QEMU_IMG)
    script(
        programs, "qemu-system-x86_64", 'echo "qemu: warning: a" >&2; echo "bad CPU" >&2; exit 1'
    )
    with pytest.raises(ProofError, match="web: QEMU failed: bad CPU") as failed:
        verify(domain)
    assert failed.value.finding.code == "E-PROOF-QEMU"
    assert left_over(tmp_path) == []


def test_a_qemu_that_ends_without_a_word_is_an_error(
    programs: Path, domain: Path, tmp_path: Path
) -> None:
    script(programs, "qemu-img", QEMU_IMG)
    script(programs, "qemu-system-x86_64", "exit 1")
    with pytest.raises(ProofError, match=r"qemu: qmp: .*No such file"):
        verify(domain)
    assert left_over(tmp_path) == []


# Crashes where the guest would start: each time, or only the first.
CRASH = 'case "$*" in *guest=web*) {once} kill -SEGV $$;; esac; echo "not crashed" >&2; exit 1'
ONCE = '[ -e "$0.crashed" ] && { echo "not crashed" >&2; exit 1; }; : > "$0.crashed";'


def test_a_qemu_that_crashes_once_is_started_anew(
    programs: Path, domain: Path, tmp_path: Path
) -> None:
    script(programs, "qemu-img", QEMU_IMG)
    script(programs, "qemu-system-x86_64", CRASH.replace("{once}", ONCE))
    with pytest.raises(ProofError, match="QEMU failed: not crashed"):
        verify(domain)
    assert left_over(tmp_path) == []


def test_a_qemu_that_crashes_each_time_is_an_error(
    programs: Path, domain: Path, tmp_path: Path
) -> None:
    script(programs, "qemu-img", QEMU_IMG)
    script(programs, "qemu-system-x86_64", CRASH.replace("{once}", ""))
    with pytest.raises(ProofError, match="web: QEMU was ended by SIGSEGV") as failed:
        verify(domain)
    assert failed.value.finding.code == "E-PROOF-CRASH"
    assert left_over(tmp_path) == []


def test_an_image_that_is_not_what_the_xml_says_is_an_error(
    programs: Path, domain: Path, tmp_path: Path
) -> None:
    script(programs, "qemu-system-x86_64", "exit 1")
    script(programs, "qemu-img", 'echo "Image is not in qcow2 format" >&2; exit 1')
    with pytest.raises(ProofError, match=r"web.raw: cannot be opened as raw: Image is not") as no:
        verify(domain)
    assert no.value.finding.code == "E-PROOF-DISK"
    assert left_over(tmp_path) == []


def test_a_missing_program_is_named(programs: Path, domain: Path) -> None:
    script(programs, "qemu-system-x86_64", "exit 1")
    with pytest.raises(MissingProgram, match="qemu-img: program not found"):
        verify(domain)


def test_a_bad_domain_is_refused_before_any_program_runs(programs: Path, tmp_path: Path) -> None:
    bad = placed(MINIMAL.replace('"q35"', '"isapc"'), tmp_path)
    with pytest.raises(ProofError, match="machine type: 'isapc'"):
        verify(bad, observer=Observer())
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("Kernel panic - not syncing: IO-APIC + timer doesn't work!  Boot with apic=debug", True),
        ("Kernel panic - not syncing: VFS: Unable to mount root fs", False),
        (None, False),
    ],
)
def test_only_a_failure_of_the_emulation_is_tried_again(said: str | None, again: bool) -> None:
    cause = None if said is None else Cause(Reason.panic, said, "advice")
    evidence = Evidence("web", cause is None, Level.screen, 9.0, "tcg", cause=cause)
    assert timer_failed(evidence) is again
