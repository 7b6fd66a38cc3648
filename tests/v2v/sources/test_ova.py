# SPDX-License-Identifier: LGPL-2.1-or-later
"""Packages: tar, zip and folders, their manifests, and what hostile ones are refused for."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.v2v.sources.test_ovf import CPU, MEMORY, envelope, item, system
from v2v.disks.archive import stored
from v2v.errors import ConfigError, SourceError
from v2v.model import Machine
from v2v.packed import Packed, Packing
from v2v.sources import config_file, kind_of, ova, ovf_manifest, read

DISK = bytes(range(256)) * 40  # 10 KiB
OVF = envelope().encode()

Member = tuple[str, bytes]


def tar(path: Path, members: Sequence[Member], form: int = tarfile.USTAR_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, members: Sequence[Member], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def folder(path: Path, members: Sequence[Member]) -> Path:
    for name, data in members:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def deflated(path: Path, members: Sequence[Member]) -> Path:
    return zipped(path, members, zipfile.ZIP_DEFLATED)


def code_of(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read([path])
    return caught.value.finding.code


def disk_of(machine: Machine) -> bytes:
    """What the first disk's file is, wherever it is."""
    (disk, *_) = machine.disks
    if disk.packed is None:
        return Path(disk.path).read_bytes()
    return b"".join(stored(disk.packed))


def sums(*members: Member, algorithm: str = "sha256", line: str = "{}({})= {}\n") -> bytes:
    return "".join(
        line.format(algorithm.upper(), name, hashlib.new(algorithm, data).hexdigest())
        for name, data in members
    ).encode()


GOOD = [("web.ovf", OVF), ("web.vmdk", DISK)]


@pytest.mark.parametrize("pack", [tar, zipped, deflated, folder])
@pytest.mark.parametrize("prefix", ["", "./", "export/"])
def test_each_kind_of_package_is_read(tmp_path: Path, pack: object, prefix: str) -> None:
    assert callable(pack)
    if pack is folder and prefix == "export/":
        prefix = ""  # a folder's OVF is in the folder itself
    path = tmp_path / "web"
    pack(path, [(prefix + name, data) for name, data in GOOD])
    machine = read([path])
    assert (machine.kind, machine.name) == ("ova", "web")
    assert disk_of(machine) == DISK
    assert machine.warnings == () or pack is deflated
    assert [source.name for source in (kind_of(path),)] == ["ova"]


def test_an_ovf_alone_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    folder(tmp_path, [*GOOD, ("other.ovf", b""), ("other.mf", b"SHA1(web.ovf)= 00\n")])
    machine = read([tmp_path / "web.ovf"])
    assert machine.kind == "ovf"
    assert machine.disks[0].path == str(tmp_path / "web.vmdk")


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read(tmp_path: Path, form: int) -> None:
    name = "d" * 180 + "/" + "\u00e9" * 50 + ".vmdk"
    text = envelope().replace("web.vmdk", name).encode()
    assert (
        disk_of(read([tar(tmp_path / "web.ova", [("web.ovf", text), (name, DISK)], form)])) == DISK
    )


def test_a_member_of_over_8_gib_is_found(tmp_path: Path) -> None:
    path = tar(tmp_path / "web.ova", [("web.ovf", OVF)], tarfile.GNU_FORMAT)
    info = tarfile.TarInfo("web.vmdk")
    info.size = 9 << 30  # base-256 in its header
    end = (len(OVF) + 1023) // 512 * 512
    with path.open("r+b") as file:
        file.seek(end)
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(end + 512 + info.size + 1024)
    packed = read([path]).disks[0].packed
    assert packed is not None
    assert packed.pieces[0].offset == end + 512
    assert packed.size == 9 << 30


