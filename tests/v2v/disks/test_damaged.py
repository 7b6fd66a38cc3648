# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers that lie, files that end too early, and random damage: a clear error or an image."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.v2v.disks.making import MIB, inspected, made, raw, shown
from tests.v2v.disks.test_image import FORMATS
from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.run import run

ABSURD = 1 << 61

# format and options; then where which field gets which value; then what is said of it
LIES: list[tuple[str, int, str, int, str]] = [
    ("qcow2", 4, ">I", 9, "qcow2 version 9 is not known"),
    ("qcow2", 20, ">I", 40, "has clusters of 2^40 bytes"),
    ("qcow2", 20, ">I", 8, "has clusters of 2^8 bytes"),
    ("qcow2", 24, ">Q", ABSURD, "is not credible"),
    ("qcow2", 24, ">Q", 0, "a virtual size of 0 bytes is not credible"),
    ("qcow2", 32, ">I", 2, "the image is encrypted"),
    ("qcow2", 36, ">I", 0, "an L1 table that is too small"),
    ("qcow2", 36, ">I", 0xFFFFFFFF, "tables of an absurd size"),
    ("qcow2", 40, ">Q", ABSURD, "its L1 table reaches to byte"),
    ("qcow2", 48, ">Q", ABSURD, "its refcount table reaches to byte"),
    ("qcow2", 56, ">I", 0xFFFFFFFF, "tables of an absurd size"),
    ("qcow2", 72, ">Q", 1 << 40, "needs unknown qcow2 features 0x10000000000"),
    ("qcow2", 72, ">Q", 1 << 2, "has its data in another file, but does not name it"),
    ("qcow2", 96, ">I", 31, "the qcow2 header has clusters"),
    ("qcow2", 100, ">I", 1 << 30, "a qcow2 header of 1073741824 bytes is not credible"),
    ("qcow2", 8, ">QI", (4096 << 32) | 5000, "a backing file name of 5000 bytes is not credible"),
    ("qcow2", 8, ">QI", (1 << 40 << 32) | 8, "its header reaches to byte"),
    ("qcow2", 116, ">I", 1 << 30, "a qcow2 header extension is longer than the header"),
    ("qcow2", 3 << 16, ">Q", 1 << 50, "an L2 table reaches to byte"),
    ("qcow", 32, ">B", 30, "has clusters of 2^30 bytes"),
    ("qcow", 36, ">I", 1, "the image is encrypted"),
    ("qcow", 40, ">Q", ABSURD, "its L1 table reaches to byte"),
    ("qcow", 24, ">Q", ABSURD, "is not credible"),
    ("qed", 4, "<I", 1, "the QED header has clusters of 1 bytes"),
    ("qed", 40, "<Q", ABSURD, "its L1 table reaches to byte"),
    ("qed", 48, "<Q", ABSURD, "is not credible"),
    ("vmdk", 12, "<Q", 0, "a VMDK capacity of 0 sectors is not credible"),
    ("vmdk", 12, "<Q", ABSURD, "a VMDK capacity of"),
    ("vmdk", 20, "<Q", 0, "a VMDK with grains of 0 sectors is not credible"),
    ("vmdk", 44, "<I", 1 << 20, "a VMDK with grains of"),
    ("vmdk", 28, "<Q", 9, "has its descriptor in sector 9, not in sector 1"),
    ("vmdk", 56, "<Q", 1 << 40, "a table of its header reaches to byte"),
    ("vmdk", 56, "<Q", (1 << 64) - 1, "the footer of a stream-optimized VMDK is missing"),
    ("vpc", 60, ">I", 7, "a VHD of the type 7 is not known"),
    ("vpc", 60, ">I", 2, "a VHD of the type 2 is not known"),
    ("vpc", 60, ">I", 4, "is a differencing disk"),
    ("vpc", 16, ">Q", 0, "the header of the dynamic VHD is not credible"),
    ("vpc", 16, ">Q", ABSURD, "its header reaches to byte"),
    ("vpc", 512 + 16, ">Q", ABSURD, "a table of its header reaches to byte"),
    ("vpc", 512 + 28, ">I", 1, "the header of the dynamic VHD is not credible"),
    ("vpc", 512 + 32, ">I", 1, "the header of the dynamic VHD is not credible"),
    ("vpc", 1536, ">I", 1 << 30, "the guest's data reaches to byte"),
    ("vdi", 76, "<I", 4, "is a differencing disk"),
    ("vdi", 440, "<Q", 4, "is a differencing disk"),
    ("vdi", 376, "<I", 512, "is not credible"),
    ("vdi", 384, "<I", 1, "is not credible"),
    ("vdi", 368, "<Q", ABSURD, "is not credible"),
    ("vdi", 340, "<I", 1 << 31, "a table of its header reaches to byte"),
    ("vdi", 512, "<I", 1 << 30, "the guest's data reaches to byte"),
    ("parallels", 28, "<I", 0, "is not credible"),
    ("parallels", 32, "<I", 1 << 31, "is not credible"),
    ("parallels", 32, "<I", 1 << 24, "a table of its header reaches to byte"),
    ("parallels", 36, "<Q", ABSURD, "is not credible"),
    ("parallels", 64, "<I", 1 << 30, "the guest's data reaches to byte"),
]


