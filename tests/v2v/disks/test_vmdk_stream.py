# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports of VMware, streams of a VMDK, written as they come."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.v2v.disks.making import made
from tests.v2v.disks.vmdk_writers import write_stream
from v2v.disks.vmdk_stream import Cut, unpack
from v2v.errors import SourceError

MIB = 1 << 20
DISK = b"begin" * 20000 + bytes(3 * MIB) + os.urandom(300_000)
DISK += bytes(-len(DISK) % 512)


def unpacked(data: bytes, size: int = len(DISK), length: int | None = None) -> bytes:
    disk, told = bytearray(size), list[int]()

    def write(piece: bytes, at: int) -> None:
        disk[at : at + len(piece)] = piece

    unpack(io.BytesIO(data), length, size, write, Path("host/disk"), told.append)
    assert all(0 <= each < size for each in told)
    return bytes(disk)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_stream(tmp_path_factory.mktemp("stream") / "disk.vmdk", DISK).read_bytes()


def test_a_stream_with_its_tables_behind_is_the_disk(stream: bytes) -> None:
    data = stream
    assert unpacked(data) == DISK
    assert unpacked(data, length=len(data)) == DISK


def test_a_stream_of_qemu_has_no_end_marker(tmp_path: Path) -> None:
    path = made(tmp_path / "disk.vmdk", "vmdk", "subformat=streamOptimized", data=DISK)
    data = path.read_bytes()
    assert unpacked(data, length=len(data)) == DISK
    with pytest.raises(Cut):
        unpacked(data[: len(data) // 2 // 512 * 512], length=len(data))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "ends at byte"),
        (lambda data: data[:-1536], "ends"),
        (lambda data: b"KDMW" + data[4:], "no stream-optimized"),
        (lambda data: data[:20] + b"\xff" * 8 + data[28:], "grains of"),
        (lambda data: data[:12] + b"\1" + data[13:], "its disk has"),
        (lambda data: data[: 128 * 512 + 20] + b"XXXX" + data[128 * 512 + 24 :], "the grain at"),
        (lambda data: data[: 128 * 512] + b"\xff" * 8 + data[128 * 512 + 8 :], "has no place"),
        (lambda data: data[: 128 * 512 + 8] + b"\xff" * 4 + data[128 * 512 + 12 :], "no place"),
        (lambda data: data[:-512] + b"\1" + bytes(11) + b"\7" + bytes(499), "kind 7"),
    ],
)  # fmt: skip
def test_a_damaged_stream_is_refused(
    stream: bytes, harm: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        unpacked(harm(stream))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=3000), at=st.integers(0, 200), whole=st.booleans())
def test_whatever_stands_in_a_stream_is_written_or_refused(
    stream: bytes, junk: bytes, at: int, whole: bool
) -> None:
    changed = junk if whole else stream[:at] + junk + stream[at + len(junk) :]
    with suppress(SourceError):
        assert len(unpacked(changed)) == len(DISK)
