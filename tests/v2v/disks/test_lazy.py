# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlays over a source, and what they become; QEMU's own tools make and read them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from v2v.disks.image import Image, inspect_image
from v2v.disks.lazy import absorb, is_lazy, refusal
from v2v.disks.qemu_img import create_overlay
from v2v.errors import SourceError, TargetError
from v2v.model import Disk, DiskFormat
from v2v.run import run

MIB = 1 << 20


def source(folder: Path, format: DiskFormat = DiskFormat.raw) -> Image:
    """Make a disk of 8 MiB, whose first one is written."""
    raw = folder / "source.raw"
    raw.write_bytes(b"s" * MIB)
    with raw.open("r+b") as file:
        file.truncate(8 * MIB)
    path = folder / f"source.{format}"
    if format is not DiskFormat.raw:
        run("qemu-img", "convert", "-f", "raw", "-O", format, raw, path)
    return inspect_image(Disk(str(path), format), folder, trust=False)


def overlaid(folder: Path, format: DiskFormat = DiskFormat.raw) -> Path:
    """Make an overlay of which the guest has written a part."""
    overlay = folder / "web-sda.qcow2"
    create_overlay(source(folder, format), overlay, by_name=True)
    run("qemu-io", "-f", "qcow2", "-c", "write -P 103 512k 64k", overlay)
    return overlay


def content(image: Path) -> bytes:
    raw = image.with_suffix(".content")
    run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    return raw.read_bytes()


EXPECTED = b"s" * (MIB // 2) + b"g" * 65536 + b"s" * (MIB // 2 - 65536) + bytes(7 * MIB)


@pytest.mark.parametrize(
    "format", [DiskFormat.raw, DiskFormat.qcow2, DiskFormat.vmdk, DiskFormat.vdi, DiskFormat.vhdx]
)
def test_an_overlay_lets_go_of_its_source_and_keeps_its_content(
    tmp_path: Path, format: DiskFormat
) -> None:
    overlay = overlaid(tmp_path, format)
    before = hashlib.sha256((tmp_path / f"source.{format}").read_bytes()).digest()
    assert is_lazy(overlay)
    seen: list[tuple[int, int]] = []
    absorb(overlay, lambda done, total: seen.append((done, total)))
    assert not is_lazy(overlay)
    assert hashlib.sha256((tmp_path / f"source.{format}").read_bytes()).digest() == before
    (tmp_path / f"source.{format}").unlink()
    assert content(overlay) == EXPECTED
    assert seen[-1] == (8 * MIB, 8 * MIB)


def test_libvirt_finds_the_source_by_path_and_format(tmp_path: Path) -> None:
    overlay = overlaid(tmp_path, DiskFormat.vmdk)
    said = json.loads(run("qemu-img", "info", "--output=json", "-f", "qcow2", overlay))
    assert said["backing-filename"] == str(tmp_path / "source.vmdk")
    assert said["backing-filename-format"] == "vmdk"


def test_holes_stay_holes(tmp_path: Path) -> None:
    overlay = overlaid(tmp_path)
    absorb(overlay, lambda _done, _total: None)
    assert overlay.stat().st_blocks * 512 < 3 * MIB


def test_what_was_interrupted_can_be_done_again(tmp_path: Path) -> None:
    overlay = overlaid(tmp_path)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        absorb(overlay, interrupt)
    absorb(overlay, lambda _done, _total: None)
    (tmp_path / "source.raw").unlink()
    assert content(overlay) == EXPECTED


def test_an_image_without_a_backing_file_is_not_lazy(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", path, "1M")
    assert not is_lazy(path)
    (tmp_path / "raw").write_bytes(b"QF")
    assert not is_lazy(tmp_path / "raw")
    with pytest.raises(SourceError, match="absent: No such file"):
        is_lazy(tmp_path / "absent")


def test_a_source_that_is_gone_is_an_error_and_the_overlay_stays(tmp_path: Path) -> None:
    overlay = overlaid(tmp_path)
    (tmp_path / "source.raw").rename(tmp_path / "elsewhere")
    with pytest.raises((SourceError, TargetError), match=r"source\.raw"):
        absorb(overlay, lambda _done, _total: None)
    (tmp_path / "elsewhere").rename(tmp_path / "source.raw")
    assert is_lazy(overlay)
    assert content(overlay) == EXPECTED


def test_files_of_this_host_can_be_run_on(tmp_path: Path) -> None:
    assert refusal(source(tmp_path)) is None
    assert refusal(source(tmp_path, DiskFormat.vmdk)) is None


def test_what_cannot_be_named_in_an_overlay_is_refused(tmp_path: Path) -> None:
    found = source(tmp_path)
    cases = {
        "in an archive": replace(found, window=(512, 1024)),
        "images of format vpc": replace(found, format=DiskFormat.vpc),
        "made of several files": replace(found, parts=((0, found),)),
        "made of several ": replace(found, data_file=tmp_path / "data"),
        "does not name its backing file": replace(found, backing=found, backing_is_plain=False),
        "too long": replace(found, path=Path("/n" * 512)),
    }
    for fault, image in cases.items():
        finding = refusal(image)
        assert finding is not None
        assert finding.code == "E-LAZY"
        assert fault in finding.message
