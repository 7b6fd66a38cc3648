# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in packages: at an offset, expanded within limits, blank; VMDKs as ESXi exports them."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from fixtures.ova import stream_optimized
from tests.v2v.disks.making import SIZE, content, inspected, made, raw, shown
from v2v.disks import packed_image
from v2v.disks.archive import expanded, stored, zip_members
from v2v.disks.composition import Part, compose
from v2v.disks.image import Image
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import first_bytes
from v2v.disks.sums import compare
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat
from v2v.packed import Packed, Packing, Piece, Sum


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing of a temporary copy is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def inside(path: Path, image: Path, offset: int = 3 * 512, behind: int = 1024) -> Piece:
    """Put an image into a file, with something in front and behind."""
    data = image.read_bytes()
    path.write_bytes(b"x" * offset + data + bytes(-len(data) % 512) + b"y" * behind)
    return Piece(str(path), offset, len(data))


def packed_disk(packed: Packed, format: DiskFormat | None = None, size: int = SIZE) -> Disk:
    return Disk("/srv/web.ova/web.vmdk", format, virtual_bytes=size, packed=packed)


def content_of(disk: Disk, work: Path) -> bytes:
    with open_image(disk, work, trust=False) as image:
        return shown(image, work)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("raw", ()),
        ("qcow2", ()),
        ("vmdk", ("subformat=streamOptimized",)),
        ("vmdk", ("subformat=monolithicSparse",)),
        ("vpc", ("force_size=on",)),
        ("vhdx", ()),
        ("vdi", ()),
    ],
)
def test_an_image_inside_of_a_file_is_read_there(
    tmp_path: Path, format: str, options: tuple[str, ...]
) -> None:
    image = made(tmp_path / "image", format, *options)
    archive = tmp_path / "archive"
    disk = packed_disk(Packed((inside(archive, image),)), DiskFormat(format))
    before = archive.read_bytes()
    image.unlink()
    with open_image(disk, tmp_path, trust=False) as found:
        assert found.format == format
        assert found.virtual_bytes == SIZE
        assert found.path == archive
        assert shown(found, tmp_path) == content()
    assert archive.read_bytes() == before


def test_its_first_bytes_are_its_own(tmp_path: Path) -> None:
    piece = inside(tmp_path / "archive", raw(tmp_path / "image"))
    with open_image(packed_disk(Packed((piece,))), tmp_path, trust=False) as found:
        assert first_bytes(found, 4096) == content()[:4096]


def test_a_partition_inside_of_a_file_becomes_part_of_a_disk(tmp_path: Path) -> None:
    piece = inside(tmp_path / "archive", raw(tmp_path / "image"))
    with open_image(packed_disk(Packed((piece,))), tmp_path, trust=False) as found:
        whole = compose([Part(1, found, 0x83)], tmp_path, "web", 1)
        assert shown(whole, tmp_path)[1 << 20 : (1 << 20) + SIZE] == content()


def test_an_image_of_part_of_a_sector_is_filled_up(tmp_path: Path) -> None:
    image = raw(tmp_path / "image", content()[:-100])
    disk = packed_disk(Packed((inside(tmp_path / "archive", image),)))
    assert content_of(disk, tmp_path) == content()[:-100] + bytes(100)


@pytest.mark.parametrize("cut", [0, 1024, 600_000])
def test_a_piece_that_reaches_behind_the_end_is_refused(tmp_path: Path, cut: int) -> None:
    archive = tmp_path / "archive"
    piece = inside(archive, raw(tmp_path / "image"), behind=0)
    archive.write_bytes(archive.read_bytes()[: -cut or None])
    disk = packed_disk(Packed((piece if cut else Piece(piece.path, piece.offset, 0),)))
    with pytest.raises(SourceError, match="is empty, or reaches behind its end"):
        content_of(disk, tmp_path)


def test_what_an_image_names_is_not_followed_in_a_package(tmp_path: Path) -> None:
    raw(tmp_path / "base.img")
    made(tmp_path / "top", "qcow2", f"backing_file={tmp_path / 'base.img'}", "backing_fmt=raw")
    disk = packed_disk(Packed((inside(tmp_path / "archive", tmp_path / "top"),)))
    with pytest.raises(SourceError, match=r"base\.img., which is not followed") as caught:
        content_of(disk, tmp_path)
    assert caught.value.finding.code == "E-OVA-MEMBER"


def test_the_format_of_a_raw_image_is_not_probed(tmp_path: Path) -> None:
    image = made(tmp_path / "image", "qcow2")
    disk = packed_disk(Packed((inside(tmp_path / "archive", image),)), DiskFormat.raw)
    assert content_of(disk, tmp_path)[:4] == b"QFI\xfb"


def test_a_compressed_image_is_read_from_a_copy(tmp_path: Path) -> None:
    image = made(tmp_path / "image", "vmdk", "subformat=streamOptimized")
    image.write_bytes(
        gzip.compress(image.read_bytes()[:100])
        + gzip.compress(image.read_bytes()[100:])
        + bytes(700)
    )
    packed = Packed((inside(tmp_path / "archive", image),), Packing.gzip)
    assert not packed_image.in_place(packed)
    assert content_of(packed_disk(packed), tmp_path) == content()


