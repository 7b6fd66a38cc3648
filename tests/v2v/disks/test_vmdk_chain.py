# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMDKs with their extents and parents as our own reader shows them, which is as QEMU does."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.v2v.disks.making import MIB, SIZE, content, inspected, made, raw, shown
from tests.v2v.disks.test_references import descriptor
from tests.v2v.disks.vmdk_writers import write_cowd, write_sesparse, write_stream
from v2v.disks.imagefile import LOCAL
from v2v.disks.opening import open_image
from v2v.disks.vmdk_chain import VmdkBlocks
from v2v.errors import SourceError
from v2v.model import Disk

SECTORS = SIZE // 512
SUBFORMATS = (
    "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
    "streamOptimized",
)  # fmt: skip


def read(*chain: Path, size: int = SIZE) -> bytes:
    """Return the disk of a chain, its holes checked."""
    with ExitStack() as held:
        blocks = VmdkBlocks(chain, LOCAL, held)
        whole = b""
        for number in range(-(-size // blocks.block_bytes)):
            block = blocks.read(number)
            assert number in blocks or not any(block)
            whole += block
    return whole[:size]


def delta(data: bytes, seed: int) -> bytes:
    """Return a disk changed here and there, in pieces of any length, by data and by zeros."""
    generator = random.Random(seed)
    changed = bytearray(data)
    for _ in range(60):
        at, length = generator.randrange(len(data)), generator.randrange(1, 20_000)
        piece = generator.choice((bytes(length), generator.randbytes(length)))
        changed[at : at + length] = piece[: len(data) - at]
    return bytes(changed[: len(data)])


@pytest.mark.parametrize("subformat", SUBFORMATS)
def test_every_form_reads_as_what_it_was_made_from(tmp_path: Path, subformat: str) -> None:
    assert read(made(tmp_path / "disk.vmdk", "vmdk", f"subformat={subformat}")) == content()


def test_an_export_is_read(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "disk.vmdk", content())
    assert read(path) == content()
    data = bytearray(path.read_bytes())
    data[128 * 512 + 12 : 128 * 512 + 16] = b"junk"
    with pytest.raises(SourceError, match="a compressed grain is damaged"):
        read(raw(path, bytes(data)))
    data[128 * 512 + 8 : 128 * 512 + 12] = b"\xff" * 4
    with pytest.raises(SourceError, match="a compressed grain of 4,294,967,295 bytes"):
        read(raw(path, bytes(data)))


@pytest.mark.parametrize("seed", range(4))
def test_chains_of_all_forms_are_read_as_qemu_reads_them(tmp_path: Path, seed: int) -> None:
    first = delta(content(), seed)
    second = delta(first, seed + 100)
    raw(tmp_path / "a-flat.vmdk", content()[: 3 * MIB])
    raw(tmp_path / "b-flat.vmdk", bytes(4096) + content()[3 * MIB :])
    base = descriptor(
        tmp_path / "web.vmdk",
        f'RW {3 * MIB // 512} VMFS "a-flat.vmdk"',
        f'RW {MIB // 512} FLAT "b-flat.vmdk" 8',
    )
    write_cowd(tmp_path / "web-000001-delta.vmdk", first, content(), grain=1 + seed)
    write_sesparse(tmp_path / "web-000002-sesparse.vmdk", second, first)
    pairs = 'CID=1\nparentCID=12345678\nparentFileNameHint="web.vmdk"'
    middle = descriptor(
        tmp_path / "web-000001.vmdk",
        f'RW {SECTORS} VMFSSPARSE "web-000001-delta.vmdk"',
        pairs=pairs,
    )
    pairs = 'CID=2\nparentCID=00000001\nparentFileNameHint="web-000001.vmdk"'
    top = descriptor(
        tmp_path / "web-000002.vmdk",
        f'RW {SECTORS} SESPARSE "web-000002-sesparse.vmdk"',
        pairs=pairs,
    )
    assert read(top, middle, base) == second
    assert shown(inspected(top), tmp_path) == second
    assert read(middle, base) == first


def test_a_snapshot_may_be_longer_than_its_parent(tmp_path: Path) -> None:
    raw(tmp_path / "a-flat.vmdk", content()[:MIB])
    base = descriptor(tmp_path / "a.vmdk", f'RW {MIB // 512} VMFS "a-flat.vmdk"')
    write_cowd(tmp_path / "b-delta.vmdk", content(), content()[:MIB])
    top = descriptor(tmp_path / "b.vmdk", f'RW {SECTORS} VMFSSPARSE "b-delta.vmdk"')
    assert read(top, base) == content()


def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = raw(tmp_path / "a-flat.vmdk", content())
    base = descriptor(tmp_path / "a.vmdk", f'RW {SECTORS} VMFS "a-flat.vmdk"')
    raw(path, content()[:-512])
    with pytest.raises(SourceError, match="reaches to byte"):
        read(base)


@pytest.mark.parametrize(
    ("encoding", "known"),
    [("GBK", "gbk"), ("Shift_JIS", "cp932"), ("windows-936", "gbk"), ("UTF-8", "utf-8")],
)
def test_names_are_in_the_encoding_that_the_descriptor_names(
    tmp_path: Path, encoding: str, known: str
) -> None:
    """A Windows host writes its own; copied here, the files have names in UTF-8."""
    name = "\u4e2d\u6587"
    raw(tmp_path / f"{name}-flat.vmdk", content())
    base = descriptor(tmp_path / f"{name}.vmdk", f'RW {SECTORS} FLAT "{name}-flat.vmdk" 0')
    write_sesparse(tmp_path / f"{name}-1.vmdk", delta(content(), 7), content())
    pairs = f'CID=1\nparentCID=12345678\nparentFileNameHint="{name}.vmdk"'
    line = f'RW {SECTORS} SESPARSE "{name}-1.vmdk"'
    top = descriptor(tmp_path / "top.vmdk", line, pairs=pairs)
    for path in (base, top):
        text = path.read_text().replace("version=1", f'version=1\nencoding="{encoding}"')
        path.write_bytes(text.encode(known))
    with open_image(Disk(str(top), None), tmp_path, trust=False) as image:
        assert image.path.is_socket() is (encoding != "UTF-8")
        assert shown(image, tmp_path) == delta(content(), 7)


def test_snapshots_in_single_sectors_are_put_together_by_us(tmp_path: Path) -> None:
    """QEMU reads them right, but looks at each sector by itself."""
    raw(tmp_path / "a-flat.vmdk", content())
    base = descriptor(tmp_path / "a.vmdk", f'RW {SECTORS} VMFS "a-flat.vmdk"')
    write_cowd(tmp_path / "b-delta.vmdk", delta(content(), 9), content())
    pairs = 'CID=1\nparentCID=12345678\nparentFileNameHint="a.vmdk"'
    line = f'RW {SECTORS} VMFSSPARSE "b-delta.vmdk"'
    top = descriptor(tmp_path / "b.vmdk", line, pairs=pairs)
    with open_image(Disk(str(base), None), tmp_path, trust=False) as image:
        assert not image.path.is_socket()
    with open_image(Disk(str(top), None), tmp_path, trust=False) as image:
        assert image.path.is_socket()
        assert shown(image, tmp_path) == delta(content(), 9)


FORMS: dict[str, tuple[str, Callable[[Path, bytes], Path]]] = {
    "vmfsSparse": ("VMFSSPARSE", write_cowd),
    "seSparse": ("SESPARSE", write_sesparse),
    "export": ("SPARSE", write_stream),
}


@pytest.fixture(scope="module")
def extents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound extent of each form."""
    folder = tmp_path_factory.mktemp("extents")
    return {
        form: write(folder / form, content()).read_bytes() for form, (_, write) in FORMS.items()
    }


@pytest.mark.parametrize("form", FORMS)
@settings(
    max_examples=60, deadline=4000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(places=st.lists(st.tuples(st.integers(0, 1 << 17), st.binary(max_size=8)), max_size=4))
def test_a_damaged_extent_is_read_or_refused(
    extents: dict[str, bytes], tmp_path: Path, form: str, places: list[tuple[int, bytes]]
) -> None:
    data = bytearray(extents[form])
    for at, piece in places:
        at %= len(data)
        data[at : at + len(piece)] = piece
    raw(tmp_path / "x.vmdk", bytes(data))
    path = descriptor(tmp_path / "disk.vmdk", f'RW {SECTORS} {FORMS[form][0]} "x.vmdk"')
    with suppress(SourceError):
        assert inspected(path).virtual_bytes == SIZE
        assert len(read(path)) == SIZE
