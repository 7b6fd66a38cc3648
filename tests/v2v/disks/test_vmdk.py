# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMDK: descriptors as VMware writes them, snapshots, exports, and the traps in QEMU's reader."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from tests.v2v.disks.making import MIB, SIZE, content, inspected, made, raw, shown
from tests.v2v.disks.test_references import descriptor
from tests.v2v.disks.vmdk_writers import write_cowd, write_sesparse, write_stream
from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.run import run

SECTORS = SIZE // 512


class Writer(Protocol):
    def __call__(self, path: Path, data: bytes, below: bytes = b"") -> Path: ...


def split(folder: Path) -> Path:
    """A disk of two ESX flat extents, the second one at an offset in its file."""
    data = content()
    raw(folder / "a-flat.vmdk", data[: 3 * MIB])
    raw(folder / "b-flat.vmdk", bytes(4096) + data[3 * MIB :])
    return descriptor(
        folder / "disk.vmdk",
        f'RW {3 * MIB // 512} VMFS "a-flat.vmdk"',
        f'RW {MIB // 512} FLAT "b-flat.vmdk" 8',
    )


def test_flat_extents_make_one_disk(tmp_path: Path) -> None:
    image = inspected(split(tmp_path))
    assert image.virtual_bytes == SIZE
    assert [path.name for path in image.extents] == ["a-flat.vmdk", "b-flat.vmdk"]
    assert image.allocated_bytes >= SIZE
    assert shown(image, tmp_path) == content()


def test_a_descriptor_may_have_the_line_ends_of_windows(tmp_path: Path) -> None:
    path = split(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert shown(inspected(path), tmp_path) == content()


def test_a_descriptor_without_its_usual_first_line_needs_the_format_named(tmp_path: Path) -> None:
    path = split(tmp_path)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    assert inspected(path).format is DiskFormat.raw
    assert inspected(path, DiskFormat.vmdk).virtual_bytes == SIZE


def test_sparse_extents_with_a_descriptor_apart_are_read(tmp_path: Path) -> None:
    made(tmp_path / "disk.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse")
    assert (tmp_path / "disk-s001.vmdk").exists()
    assert shown(inspected(tmp_path / "disk.vmdk"), tmp_path) == content()


def test_a_monolithic_image_may_be_renamed(tmp_path: Path) -> None:
    """The descriptor inside goes on naming the old file, which may be another guest's by now."""
    path = made(tmp_path / "old.vmdk", "vmdk").rename(tmp_path / "new.vmdk")
    assert shown(inspected(path), tmp_path) == content()


def test_an_export_has_its_directory_at_the_end_and_a_made_up_extent(tmp_path: Path) -> None:
    path = write_stream(tmp_path / "disk.vmdk", content())
    assert shown(inspected(path), tmp_path) == content()
    raw(path, path.read_bytes()[:-512])
    with pytest.raises(SourceError, match="the footer of a stream-optimized VMDK is missing"):
        inspected(path)


def snapshot(path: Path, parent: str, parent_cid: str) -> Path:
    """An empty sparse snapshot."""
    run("qemu-img", "create", "-q", "-f", "vmdk", path, str(SIZE))
    data = path.read_bytes()
    text = data[512 : 512 + 10240].split(b"\0", 1)[0]
    kept = b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"parentCID"))
    hint = f'parentCID={parent_cid}\nparentFileNameHint="{parent}"\n'.encode()
    changed = kept.replace(b"createType", hint + b"createType")
    return raw(path, data[:512] + changed.ljust(10240, b"\0") + data[512 + 10240 :])


def cid(path: Path) -> str:
    """Return a VMDK's content id."""
    return str(inspected(path).cid)


def test_snapshots_are_read_over_their_parents(tmp_path: Path) -> None:
    base = made(tmp_path / "base.vmdk", "vmdk", "subformat=monolithicFlat")
    first = snapshot(tmp_path / "base-000001.vmdk", "base.vmdk", cid(base))
    second = snapshot(tmp_path / "base-000002.vmdk", "base-000001.vmdk", cid(first))
    image = inspected(second)
    assert [each.path.name for each in image.chain()] == [second.name, first.name, base.name]
    assert shown(image, tmp_path) == content()


@pytest.mark.parametrize("folder", ["/vmfs/volumes/5f/vm/", "C:\\VMs\\web\\"])
def test_a_parent_named_by_its_old_place_is_found_beside_its_snapshot(
    tmp_path: Path, folder: str
) -> None:
    base = made(tmp_path / "base.vmdk", "vmdk")
    path = snapshot(tmp_path / "top.vmdk", f"{folder}base.vmdk", cid(base))
    assert shown(inspected(path), tmp_path) == content()