def test_an_image_in_parts_is_read_from_a_copy(tmp_path: Path) -> None:
    data = made(tmp_path / "image", "vmdk", "subformat=streamOptimized").read_bytes()
    pieces = tuple(
        inside(tmp_path / f"part{at}", raw(tmp_path / "piece", data[at : at + 1000]))
        for at in range(0, len(data), 1000)
    )
    assert content_of(packed_disk(Packed(pieces)), tmp_path) == content()


def test_a_bomb_ends_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_image, "_MARGIN", 0)
    bomb = raw(tmp_path / "bomb.gz", gzip.compress(bytes(SIZE * 2)))
    packed = Packed((inside(tmp_path / "archive", bomb),), Packing.gzip)
    with pytest.raises(SourceError, match="expands to more than its disk can take") as caught:
        content_of(packed_disk(packed), tmp_path)
    assert caught.value.finding.code == "E-OVA-SIZE"


def test_a_copy_leaves_room_on_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_image, "_RESERVE", 1 << 60)
    image = raw(tmp_path / "image.gz", gzip.compress(content()))
    packed = Packed((inside(tmp_path / "archive", image),), Packing.gzip)
    with pytest.raises(SourceError, match="there is no room for a copy"):
        content_of(packed_disk(packed), tmp_path)


@pytest.mark.parametrize("cut", [1, 5000])
def test_compressed_data_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    image = raw(tmp_path / "image.gz", gzip.compress(content())[:-cut])
    packed = Packed((inside(tmp_path / "archive", image),), Packing.gzip)
    with pytest.raises(SourceError) as caught:
        content_of(packed_disk(packed), tmp_path)
    assert caught.value.finding.code == "E-OVA-DAMAGED"


def test_expanding_holds_little_in_memory(tmp_path: Path) -> None:
    bomb = raw(tmp_path / "bomb.gz", gzip.compress(bytes(64 << 20)))
    packed = Packed((inside(tmp_path / "archive", bomb),), Packing.gzip)
    sizes = [len(data) for data in expanded(packed)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= 1 << 20


def test_a_blank_disk_has_its_size(tmp_path: Path) -> None:
    disk = Disk("(blank)", None, virtual_bytes=5_000_000, packed=Packed())
    assert content_of(disk, tmp_path) == bytes(5_000_192)


@pytest.mark.parametrize("size", [SIZE, SIZE - 3 * 65536 - 700])
def test_a_vmdk_with_its_directory_at_the_end_is_read(tmp_path: Path, size: int) -> None:
    data = content()[SIZE - size :]
    stream_optimized(raw(tmp_path / "image", data), tmp_path / "web.vmdk")
    image = inspected(tmp_path / "web.vmdk")
    assert image.format is DiskFormat.vmdk
    assert shown(image, tmp_path) == data + bytes(-size % 512)


def test_a_vmdk_without_its_footer_is_refused(tmp_path: Path) -> None:
    stream_optimized(raw(tmp_path / "image"), tmp_path / "web.vmdk")
    (tmp_path / "web.vmdk").write_bytes((tmp_path / "web.vmdk").read_bytes()[:-1024])
    with pytest.raises(SourceError, match="the footer of a stream-optimized VMDK is missing"):
        inspected(tmp_path / "web.vmdk")


def test_what_a_zip_has_stored_is_read_in_place_and_the_rest_is_expanded(tmp_path: Path) -> None:
    image = made(tmp_path / "image", "vmdk", "subformat=streamOptimized")
    with zipfile.ZipFile(tmp_path / "web.zip", "w") as archive:
        archive.write(image, "stored.vmdk", zipfile.ZIP_STORED)
        archive.write(image, "deflated.vmdk", zipfile.ZIP_DEFLATED)
    members = zip_members(tmp_path / "web.zip")
    for name, place in (("stored.vmdk", True), ("deflated.vmdk", False)):
        packed = members[name]
        assert packed is not None
        assert packed_image.in_place(packed) is place
        assert b"".join(stored(packed)) == image.read_bytes()
        assert content_of(packed_disk(packed), tmp_path) == content()


def sum_of(path: Path, digest: str | None = None) -> Sum:
    made_of = hashlib.sha256(path.read_bytes()).hexdigest()
    packed = Packed((Piece(str(path), 0, path.stat().st_size),))
    return Sum(path.name, "sha256", digest or made_of, packed)


def test_right_checksums_pass_and_a_wrong_one_is_an_error(tmp_path: Path) -> None:
    path = raw(tmp_path / "image")
    compare([sum_of(path)] * 3, Event())
    with pytest.raises(SourceError, match="image: is not what its checksum") as caught:
        compare([sum_of(path), sum_of(path, "0" * 64)], Event())
    assert caught.value.finding.code == "E-OVF-SUM"


def test_comparing_ends_when_it_is_given_up(tmp_path: Path) -> None:
    ended = Event()
    ended.set()
    compare([sum_of(raw(tmp_path / "image"), "0" * 64)], ended)


def test_an_image_that_shrinks_is_an_error_of_the_source(tmp_path: Path) -> None:
    path = raw(tmp_path / "image")
    one = sum_of(path)
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="ends too early"):
        compare([one], Event())


def test_images_know_what_is_all_of_a_file(tmp_path: Path) -> None:
    image = inspected(raw(tmp_path / "image"))
    assert image.is_plain_file()
    assert not Image(image.path, DiskFormat.raw, 512, 512, window=(512, 512)).is_plain_file()
