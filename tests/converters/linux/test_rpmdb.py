# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.linux.rpmdb import RpmdbError, packages
from tests.converters.linux.databases import BACKENDS, rpm_database, sqlite_database

EXPECTED = {"open-vm-tools": "11.0.5-3.el7", "systemd": "1:219-78.el7", "long": "1.0-1"}
FILES = {name: rpm_database(name) for name in (*BACKENDS, "rpmdb.sqlite-wal")}


@pytest.mark.parametrize("name", BACKENDS)
def test_what_rpm_has_written_is_read(name: str) -> None:
    assert packages(FILES[name]) == EXPECTED


def test_the_log_brings_what_the_database_lacks() -> None:
    found = packages(FILES["rpmdb.sqlite"], FILES["rpmdb.sqlite-wal"])
    assert found == {**EXPECTED, "late-vm-tools": "11.0.5-3.el7"}


def test_a_log_without_an_end_of_its_transaction_brings_nothing() -> None:
    log = FILES["rpmdb.sqlite-wal"]
    assert packages(FILES["rpmdb.sqlite"], log[:-100]) == EXPECTED


@pytest.mark.parametrize("data", [b"", b"no database", bytes(8192), b"SQLite format 3\0", b"RpmP"])
def test_what_is_no_database_is_said(data: bytes) -> None:
    with pytest.raises(RpmdbError):
        packages(data)


def test_a_database_of_other_tables_is_refused() -> None:
    empty = sqlite_database({}).replace(b"Packages", b"Parcels ")
    with pytest.raises(RpmdbError, match="SQLite"):
        packages(empty)


@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 1 << 18), st.binary(min_size=1, max_size=8)), max_size=12),
    st.integers(0, 1 << 18),
)
def test_damage_is_an_error_and_no_more(
    name: str, edits: list[tuple[int, bytes]], cut: int
) -> None:
    data = bytearray(FILES[name])
    for at, piece in edits:
        at %= len(data)
        data[at : at + len(piece)] = piece[: len(data) - at]
    damaged = bytes(data[: cut or len(data)])
    log = name.endswith("-wal")
    try:
        found = packages(FILES["rpmdb.sqlite"] if log else damaged, damaged if log else b"")
    except RpmdbError:
        return
    assert len(found) <= 5000
