# SPDX-License-Identifier: LGPL-2.1-or-later
"""How disks come from vCenter: chains of snapshots, exports by NFC, VMware's library."""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.v2v.disks.vmdk_writers import write_cowd, write_sesparse
from tests.v2v.hosts.test_vsphere import DESCRIPTOR
from tests.vcenter import Vcenter, vcenter
from v2v.access import Access, parse_access
from v2v.cancellation import Cancellation, heeding
from v2v.disks.image_writer import written
from v2v.disks.opening import open_image
from v2v.errors import CancelledError, ConfigError, Finding, SourceError, V2VError
from v2v.hosts.vsphere import logged_in
from v2v.hosts.vsphere_snapshot import snapshot
from v2v.model import Disk, Machine
from v2v.options import Options
from v2v.pipeline import convert, plan
from v2v.sources import read, streamed
from v2v.stillness import held

SIZE = 6 << 20
BASE = os.urandom(1 << 20) + bytes(3 << 20) + os.urandom(2 << 20)
PATH = "[LocalDS_0] DC0_H0_VM0/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vcenter]:
    with vcenter(tmp_path_factory.mktemp("vcenter")) as found:
        folder = found.datastores["LocalDS_0"] / "DC0_H0_VM0"
        (folder / "disk1-flat.vmdk").write_bytes(BASE)
        text = DESCRIPTOR.format(parent="ffffffff", hint="", sectors=SIZE // 512)
        (folder / "disk1.vmdk").write_text(text)
        yield found


def unheard(finding: Finding) -> None:
    raise AssertionError(finding)


def access(server: Vcenter, transport: str | None = None) -> Access:
    return Access(cacert=server.certificate, password_file=server.password, transport=transport)


def address(server: Vcenter) -> str:
    return f"vpx://root@{server.authority}/DC0_H0_VM0"


def guest(server: Vcenter, how: Access | None = None) -> Machine:
    return read([address(server)], access=how or access(server))


def shown(disk: Disk, folder: Path) -> bytes:
    """Return what is served of a disk."""
    copy = folder / "copy"
    with open_image(disk, folder, trust=False) as image:
        subprocess.run(["nbdcopy", f"nbd+unix:///?socket={image.path}", copy], check=True)
    data = copy.read_bytes()
    copy.unlink()
    return data


def snapshots(server: Vcenter) -> list[str]:
    """Return the names of the guest's snapshots."""
    store = guest(server).disks[0].datastore
    assert store is not None
    with logged_in(store.login) as session:
        found = session.properties(session.guest(store.guest), "snapshot.rootSnapshotList")
    return [str(tree.name) for tree in found.get("snapshot.rootSnapshotList") or ()]


def delta(folder: Path, number: int, parent: str, kind: str, cid: str = "fffffffe") -> Path:
    """Write a snapshot's descriptor and return where its extent is to be."""
    extent = folder / f"disk1-{number:06}-delta.vmdk"
    hint = f'parentFileNameHint="{parent}"'
    text = DESCRIPTOR.format(parent=cid, hint=hint, sectors=SIZE // 512)
    text = text.replace('VMFS "disk1-flat.vmdk"', f'{kind} "{extent.name}"')
    (folder / f"disk1-{number:06}.vmdk").write_text(text)
    return extent


def changed(disk: bytes, pieces: dict[int, bytes]) -> bytes:
    """Return a disk with some sectors changed."""
    out = bytearray(disk)
    for number, piece in pieces.items():
        out[number * 512 : number * 512 + len(piece)] = piece
    return bytes(out)


@pytest.mark.parametrize("named", [True, False], ids=["by-the-api", "by-the-hint"])
def test_a_chain_of_snapshots_is_followed(server: Vcenter, tmp_path: Path, named: bool) -> None:
    folder = server.datastores["LocalDS_0"] / "DC0_H0_VM0"
    first = changed(BASE, {0: b"one", 3: b"two", 4096: b"in the hole", SIZE // 512 - 1: b"end"})
    second = changed(first, {9: b"se", 16: b"far" * 1000, 1600: bytes(9000), 8192: b"later"})
    write_cowd(delta(folder, 1, "disk1.vmdk", "VMFSSPARSE"), first, BASE)
    write_sesparse(delta(folder, 2, "disk1-000001.vmdk", "SESPARSE"), second, first)
    (disk,) = guest(server).disks
    parents = (f"{PATH}disk1-000001.vmdk", f"{PATH}disk1.vmdk") if named else ()
    middle = replace(disk, path=f"{PATH}disk1-000001.vmdk", parents=parents[1:])
    assert shown(middle, tmp_path) == first
    head = replace(disk, path=f"{PATH}disk1-000002.vmdk", parents=parents)
    assert shown(head, tmp_path) == second


def test_a_chain_that_does_not_hold_is_refused(server: Vcenter, tmp_path: Path) -> None:
    folder = server.datastores["LocalDS_0"] / "DC0_H0_VM0"
    (disk,) = guest(server).disks
    head = replace(disk, path=f"{PATH}disk1-000003.vmdk")
    after = changed(BASE, {0: b"one"})
    write_cowd(delta(folder, 3, "disk1.vmdk", "VMFSSPARSE", cid="12345678"), after, BASE)
    with pytest.raises(SourceError, match="was changed after the snapshot") as caught:
        shown(head, tmp_path)
    assert caught.value.finding.code == "E-VSPHERE-CHAIN"
    delta(folder, 3, "/vmfs/volumes/else/gone.vmdk", "VMFSSPARSE")
    with pytest.raises(SourceError, match="no such file on the host"):
        shown(head, tmp_path)
    delta(folder, 3, "disk1-000003.vmdk", "VMFSSPARSE")  # of itself
    with pytest.raises(SourceError, match="lead back to it"):
        shown(head, tmp_path)
    extent = delta(folder, 3, "disk1.vmdk", "SESPARSE")
    write_sesparse(extent, after, BASE)
    with extent.open("r+b") as file:
        file.seek(512 + 24)
        file.write(b"\1")
    with pytest.raises(SourceError, match="its journal is to be replayed"):
        shown(head, tmp_path)
    extent.write_bytes(b"no such thing".ljust(8192, b"\0"))
    with pytest.raises(SourceError, match="has no such header"):
        shown(head, tmp_path)


def test_a_disk_of_vsan_is_refused_with_a_way(server: Vcenter, tmp_path: Path) -> None:
    folder = server.datastores["LocalDS_0"] / "DC0_H0_VM0"
    text = DESCRIPTOR.format(parent="ffffffff", hint="", sectors=SIZE // 512)
    (folder / "vsan.vmdk").write_text(text.replace("disk1-flat.vmdk", "vsan://0a1b2c3d-e5"))
    (disk,) = guest(server).disks
    with pytest.raises(SourceError, match="lies outside") as caught:
        shown(replace(disk, path=f"{PATH}vsan.vmdk"), tmp_path)
    assert "-it nfc" in (caught.value.finding.hint or "")


def test_a_snapshot_is_there_for_the_time_of_a_copy(server: Vcenter, tmp_path: Path) -> None:
    machine, heard = guest(server), list[Finding]()
    assert machine.running
    with held(machine, heard.append) as (disks, findings):
        assert [name.startswith("v2v-") for name in snapshots(server)] == [True]
        assert [finding.code for finding in findings] == ["W-RUNNING"]
        assert shown(disks[0], tmp_path) == BASE
    assert (snapshots(server), heard) == ([], [])


@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_no_snapshot_is_left_behind_a_failure(server: Vcenter, kind: type[BaseException]) -> None:
    def copy() -> None:
        with held(guest(server), unheard):
            assert len(snapshots(server)) == 1
            raise kind

    with pytest.raises(kind):
        copy()
    assert snapshots(server) == []


def test_a_guest_that_cannot_be_quiesced_is_copied_all_the_same(
    server: Vcenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = guest(server).disks[0].datastore
    assert store is not None
    with logged_in(store.login) as session:
        kind = type(session)
    properties = kind.properties

    def with_tools(self: object, reference: object, *paths: str) -> dict[str, object]:
        found = dict(properties(self, reference, *paths))  # type: ignore[arg-type]
        if "guest.toolsRunningStatus" in paths:
            found["guest.toolsRunningStatus"] = "guestToolsRunning"
        return found

    monkeypatch.setattr(kind, "properties", with_tools)
    with snapshot(store.login, store.guest, unheard) as taken:
        assert taken.findings == ()
    server.fails("quiesce", "fail", 1)
    with snapshot(store.login, store.guest, unheard) as taken:
        assert [finding.code for finding in taken.findings] == ["W-RUNNING"]
    assert snapshots(server) == []


def exported(server: Vcenter, folder: Path) -> bytes:
    """Return the guest's disk as its host exports it."""
    image, heard = folder / "export.qcow2", list[Finding]()
    with streamed([address(server)], None, access(server, "nfc"), heard.append) as stream:
        assert stream is not None
        with ExitStack() as stack:
            write = stack.enter_context(written(image, SIZE))
            stream.unpack({"ParaVirtualSCSIController0:0": (SIZE, write)})
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, folder / "raw"], check=True)
    image.unlink()
    return (folder / "raw").read_bytes()


def test_an_export_is_written_as_it_comes(server: Vcenter, tmp_path: Path) -> None:
    assert exported(server, tmp_path) == BASE
    server.fails("nfc", "cut", 1)
    server.fails("nfc", "503", 1)
    assert exported(server, tmp_path) == BASE
    assert snapshots(server) == []  # the guest is running


def test_an_export_that_is_cut_each_time_ends(server: Vcenter, tmp_path: Path) -> None:
    server.fails("nfc", "cut", 1000)
    with pytest.raises(SourceError) as caught:
        exported(server, tmp_path)
    server.fails("nfc", "cut", 0)
    assert caught.value.finding.code == "E-DISK-REMOTE"
    assert snapshots(server) == []


def test_an_export_ends_when_it_is_cancelled(server: Vcenter, tmp_path: Path) -> None:
    cancellation, heard = Cancellation(), list[Finding]()

    def write(data: bytes, at: int) -> None:
        cancellation.cancel()

    with streamed([address(server)], None, access(server, "nfc"), heard.append) as stream:
        assert stream is not None
        with pytest.raises(CancelledError), heeding(cancellation):
            stream.unpack({"ParaVirtualSCSIController0:0": (SIZE, write)})
    assert snapshots(server) == []


def test_a_running_guest_is_not_exported_unasked(server: Vcenter, tmp_path: Path) -> None:
    options = Options(access=access(server, "nfc"), storage=tmp_path)
    with pytest.raises(V2VError, match="the guest is running") as caught:
        convert(address(server), options)
    assert caught.value.finding.code == "E-RUNNING"
    assert "--allow-running" in (caught.value.finding.hint or "")
    assert [*tmp_path.iterdir()] == []


def test_a_report_does_not_export(server: Vcenter) -> None:
    options = Options(access=access(server, "nfc"))
    with pytest.raises(ConfigError, match="passes by once"):
        plan(address(server), options)
    report = plan(address(server), options, source_only=True)
    assert report.machine.name == "DC0_H0_VM0"
    with pytest.raises(ConfigError, match="-it is for guests of vCenter"):
        plan("xen+ssh://root@host/web", Options(access=Access(transport="nfc")))


_NBDKIT = """#!/bin/sh
# Stands in for an nbdkit with the vddk plugin: serves a file in place of the disk.
echo "$@" >> {log}
case "$*" in
  "vddk --dump-plugin"*) echo 'vddk_library_version={version}' | grep -v '=$'; exit 0 ;;
esac
while [ $# -gt 0 ]; do
  case $1 in
    --unix) socket=$2; shift ;;
    password=+*) cat "${{1#password=+}}" >> {log} ;;
  esac
  shift
done
exec /usr/bin/nbdkit --foreground --exit-with-parent --readonly --unix "$socket" file {disk}
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str = "8") -> Path:
    """Put an nbdkit before the real one; return where it notes its arguments."""
    log, disk, program = folder / "log", folder / "disk", folder / "bin/nbdkit"
    disk.write_bytes(BASE)
    program.parent.mkdir()
    program.write_text(_NBDKIT.format(log=log, disk=disk, version=version))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return log


def test_vmwares_library_is_told_of_the_disk(
    server: Vcenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = stand_in(tmp_path, monkeypatch)
    words = [f"cacert={server.certificate}", "vddk-libdir=/opt/vddk", "vddk-transports=nbdssl"]
    machine = guest(server, parse_access(words, server.password, "vddk"))
    store = machine.disks[0].datastore
    assert store is not None
    with held(machine, unheard) as (disks, _):
        frozen = disks[0].datastore
        assert shown(disks[0], tmp_path) == BASE
    asked, told, password = log.read_text().splitlines()
    assert asked == "vddk --dump-plugin libdir=/opt/vddk"
    host, _, port = server.authority.partition(":")
    der = ssl.PEM_cert_to_DER_cert(server.certificate.read_text())
    mark = hashlib.sha1(der).digest().hex(":").upper()
    assert frozen is not None
    for word in (f"server={host}", f"port={port}", "user=root", f"vm=moref={store.guest}",
                 f"snapshot=moref={frozen.snapshot}", f"file={PATH}disk1.vmdk",
                 "libdir=/opt/vddk", "transports=nbdssl", f"thumbprint={mark}"):  # fmt: skip
        assert f" {word}" in told
    assert (password, "not-a-secret" in told) == ("not-a-secret", False)


def test_the_library_and_the_plugin_must_be_there(
    server: Vcenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk,) = guest(server, access(server, "vddk")).disks
    with pytest.raises(SourceError, match="nbdkit has no vddk plugin") as caught:
        shown(disk, tmp_path)
    assert caught.value.finding.code == "E-VDDK"
    stand_in(tmp_path, monkeypatch, version="")
    with pytest.raises(SourceError, match="VMware's library is not found"):
        shown(disk, tmp_path)


def test_the_users_words_for_the_library(server: Vcenter) -> None:
    file = "[other] x/y.vmdk"
    words = [f"cacert={server.certificate}", f"vddk-file={file}"]
    (disk,) = guest(server, parse_access(words, server.password, "vddk")).disks
    assert disk.path == file
    with pytest.raises(ConfigError, match="2 are given"):
        guest(server, parse_access([*words, f"vddk-file={file}"], server.password, "vddk"))
    for wrong in (["vddk-lib=x"], ["vddk-libdir="]):
        with pytest.raises(ConfigError, match="no such option"):
            parse_access(wrong, None, "vddk")
    with pytest.raises(ConfigError, match="is for -it vddk alone"):
        parse_access(["vddk-libdir=/opt"], None)
