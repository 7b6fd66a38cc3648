# SPDX-License-Identifier: LGPL-2.1-or-later
"""KVM counts as working only if a QEMU with a virtual CPU came up and ended cleanly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from v2v import accel
from v2v.accel import kvm_works
from v2v.errors import MissingProgram

GREETING = """echo '{"QMP": {"version": {}}}'"""


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a stand-in for QEMU goes; the device is there and can be opened."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(accel, "_DEVICE", tmp_path / "kvm")
    (tmp_path / "kvm").touch()
    kvm_works.cache_clear()
    yield tmp_path / accel.QEMU
    kvm_works.cache_clear()


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_qemu_that_ends_cleanly_has_kvm_and_is_asked_once(qemu: Path) -> None:
    script(qemu, f"{GREETING}; exit 0")
    assert kvm_works()
    qemu.unlink()
    assert kvm_works()


@pytest.mark.parametrize("end", ["kill -ABRT $$", "exit 1"])
def test_a_qemu_that_greets_and_dies_has_not(end: str, qemu: Path) -> None:
    script(qemu, f"{GREETING}; {end}")
    assert not kvm_works()


def test_without_the_device_no_qemu_is_needed(qemu: Path) -> None:
    (qemu.parent / "kvm").unlink()
    assert not kvm_works()


def test_without_qemu_it_is_said_what_to_install(qemu: Path) -> None:
    with pytest.raises(MissingProgram, match="qemu-system-x86_64: program not found") as missing:
        kvm_works()
    assert missing.value.finding.hint == "apt-get install qemu-system-x86"
