# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in an XVA, read where they are."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.xva import MIB, blocks, pack
from v2v.disks.composition import Part, compose
from v2v.disks.copy import copy
from v2v.disks.image import Image
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import create_overlay
from v2v.disks.verification import Verification
from v2v.errors import GuestError, SourceError, TargetError, V2VError
from v2v.model import Disk, DiskFormat

REF = "Ref:7"
# Data at both ends and in the middle, the last block not a whole one.
CONTENT = os.urandom(2 * MIB + 5) + bytes(60 * MIB) + b"tail" * 4096


def disk(archive: Path, size: int = len(CONTENT)) -> Disk:
    return Disk(str(archive), DiskFormat.raw, virtual_bytes=size, member=REF)


def copied(archive: Path, size: int = len(CONTENT)) -> Path:
    """What a conversion would write of the disk, unchanged."""
    folder = archive.parent
    with (
        open_image(disk(archive, size), folder, trust=False) as image,
        Verification([image.verify]) as verification,
    ):
        verification.begin()
        create_overlay(image, folder / "overlay.qcow2")
        copy(folder / "overlay.qcow2", folder / "copy.qcow2", format=DiskFormat.qcow2)
    return folder / "copy.qcow2"


def until(done: Callable[[], bool]) -> None:
    """Wait for something, a few seconds at most."""
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.001)


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


def rotten(tmp_path: Path) -> Path:
    """An archive whose last block is not what its checksum says."""
    *members, _ = blocks(REF, CONTENT)
    return pack(tmp_path / "export.xva", [*members, (f"{members[-1][0]}.xxhash", b"0" * 16)])


def test_a_guest_that_cannot_be_understood_is_told_to_be_damaged_if_it_is(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="Ref:7/00000062 is not what its checksum says"),
        open_image(disk(rotten(tmp_path)), tmp_path, trust=False) as image,
        Verification([image.verify]),
    ):
        raise GuestError("E-NO-ROOT", "nothing is installed")


@pytest.mark.parametrize("error", [GuestError, TargetError])
def test_what_fails_for_another_reason_is_told_as_it_is(
    tmp_path: Path, error: type[V2VError]
) -> None:
    path = pack(tmp_path / "export.xva", blocks(REF, CONTENT))
    with (
        pytest.raises(error, match="another reason"),
        open_image(disk(path), tmp_path, trust=False) as image,
        Verification([image.verify]),
    ):
        raise error("E-OTHER", "another reason")


def test_a_damaged_source_is_not_read_to_its_end_for_another_error(tmp_path: Path) -> None:
    with (
        pytest.raises(TargetError, match="no room"),
        open_image(disk(rotten(tmp_path)), tmp_path, trust=False) as image,
        Verification([image.verify]),
    ):
        raise TargetError("E-TARGET-SPACE", "no room")


def test_damage_is_known_while_the_copy_goes_on(tmp_path: Path) -> None:
    with (
        pytest.raises(SourceError, match="is not what its checksum says"),
        open_image(disk(rotten(tmp_path)), tmp_path, trust=False) as image,
        Verification([image.verify]) as verification,
    ):
        copied_on(verification)


def copied_on(verification: Verification) -> None:
    verification.refuse_damaged()
    assert not verification.ended
    verification.begin()
    until(lambda: verification.ended)
    with pytest.raises(SourceError, match="is not what its checksum says"):
        verification.refuse_damaged()


def test_images_without_checksums_have_nothing_to_verify(tmp_path: Path) -> None:
    image = Image(tmp_path / "disk.raw", DiskFormat.raw, MIB, MIB)
    with Verification([image.verify]) as verification:
        assert verification.ended


def test_a_partition_that_is_composed_into_a_disk_is_verified(tmp_path: Path) -> None:
    with (
        open_image(disk(rotten(tmp_path)), tmp_path, trust=False) as image,
        pytest.raises(SourceError, match="is not what its checksum says"),
        Verification([compose([Part(1, image, 0x83)], tmp_path, "xvda", 1).verify]) as going,
    ):
        going.begin()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(f"{REF}/00000000", bytes(MIB + 1))], "larger than 1 MiB"),
        ([(f"{REF}/00000000", b"a"), (f"{REF}/00000000", b"b")], "there twice"),
        ([(f"{REF}/00000099", b"a")], "behind its end"),
        ([(f"{REF}/00000000", b"a")], "shorter than its place"),
    ],
    ids=["large", "twice", "behind", "short"],
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


def test_an_archive_that_no_table_of_vmdk_can_name_is_to_pass_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2v.disks.xva_image._LAST_SECTOR", 5000)
    path = pack(tmp_path / "export.xva", blocks(REF, CONTENT))
    with pytest.raises(SourceError, match="more than 2 TiB") as caught:
        copied(path)
    assert caught.value.finding.hint == "let it pass by once: v2v convert - < export.xva"


def test_a_disk_behind_many_others_and_with_quotes_in_its_name(tmp_path: Path) -> None:
    size = 700 * MIB  # more than a table of 512 grains
    first = [("ova.xml", b"-"), *blocks("Ref:8", b"other" * MIB)]
    far = [(f"{REF}/00000000", b"0" * MIB), (f"{REF}/00000699", b"9" * MIB)]
    image = copied(pack(tmp_path / 'a "b".xva', [*first, *far]), size)
    found = raw(image)
    assert found[:MIB] == b"0" * MIB
    assert not any(found[MIB : 699 * MIB : 4096])
    assert found[699 * MIB :] == b"9" * MIB