def test_a_parent_that_changed_is_an_error(tmp_path: Path) -> None:
    made(tmp_path / "base.vmdk", "vmdk")
    path = snapshot(tmp_path / "top.vmdk", "base.vmdk", "00000001")
    with pytest.raises(SourceError, match=r"its parent base\.vmdk was changed after the snapshot"):
        inspected(path)


def test_a_snapshot_without_its_parent_is_an_error(tmp_path: Path) -> None:
    path = snapshot(tmp_path / "top.vmdk", "base.vmdk", "00000001")
    with pytest.raises(SourceError, match=r"base\.vmdk: no such disk image"):
        inspected(path)
    raw(tmp_path / "disk-flat.vmdk", bytes(4096))
    path = descriptor(tmp_path / "d", 'RW 8 VMFS "disk-flat.vmdk"', pairs="CID=1\nparentCID=2")
    with pytest.raises(SourceError, match="is a snapshot, but does not name its parent"):
        inspected(path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['RW 8 FLAT "x-flat.vmdk" 0', "", 'RW 8 FLAT "x-flat.vmdk" 0'], "would count that extent"),
        (["RW 8", 'FLAT "/etc/passwd" 0'], "has the line 'RW 8'"),
        (['RW\t8 FLAT "x-flat.vmdk" 0', "what is this"], "has the line 'what is this'"),
        (['RDONLY 8 FLAT "x-flat.vmdk" 0'], "an extent of the kind RDONLY FLAT"),
        (["RW 8 ZERO"], "an extent of the kind RW ZERO"),
        (['RW 8 FLAT "x-flat.vmdk"'], "a flat extent 'x-flat.vmdk' without an offset"),
        ([], "has no extents"),
        (['RW 0 FLAT "x-flat.vmdk" 0'], "a virtual size of 0 bytes"),
        (['RW 99999999999999 FLAT "x-flat.vmdk" 0'], "is not credible"),
        (['RW 9 FLAT "x-flat.vmdk" 0'], "the extent reaches to byte 4,608"),
        (['RW 8 FLAT "x-flat.vmdk" 1'], "the extent reaches to byte 4,608"),
        (['RW 8 FLAT "gone.vmdk" 0'], "gone.vmdk: no such disk image"),
        (['RW 8 SPARSE "x-flat.vmdk"'], "is named as a sparse VMDK extent, but has no such header"),
        (['RW 8 SPARSE "disk"'], "is named as a sparse VMDK extent, but has no such header"),
        (['encryptionKeys="vmware:key"', 'RW 8 FLAT "x-flat.vmdk" 0'], "the image is encrypted"),
        (['parentFileNameHint="a"', 'parentFileNameHint="b"'], "its parent more than once"),
        (['#parentFileNameHint="a"'], "names its parent in another form"),
        (['parentFileNameHint = "a"'], "names its parent in another form"),
    ],
)
def test_a_descriptor_that_qemu_would_read_otherwise_is_an_error(
    tmp_path: Path, lines: list[str], said: str
) -> None:
    raw(tmp_path / "x-flat.vmdk", bytes(4096))
    with pytest.raises(SourceError, match=said):
        inspected(descriptor(tmp_path / "disk", *lines))


def test_a_parent_hidden_where_only_qemu_looks_is_an_error(tmp_path: Path) -> None:
    path = made(tmp_path / "disk", "vmdk")
    data = bytearray(path.read_bytes())
    data[28:36] = bytes(8)
    data[512:560] = b'\nparentCID=1\nparentFileNameHint="/etc/passwd"\n'.ljust(48)
    with pytest.raises(SourceError, match="names a parent in a place that holds no descriptor"):
        inspected(raw(path, bytes(data)))


def changed() -> bytes:
    """What a snapshot has over content(): new data, and zeros where data was."""
    data = bytearray(content())
    data[MIB : MIB + 70_000] = b"new" * 23_333 + b"!"
    data[:8192] = bytes(8192)
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "write"), [("VMFSSPARSE", write_cowd), ("SESPARSE", write_sesparse)]
)
def test_snapshots_of_esx_are_read_over_their_parents(
    tmp_path: Path, kind: str, write: Writer
) -> None:
    raw(tmp_path / "web-flat.vmdk", content())
    base = descriptor(tmp_path / "web.vmdk", f'RW {SECTORS} VMFS "web-flat.vmdk"')
    delta = write(tmp_path / "web-000001-delta.vmdk", changed(), content())
    pairs = 'CID=0000002a\nparentCID=12345678\nparentFileNameHint="web.vmdk"'
    top = descriptor(
        tmp_path / "web-000001.vmdk", f'RW {SECTORS} {kind} "{delta.name}"', pairs=pairs
    )
    image = inspected(top)
    assert [each.path for each in image.chain()] == [top, base]
    assert shown(image, tmp_path) == changed()
    raw(delta, delta.read_bytes()[:-4096])
    with pytest.raises(SourceError, match="the guest's data reaches to byte"):
        inspected(top)