def patched(path: Path, at: int, form: str, value: int) -> Path:
    """Overwrite a field of a header; two fields are given as one number."""
    data = bytearray(path.read_bytes())
    values = (value >> 32, value & 0xFFFFFFFF) if len(form) == 3 else (value,)
    struct.pack_into(form, data, at, *values)
    return raw(path, bytes(data))


@pytest.mark.parametrize(("format", "at", "form", "value", "said"), LIES)
def test_a_header_that_lies_is_an_error(
    tmp_path: Path, format: str, at: int, form: str, value: int, said: str
) -> None:
    path = patched(made(tmp_path / "disk", format), at, form, value)
    with pytest.raises(SourceError, match=said.replace("^", r"\^")) as error:
        inspected(path, DiskFormat(format))
    assert error.value.finding.code in ("E-DISK-FORMAT", "E-DISK-TRUNCATED", "E-IMAGE-ENCRYPTED")
    assert str(path) in error.value.finding.message


def test_a_qcow_of_another_version_is_an_error(tmp_path: Path) -> None:
    path = patched(made(tmp_path / "disk", "qcow"), 4, ">I", 0)
    with pytest.raises(SourceError, match="qcow2 version 0 is not known"):
        inspected(path)


def test_a_backing_file_of_a_strange_format_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    run("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", "/etc", "-F", "qcow2", path, "4M")
    raw(path, path.read_bytes().replace(b"\0\0\0\5qcow2", b"\0\0\0\5vvfat"))
    with pytest.raises(SourceError, match="the backing file has the format 'vvfat'"):
        inspected(path)


@pytest.mark.parametrize("guid", ["6677c22d23f60042", "06a27c8b90479a4b"])
def test_a_vhdx_without_its_regions_is_an_error(tmp_path: Path, guid: str) -> None:
    path = made(tmp_path / "disk", "vhdx")
    raw(path, path.read_bytes().replace(bytes.fromhex(guid), bytes(8)))
    with pytest.raises(SourceError, match="the VHDX has no usable region table"):
        inspected(path)


def vhdx_item(data: bytes, guid: str) -> int:
    """Return where a metadata item of a VHDX lies."""
    table = data.index(b"metadata")
    entry = data.index(bytes.fromhex(guid), table)
    return table + int(struct.unpack_from("<I", data, entry + 16)[0])


@pytest.mark.parametrize(
    ("guid", "form", "value", "said"),
    [
        ("3767a1ca36fa434d", "<I", 1, "a VHDX of .* in blocks of 1 is not credible"),
        ("2442a52f1bcd7648", "<Q", ABSURD, "a VHDX of .* is not credible"),
    ],
)
def test_a_vhdx_with_absurd_sizes_is_an_error(
    tmp_path: Path, guid: str, form: str, value: int, said: str
) -> None:
    path = made(tmp_path / "disk", "vhdx")
    patched(path, vhdx_item(path.read_bytes(), guid), form, value)
    with pytest.raises(SourceError, match=said):
        inspected(path)