def test_names_of_apple_are_no_descriptors(tmp_path: Path) -> None:
    members = [("._web.ovf", b"\0"), *GOOD, ("._web.mf", b"\0")]
    assert read([tar(tmp_path / "web.ova", members)]).warnings == ()


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([("web.vmdk", DISK)], "E-OVA-OVF"),
        ([*GOOD, ("b.ovf", OVF)], "E-OVA-OVF"),
        ([("web.ovf", OVF)], "E-OVA-MEMBER"),
        ([("web.ovf", b"")], "E-XML-SYNTAX"),
        ([("web.ovf", b" " * (5 << 20))], "E-SOURCE-SIZE"),
        ([("web.ovf", envelope().replace("web.vmdk", "../web.vmdk").encode())], "E-OVF-ESCAPES"),
        ([("web.ovf", envelope().replace("web.vmdk", "%2e%2e/web").encode())], "E-OVF-ESCAPES"),
        ([("web.ovf", envelope().replace("web.vmdk", "/etc/passwd").encode())], "E-OVF-ESCAPES"),
        ([("web.ovf", envelope().replace("web.vmdk", "file:///etc/passwd").encode())],
         "E-OVF-ESCAPES"),
        ([("web.ovf", envelope().replace("web.vmdk", "http://127.0.0.1/x").encode())],
         "E-OVF-REMOTE"),
        ([*GOOD, ("web.mf", b"SHA256(web.ovf)= 00\n")], "E-OVF-SUM"),
    ],
)  # fmt: skip
def test_what_a_package_may_not_be(
    tmp_path: Path, pack: object, members: Sequence[Member], code: str
) -> None:
    assert callable(pack)
    assert code_of(pack(tmp_path / "web", members)) == code


@pytest.mark.parametrize("name", ["../web.vmdk", "/etc/passwd", "file:///etc/passwd", "http://x/y"])
def test_a_folder_is_not_left(tmp_path: Path, name: str) -> None:
    folder(tmp_path / "in", [("web.ovf", envelope().replace("web.vmdk", name).encode())])
    (tmp_path / "web.vmdk").write_bytes(DISK)
    assert code_of(tmp_path / "in" / "web.ovf") in ("E-OVF-ESCAPES", "E-OVF-REMOTE")


def test_links_out_of_a_folder_are_refused_and_inside_followed(tmp_path: Path) -> None:
    folder(tmp_path / "in", [("web.ovf", OVF), ("real.vmdk", DISK)])
    (tmp_path / "in" / "web.vmdk").symlink_to("real.vmdk")
    assert disk_of(read([tmp_path / "in"])) == DISK
    (tmp_path / "in" / "web.vmdk").unlink()
    (tmp_path / "in" / "web.vmdk").symlink_to("/etc/passwd")
    assert code_of(tmp_path / "in") == "E-OVF-ESCAPES"
    (tmp_path / "in" / "web.vmdk").unlink()
    (tmp_path / "in" / "web.vmdk").symlink_to("web.vmdk")
    assert code_of(tmp_path / "in") == "E-OVF-ESCAPES"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_an_archive_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "web.ova", "w") as archive:
        for name, data in (("web.ovf", OVF), ("real.vmdk", DISK)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("web.vmdk")
        link.type, link.linkname = kind, "real.vmdk"
        archive.addfile(link)
    assert code_of(tmp_path / "web.ova") == "E-OVF-ESCAPES"


def test_a_zip_that_is_encrypted_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "web.zip", GOOD)
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    path.write_bytes(data[: at + 8] + struct.pack("<H", 1) + data[at + 10 :])
    assert code_of(path) == "E-OVA-MEMBER"


def test_a_zip_compressed_in_another_way_is_refused(tmp_path: Path) -> None:
    assert code_of(zipped(tmp_path / "web.zip", GOOD, zipfile.ZIP_BZIP2)) == "E-OVA-MEMBER"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "web.ova").write_bytes(b"nothing" * 100)
    with pytest.raises(SourceError, match="neither a tar nor a zip"):
        read([tmp_path / "web.ova"], "ova")


def test_an_xva_is_none(tmp_path: Path) -> None:
    path = tar(tmp_path / "web", [("ova.xml", b"<value/>")])
    assert not ova.matches(config_file.head(path))


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_a_file_in_chunks_is_put_together(tmp_path: Path, chunks: int) -> None:
    text = envelope().replace("ovf:href=", "ovf:chunkSize='4096' ovf:href=").encode()
    pieces = [
        (f"web.vmdk.{n:09}", DISK[n * 4096 : (n + 1) * 4096]) for n in range(chunks)
    ]  # fmt: skip
    path = tar(tmp_path / "web.ova", [("web.ovf", text), *pieces])
    if not chunks:
        assert code_of(path) == "E-OVA-MEMBER"
        return
    machine = read([path])
    assert disk_of(machine) == DISK[: chunks * 4096]
    copies = [warning.code for warning in machine.warnings]
    assert copies == (["W-OVF-COPY"] if chunks > 1 else [])


def test_of_files_with_numbers_the_highest_counts(tmp_path: Path) -> None:
    members = [(f"web.vmdk.{n}", str(n).encode()) for n in ("9", "10", "000000002", "x1", "1x")]
    for pack in (tar, folder):
        machine = read([pack(tmp_path / pack.__name__, [("web.ovf", OVF), *members])])
        assert disk_of(machine) == b"10"