def test_an_old_esx_sparse_extent_is_read(tmp_path: Path) -> None:
    path = write_cowd(tmp_path / "disk-delta.vmdk", content())
    assert inspected(path).virtual_bytes == SIZE
    good = path.read_bytes()
    raw(path, good[:16] + bytes(4) + good[20:])
    with pytest.raises(SourceError, match="the VMDK's COWD header is not credible"):
        inspected(path)
    raw(path, good[:20] + b"\0\0\x10\0" + good[24:])
    with pytest.raises(SourceError, match="a table of its header reaches to byte"):
        inspected(path)


@pytest.mark.parametrize(
    ("at", "word", "said"),
    [
        (8, 1, "is of a kind that QEMU cannot read"),
        (16, 0, "capacity of 0 sectors"),
        (16, 1 << 40, "capacity of 1,099,511,627,776 sectors"),
        (40, 1, "flags 0x1 is of a kind"),
        (17 * 8, 0, "directory is too short"),
        (512, 1, "seSparse header is not credible"),
        (512 + 24, 1, "its journal is to be replayed"),
        (64 * 512, 1, "grain directory with the entry 0x1"),
        (64 * 512, (1 << 60) + 99, "a table of its header reaches to byte"),
        (65 * 512, 4 << 60, "grain table with the entry 0x4000000000000000"),
        (65 * 512, (3 << 60) + 1, "the guest's data reaches to byte"),
    ],
)
def test_a_damaged_sesparse_extent_is_an_error(
    tmp_path: Path, at: int, word: int, said: str
) -> None:
    data = bytearray(write_sesparse(tmp_path / "x.vmdk", content()).read_bytes())
    data[at : at + 8] = word.to_bytes(8, "little")
    raw(tmp_path / "x.vmdk", bytes(data))
    with pytest.raises(SourceError, match=said):
        inspected(descriptor(tmp_path / "disk", f'RW {SECTORS} SESPARSE "x.vmdk"'))


@pytest.mark.parametrize(
    ("kind", "extent", "what"),
    [
        ("vmfsRDM", 'RW 8 VMFSRDM "x-rdm.vmdk"', "a LUN of ESX"),
        ("vmfsRawDeviceMap", 'RW 8 VMFSRDM "x-rdm.vmdk"', "a LUN of ESX"),
        ("vmfsPassthroughRawDeviceMap", 'RW 8 VMFSRDM "x-rdmp.vmdk"', "a LUN of ESX"),
        ("vmfsRaw", 'RW 8 VMFSRAW "/dev/sdb"', "a LUN of ESX"),
        ("fullDevice", 'RW 8 FLAT "/dev/sdb" 0', "a whole disk of its host"),
        ("partitionedDevice", 'RW 8 FLAT "/dev/sdb1" 0', "partitions of its host's disk"),
        ("custom", 'RW 8 VMFSRDM "x-rdm.vmdk"', "a LUN of ESX"),
    ],
)
def test_disks_that_are_devices_of_their_host_are_refused(
    tmp_path: Path, kind: str, extent: str, what: str
) -> None:
    path = descriptor(tmp_path / "disk", extent)
    path.write_text(path.read_text().replace('createType="vmfs"', f'createType="{kind}"'))
    with pytest.raises(SourceError, match=what) as failed:
        inspected(path)
    assert failed.value.finding.code == "E-DISK-RAW-DEVICE"


def test_content_ids_are_numbers(tmp_path: Path) -> None:
    """Some who write them leave leading zeros out."""
    raw(tmp_path / "a-flat.vmdk", content())
    extent = f'RW {SECTORS} VMFS "a-flat.vmdk"'
    descriptor(tmp_path / "a.vmdk", extent, pairs="CID=2a\nparentCID=ffffffff")
    path = snapshot(tmp_path / "b.vmdk", "a.vmdk", "0000002A")
    assert len(list(inspected(path).chain())) == 2


def test_the_number_that_a_disk_tells_its_guest_is_read(tmp_path: Path) -> None:
    raw(tmp_path / "a-flat.vmdk", content())
    extent = f'RW {SECTORS} VMFS "a-flat.vmdk"'
    uuid = "60 00 C2 9d 1f 6c 5b 1a-5c 1b 0c 6f 00 00 00 01"
    known = descriptor(tmp_path / "known.vmdk", extent, f'ddb.uuid = "{uuid}"')
    assert inspected(known).wwid == "36000c29d1f6c5b1a5c1b0c6f00000001"
    other = descriptor(tmp_path / "other.vmdk", extent, 'ddb.uuid = "12345"')
    assert inspected(other).wwid is None
