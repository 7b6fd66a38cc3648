# SPDX-License-Identifier: LGPL-2.1-or-later
"""OVAs that pass by once: compressed as a whole, or on standard input."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.ova import stream_optimized
from tests.v2v.disks.making import SIZE, content, raw
from tests.v2v.sources.test_hostile_archives import hostile_headers
from tests.v2v.sources.test_ova import sums, tar
from tests.v2v.sources.test_ovf import envelope
from v2v.disks.tar import TarStream
from v2v.disks.xva_stream import XvaStream
from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import described, guests, streamed
from v2v.sources.ova_stream import OvaStream, archive_stream

DISK = f"<Disk ovf:diskId='d' ovf:fileRef='f' ovf:capacity='{SIZE}'/>"
OVF = envelope(disks=DISK).encode()
Member = tuple[str, bytes]


@pytest.fixture(scope="module")
def vmdk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("vmdk")
    stream_optimized(raw(folder / "image"), folder / "web.vmdk")
    return (folder / "web.vmdk").read_bytes()


def unpacked(data: bytes) -> tuple[Machine, bytes]:
    """Return the guest of an archive, and its first disk."""
    stream = archive_stream(io.BytesIO(data), Path("/srv/web.ova.gz"))
    assert isinstance(stream, OvaStream)
    machine = described(stream)
    disk = bytearray(machine.disks[0].virtual_bytes or 0)

    def write(piece: bytes, offset: int) -> None:
        disk[offset : offset + len(piece)] = piece

    stream.unpack({each.member or "": (each.virtual_bytes or 0, write) for each in machine.disks})
    return machine, bytes(disk)


def packed(folder: Path, members: Sequence[Member], form: int = tarfile.USTAR_FORMAT) -> bytes:
    return tar(folder / "web.ova", members, form).read_bytes()


def code_of(folder: Path, members: Sequence[Member]) -> str:
    with pytest.raises(SourceError) as caught:
        unpacked(packed(folder, members))
    return caught.value.finding.code


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, bz2.compress])
@pytest.mark.parametrize("behind", [True, False])
def test_a_compressed_ova_is_written_as_it_comes(
    tmp_path: Path, vmdk: bytes, compress: Callable[[bytes], bytes], behind: bool
) -> None:
    first, disk = ("web.ovf", OVF), ("web.vmdk", vmdk)
    manifest = ("web.mf", sums(first, disk))
    members = [first, disk, manifest] if behind else [first, manifest, disk]
    machine, found = unpacked(compress(packed(tmp_path, members)))
    assert (machine.kind, machine.name) == ("ova", "web")
    assert machine.disks[0].path == "/srv/web.ova.gz/web.vmdk"
    assert found == content()


def test_a_raw_disk_is_written_as_it_comes(tmp_path: Path) -> None:
    assert unpacked(packed(tmp_path, [("web.ovf", OVF), ("web.vmdk", content())]))[1] == content()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_followed(tmp_path: Path, vmdk: bytes, form: int) -> None:
    name = "d" * 180 + "/" + "\u00e9" * 50 + ".vmdk"
    text = envelope(disks=DISK).replace("web.vmdk", name).encode()
    assert unpacked(packed(tmp_path, [("./web.ovf", text), (name, vmdk)], form))[1] == content()


def test_other_files_pass_by(tmp_path: Path, vmdk: bytes) -> None:
    members = [("web.ovf", OVF), ("a.iso", b"x" * 3000), ("web.vmdk", vmdk), ("b.nvram", b"y")]
    assert unpacked(packed(tmp_path, members))[1] == content()


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize("wrong", ["web.ovf", "web.vmdk"])
def test_a_wrong_checksum_is_an_error(
    tmp_path: Path, vmdk: bytes, behind: bool, wrong: str
) -> None:
    first, disk = ("web.ovf", OVF), ("web.vmdk", vmdk)
    manifest = ("web.mf", sums((wrong, b"another")))
    members = [first, disk, manifest] if behind else [first, manifest, disk]
    assert code_of(tmp_path, members) == "E-OVF-SUM"


def test_what_does_not_fit_a_stream_is_refused(tmp_path: Path, vmdk: bytes) -> None:
    disk = ("web.vmdk", vmdk)
    small = envelope(disks=DISK.replace(str(SIZE), "1024")).encode()
    unsaid = envelope(disks="<Disk ovf:diskId='d' ovf:fileRef='f'/>").encode()
    chunked = OVF.replace(b"<File ", b"<File ovf:chunkSize='1' ")
    assert code_of(tmp_path, [disk, ("web.ovf", OVF)]) == "E-OVA-STREAM"
    assert code_of(tmp_path, []) == "E-OVA-STREAM"
    assert code_of(tmp_path, [("web.ovf", unsaid), disk]) == "E-OVA-STREAM"
    assert code_of(tmp_path, [("web.ovf", chunked), disk]) == "E-OVA-STREAM"
    assert code_of(tmp_path, [("web.ovf", OVF), ("web.vmdk", b"QFI\xfb" * 99)]) == "E-OVA-STREAM"
    assert code_of(tmp_path, [("web.ovf", OVF), disk, disk]) == "E-OVA-STREAM"
    assert code_of(tmp_path, [("web.ovf", small), disk]) == "E-DISK-FORMAT"
    assert code_of(tmp_path, [("web.ovf", OVF)]) == "E-OVA-MEMBER"
    assert code_of(tmp_path, [("web.ovf", b" " * (5 << 20))]) == "E-SOURCE-SIZE"


@pytest.mark.parametrize("cut", [600, 2000, 20_000])
def test_an_archive_that_was_cut_off_is_refused(tmp_path: Path, vmdk: bytes, cut: int) -> None:
    data = gzip.compress(packed(tmp_path, [("web.ovf", OVF), ("web.vmdk", vmdk)]))
    with pytest.raises(SourceError):
        unpacked(data[:-cut])


@pytest.mark.parametrize("name", [name for name in hostile_headers() if name != "negative"])
def test_hostile_headers_are_refused(tmp_path: Path, name: str) -> None:
    start = packed(tmp_path, [("web.ovf", OVF)])[: (len(OVF) + 1023) // 512 * 512]
    with pytest.raises(SourceError) as caught:
        unpacked(start + hostile_headers()[name] + bytes(1024))
    assert caught.value.finding.code in ("E-OVA-DAMAGED", "E-OVA-MEMBER")


@settings(max_examples=100, deadline=2000)
@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), max_size=6))
def test_a_damaged_stream_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]]
) -> None:
    data = bytearray(packed(tmp_path_factory.getbasetemp(), [("web.ovf", OVF), ("b", b"c" * 700)]))
    for at, piece in edits:
        data[at : at + len(piece)] = piece
    with suppress(SourceError):
        for member in TarStream(io.BytesIO(data), Path("x")).members():
            assert len(member.read()) == member.size


def test_an_xva_stays_an_xva(tmp_path: Path) -> None:
    data = gzip.compress(packed(tmp_path, [("ova.xml", b"<value/>")]))
    assert isinstance(archive_stream(io.BytesIO(data), Path("x")), XvaStream)


def test_a_compressed_file_is_opened_as_a_stream(tmp_path: Path, vmdk: bytes) -> None:
    path = tmp_path / "web.ova.gz"
    path.write_bytes(gzip.compress(packed(tmp_path, [("web.ovf", OVF), ("web.vmdk", vmdk)])))
    for kind in (None, "ova"):
        with streamed([path], kind) as stream:
            assert isinstance(stream, OvaStream)
            assert described(stream).name == "web"
    assert guests([path, path]) == ((path,), (path,))
    with streamed([tmp_path]) as stream:
        assert stream is None
