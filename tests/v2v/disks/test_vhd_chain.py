# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots as differencing VHDs, read with their parents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import pyvhdi

from fixtures.vhd import difference
from tests.v2v.disks.making import digest, made, raw, shown
from v2v.disks.opening import open_image
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat

MIB = 1 << 20
SIZE = 7 * MIB
BASE = b"base" * (MIB // 4) + bytes(4 * MIB) + b"BASE" * (2 * MIB // 4)


def patched(data: bytes, *patches: tuple[int, bytes]) -> bytes:
    """Return data with other sectors."""
    changed = bytearray(data)
    for at, text in patches:
        changed[at : at + 512] = text.ljust(512, b".")
    return bytes(changed)


def snapshot(folder: Path, name: str, parent: Path, before: bytes, after: bytes) -> Path:
    old, new = raw(folder / "before.raw", before), raw(folder / "after.raw", after)
    difference(folder / name, parent, old, new)
    old.unlink()
    new.unlink()
    return folder / name


@pytest.mark.parametrize("size", [SIZE, SIZE - 3 * MIB, SIZE + MIB], ids=["same", "less", "more"])
def test_the_parent_of_a_snapshot_may_be_raw(tmp_path: Path, size: int) -> None:
    """XenServer's VHDs on an SR that had raw disks before."""
    data = BASE.ljust(size, b"x")[:size]
    base = raw(tmp_path / "base.img", data)
    before = data.ljust(SIZE, b"\0")[:SIZE]
    after = patched(before, (512, b"one"), (SIZE - 512, b"end"))
    old, new = raw(tmp_path / "before.raw", before), raw(tmp_path / "after.raw", after)
    difference(tmp_path / "top.vhd", base, old, new, over_raw=True)
    assert read(tmp_path / "top.vhd") == after


def test_an_independent_reader_sees_the_same_in_our_snapshots(tmp_path: Path) -> None:
    """libvhdi, by Joachim Metz, has been written after other programs' files."""
    base = made(tmp_path / "base.vhd", "vpc", "force_size=on", data=BASE)
    after = patched(BASE, (512, b"one"), (3 * MIB, b"in the hole"), (SIZE - 512, b"end"))
    top = snapshot(tmp_path, "top.vhd", base, BASE, after)
    parent, child = pyvhdi.file(), pyvhdi.file()
    parent.open(str(base))
    child.open(str(top))
    child.set_parent(parent)
    assert child.get_media_size() == SIZE
    assert child.read_buffer_at_offset(SIZE, 0) == after == read(top)


def read(path: Path, format: DiskFormat | None = DiskFormat.vpc) -> bytes:
    with open_image(Disk(path.name, format), path.parent, trust=False) as image:
        return shown(image, path.parent)


@pytest.mark.parametrize("options", [(), ("subformat=fixed",)], ids=["dynamic", "fixed"])
def test_what_a_snapshot_does_not_have_is_its_parents(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    base = made(tmp_path / "base.vhd", "vpc", "force_size=on", *options, data=BASE)
    # In a block of the base's data, in its hole, at its end; zeros over data are data too.
    first = patched(BASE, (512, b"one"), (3 * MIB, b"in the hole"), (SIZE - 512, b"end"))
    middle = snapshot(tmp_path, "snapshot one.vhd", base, BASE, first)
    second = patched(first, (512, b"two"), (1024, bytes(512)), (5 * MIB, b"last"))
    top = snapshot(tmp_path, "top.vhd", middle, first, second)
    before = {file: digest(file) for file in (base, middle, top)}

    assert read(middle) == first
    assert read(top) == second
    assert read(top, None) == second
    assert {file: digest(file) for file in before} == before


def test_a_disk_that_grew_after_the_snapshot(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhd", "vpc", "force_size=on", data=BASE)
    after = patched(BASE + bytes(4 * MIB), (10 * MIB, b"new"))
    assert read(snapshot(tmp_path, "top.vhd", base, BASE, after)) == after


def test_a_snapshot_of_another_parent_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhd", "vpc", data=BASE)
    top = snapshot(tmp_path, "top.vhd", base, BASE, patched(BASE, (0, b"one")))
    base.unlink()
    made(base, "vpc", data=BASE)
    with pytest.raises(SourceError) as caught:
        read(top)
    assert caught.value.finding.code == "E-IMAGE-CHAIN"


def test_a_snapshot_without_its_parent_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhd", "vpc", data=BASE)
    top = snapshot(tmp_path, "top.vhd", base, BASE, patched(BASE, (0, b"one")))
    base.unlink()
    with pytest.raises(SourceError, match=r"base\.vhd") as caught:
        read(top)
    assert caught.value.finding.code == "E-DISK-MISSING"


def test_a_parent_outside_of_the_guests_folder_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhd", "vpc", data=BASE)
    top = snapshot(tmp_path, "top.vhd", base, BASE, patched(BASE, (0, b"one")))
    guest = tmp_path / "guest"
    guest.mkdir()
    shutil.move(top, guest)
    (guest / "base.vhd").symlink_to(base)
    with pytest.raises(SourceError) as caught:
        read(guest / "top.vhd")
    assert caught.value.finding.code == "E-IMAGE-ESCAPES"


def test_a_snapshot_under_another_format_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhd", "vpc", data=BASE)
    snapshot(tmp_path, "top.vhd", base, BASE, patched(BASE, (0, b"one")))
    over = tmp_path / "over.qcow2"
    # By hand: qemu-img would have to open the snapshot for it.
    made(over, "qcow2", data=BASE)
    data = bytearray(over.read_bytes())
    name = b"top.vhd"
    data[8:20] = (0x200).to_bytes(8, "big") + len(name).to_bytes(4, "big")
    data[0x200 : 0x200 + len(name)] = name
    over.write_bytes(data)
    with pytest.raises(
        SourceError, match=r"its backing file top\.vhd is a vpc, which cannot be under a qcow2"
    ):
        read(over, DiskFormat.qcow2)


@pytest.mark.parametrize("creator", [b"vbox", b"vpc ", b"tap\0"], ids=repr)
@pytest.mark.parametrize("options", [(), ("subformat=fixed",)], ids=["dynamic", "fixed"])
def test_the_end_is_not_cut_off_where_the_geometry_is_rounded(
    tmp_path: Path, options: tuple[str, ...], creator: bytes
) -> None:
    """VirtualBox and others note a geometry that is smaller than the disk."""
    path = made(tmp_path / "disk.vhd", "vpc", "force_size=on", *options, data=BASE)
    data = bytearray(path.read_bytes())
    for at in {0 if not options else len(data) - 512, len(data) - 512}:
        data[at + 28 : at + 32] = creator
        data[at + 56 : at + 60] = bytes((0, 100, 8, 17))  # 6.6 MiB
        data[at + 64 : at + 68] = bytes(4)
        data[at + 64 : at + 68] = (~sum(data[at : at + 512]) & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)
    assert read(path) == BASE