def test_a_compressed_file_is_noted(tmp_path: Path) -> None:
    text = envelope().replace("ovf:href=", "ovf:compression='gzip' ovf:href=").encode()
    machine = read([tar(tmp_path / "web.ova", [("web.ovf", text), ("web.vmdk", b"")])])
    packed = machine.disks[0].packed
    assert isinstance(packed, Packed)
    assert packed.packing is Packing.gzip
    assert [warning.code for warning in machine.warnings] == ["W-OVF-COPY"]
    again = deflated(tmp_path / "web.zip", [("web.ovf", text), ("web.vmdk", DISK)])
    assert code_of(again) == "E-OVA-MEMBER"


def test_names_with_blanks_come_plain_or_as_uris(tmp_path: Path) -> None:
    text = envelope().replace("web.vmdk", "my%20web.vmdk").encode()
    for name in ("my web.vmdk", "my%20web.vmdk"):
        path = tar(tmp_path / "web.ova", [("web.ovf", text), (name, DISK)])
        assert disk_of(read([path])) == DISK


def test_a_blank_disk_needs_no_file(tmp_path: Path) -> None:
    text = envelope(disks="<Disk ovf:diskId='d' ovf:capacity='1024'/>").encode()
    disk = read([tar(tmp_path / "web.ova", [("web.ovf", text)])]).disks[0]
    assert disk.packed == Packed()
    assert disk.virtual_bytes == 1024


@pytest.mark.parametrize(
    "line",
    [
        "{}({})= {}\n",
        "{}({}) = {}\n",
        "{}({})={}\r\n",
        "  {} ( {} )  =  {}  \n\n",
        "\ufeff{}({})= {}\n",
    ],
)
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_manifests_are_read_in_many_forms(tmp_path: Path, line: str, algorithm: str) -> None:
    manifest = sums(*GOOD[1:], algorithm=algorithm, line=line)
    machine = read([tar(tmp_path / "web.ova", [*GOOD, ("web.mf", manifest.upper())])])
    assert [warning.code for warning in machine.warnings] == ["W-OVF-MANIFEST"]  # WEB.VMDK
    machine = read([tar(tmp_path / "web.ova", [*GOOD, ("web.mf", manifest)])])
    assert machine.warnings == ()
    (found,) = machine.sums
    assert found.algorithm == algorithm
    assert found.digest == hashlib.new(algorithm, DISK).hexdigest()
    assert b"".join(stored(found.content)) == DISK


def test_digests_may_be_in_upper_case() -> None:
    (entry,) = ovf_manifest.entries(b"sha-256 (a b)= ABCDEF\n")
    assert entry == ovf_manifest.Entry("a b", "sha256", "abcdef")


def test_what_a_manifest_has_else_is_a_warning(tmp_path: Path) -> None:
    manifest = (
        sums(*GOOD)
        + b"MD5(web.vmdk)= 00\nSHA1(../../etc/passwd)= 00\nSHA1(iso)= 00\n"
        + b"x" * 9999
    )
    machine = read([tar(tmp_path / "web.ova", [*GOOD, ("web.mf", manifest)])])
    assert [warning.code for warning in machine.warnings] == ["W-OVF-MANIFEST"] * 4
    assert len(machine.sums) == 1


def test_a_certificate_is_not_verified_and_that_is_said(tmp_path: Path) -> None:
    machine = read([tar(tmp_path / "web.ova", [*GOOD, ("web.cert", b"-----BEGIN")])])
    assert [warning.code for warning in machine.warnings] == ["W-OVF-CERTIFICATE"]


def test_files_that_the_guest_does_not_use_are_not_compared(tmp_path: Path) -> None:
    manifest = sums(*GOOD, ("tools.iso", DISK))
    machine = read([tar(tmp_path / "web.ova", [*GOOD, ("tools.iso", DISK), ("web.mf", manifest)])])
    assert len(machine.sums) == 1


def test_one_of_several_systems_is_taken(tmp_path: Path) -> None:
    text = envelope(system(name="a"), system(CPU, MEMORY, item(10, Connection="x"), name="b"))
    path = tar(tmp_path / "web.ova", [("web.ovf", text.encode()), ("web.vmdk", DISK)])
    assert read([path], system="b").name == "b"
    assert code_of(path) == "E-SOURCE-MANY"
    with pytest.raises(ConfigError, match="a source of the kind vmx is one guest"):
        read([path], "vmx", system="b")
