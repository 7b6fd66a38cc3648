# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks that are composed of images, as QEMU reads them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from fixtures.xva import blocks, pack
from v2v.disks.composition import Part, compose
from v2v.disks.image import Image, inspect_image
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import create_overlay, first_bytes
from v2v.errors import SourceError
from v2v.guest.layout import boot_area, firmware, mbr_partitions, partitions
from v2v.model import BootArea, Disk, DiskFormat, Firmware

MIB = 1 << 20


def image(path: Path, content: bytes, size: int, format: DiskFormat = DiskFormat.raw) -> Image:
    raw = path.with_suffix(".raw")
    raw.write_bytes(content)
    os.truncate(raw, size)
    if format is not DiskFormat.raw:
        argv = ("qemu-img", "convert", "-f", "raw", "-O", format, raw, path)
        subprocess.run(argv, check=True)
        raw.unlink()
    return inspect_image(
        Disk(str(raw if format is DiskFormat.raw else path), format), path.parent, trust=False
    )


def read(composed: Image, folder: Path) -> bytes:
    """What a conversion copies of it."""
    overlay, copy = folder / "overlay.qcow2", folder / "copy.raw"
    create_overlay(composed, overlay)
    subprocess.run(("qemu-img", "convert", "-f", "qcow2", "-O", "raw", overlay, copy), check=True)
    return copy.read_bytes()


@pytest.mark.parametrize("format", [DiskFormat.raw, DiskFormat.qcow2, DiskFormat.vhdx], ids=str)
def test_each_image_is_a_partition_under_its_number(tmp_path: Path, format: DiskFormat) -> None:
    swap = image(tmp_path / "a swap", b"swap" * 512, MIB)
    root = image(tmp_path / 'the "root"', b"root" * 512, 3 * MIB, format)
    parts = [Part(2, root, 0x83), Part(1, swap, 0x82)]
    composed = compose(parts, tmp_path, "xvda", 0x1234ABCD)
    assert composed.virtual_bytes == 5 * MIB
    data = read(composed, tmp_path)
    assert len(data) == 5 * MIB
    assert mbr_partitions(data) == {1: 2048, 2: 4096}
    assert data[440:444] == (0x1234ABCD).to_bytes(4, "little")
    assert (data[450], data[466]) == (0x82, 0x83)
    assert data[MIB : MIB + 2048] == b"swap" * 512
    assert data[2 * MIB : 2 * MIB + 2048] == b"root" * 512
    assert boot_area(data[: 34 * 512]) == BootArea(1, 2047)


def test_a_disk_in_an_archive_is_a_partition_too(tmp_path: Path) -> None:
    data = b"root" * MIB
    path = pack(tmp_path / "export.xva", blocks("Ref:7", data))
    disk = Disk(str(path), DiskFormat.raw, virtual_bytes=len(data), member="Ref:7")
    with open_image(disk, tmp_path, trust=False) as served:
        composed = compose([Part(1, served, 0x83)], tmp_path, "xvda", 1)
        assert read(composed, tmp_path)[MIB:] == data


def test_a_size_that_is_no_round_one_is_filled_up(tmp_path: Path) -> None:
    odd = image(tmp_path / "odd", b"odd", MIB + 512)
    last = image(tmp_path / "last", b"last", 512 * 3)
    composed = compose([Part(1, odd, 0x83), Part(3, last, 0x83)], tmp_path, "xvda", 1)
    data = read(composed, tmp_path)
    assert mbr_partitions(data) == {1: 2048, 3: 6144}
    assert data[3 * MIB : 3 * MIB + 4] == b"last"
    assert len(data) == 4 * MIB


def test_holes_stay_holes(tmp_path: Path) -> None:
    big = image(tmp_path / "big", b"data", 1024 * MIB)
    composed = compose([Part(1, big, 0x83)], tmp_path, "xvda", 1)
    assert composed.allocated_bytes < MIB
    read(composed, tmp_path)
    assert (tmp_path / "copy.raw").stat().st_blocks * 512 < MIB


def partition_table(disk: Path) -> list[tuple[int, int, int, str]]:
    """Number, start, size and type of each partition, as sfdisk sees them."""
    subprocess.run(["sfdisk", "--verify", disk], check=True, capture_output=True)
    said = subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True).stdout
    table = json.loads(said)["partitiontable"]
    assert table["label"] == "gpt"
    return [
        (int(each["node"].removeprefix(str(disk))), each["start"], each["size"], each["type"])
        for each in table["partitions"]
    ]


def test_numbers_that_no_mbr_has_make_a_gpt_with_room_for_grub(tmp_path: Path) -> None:
    swap = image(tmp_path / "swap", b"swap" * 512, MIB)
    root = image(tmp_path / "root", b"root" * 512, 3 * MIB)
    parts = [Part(6, root, 0x83), Part(5, swap, 0x82)]
    composed = compose(parts, tmp_path, "xvda", 0x1234ABCD)
    data = read(composed, tmp_path)
    assert composed.virtual_bytes == len(data) == 6 * MIB
    assert partition_table(tmp_path / "copy.raw") == [
        (5, 2048, 2048, "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),
        (6, 4096, 6144, "0FC63DAF-8483-4772-8E79-3D69D8477DE4"),
        (128, 34, 2014, "21686148-6449-6E6F-744E-656564454649"),
    ]
    assert data[2 * MIB : 2 * MIB + 2048] == b"root" * 512
    assert boot_area(data[: 34 * 512]) == BootArea(34, 2014)
    assert firmware([data[: 34 * 512]]) is Firmware.bios
    (tmp_path / "again").mkdir()
    again = compose(parts, tmp_path / "again", "xvda", 0x1234ABCD)
    assert first_bytes(again, 34 * 512) == data[: 34 * 512]


def test_what_an_mbr_cannot_count_is_in_a_gpt(tmp_path: Path) -> None:
    huge = image(tmp_path / "huge", b"root", 3 << 40)
    composed = compose([Part(1, huge, 0x83)], tmp_path, "xvda", 1)
    assert composed.virtual_bytes == (3 << 40) + 2 * MIB
    assert partitions(first_bytes(composed, 34 * 512)).keys() == {1, 128}


@pytest.mark.parametrize("number", [0, 128])
def test_what_no_table_can_hold_is_refused(tmp_path: Path, number: int) -> None:
    part = Part(number, Image(tmp_path / "x", DiskFormat.raw, MIB, 0), 0x83)
    with pytest.raises(SourceError) as caught:
        compose([part], tmp_path, "xvda", 1)
    assert caught.value.finding.code == "E-DISK-LAYOUT"


@pytest.mark.parametrize("format", [DiskFormat.raw, DiskFormat.qcow2, DiskFormat.vpc], ids=str)
def test_the_first_bytes_are_those_that_the_guest_sees(tmp_path: Path, format: DiskFormat) -> None:
    made = image(tmp_path / "disk", b"begin", 4 * MIB, format)
    assert first_bytes(made, 4096) == b"begin".ljust(4096, b"\0")
