# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from v2v.batch.forecast import Need, forecast
from v2v.batch.rates import Rates, add_rates, known_rates

GIB = 1 << 30


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "web.report.json"
    path.write_text(json.dumps({"timing": {"source": 1.0, "launch": 6.0, "copy": 4.0}}))
    return path


def test_nothing_is_known_before_the_first_conversion(report: Path) -> None:
    assert known_rates() is None


def test_the_middle_and_the_sum_of_conversions_count(report: Path) -> None:
    for copied in (GIB, 3 * GIB):
        add_rates(report, copied)
    assert known_rates() == Rates(2, 7.0, GIB / 2)


def test_old_conversions_are_forgotten(report: Path) -> None:
    for copied in range(1, 151):
        add_rates(report, copied)
    rates = known_rates()
    assert rates is not None
    assert rates.conversions == 100
    assert rates.bytes_per_second == sum(range(51, 151)) / 400


@pytest.mark.parametrize("damage", ["", "{", "[1]", '[{"beside": 1}]', "\xff"])
def test_a_damaged_file_is_written_anew(report: Path, damage: str) -> None:
    add_rates(report, GIB)
    file = report.parent / "state/v2v/rates.json"
    file.write_bytes(damage.encode("latin-1"))
    assert known_rates() is None
    add_rates(report, GIB)
    assert known_rates() == Rates(1, 7.0, GIB / 4)


def test_a_home_that_cannot_be_written_stops_nothing(report: Path) -> None:
    (report.parent / "state").write_text("a file")
    add_rates(report, GIB)
    assert known_rates() is None


def test_waves_follow_each_other_and_jobs_share_one(tmp_path: Path) -> None:
    rates = Rates(5, 10.0, 1000.0)
    needs = [
        Need(wave, str(tmp_path), needed, is_local=True)
        for wave, needed in (("1", 90_000), ("1", 10_000), ("1", 10_000), ("2", 5000))
    ]
    assert forecast(needs, 2, rates).seconds == 100 + 15  # the longest of the first, and the second
    assert forecast(needs, 1, rates).seconds == 100 + 20 + 20 + 15


def test_folders_of_one_file_system_are_one_room(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    needs = [
        Need("1", str(tmp_path / "a"), 1, is_local=True),
        Need("1", str(tmp_path / "b"), 2, is_local=True),
        Need("1", "libvirt:pool", 4, is_local=False),
    ]
    absent = Need("1", str(tmp_path / "absent"), 8, is_local=True)
    here, there, nowhere = forecast([*needs, absent], 1, None).rooms
    assert (here.targets, here.needed_bytes) == ((str(tmp_path / "a"), str(tmp_path / "b")), 3)
    assert here.free_bytes is not None
    assert (nowhere.needed_bytes, nowhere.free_bytes) == (8, None)
    assert (there.targets, there.needed_bytes, there.free_bytes) == (("libvirt:pool",), 4, None)
