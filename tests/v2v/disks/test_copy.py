# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way out: overlays that protect, copies that are whole or not there, and their room."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.v2v.disks.making import MIB, SIZE, content, digest, inspected, made, raw
from v2v.disks.copy import copy
from v2v.disks.qemu_img import create_overlay
from v2v.disks.space import estimate, free_bytes, require_space
from v2v.errors import SourceError, TargetError
from v2v.model import DiskFormat
from v2v.run import run


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """An overlay on a raw image, with one write and one discard in it."""
    source = raw(tmp_path / "source.img", b"\1" * SIZE)
    before = digest(source)
    create_overlay(inspected(source), tmp_path / "overlay")
    writes = ("-c", "write -q -P 7 1M 64k", "-c", "discard -q 2M 2M")
    run("qemu-io", "-d", "unmap", "-f", "qcow2", *writes, tmp_path / "overlay")
    assert digest(source) == before
    return tmp_path / "overlay"


EXPECTED = b"\1" * MIB + b"\7" * (64 << 10) + b"\1" * (MIB - (64 << 10)) + bytes(2 * MIB)


@pytest.mark.parametrize("format", [DiskFormat.raw, DiskFormat.qcow2])
@pytest.mark.parametrize("preallocated", [False, True])
def test_a_copy_stands_alone(
    tmp_path: Path, overlay: Path, format: DiskFormat, preallocated: bool
) -> None:
    target = tmp_path / "target"
    copy(overlay, target, format=format, preallocated=preallocated)
    overlay.unlink()
    (tmp_path / "source.img").unlink()
    said = json.loads(run("qemu-img", "info", "--output=json", "-f", format, target))
    assert said["virtual-size"] == SIZE
    assert "backing-filename" not in said
    run("qemu-img", "convert", "-f", format, "-O", "raw", target, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == EXPECTED
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("format", [DiskFormat.raw, DiskFormat.qcow2])
def test_what_was_discarded_takes_no_room_unless_preallocated(
    tmp_path: Path, overlay: Path, format: DiskFormat
) -> None:
    copy(overlay, tmp_path / "sparse", format=format)
    assert (tmp_path / "sparse").stat().st_blocks * 512 < 2.5 * MIB
    copy(overlay, tmp_path / "full", format=format, preallocated=True)
    assert (tmp_path / "full").stat().st_blocks * 512 >= SIZE


def test_progress_goes_up_to_the_disks_size(tmp_path: Path, overlay: Path) -> None:
    heard: list[tuple[int, int]] = []
    copy(
        overlay,
        tmp_path / "target",
        format=DiskFormat.qcow2,
        on_progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-1] == (SIZE, SIZE)
    assert heard == sorted(heard)


def test_a_target_that_exists_stays_as_it_is(tmp_path: Path, overlay: Path) -> None:
    target = raw(tmp_path / "target", b"somebody's")
    with pytest.raises(TargetError, match="target: exists already") as error:
        copy(overlay, target, format=DiskFormat.raw)
    assert error.value.finding.code == "E-TARGET-EXISTS"
    assert target.read_bytes() == b"somebody's"


def test_a_target_that_cannot_be_made_is_an_error(tmp_path: Path, overlay: Path) -> None:
    with pytest.raises(TargetError, match="No such file or directory") as error:
        copy(overlay, tmp_path / "no" / "target", format=DiskFormat.raw)
    assert error.value.finding.code == "E-TARGET-WRITE"


def test_nothing_is_left_of_a_copy_that_failed(tmp_path: Path, overlay: Path) -> None:
    (tmp_path / "source.img").unlink()
    with pytest.raises(SourceError, match=r"overlay: the source cannot be read: .*source\.img"):
        copy(overlay, tmp_path / "target", format=DiskFormat.raw)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["overlay"]


def test_nothing_is_left_of_a_copy_that_was_interrupted(tmp_path: Path, overlay: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(overlay, tmp_path / "target", format=DiskFormat.raw, on_progress=interrupt)
    assert not (tmp_path / "target").exists()


def said_by_qemu_img(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Put a qemu-img first in the path that says this and fails."""
    program = folder / "bin" / "qemu-img"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'qemu-img: {said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("said", "code", "kind"),
    [
        ("error while writing at byte 0: No space left on device", "E-TARGET-SPACE", TargetError),
        ("error while writing at byte 0: Disk quota exceeded", "E-TARGET-SPACE", TargetError),
        ("error while writing at byte 0: Input/output error", "E-TARGET-WRITE", TargetError),
        ("error while reading at byte 0: Input/output error", "E-DISK-READ", SourceError),
    ],
)
def test_a_failed_copy_tells_which_side_failed(
    tmp_path: Path,
    overlay: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    code: str,
    kind: type[SourceError | TargetError],
) -> None:
    said_by_qemu_img(tmp_path, monkeypatch, said)
    with pytest.raises(kind, match=said) as error:
        copy(overlay, tmp_path / "target", format=DiskFormat.raw)
    assert error.value.finding.code == code
    assert not (tmp_path / "target").exists()


def test_a_full_disk_is_told(tmp_path: Path, overlay: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root for a small file system")
    small = tmp_path / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "none", small)
    try:
        with pytest.raises(TargetError, match="the disk is full") as error:
            copy(overlay, small / "target", format=DiskFormat.raw)
        assert error.value.finding.code == "E-TARGET-SPACE"
        assert list(small.iterdir()) == []
        assert free_bytes(small) <= MIB
    finally:
        run("umount", small)


@pytest.mark.parametrize(
    "format", ["raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi", "qed", "parallels"]
)
@pytest.mark.parametrize("target", [DiskFormat.raw, DiskFormat.qcow2])
def test_an_estimate_is_enough_and_not_much_more(
    tmp_path: Path, format: str, target: DiskFormat
) -> None:
    size = 64 * MIB
    path = made(tmp_path / "disk", format, data=content(size))
    image = inspected(path)
    needed = estimate(image, target, preallocated=False)
    create_overlay(image, tmp_path / "overlay")
    copy(tmp_path / "overlay", tmp_path / "target", format=target)
    assert (tmp_path / "target").stat().st_blocks * 512 <= needed < 12 * MIB


def test_an_estimate_counts_what_is_compressed_at_full_length(tmp_path: Path) -> None:
    source = raw(tmp_path / "source", bytes(range(1, 256)) * 20000)
    path = tmp_path / "disk"
    run("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", source, path)
    assert path.stat().st_size < MIB
    assert estimate(inspected(path), DiskFormat.raw, preallocated=False) > 4 * MIB


def test_an_estimate_of_a_preallocated_copy_is_the_whole_disk(tmp_path: Path) -> None:
    image = inspected(made(tmp_path / "disk", "qcow2"))
    assert estimate(image, DiskFormat.raw, preallocated=True) == SIZE
    assert SIZE < estimate(image, DiskFormat.qcow2, preallocated=True) < SIZE + MIB


def test_an_estimate_counts_the_whole_chain(tmp_path: Path) -> None:
    base = raw(tmp_path / "base", content())
    create_overlay(inspected(base), tmp_path / "top")
    run("qemu-io", "-f", "qcow2", "-c", "write -q -P 7 512k 64k", tmp_path / "top")
    image = inspected(tmp_path / "top", trust=True)
    assert estimate(image, DiskFormat.raw, preallocated=False) > 3 * (256 << 10) + (64 << 10)


def test_too_little_room_is_an_error_before_the_work(tmp_path: Path) -> None:
    require_space(tmp_path, 1)
    with pytest.raises(TargetError, match=r"1024\.0 PiB are needed") as error:
        require_space(tmp_path, 1 << 60)
    assert error.value.finding.code == "E-TARGET-SPACE"
    with pytest.raises(TargetError, match="No such file or directory") as error:
        require_space(tmp_path / "no", 1)
    assert error.value.finding.code == "E-TARGET-FOLDER"
