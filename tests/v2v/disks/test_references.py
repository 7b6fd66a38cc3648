# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that images name: followed inside of the guest's folder, refused outside, never probed."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.v2v.disks.making import MIB, SIZE, content, digest, inspected, made, raw, shown
from v2v.disks.qemu_img import blockdev
from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.run import run

SECRET = b"root:$6$secret-of-the-host:19000:0:99999:7:::\n" * 40
_opened: list[str] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)


@pytest.fixture
def opened_files() -> Iterator[list[str]]:
    """Every path that this process opens during the test."""
    _opened.clear()
    yield _opened
    _opened.clear()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host that no guest may see."""
    (tmp_path / "host").mkdir()
    return raw(tmp_path / "host" / "shadow", SECRET + bytes(-len(SECRET) % 512))


def qcow2(path: Path, *arguments: str | Path, size: int = SIZE) -> Path:
    """Make an empty qcow2 image that names another."""
    run("qemu-img", "create", "-q", "-f", "qcow2", *arguments, path, str(size))
    return path


def unnamed_format(path: Path) -> Path:
    """Take the backing file's format out of a qcow2 header, as old tools left it out."""
    data = path.read_bytes()
    at = data.index(b"\xe2\x79\x2a\xca")
    length = int.from_bytes(data[at + 4 : at + 8], "big")
    kept = b"\0\0\0\1" + data[at + 4 :]  # an extension that nobody knows
    path.write_bytes(data[:at] + kept)
    assert length < 16
    return path


def renamed(path: Path, old: Path | str, new: Path | str) -> Path:
    """Replace a name in a header by one of the same length."""
    before, after = str(old).encode(), str(new).encode()
    assert len(before) == len(after)
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after))
    return path


def descriptor(path: Path, *extents: str, pairs: str = "CID=12345678\nparentCID=ffffffff") -> Path:
    """Write a VMDK descriptor by hand."""
    lines = ["# Disk DescriptorFile", "version=1", pairs, 'createType="vmfs"', "# Extents"]
    path.write_text("\n".join((*lines, *extents, "# DDB", 'ddb.adapterType = "lsilogic"\n')))
    return path


def backing_by_path(guest: Path, secret: Path) -> Path:
    return qcow2(guest / "disk", "-b", secret, "-F", "raw")


def backing_by_dots(guest: Path, secret: Path) -> Path:
    return qcow2(guest / "disk", "-u", "-b", f"../host/{secret.name}", "-F", "raw")


def backing_without_a_format(guest: Path, secret: Path) -> Path:
    return unnamed_format(backing_by_path(guest, secret))


def backing_by_json(guest: Path, secret: Path) -> Path:
    name = f'json:{{"driver":"raw","file":{{"driver":"file","filename":"{secret}"}}}}'
    return qcow2(guest / "disk", "-b", name, "-F", "raw")


def backing_by_file_url(guest: Path, secret: Path) -> Path:
    return qcow2(guest / "disk", "-b", f"file:{secret}", "-F", "raw")


def backing_by_link(guest: Path, secret: Path) -> Path:
    (guest / "base.img").symlink_to(secret)
    return qcow2(guest / "disk", "-b", guest / "base.img", "-F", "raw")


def backing_of_a_backing(guest: Path, secret: Path) -> Path:
    middle = qcow2(guest / "middle", "-b", secret, "-F", "raw")
    return qcow2(guest / "disk", "-b", middle, "-F", "qcow2")


def backing_of_qcow(guest: Path, secret: Path) -> Path:
    """By hand: today's qemu-img makes no such image any more, but opens it."""
    run("qemu-img", "create", "-q", "-f", "qcow", guest / "disk", str(SIZE))
    data, name = (guest / "disk").read_bytes(), str(secret).encode()
    place = struct.pack(">QI", len(data), len(name))
    return raw(guest / "disk", data[:8] + place + data[20:] + name)


def backing_of_qed(guest: Path, secret: Path) -> Path:
    run("qemu-img", "create", "-q", "-f", "qed", "-b", secret, "-F", "raw", guest / "disk", "4M")
    return guest / "disk"


def data_file(guest: Path, secret: Path) -> Path:
    aside = secret.with_name("shadoX")
    qcow2(guest / "disk", "-o", f"data_file={aside},data_file_raw=on,preallocation=metadata")
    secret.write_bytes(SECRET + bytes(SIZE - len(SECRET)))
    return renamed(guest / "disk", aside, secret)


def vmdk_extent(guest: Path, secret: Path) -> Path:
    return descriptor(guest / "disk", f'RW 4 FLAT "{secret}" 0')


def vmdk_extent_by_dots(guest: Path, secret: Path) -> Path:
    return descriptor(guest / "disk", f'RW 4 FLAT "../host/{secret.name}" 0')


def vmdk_extent_of_vmfs(guest: Path, secret: Path) -> Path:
    return descriptor(guest / "disk", f'RW 4 VMFS "{secret}"')


def vmdk_extent_by_link(guest: Path, secret: Path) -> Path:
    (guest / "disk-flat.vmdk").symlink_to(secret)
    return descriptor(guest / "disk", 'RW 4 FLAT "disk-flat.vmdk" 0')


