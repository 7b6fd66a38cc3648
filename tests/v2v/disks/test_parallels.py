# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of Parallels: folders with a descriptor, in parts, with snapshots."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.v2v.disks.making import made, raw, shown
from v2v.disks.opening import open_image
from v2v.disks.parallels import read_bundle
from v2v.errors import SourceError
from v2v.model import Disk
from v2v.sources import kind_of, read

MIB = 1 << 20
DATA = os.urandom(MIB) + bytes(4 * MIB) + os.urandom(3 * MIB)
TOP = "5fbaabe3-6958-40ff-92a7-860e329aab41"
BASE = "11111111-6958-40ff-92a7-860e329aab41"
_TEXT = """<?xml version='1.0' encoding='UTF-8'?>
<Parallels_disk_image Version="1.0">
    <Disk_Parameters>
        <Disk_size>{size}</Disk_size>
        <Encryption><Engine>{{00000000-0000-0000-0000-000000000000}}</Engine></Encryption>
    </Disk_Parameters>
    <StorageData>{storages}</StorageData>
    <Snapshots>{shots}</Snapshots>
</Parallels_disk_image>
"""


def storage(start: int, end: int, *images: tuple[str, str, str]) -> str:
    """Return a part; an image is its GUID, its kind and its file."""
    listed = "".join(
        f"<Image><GUID>{{{guid}}}</GUID><Type>{kind}</Type><File>{file}</File></Image>"
        for guid, kind, file in images
    )
    sectors = f"<Start>{start * 2048}</Start><End>{end * 2048}</End><Blocksize>2048</Blocksize>"
    return f"<Storage>{sectors}{listed}</Storage>"


def bundle(folder: Path, *storages: str, shots: tuple[str, ...] = (TOP,)) -> Path:
    """Write a descriptor; ``shots`` are the snapshots from the top."""
    below = (*shots[1:], "00000000-0000-0000-0000-000000000000")
    listed = "".join(
        f"<Shot><GUID>{{{one}}}</GUID><ParentGUID>{{{two}}}</ParentGUID></Shot>"
        for one, two in zip(shots, below, strict=True)
    )
    folder.mkdir(exist_ok=True)
    text = _TEXT.format(size=len(DATA) // 512, storages="".join(storages), shots=listed)
    (folder / "DiskDescriptor.xml").write_text(text)
    return folder


def content(path: Path) -> bytes:
    machine = read([path])
    with open_image(machine.disks[0], machine.folder, trust=False) as image:
        return shown(image, path.parent)


def single(tmp_path: Path) -> Path:
    folder = bundle(tmp_path / "web.hdd", storage(0, 8, (TOP, "Compressed", "web.0.hds")))
    made(folder / "web.0.hds", "parallels", data=DATA)
    return folder


def test_one_image_is_read_by_qemu_itself(tmp_path: Path) -> None:
    folder = single(tmp_path)
    assert content(folder) == DATA
    assert kind_of(folder).name == "disk"
    assert read([folder]).name == "web"
    with open_image(Disk(str(folder), None), tmp_path, trust=False) as image:
        assert image.path == folder / "web.0.hds"


def test_a_disk_in_parts_is_put_together(tmp_path: Path) -> None:
    folder = bundle(
        tmp_path / "web.hdd",
        storage(3, 8, (TOP, "Compressed", "two.hds")),
        storage(0, 3, (TOP, "Plain", "one.hds")),
    )
    raw(folder / "one.hds", DATA[: 3 * MIB])
    made(folder / "two.hds", "parallels", data=DATA[3 * MIB :])
    assert content(folder) == DATA


def test_what_a_snapshot_does_not_have_is_from_below(tmp_path: Path) -> None:
    after = bytearray(DATA)
    after[2 * MIB : 3 * MIB] = os.urandom(MIB)
    folder = bundle(
        tmp_path / "web.hdd",
        storage(0, 8, (BASE, "Compressed", "base.hds"), (TOP, "Compressed", "top.hds")),
        shots=(TOP, BASE),
    )
    made(folder / "base.hds", "parallels", data=DATA)
    made(folder / "top.hds", "parallels", data=bytes(2 * MIB) + after[2 * MIB : 3 * MIB]
         + bytes(5 * MIB))  # fmt: skip
    assert content(folder) == bytes(after)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<Start>0", "<Start>2048", "leave a gap"),
        ("<Type>Compressed", "<Type>Other", "of the kind 'Other'"),
        ("web.0.hds", "/etc/none.hds", "no such disk image"),
        (TOP + "}</GUID><P", BASE + "}</GUID><P", "has 0 images of the snapshot"),
        ("{0000000", "{1000000", "is encrypted|is missing"),
        ("<Parallels_disk_image", "<!DOCTYPE x><Parallels_disk_image", "DOCTYPE"),
        ("Parallels_disk_image", "Other", "describes no disk"),
        ("<?xml", "x<?xml", "is not XML"),
    ],
)
def test_a_descriptor_that_does_not_hold_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    folder = single(tmp_path)
    text = (folder / "DiskDescriptor.xml").read_text()
    assert old in text
    (folder / "DiskDescriptor.xml").write_text(text.replace(old, new))
    with (
        pytest.raises(SourceError, match=said),
        open_image(Disk(str(folder), None), tmp_path, trust=False) as image,
    ):
        assert image is None


def test_an_image_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "web.hdd", storage(0, 8, (TOP, "Plain", "web.0.hds")))
    (folder / "web.0.hds").symlink_to(raw(tmp_path / "secret"))
    with pytest.raises(SourceError) as caught:
        read_bundle(folder)
    assert caught.value.finding.code == "E-IMAGE-ESCAPES"


def test_a_table_that_leads_behind_the_files_end_is_refused(tmp_path: Path) -> None:
    folder = single(tmp_path)
    with (folder / "web.0.hds").open("r+b") as file:
        file.seek(64)
        file.write(struct.pack("<I", 1 << 20))
    with pytest.raises(SourceError) as caught:
        content(folder)
    assert caught.value.finding.code == "E-DISK-TRUNCATED"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_in_a_descriptor_is_read_or_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    folder = bundle(tmp_path / "x.hdd", storage(0, 8, (TOP, "Compressed", "web.0.hds")))
    path = folder / "DiskDescriptor.xml"
    text = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(text)))
    text[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=20))
    path.write_bytes(text)
    with suppress(SourceError):
        assert read_bundle(folder)
