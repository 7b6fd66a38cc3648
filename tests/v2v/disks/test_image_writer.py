# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of our own, looked at by qemu-img."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2v.disks.test_xva_stream import raw
from v2v.disks.image_writer import written
from v2v.disks.opening import open_image
from v2v.errors import TargetError
from v2v.model import Disk, DiskFormat

CLUSTER = 1 << 16
GIB = 1 << 30


def qemu_img(*words: str | Path) -> str:
    return subprocess.run(("qemu-img", *words), check=True, capture_output=True, text=True).stdout


def sound(image: Path) -> dict[str, int]:
    """Return what qemu-img counts in an image in which it finds nothing wrong, no leak either."""
    found: dict[str, int] = json.loads(qemu_img("check", "-f", "qcow2", "--output", "json", image))
    assert found["check-errors"] == 0
    assert not {"leaks", "corruptions"} & found.keys()
    return found


def shown(image: Path, at: int) -> str:
    """Return four bytes of a disk, as qemu-io shows them."""
    command = ("qemu-io", "-r", "-f", "qcow2", "-c", f"read -v {at} 4", str(image))
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


pieces = st.tuples(
    st.integers(0, 5 * CLUSTER),
    st.one_of(
        st.builds(bytes, st.integers(0, 3 * CLUSTER)),
        st.builds(
            lambda seed, size: (seed * size)[:size],
            st.binary(min_size=1),
            st.integers(1, 3 * CLUSTER),
        ),
    ),
)


@given(st.lists(pieces, max_size=6))
@settings(max_examples=40, deadline=None)
def test_what_is_written_last_is_read_whatever_the_order(writes: list[tuple[int, bytes]]) -> None:
    disk = bytearray(8 * CLUSTER + 512)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.qcow2")
        with written(image, len(disk)) as write:
            for at, data in writes:
                disk[at : at + len(data)] = data
                write(data, at)
        sound(image)
        assert raw(image) == disk


def test_zeros_take_no_room_unless_there_was_something_else(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    with written(image, 64 * CLUSTER) as write:
        write(b"x" * CLUSTER + bytes(2 * CLUSTER) + b"y" * CLUSTER, 0)
        write(bytes(8 * CLUSTER), 3 * CLUSTER)
    assert sound(image)["allocated-clusters"] == 2
    assert raw(image) == b"x" * CLUSTER + bytes(63 * CLUSTER)


def test_the_end_of_a_disk_is_a_whole_sector(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    with written(image, 1000) as write:
        write(b"z" * 1000, 0)
    sound(image)
    assert raw(image) == b"z" * 1000 + bytes(24)


def test_a_disk_of_terabytes_with_data_at_its_ends(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    size = 60 << 40
    with written(image, size) as write:
        write(b"tail", size - 4)
        write(b"head", 0)
    assert sound(image)["allocated-clusters"] == 2
    assert image.stat().st_size < 4 << 20
    with open_image(Disk(str(image), DiskFormat.qcow2), tmp_path, trust=False) as known:
        assert known.virtual_bytes == size
    assert "tail" in shown(image, size - 4)
    assert "head" in shown(image, 0)


def test_refcounts_of_more_than_2_gib(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    with written(image, 4 * GIB) as write:
        for cluster in range(2 * GIB // CLUSTER + 5):
            write(b"\1", cluster * CLUSTER)
    assert sound(image)["allocated-clusters"] == 2 * GIB // CLUSTER + 5


def test_what_was_not_finished_is_no_image(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    with suppress(KeyError), written(image, GIB) as write:
        write(b"data", 0)
        raise KeyError
    assert image.stat().st_mode & 0o777 == 0o600
    assert subprocess.run(("qemu-img", "check", "-f", "qcow2", image), check=False).returncode == 1


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    image.write_text("mine")
    with pytest.raises(TargetError, match="File exists"), written(image, GIB):
        pass
    assert image.read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "E-TARGET-SPACE"),
        (errno.EDQUOT, "E-TARGET-SPACE"),
        (errno.EIO, "E-TARGET-WRITE"),
    ],
)
def test_a_full_disk_is_told_and_the_source_s_faults_are_not_the_target_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    with pytest.raises(OSError, match="source"), written(tmp_path / "one.qcow2", GIB):
        raise OSError("source")

    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.pwrite", fails)
    with pytest.raises(TargetError) as failed, written(tmp_path / "two.qcow2", GIB) as write:
        write(b"data", 0)
    assert failed.value.finding.code == code
