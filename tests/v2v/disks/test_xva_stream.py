# SPDX-License-Identifier: LGPL-2.1-or-later
"""An XVA that passes by once, written as it comes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from fixtures.xva import MIB, blocks, guest, ova_xml, pack
from v2v.disks.image_writer import written
from v2v.disks.xva_stream import XvaStream, compressed
from v2v.errors import ConfigError, SourceError, TargetError
from v2v.options import Options
from v2v.pipeline import convert, plan

REF, OTHER = "Ref:7", "Ref:8"
CONTENT = os.urandom(2 * MIB + 5) + bytes(20 * MIB) + b"tail" * 4096
Members = list[tuple[str, bytes]]


def members(sums: str = "xxhash") -> Members:
    first = ("ova.xml", ova_xml(guest({}, [(REF, len(CONTENT))])))
    return [first, *blocks(OTHER, b"snapshot" * MIB, sums), *blocks(REF, CONTENT, sums)]


def plain(data: bytes) -> bytes:
    return data


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def unpacked(archive: Path, size: int = len(CONTENT)) -> Path:
    image = archive.with_name("image.qcow2")
    with archive.open("rb") as file, written(image, size) as write:
        stream = XvaStream(file, archive)
        assert stream.description().startswith(b"<?xml")
        stream.unpack({REF: (size, write)})
    return image


def raw(image: Path) -> bytes:
    path = image.with_suffix(".raw")
    subprocess.run(("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, path), check=True)
    return path.read_bytes()


@pytest.mark.parametrize("pressed", [plain, gzip.compress, zstd, lzma.compress, bz2.compress])
def test_a_disk_is_written_as_it_comes_and_stays_sparse(
    tmp_path: Path, pressed: Callable[[bytes], bytes]
) -> None:
    archive = pack(tmp_path / "export.xva", members())
    archive.write_bytes(pressed(archive.read_bytes()))
    assert compressed(archive.read_bytes()[:8]) is (pressed is not plain)
    image = unpacked(archive)
    assert image.stat().st_blocks * 512 < 5 * MIB
    assert image.stat().st_mode & 0o777 == 0o600
    assert raw(image) == CONTENT + bytes(-len(CONTENT) % 512)


def test_a_pipe_is_read_whatever_pieces_it_gives(tmp_path: Path) -> None:
    archive = pack(tmp_path / "export.xva", members("checksum"))
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe, archive.open("rb") as file:
            while piece := file.read(7777):
                pipe.write(piece)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with (
        os.fdopen(reading, "rb", buffering=0) as pipe,
        written(tmp_path / "image.qcow2", len(CONTENT)) as write,
    ):
        stream = XvaStream(pipe, archive)
        stream.description()
        stream.unpack({REF: (len(CONTENT), write)})
    feeder.join()
    assert raw(tmp_path / "image.qcow2")[: len(CONTENT)] == CONTENT


@pytest.mark.parametrize("sums", ["xxhash", "checksum"])
def test_a_block_that_is_not_what_its_checksum_says(tmp_path: Path, sums: str) -> None:
    rotten = [
        (name, b"rotten".ljust(len(data)) if name.endswith("/00000001") else data)
        for name, data in members(sums)
    ]
    archive = pack(tmp_path / "export.xva", rotten)
    with pytest.raises(SourceError, match="is not what its checksum says") as failed:
        unpacked(archive)
    assert failed.value.finding.code == "E-XVA-DAMAGED"


@pytest.mark.parametrize("pressed", [plain, gzip.compress, zstd])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_an_export_that_ends_too_early(
    tmp_path: Path, pressed: Callable[[bytes], bytes], share: float
) -> None:
    archive = pack(tmp_path / "export.xva", members())
    data = pressed(archive.read_bytes())
    archive.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SourceError) as failed:
        unpacked(archive)
    assert failed.value.finding.code == "E-XVA-DAMAGED"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda found: found[1:], "does not begin with ova.xml"),
        (lambda found: [found[0], (f"{REF}/00000000", bytes(MIB + 1))], "larger than 1 MiB"),
        (lambda found: [found[0], *blocks(OTHER, b"other", "xxhash")], "there is no data of Ref:7"),
        (lambda found: [*found, (f"{REF}/00000900", b"far")], "data behind its end"),
        (
            lambda found: [*found, (f"{REF}/00000001.xxhash", b"0" * 16)],
            "does not follow its block",
        ),
    ],
)
def test_what_is_wrong_in_an_export_is_told(
    tmp_path: Path, damage: Callable[[Members], Members], said: str
) -> None:
    archive = pack(tmp_path / "export.xva", damage(members()))
    with pytest.raises(SourceError, match=said):
        unpacked(archive)


def test_what_is_there_already_is_not_written_over(tmp_path: Path) -> None:
    archive = pack(tmp_path / "export.xva", members())
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    (tmp_path / "guest.xml").touch()
    with pytest.raises(TargetError, match="exists already"):
        convert(archive, Options(storage=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.xva", "guest.xml"]


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    archive = pack(tmp_path / "export.xva", members()[:-4])
    archive.write_bytes(gzip.compress(archive.read_bytes())[:-100])
    with pytest.raises(SourceError):
        convert(archive, Options(storage=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["export.xva"]


def test_a_report_of_a_stream_is_of_its_description_alone(tmp_path: Path) -> None:
    archive = pack(tmp_path / "export.xva", members())
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    assert plan(archive, source_only=True).machine.name == "guest"
    with pytest.raises(ConfigError) as failed:
        plan(archive)
    assert failed.value.finding.code == "E-STREAM"


@pytest.mark.parametrize(
    ("disks", "code"),
    [([], "E-NO-DISK"), ([(REF, len(CONTENT)), (REF, len(CONTENT))], "E-DISK-LAYOUT")],
)
def test_disks_that_cannot_be_written_are_told_at_once(
    tmp_path: Path, disks: list[tuple[str, int]], code: str
) -> None:
    archive = pack(tmp_path / "export.xva", [("ova.xml", ova_xml(guest({}, disks)))])
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    with pytest.raises(SourceError) as failed:
        convert(archive, Options(storage=tmp_path))
    assert failed.value.finding.code == code