HOSTILE = [
    backing_by_path,
    backing_by_dots,
    backing_without_a_format,
    backing_by_json,
    backing_by_file_url,
    backing_by_link,
    backing_of_a_backing,
    backing_of_qcow,
    backing_of_qed,
    data_file,
    vmdk_extent,
    vmdk_extent_by_dots,
    vmdk_extent_of_vmfs,
    vmdk_extent_by_link,
]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_a_file_of_the_host_is_drawn_in_only_by_trust(
    tmp_path: Path,
    secret: Path,
    make: Callable[[Path, Path], Path],
    opened_files: list[str],
) -> None:
    guest = tmp_path / "guest"
    guest.mkdir()
    path = make(guest, secret)
    opened_files.clear()

    with pytest.raises(SourceError, match=r"its (backing|external data) file|its extent") as error:
        inspected(path)
    assert error.value.finding.code == "E-IMAGE-ESCAPES"
    assert "--trust-image" in str(error.value.finding.hint)
    assert all(str(guest) in name for name in opened_files)

    assert SECRET in shown(inspected(path, trust=True), tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "nbd://127.0.0.1:1/",
        "nbd:localhost:1",
        "http://127.0.0.1:1/",
        "json:{",
        "fat:/etc",
        "ssh://h/x",
    ],
)
def test_a_backing_file_on_the_network_is_refused(tmp_path: Path, name: str) -> None:
    path = qcow2(tmp_path / "disk", "-u", "-b", name, "-F", "raw")
    with pytest.raises(SourceError, match="is no file of this host") as error:
        inspected(path)
    assert error.value.finding.code == "E-IMAGE-ESCAPES"
    image = inspected(path, trust=True)
    assert image.remote
    assert "backing" not in blockdev(image)


def test_a_vmdk_extent_that_looks_remote_is_a_local_name(tmp_path: Path) -> None:
    """QEMU takes it so, too."""
    with pytest.raises(SourceError, match=r"nbd:/h/x: no such disk image"):
        inspected(descriptor(tmp_path / "disk", 'RW 4 FLAT "nbd://h/x" 0'))


def test_the_root_is_no_guests_folder(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "guest").mkdir()
    path = backing_by_path(tmp_path / "guest", secret)
    with pytest.raises(SourceError, match="lies outside"):
        inspected(path, folder=Path("/"))


def test_a_backing_device_is_drawn_in_only_by_trust(tmp_path: Path) -> None:
    path = qcow2(tmp_path / "disk", "-u", "-b", "/dev/zero", "-F", "raw")
    with pytest.raises(SourceError, match="lies outside"):
        inspected(path)
    with pytest.raises(SourceError, match="is a character device"):
        inspected(path, trust=True)


def test_a_chain_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "snap").mkdir()
    base = made(tmp_path / "base" / "a.vmdk", "vmdk")
    middle = qcow2(tmp_path / "snap" / "b.qcow2", "-b", "../base/a.vmdk", "-F", "vmdk")
    top = qcow2(tmp_path / "c.qcow2", "-b", middle, "-F", "qcow2")
    run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", top)
    before = {file: digest(file) for file in (base, middle, top)}

    image = inspected(top)

    assert [each.path.name for each in image.chain()] == ["c.qcow2", "b.qcow2", "a.vmdk"]
    expected = bytearray(content())
    expected[MIB : MIB + (64 << 10)] = b"\7" * (64 << 10)
    assert shown(image, tmp_path) == expected
    assert {file: digest(file) for file in before} == before


def test_a_backing_file_without_a_format_is_told_by_its_own_header(tmp_path: Path) -> None:
    made(tmp_path / "base", "qcow2")
    path = unnamed_format(qcow2(tmp_path / "disk", "-b", tmp_path / "base", "-F", "qcow2"))
    image = inspected(path)
    assert image.backing is not None
    assert image.backing.format is DiskFormat.qcow2
    assert shown(image, tmp_path) == content()


def test_a_backing_file_of_a_named_format_is_not_probed(tmp_path: Path) -> None:
    base = made(tmp_path / "base", "qcow2")
    written = base.read_bytes()
    image = inspected(qcow2(tmp_path / "disk", "-b", base, "-F", "raw"))
    assert shown(image, tmp_path)[: len(written)] == written[:SIZE]


def test_a_data_file_inside_the_folder_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    qcow2(path, "-o", f"data_file={tmp_path / 'disk.data'},data_file_raw=on")
    run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", path)
    image = inspected(path)
    assert list(image.files()) == [path, tmp_path / "disk.data"]
    assert shown(image, tmp_path)[MIB : MIB + (64 << 10)] == b"\7" * (64 << 10)


def test_names_with_colons_inside_the_folder_are_files(tmp_path: Path) -> None:
    raw(tmp_path / "nbd:base,x.img")
    path = qcow2(tmp_path / "disk", "-u", "-b", "nbd:base,x.img", "-F", "raw")
    assert shown(inspected(path), tmp_path) == content()


def test_a_long_chain_is_left_to_its_headers_where_they_are_explicit(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    below, format = raw(folder / "0.img"), "raw"
    for number in range(1, 7):
        below, format = qcow2(folder / f"{number}", "-b", below, "-F", format), "qcow2"
    assert shown(inspected(below), tmp_path) == content()


def test_a_chain_that_comes_back_to_itself_is_an_error(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    qcow2(first, "-u", "-b", second, "-F", "qcow2")
    qcow2(second, "-u", "-b", first, "-F", "qcow2")
    with pytest.raises(SourceError, match="its backing files lead back to it") as error:
        inspected(first)
    assert error.value.finding.code == "E-IMAGE-CHAIN"


def test_a_backing_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = qcow2(tmp_path / "disk", "-u", "-b", "base.img", "-F", "raw")
    with pytest.raises(SourceError, match=r"base\.img: no such disk image"):
        inspected(path)


def test_qemu_is_told_where_a_chain_ends(tmp_path: Path) -> None:
    assert blockdev(inspected(made(tmp_path / "disk", "qcow2"))) == {
        "driver": "qcow2",
        "file": {"driver": "file", "filename": str(tmp_path / "disk")},
        "backing": None,
    }
