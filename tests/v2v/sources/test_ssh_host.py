# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of ESXi and of other hosts over real SSH: read, listed, and told when they run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.esx_host import Esx, esx
from tests.v2v.disks.making import SIZE, content, made, raw, shown
from tests.v2v.disks.test_references import descriptor
from tests.v2v.hosts.test_remote_disks import SECTORS, esx_chain
from v2v.access import Access
from v2v.cli import main
from v2v.disks.opening import open_image
from v2v.errors import ConfigError, SourceError
from v2v.model import DiskFormat, Machine
from v2v.sources import listed, read, ssh_host

VMX = """\
.encoding = "UTF-8"
displayName = "{name}"
memSize = "1024"
numvcpus = "2"
scsi0:0.fileName = "{disk}"
"""
GETALLVMS = """\
1      Web Server     [my datastore] web one/web.vmx     debian11_64Guest   vmx-19    first line
second line of it, with [brackets] in.vmx
12     \u30b5\u30fc\u30d0 2   [my datastore] two/two.vmtx   windows2019srv_64Guest   vmx-15
Skipping invalid VM '13'
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Esx]:
    with esx(tmp_path_factory.mktemp("esx")) as found:
        found.datastore("my datastore")
        yield found


@pytest.fixture
def host(server: Esx, monkeypatch: pytest.MonkeyPatch) -> Iterator[Esx]:
    monkeypatch.setattr(ssh_host, "VOLUMES", str(server.volumes))
    yield server
    server.forgets()


def guest(host: Esx, folder: str, name: str = "web", disk: str = "web.vmdk") -> Path:
    """Write a guest's configuration into the datastore; return its path by the datastore's name."""
    place = host.volumes / "my datastore" / folder
    place.mkdir(exist_ok=True)
    path = place / f"{name}.vmx"
    path.write_text(VMX.format(name=name, disk=disk))
    return path


def read_guest(host: Esx, path: Path, kind: str | None = None) -> Machine:
    return read([f"{host.address}{quote(str(path))}"], kind, access=Access(host.config))


def test_a_guest_with_snapshots_is_read_where_it_lies(host: Esx, tmp_path: Path) -> None:
    path = guest(host, "web one", disk="web-000002.vmdk")
    _, wanted = esx_chain(path.parent)
    machine = read_guest(host, path)
    assert (machine.name, machine.kind, machine.running) == ("web", "vmx", False)
    assert machine.folder == path.parent
    (disk,) = machine.disks
    assert disk.path == str(path.parent / "web-000002.vmdk")
    assert disk.host is not None
    assert disk.host.port == host.server.port
    with open_image(disk, machine.folder, trust=False) as image:
        assert shown(image, tmp_path) == wanted


def test_a_disk_of_another_datastore_is_read(host: Esx, tmp_path: Path) -> None:
    other = host.volumes / "data 2" / "disks"
    other.mkdir(parents=True)
    raw(other / "web-flat.vmdk", content())
    disk = descriptor(other / "web.vmdk", f'RW {SECTORS} VMFS "web-flat.vmdk"')
    path = guest(host, "other", disk=str(disk))
    (found,) = read_guest(host, path).disks
    with open_image(found, path.parent, trust=False) as image:
        assert shown(image, tmp_path) == content()


def test_guests_that_run_are_told_by_the_host_and_by_their_locks(host: Esx) -> None:
    path = guest(host, "running")
    host.tells("", path.resolve())
    assert read_guest(host, path).running
    host.tells("", path.with_name("other.vmx"))
    assert not read_guest(host, path).running
    lock = path.with_name("web.vmx.lck")
    lock.touch()
    machine = read_guest(host, path)
    assert machine.running
    assert [warning.code for warning in machine.warnings] == ["W-VMX-LOCK"]
    assert str(lock) in machine.warnings[0].message
    lock.unlink()
    disk_lock = path.with_name("web.vmdk.lck")
    disk_lock.mkdir()
    host.forgets()
    assert read_guest(host, path).running
    disk_lock.rmdir()


def test_a_local_guest_with_a_lock_runs(host: Esx) -> None:
    path = guest(host, "local")
    assert not read([path]).running
    path.with_name("web.vmx.lck").mkdir()
    assert read([path]).running


XML = """<domain type='kvm'><name>kvm</name><memory>1048576</memory><vcpu>1</vcpu>
<os><type>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='/images/kvm.qcow2'/><target dev='sda' bus='sata'/></disk></devices></domain>"""
XL = "name = 'xen'\nmemory = 512\nbootloader = 'pygrub'\ndisk = [ '/images/xen.img,raw,xvda,w' ]\n"
SXP = """(domain (name old) (memory 256) (image (linux (kernel /k)))
 (device (vbd (uname file:/o.img) (dev xvda))))"""


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [(XML, "libvirt", "/images/kvm.qcow2"), (XL, "xl", "/images/xen.img"), (SXP, "sxp", "/o.img")],
)
def test_configurations_of_other_hypervisors_are_read_too(
    host: Esx, tmp_path: Path, text: str, kind: str, path: str
) -> None:
    (tmp_path / "guest").write_text(text)
    machine = read_guest(host, tmp_path / "guest")
    assert machine.kind == kind
    assert [disk.path for disk in machine.disks] == [path]
    assert all(disk.host is not None for disk in machine.disks)


def test_an_image_alone_is_read(host: Esx, tmp_path: Path) -> None:
    path = made(tmp_path / "plain.qcow2", "qcow2")
    machine = read_guest(host, path)
    assert (machine.kind, machine.name) == ("disk", "plain")
    with open_image(machine.disks[0], tmp_path, trust=False) as image:
        assert image.format is DiskFormat.qcow2
        assert shown(image, tmp_path) == content()
    assert read_guest(host, raw(tmp_path / "text", b"no magic"), "disk").kind == "disk"


def test_what_is_no_source_is_told(host: Esx, tmp_path: Path) -> None:
    big = raw(tmp_path / "big.vmx", VMX.encode() + b"#" * (5 << 20))
    for path, code in (
        (tmp_path / "gone.vmx", "E-DISK-MISSING"),
        (raw(tmp_path / "text", b"no magic"), "E-SOURCE-UNKNOWN"),
        (raw(tmp_path / "empty", b""), "E-SOURCE-UNKNOWN"),
        (tmp_path, "E-DISK-KIND"),
        (big, "E-SOURCE-SIZE"),
    ):
        with pytest.raises(SourceError) as failed:
            read_guest(host, path)
        assert failed.value.finding.code == code
    with pytest.raises(SourceError, match="xva is not read over SSH") as failed:
        read_guest(host, big, "xva")
    assert failed.value.finding.code == "E-SOURCE-REMOTE"
    with pytest.raises(ConfigError, match="no guest is named"):
        read([host.address], access=Access(host.config))


def test_the_guests_that_are_registered_are_listed(host: Esx) -> None:
    first = guest(host, "web one", disk="web.vmdk")
    esx_chain(first.parent)
    second = guest(host, "two", "two", "gone.vmdk")
    second.rename(second.with_suffix(".vmtx"))
    host.tells(GETALLVMS, first.resolve())
    found, findings = listed(host.address, Access(host.config))
    assert [(each.machine.name, each.state) for each in found] == [
        ("web", "running"),
        ("two", "shut off"),
    ]
    assert [disk.virtual_bytes for disk in found[0].machine.disks] == [SIZE]
    assert [blocker.code for blocker in found[1].blockers] == ["E-DISK-MISSING"]
    assert found[0].path == str(first).lstrip("/")
    assert [finding.code for finding in findings] == ["W-HOST-GUEST"]
    assert "guest 13 is registered" in findings[0].message


def test_other_hosts_are_searched_for_guests(
    host: Esx, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Virtual Machines" / "web"
    folder.mkdir(parents=True)
    (folder / "web.vmx").write_text(VMX.format(name="web", disk="web.vmdk"))
    made(folder / "web.vmdk", "vmdk")
    (folder / "broken.vmx").write_text("memSize = x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (folder / "web.vmx.lck").mkdir()
    config = f"ssh-config={host.config}"
    address = f"{host.address}{quote(str(tmp_path))}"
    assert main(["list", address, "-io", config, "--format", "json"]) == 0
    said = capsys.readouterr()
    (only,) = json.loads(said.out)
    assert (only["name"], only["state"], only["disks"][0]["bytes"]) == ("web", "running", SIZE)
    assert "'x' is not a number" in said.err
    assert main(["list", address, "-io", config, "--format", "plan"]) == 0
    assert f"{address}/Virtual%20Machines/web/web.vmx" in capsys.readouterr().out
    assert main(["list", f"{host.address}/gone", "-io", config]) == 1
    assert "has no folder /gone" in capsys.readouterr().err


@pytest.mark.parametrize("source", ["/images/web.vmx", "xen+ssh://root@host/web", "vpx://a@vc/web"])
def test_ways_that_do_not_go_with_a_source_are_wrong_usage(source: str) -> None:
    with pytest.raises(ConfigError, match="-it ssh: no way for disks of") as failed:
        read([source], access=Access(transport="ssh"))
    assert failed.value.finding.code == "E-USAGE"
    with pytest.raises(ConfigError, match="-it nfc: no way for disks of ssh://"):
        read(["ssh://root@host/web.vmx"], access=Access(transport="nfc"))


def test_the_reference_tools_spelling_is_taken(host: Esx) -> None:
    path = guest(host, "spelled")
    address = f"{host.address}{quote(str(path))}"
    words = ["-i", "vmx", "-it", "ssh", "-io", f"ssh-config={host.config}"]
    assert main(["report", "--source-only", *words, address]) == 0
