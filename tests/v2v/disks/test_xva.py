# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in an XVA, read where they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fixtures.xva import MIB, blocks, pack
from v2v.disks.copy import copy
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import create_overlay
from v2v.errors import SourceError, V2VError
from v2v.model import Disk, DiskFormat

REF = "Ref:7"
# Data at both ends and in the middle, the last block not a whole one.
CONTENT = os.urandom(2 * MIB + 5) + bytes(60 * MIB) + b"tail" * 4096


def disk(archive: Path, size: int = len(CONTENT)) -> Disk:
    return Disk(str(archive), DiskFormat.raw, virtual_bytes=size, member=REF)


def copied(archive: Path, size: int = len(CONTENT)) -> Path:
    """What a conversion would write of the disk, unchanged."""
    folder = archive.parent
    with open_image(disk(archive, size), folder, trust=False) as image:
        create_overlay(image, folder / "overlay.qcow2")
        copy(folder / "overlay.qcow2", folder / "copy.qcow2", format=DiskFormat.qcow2)
    return folder / "copy.qcow2"


def raw(image: Path) -> bytes:
    path = image.with_suffix(".raw")
    subprocess.run(("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, path), check=True)
    return path.read_bytes()


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


@pytest.mark.parametrize("sums", ["xxhash", "checksum"])
def test_a_disk_is_read_in_place_and_stays_sparse(tmp_path: Path, sums: str) -> None:
    other = blocks("Ref:8", b"other" * MIB, sums)
    members = [("ova.xml", b"-"), *other, *blocks(REF, CONTENT, sums)]
    image = copied(pack(tmp_path / "export.xva", members))
    assert image.stat().st_blocks * 512 < 5 * MIB
    assert raw(image) == padded(CONTENT)


@pytest.mark.parametrize("sums", ["xxhash", "checksum"])
def test_a_block_that_is_not_what_its_checksum_says(tmp_path: Path, sums: str) -> None:
    members = [
        (name, b"rotten".ljust(len(data)) if name.endswith("/00000001") else data)
        for name, data in blocks(REF, CONTENT, sums)
    ]
    with pytest.raises(SourceError, match="Ref:7/00000001 is not what its checksum") as caught:
        copied(pack(tmp_path / "export.xva", [("ova.xml", b"-"), *members]))
    assert caught.value.finding.code == "E-XVA-DAMAGED"
    assert not (tmp_path / "copy.qcow2").exists()


def test_what_fails_for_another_reason_is_told_as_it_is(tmp_path: Path) -> None:
    path = pack(tmp_path / "export.xva", blocks(REF, CONTENT))
    with (
        pytest.raises(V2VError, match="another reason"),
        open_image(disk(path), tmp_path, trust=False),
    ):
        raise V2VError("E-OTHER", "another reason")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(f"{REF}/00000000", bytes(MIB + 1))], "larger than 1 MiB"),
        ([(f"{REF}/00000000", b"a"), (f"{REF}/00000000", b"b")], "there twice"),
        ([(f"{REF}/00000099", b"a")], "behind its end"),
    ],
    ids=["large", "twice", "behind"],
)
def test_blocks_that_cannot_be_are_refused(
    tmp_path: Path, members: list[tuple[str, bytes]], said: str
) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        copied(pack(tmp_path / "export.xva", members))
    assert caught.value.finding.code == "E-XVA-DAMAGED"


@pytest.mark.parametrize("left", [700, 512 + MIB // 2, 2 * MIB])
def test_an_archive_that_was_not_copied_whole_is_refused(tmp_path: Path, left: int) -> None:
    path = pack(tmp_path / "export.xva", blocks(REF, CONTENT))
    os.truncate(path, left)
    with pytest.raises(SourceError) as caught:
        copied(path)
    assert caught.value.finding.code == "E-XVA-DAMAGED"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "export.xva", blocks(REF, CONTENT))
    with path.open("r+b") as file:
        file.seek(124)
        file.write(b"77777777777\0")
    with pytest.raises(SourceError, match="no member of a tar file"):
        copied(path)


def test_an_export_of_metadata_alone_is_no_empty_disk(tmp_path: Path) -> None:
    path = pack(tmp_path / "export.xva", [("ova.xml", b"-"), *blocks("Ref:8", CONTENT)])
    with pytest.raises(SourceError, match="no data of Ref:7") as caught:
        copied(path)
    assert caught.value.finding.code == "E-XVA-DAMAGED"


def test_names_that_are_no_block_are_passed_over(tmp_path: Path) -> None:
    strange = [("../../etc/passwd", b"x"), (f"{REF}/-1", b"x"), ("Ref:7/0000000a", b"x")]
    image = copied(pack(tmp_path / "export.xva", [*strange, *blocks(REF, CONTENT)]))
    assert raw(image) == padded(CONTENT)
