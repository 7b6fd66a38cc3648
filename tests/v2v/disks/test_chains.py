# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of Hyper-V (.avhdx) and VirtualBox (differencing VDI), read with their parents."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures import vdi, vhdx
from tests.v2v.disks.making import digest, made, raw, shown
from tests.v2v.disks.test_vhd_chain import patched
from v2v.disks.image import inspect_image
from v2v.disks.opening import open_image
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat

MIB = 1 << 20
SIZE = 7 * MIB
BASE = os.urandom(MIB) + bytes(4 * MIB) + os.urandom(2 * MIB)
Make = Callable[[Path, Path, Path, Path], None]
KINDS: dict[str, tuple[Make, str, str]] = {
    "vhdx": (vhdx.difference, "vhdx", "block_size=1M"),
    "vdi": (vdi.difference, "vdi", "static=off"),
}


def snapshot(make: Make, child: Path, parent: Path, before: bytes, after: bytes) -> Path:
    folder = child.parent
    folder.mkdir(exist_ok=True)
    old, new = raw(folder / "before.raw", before), raw(folder / "after.raw", after)
    make(child, parent, old, new)
    old.unlink()
    new.unlink()
    return child


def read(path: Path, *parents: Path, format: DiskFormat | None = None) -> bytes:
    disk = Disk(path.name, format, parents=tuple(map(str, parents)))
    with open_image(disk, path.parent, trust=False) as image:
        return shown(image, path.parent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_snapshot_does_not_have_is_its_parents(tmp_path: Path, kind: str) -> None:
    make, format, option = KINDS[kind]
    base = made(tmp_path / f"base.{kind}", format, option, data=BASE)
    first = patched(BASE, (512, b"one"), (3 * MIB, b"in the hole"), (SIZE - 512, b"end"))
    middle = snapshot(make, tmp_path / f"one.{kind}", base, BASE, first)
    second = patched(first, (512, b"two"), (1024, bytes(512)), (5 * MIB, b"last"))
    top = snapshot(make, tmp_path / f"two.{kind}", middle, first, second)
    before = {file: digest(file) for file in (base, middle, top)}
    assert read(base) == BASE
    assert read(middle) == first
    assert read(top) == second
    assert {file: digest(file) for file in before} == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_parent_that_was_changed_or_is_gone_is_refused(tmp_path: Path, kind: str) -> None:
    make, format, option = KINDS[kind]
    base = made(tmp_path / f"base.{kind}", format, option, data=BASE)
    top = snapshot(make, tmp_path / f"top.{kind}", base, BASE, patched(BASE, (0, b"one")))
    base.unlink()
    with pytest.raises(SourceError) as caught:
        read(top)
    assert caught.value.finding.code == "E-DISK-MISSING"
    made(base, format, option, data=BASE)  # another one
    with pytest.raises(SourceError) as caught:
        read(top)
    assert caught.value.finding.code in ("E-IMAGE-CHAIN", "E-DISK-MISSING")


def test_a_vdi_below_a_folder_of_snapshots_is_found(tmp_path: Path) -> None:
    guest = tmp_path / "guest"
    guest.mkdir()
    base = made(guest / "base.vdi", "vdi", data=BASE)
    (guest / "other.vdi").write_bytes(b"no VDI")
    made(guest / "another.vdi", "vdi", data=BASE)
    after = patched(BASE, (0, b"one"))
    top = snapshot(vdi.difference, guest / "Snapshots/{1}.vdi", base, BASE, after)
    disk = Disk("Snapshots/{1}.vdi", None)
    with open_image(disk, guest, trust=False) as image:
        assert shown(image, guest) == after
    far = tmp_path / "far"
    far.mkdir()
    base = base.rename(far / "base.vdi")
    with pytest.raises(SourceError, match=r"its parent .* is not beside it"):
        read(top)
    assert read(top, base) == after  # its place is in the configuration


def test_a_parent_outside_of_the_guests_folder_is_refused(tmp_path: Path) -> None:
    guest = tmp_path / "guest"
    guest.mkdir()
    base = made(tmp_path / "base.vdi", "vdi", data=BASE)
    top = snapshot(vdi.difference, guest / "top.vdi", base, BASE, patched(BASE, (0, b"one")))
    with pytest.raises(SourceError, match="lies outside") as caught:
        read(top)
    assert caught.value.finding.code == "E-IMAGE-ESCAPES"


def test_a_log_that_was_not_written_back_is_refused(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vhdx", "vhdx", "block_size=1M", data=BASE)
    top = snapshot(vhdx.difference, tmp_path / "top.vhdx", base, BASE, patched(BASE, (0, b"one")))
    with top.open("r+b") as file:
        file.seek(64 << 10)
        head = bytearray(file.read(4096))
        head[8:16] = (99).to_bytes(8, "little")
        head[48:64] = os.urandom(16)
        file.seek(64 << 10)
        file.write(vhdx.summed(bytes(head)))
    with pytest.raises(SourceError, match="in its log"):
        read(top)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 4096), junk=st.binary(min_size=1, max_size=64))
def test_whatever_stands_in_a_snapshot_is_read_or_refused(
    tmp_path: Path, kind: str, at: int, junk: bytes
) -> None:
    make, format, option = KINDS[kind]
    base, top = tmp_path / f"base.{kind}", tmp_path / f"top.{kind}"
    if not top.exists():
        made(base, format, option, data=BASE)
        snapshot(make, top, base, BASE, patched(BASE, (0, b"one")))
    data = bytearray(top.read_bytes())
    # Metadata of a VHDX begin at 192 KiB and 2 MiB (tests/../fixtures/vhdx.py).
    start = at if kind == "vdi" else (at % 3 and (192 << 10, 2 << 20, 3 << 20)[at % 3]) + at
    data[start : start + len(junk)] = junk
    harmed = tmp_path / f"harmed.{kind}"
    harmed.write_bytes(data)
    with suppress(SourceError):
        image = inspect_image(Disk(harmed.name, DiskFormat(format)), tmp_path, trust=False)
        assert image.backing is not None