def test_a_vhdx_with_a_parent_is_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "disk", "vhdx")
    patched(path, vhdx_item(path.read_bytes(), "3767a1ca36fa434d") + 4, "<I", 2)
    with pytest.raises(SourceError, match="is a differencing disk"):
        inspected(path)


def test_a_vhdx_without_metadata_is_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "disk", "vhdx")
    data = path.read_bytes()
    with pytest.raises(SourceError, match="the VHDX has no usable metadata"):
        inspected(raw(path, data.replace(b"metadata", b"metaDATA")))
    with pytest.raises(SourceError, match="does not say how large its disk is"):
        inspected(raw(path, data.replace(bytes.fromhex("2442a52f1bcd7648"), bytes(8))))


WHOLE = [each for each in FORMATS if each[0] not in ("qcow", "qed")]


@pytest.mark.parametrize(("format", "options"), WHOLE, ids=["-".join((f, *o)) for f, o in WHOLE])
def test_a_file_that_was_cut_short_is_an_error(
    tmp_path: Path, format: str, options: tuple[str, ...]
) -> None:
    """QEMU would read most of these to the end, with zeroes for what is missing."""
    path = made(tmp_path / "disk", format, *options)
    largest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    with largest.open("r+b") as file:
        file.truncate(largest.stat().st_size // 2)
    with pytest.raises(SourceError) as error:
        inspected(path, DiskFormat(format))
    assert error.value.finding.code in ("E-DISK-TRUNCATED", "E-DISK-FORMAT")


def test_leaked_clusters_behind_the_end_do_no_harm(tmp_path: Path) -> None:
    """A crash of QEMU leaves refcounts of clusters that were never written."""
    path = made(tmp_path / "disk", "qcow2")
    data = bytearray(path.read_bytes())
    (block,) = struct.unpack_from(">Q", data, struct.unpack_from(">Q", data, 48)[0])
    struct.pack_into(">H", data, block + 2 * 1000, 1)
    raw(path, bytes(data))
    assert inspected(path).virtual_bytes == 4 * MIB


def test_what_qemu_refuses_all_the_same_is_told_with_the_images_name(tmp_path: Path) -> None:
    path = patched(made(tmp_path / "disk", "vhdx"), (192 << 10) + 4, "<I", 0)
    patched(path, (256 << 10) + 4, "<I", 0)  # the checksums of both region tables
    with pytest.raises(SourceError, match="disk: QEMU cannot open it: ") as error:
        shown(inspected(path), tmp_path)
    assert error.value.finding.code == "E-DISK-REFUSED"


@cache
def whole(format: str) -> bytes:
    """Return a sound image's bytes."""
    with TemporaryDirectory() as folder:
        return made(Path(folder, "disk"), format).read_bytes()


@pytest.mark.parametrize(
    "format", ["qcow2", "qcow", "qed", "vmdk", "vpc", "vhdx", "vdi", "parallels"]
)
@settings(max_examples=60)
@given(data=st.data())
def test_damage_gives_an_image_or_an_error_in_little_memory(
    format: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    image = bytearray(whole(format))
    regions = (0, 64 << 10, 128 << 10, 192 << 10, 256 << 10, 2 << 20)
    for _ in range(data.draw(st.integers(1, 6))):
        base = data.draw(st.sampled_from([start for start in regions if start < len(image)]))
        at = min(base + data.draw(st.integers(0, 600)), len(image) - 8)
        width = data.draw(st.integers(1, 8))
        image[at : at + width] = data.draw(st.binary(min_size=width, max_size=width))
    length = data.draw(st.sampled_from([len(image), len(image) // 2, 700, 100, 7]))
    path = raw(tmp_path_factory.getbasetemp() / f"damaged.{format}", bytes(image[:length]))
    tracemalloc.start()
    try:
        with suppress(SourceError):
            inspected(path, DiskFormat(format))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB


@settings(max_examples=200)
@given(text=st.binary(max_size=300))
def test_any_text_after_a_vmdks_first_line_is_an_image_or_an_error(
    text: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = raw(
        tmp_path_factory.getbasetemp() / "text.vmdk", b"# Disk DescriptorFile\nCID=1\n" + text
    )
    with pytest.raises(SourceError):
        inspected(path)
