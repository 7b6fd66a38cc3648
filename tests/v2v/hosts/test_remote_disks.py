# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of a host that SSH reaches: by SFTP, with extents and parents, and what it takes amiss."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import pytest

from tests.v2v.disks.making import MIB, SIZE, content, inspected, made, raw, shown
from tests.v2v.disks.test_references import descriptor
from tests.v2v.disks.test_vhd_chain import BASE, patched
from tests.v2v.disks.test_vhd_chain import snapshot as vhd_snapshot
from tests.v2v.disks.test_vmdk import cid, snapshot
from tests.v2v.disks.vmdk_writers import write_cowd, write_sesparse
from tests.xen_dom0 import Dom0, dom0
from v2v.disks.opening import open_image
from v2v.errors import SourceError
from v2v.hosts.sftp import Sftp, sftp
from v2v.model import Disk, DiskFormat, Remote
from v2v.run import run, running

SECTORS = SIZE // 512


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dom0]:
    with dom0(tmp_path_factory.mktemp("dom0")) as found:
        yield found


@pytest.fixture
def remote(host: Dom0) -> Remote:
    return Remote("127.0.0.1", getuser(), host.port, str(host.config))


@pytest.fixture
def datastore(tmp_path: Path) -> Path:
    """A guest's folder whose name takes care to be passed on, and a link to its datastore."""
    folder = tmp_path / "5f1b2c3d" / "Web \u30b5\u30fc\u30d0 'one' $HOME"
    folder.mkdir(parents=True)
    (tmp_path / "my datastore").symlink_to(folder.parent)
    return folder


def far(remote: Remote, path: Path, work: Path, *, trust: bool = False) -> bytes:
    """Return a disk as it is read on its host."""
    disk = Disk(str(path), None, host=remote)
    with open_image(disk, path.parent, trust=trust) as image:
        return shown(image, work)


def esx_chain(folder: Path, parent: str = "") -> tuple[Path, bytes]:
    """Write a disk of ESX with two snapshots; return its head, and what that shows."""
    first = content()[:MIB] + b"first".ljust(4096, b"1") + content()[MIB + 4096 :]
    second = bytes(4096) + first[4096:-512] + b"second".ljust(512, b"2")
    raw(folder / "web-flat.vmdk", content())
    descriptor(folder / "web.vmdk", f'RW {SECTORS} VMFS "web-flat.vmdk"')
    write_sesparse(folder / "web-000001-sesparse.vmdk", first, content())
    write_cowd(folder / "web-000002-delta.vmdk", second, first)
    for number, kind, extent, below in (
        (1, "SESPARSE", "web-000001-sesparse.vmdk", f"{parent}web.vmdk"),
        (2, "VMFSSPARSE", "web-000002-delta.vmdk", f"{parent}web-000001.vmdk"),
    ):
        own, before = f"{number:08x}", "12345678" if number == 1 else "00000001"
        pairs = f'CID={own}\nparentCID={before}\nparentFileNameHint="{below}"'
        descriptor(folder / f"web-{number:06}.vmdk", f'RW {SECTORS} {kind} "{extent}"', pairs=pairs)
    return folder / "web-000002.vmdk", second


def test_the_head_of_an_esx_chain_is_read_with_its_parents(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    """Parents are named by the datastore's UUID, the guest by its name: two paths of one folder."""
    _, wanted = esx_chain(datastore, f"{datastore}/")
    named = tmp_path / "my datastore" / datastore.name / "web-000002.vmdk"
    assert shown(inspected(named), tmp_path) == wanted
    assert far(remote, named, tmp_path) == wanted


def test_snapshots_of_a_workstation_are_read_with_their_parents(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    base = made(datastore / "web.vmdk", "vmdk", "subformat=twoGbMaxExtentSparse")
    top = snapshot(datastore / "web-000001.vmdk", "web.vmdk", cid(base))
    assert far(remote, top, tmp_path) == content()


def test_a_chain_of_vhds_is_read_with_its_parents(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    base = made(datastore / "base.vhd", "vpc", "force_size=on", data=BASE)
    after = patched(BASE, (512, b"one"))
    top = vhd_snapshot(datastore, "top.vhd", base, BASE, after)
    assert far(remote, top, tmp_path) == after


@pytest.mark.parametrize("format", ["raw", "qcow2", "vdi", "vhdx", "vpc"])
def test_images_of_one_file_are_read(
    remote: Remote, datastore: Path, tmp_path: Path, format: str
) -> None:
    options = ("force_size=on",) if format == "vpc" else ()
    assert far(remote, made(datastore / "disk", format, *options), tmp_path) == content()


def test_a_parent_that_changed_or_is_gone_is_an_error(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    top, _ = esx_chain(datastore)
    base = datastore / "web.vmdk"
    base.write_text(base.read_text().replace("CID=12345678", "CID=12345679"))
    with pytest.raises(SourceError, match="was changed after the snapshot"):
        far(remote, top, tmp_path)
    base.unlink()
    with pytest.raises(SourceError, match=r"web\.vmdk: no such file on the host") as failed:
        far(remote, top, tmp_path)
    assert failed.value.finding.code == "E-DISK-MISSING"


@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret", "../5f1b2c3d/../secret"])
def test_extents_outside_of_the_guests_folder_are_refused(
    remote: Remote, datastore: Path, tmp_path: Path, name: str
) -> None:
    raw(tmp_path / "secret", bytes(4096))
    path = descriptor(datastore / "disk.vmdk", f'RW 1 FLAT "{name}" 0')
    with pytest.raises(SourceError, match="lies outside of the guest's folder") as failed:
        far(remote, path, tmp_path)
    assert failed.value.finding.code == "E-IMAGE-ESCAPES"


def test_a_link_out_of_the_guests_folder_is_refused(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    (datastore / "x-flat.vmdk").symlink_to("/etc/passwd")
    path = descriptor(datastore / "disk.vmdk", 'RW 1 FLAT "x-flat.vmdk" 0')
    with pytest.raises(SourceError, match="lies outside of the guest's folder"):
        far(remote, path, tmp_path)


def test_a_mixed_chain_never_opens_a_file_of_this_host(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    """QEMU would take the extents of the VMDK under the qcow2 for files of this host."""
    raw(datastore / "x-flat.vmdk", content())
    base = descriptor(datastore / "x.vmdk", f'RW {SECTORS} VMFS "{datastore}/x-flat.vmdk"')
    top = datastore / "top.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "vmdk", top)
    with pytest.raises(SourceError, match="draws in other files"):
        far(remote, top, tmp_path)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_told(
    remote: Remote, datastore: Path, tmp_path: Path, kind: str
) -> None:
    path = datastore / "disk"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(SourceError) as failed:
        far(remote, path, tmp_path)
    assert failed.value.finding.code == ("E-DISK-MISSING" if kind == "missing" else "E-DISK-KIND")


def test_a_folder_is_listed_and_paths_are_resolved(remote: Remote, datastore: Path) -> None:
    for number in range(300):
        (datastore / f"file {number}").touch()
    with sftp(remote) as session:
        assert len(session.entries(str(datastore))) == 300
        assert session.entries(str(datastore / "gone")) == ()
        linked = datastore.parent.parent / "my datastore"
        assert session.real(str(linked)) == str(datastore.parent)
        assert session.real(str(datastore / "gone" / "x")) is None
        assert session.attributes(str(datastore / "gone")) is None


def test_reads_of_any_length_and_place_are_exact(remote: Remote, datastore: Path) -> None:
    data = os.urandom(3 * MIB + 777)
    path = raw(datastore / "disk", data)
    with sftp(remote) as session, session.opened(str(path), len(data)) as file:
        for at, length in ((0, 1), (1, MIB), (MIB - 1, 2 * MIB + 5), (len(data) - 5, 100)):
            assert file.pread(length, at) == data[at : at + length]
        assert file.pread(10, len(data)) == b""
        assert file.pread(10, len(data) + MIB) == b""


# Servers that do not do as they should.


def packet(kind: int, *fields: bytes | int) -> bytes:
    body = bytes([kind])
    for field in fields:
        if isinstance(field, int):
            body += struct.pack(">I", field)
        else:
            body += struct.pack(">I", len(field)) + field
    return struct.pack(">I", len(body)) + body


@contextmanager
def answering(said: bytes, folder: Path) -> Iterator[Sftp]:
    """Start a session with a program that says something, whatever it is asked."""
    (folder / "said").write_bytes(said)
    argv = ("sh", "-c", 'cat "$0"; exec >&-; cat > /dev/null', folder / "said")
    with running(*argv, stderr=folder / "log", stdin=True) as child:
        yield Sftp(Remote("esxi"), child, folder / "log")


HELLO = packet(2, 3)


@pytest.mark.parametrize(
    "said",
    [
        b"Welcome to ESXi, and do not forget to log out!\n",
        struct.pack(">IB", 0, 2),
        struct.pack(">IB", 1 << 31, 2),
        packet(101, 1, 4),
        HELLO + packet(105, 77, 0),
        HELLO + packet(105, 1),
        HELLO + packet(105, 1, 1),
        HELLO + packet(105, 1, 1 << 31, 1 << 31),
        HELLO + packet(102, 1, b"handle"),
    ],
)
def test_answers_that_are_none_of_sftp_are_told(said: bytes, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as failed, answering(said, tmp_path) as session:
        session.attributes("/disk")
    assert failed.value.finding.code in ("E-SSH-SFTP", "E-SSH-CONNECT")


@pytest.mark.parametrize("code", [3, 4])
def test_what_the_server_refuses_is_told(code: int, tmp_path: Path) -> None:
    said = HELLO + packet(101, 1, code, b"Resource busy", b"en")
    with answering(said, tmp_path) as session, pytest.raises(SourceError) as failed:
        session.attributes("/disk")
    assert failed.value.finding.code == {3: "E-DISK-UNREADABLE", 4: "E-DISK-REMOTE"}[code]


def test_a_server_that_sends_too_much_is_told(tmp_path: Path) -> None:
    said = HELLO + packet(102, 1, b"handle") + packet(103, 2, b"much more")
    with (
        pytest.raises(SourceError, match="more than was asked for"),
        answering(said, tmp_path) as session,
        session.opened("/disk", 4) as file,
    ):
        file.pread(4, 0)


def test_a_folder_without_end_is_told(tmp_path: Path) -> None:
    name = packet(104, 2, 1, b"a", b"", 0)
    said = HELLO + packet(102, 1, b"handle") + name + name.replace(b"\0\2", b"\0\3", 1)
    with (
        answering(said, tmp_path) as session,
        pytest.raises(SourceError, match="lists a folder without end"),
    ):
        session.entries("/")


def test_a_session_goes_on_after_a_part_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Every answer to what was asked is read, those behind the bad one too."""
    length = 3 << 16
    data = bytes(1 << 16)
    said = HELLO + packet(102, 1, b"handle")
    said += packet(103, 2, data) + packet(101, 3, 4, b"I/O error", b"") + packet(103, 4, data)
    said += packet(105, 5, 1, 0, 77)
    with answering(said, tmp_path) as session:
        with (
            pytest.raises(SourceError, match="/disk: I/O error") as failed,
            session.opened("/disk", length) as file,
        ):
            file.pread(length, 0)
        found = session.attributes("/disk")
    assert failed.value.finding.code == "E-DISK-REMOTE"
    assert found is not None
    assert found.size == 77


def test_a_host_without_sftp_is_told(tmp_path: Path) -> None:
    with dom0(tmp_path, sftp=False) as host:
        far_away = Remote("127.0.0.1", getuser(), host.port, str(host.config))
        with pytest.raises(SourceError, match="has no SFTP") as failed, sftp(far_away):
            pass
    assert failed.value.finding.code == "E-SSH-SFTP"


def test_formats_named_by_the_configuration_count(
    remote: Remote, datastore: Path, tmp_path: Path
) -> None:
    path = raw(datastore / "disk")
    disk = Disk(str(path), DiskFormat.qcow2, host=remote)
    opening = open_image(disk, datastore, trust=False)
    with pytest.raises(SourceError, match="is said to be qcow2, but its content is raw"), opening:
        pass
