# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Xen host over real SSH: what is listed, read, refused and left behind."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from getpass import getuser
from pathlib import Path

import pytest

from tests.xen_dom0 import DOM0, HEAD, Dom0, dom0
from v2v.access import Access
from v2v.disks.opening import open_image
from v2v.disks.qemu_img import first_bytes
from v2v.errors import Finding, SourceError
from v2v.hosts.lvm import snapshot
from v2v.hosts.remote_file import RemoteBlocks, remote_file
from v2v.hosts.ssh import connected
from v2v.listing import to_csv, to_json, to_text
from v2v.model import Disk, DiskFormat, Machine, Remote
from v2v.path_maps import mapped, parse_maps
from v2v.run import run
from v2v.sources import listed, read
from v2v.stillness import held

MIB = 1 << 20


def unheard(finding: Finding) -> None:
    raise AssertionError(finding)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dom0]:
    with dom0(tmp_path_factory.mktemp("dom0")) as found:
        yield found


@pytest.fixture
def remote(host: Dom0) -> Remote:
    return Remote("127.0.0.1", getuser(), host.port, str(host.config))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "with 'quote' root.img"
    path.write_bytes(os.urandom(3 * MIB + 512))
    return path


def guest(path: Path, name: str = "web") -> str:
    """Return what xl list -l prints of a guest with a disk."""
    return json.dumps(
        [
            {
                "domid": 7,
                "config": {
                    "c_info": {
                        "type": "pv",
                        "name": name,
                        "uuid": "1c3b8d02-3b5c-4a3f-9d53-27b0a8a3b111",
                    },
                    "b_info": {"max_vcpus": 1, "max_memkb": 1048576, "bootloader": "pygrub"},
                    "disks": [
                        {"pdev_path": str(path), "vdev": "xvda", "format": "raw", "readwrite": 1}
                    ],
                    "nics": [{"devid": 0, "mac": "00:16:3e:00:00:01", "bridge": "xenbr0"}],
                },
            }
        ]
    )


def read_guest(host: Dom0, name: str = "web") -> Machine:
    return read([f"{host.address}/{name}"], access=Access(host.config))


def test_a_running_guest_is_read_from_xl(host: Dom0, disk: Path, remote: Remote) -> None:
    host.runs("web", "-b----", guest(disk))
    machine = read_guest(host)
    assert (machine.name, machine.running, machine.kind) == ("web", True, "xl-json")
    assert [(each.path, each.host) for each in machine.disks] == [(str(disk), remote)]
    assert machine.nics[0].mac == "00:16:3e:00:00:01"


@pytest.mark.parametrize(
    ("state", "running"),
    [("r-----", True), ("--p---", True), ("------", True), ("---s--", False), ("----c-", False)],
)
def test_states_tell_whether_the_disks_hold_still(
    host: Dom0, disk: Path, state: str, running: bool
) -> None:
    host.runs("web", state, guest(disk))
    assert read_guest(host).running is running


def test_a_guest_that_is_not_there_is_told_with_those_that_are(host: Dom0, disk: Path) -> None:
    host.runs("web", "-b----", guest(disk))
    with pytest.raises(SourceError) as failed:
        read_guest(host, "absent")
    assert failed.value.finding.code == "E-HOST-GUEST"
    assert failed.value.finding.hint == "it has: web"


def test_a_host_without_xen_is_told(host: Dom0) -> None:
    table = host.folder / "answers" / "table"
    table.unlink()
    with pytest.raises(SourceError, match="neither xl list nor xm list") as failed:
        read_guest(host)
    assert failed.value.finding.code == "E-HOST-XEN"


CONFIG = """\
name = 'old'
memory = 512
bootloader = 'pygrub'
disk = [ 'phy:{disk},xvda,w' ]
"""


def test_a_guest_that_is_shut_off_is_read_from_its_configuration(
    host: Dom0, disk: Path, tmp_path: Path
) -> None:
    plain = disk.rename(tmp_path / "root.img")
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "old.cfg").write_text(CONFIG.format(disk=plain))
    (folder / "broken.cfg").write_text("name = 'broken'\nmemory = [\n")
    (folder / "notes.txt").write_text("no configuration\n")
    host.runs("web", "-b----", guest(plain))
    access = Access(host.config, str(folder))
    machine = read([f"{host.address}/old"], access=access)
    assert (machine.kind, machine.running, machine.folder) == ("xl", False, folder)
    assert machine.disks[0].path == str(plain)
    found, findings = listed(host.address, access)
    assert [(each.machine.name, each.state) for each in found] == [
        ("web", "running"), ("old", "shut off"),
    ]  # fmt: skip
    assert [finding.code for finding in findings] == ["E-XL-SYNTAX"]
    with pytest.raises(SourceError):
        read([f"{host.address}/broken"], access=access)


def test_a_host_with_xend_is_asked_with_xm(host: Dom0, disk: Path) -> None:
    plain = disk.rename(disk.with_name("root.img"))
    table = host.folder / "answers" / "table"
    table.unlink()
    sxp = f"""(domain (domid 3) (name rhel) (memory 512) (vcpus 1) (uuid 4f0c)
        (bootloader /usr/bin/pygrub) (image (linux (kernel '')))
        (device (vbd (uname phy:{plain}) (dev xvda:disk) (mode w))))"""
    host.answer("xm-table", f"{HEAD}{DOM0}{'rhel':42}      512     1                 0.0\n")
    host.answer("guest-rhel", sxp)
    try:
        machine = read_guest(host, "rhel")
    finally:
        (host.folder / "answers" / "xm-table").unlink()
    assert (machine.kind, machine.running) == ("sxp", False)
    assert machine.disks[0].path == str(plain)


def test_guests_are_listed_with_the_sizes_of_their_disks(host: Dom0, disk: Path) -> None:
    host.runs("web", "-b----", guest(disk))
    found, findings = listed(host.address, Access(host.config))
    assert findings == ()
    assert [(each.machine.name, each.state) for each in found] == [("web", "running")]
    assert "web   running  1      1.0 GiB  3.0 MiB" in to_text(found)
    (row,) = json.loads(to_json(found, host.address))
    assert row["disks"] == [{"device": "xvda", "path": str(disk), "bytes": 3 * MIB + 512}]
    (line,) = csv.DictReader(to_csv(found, host.address).splitlines())
    assert (line["name"], line["disk_bytes"]) == ("web", str(3 * MIB + 512))


def test_a_disk_that_is_absent_has_no_size(host: Dom0, tmp_path: Path) -> None:
    host.runs("web", "-b----", guest(tmp_path / "gone"))
    found, _ = listed(host.address, Access(host.config))
    assert found[0].machine.disks[0].virtual_bytes is None
    assert "absent" in to_text(found)


def test_any_piece_of_a_file_is_read(disk: Path, remote: Remote) -> None:
    content = disk.read_bytes()
    with remote_file(remote, str(disk)) as file:
        assert file.size == len(content)
        assert file.pread(10, 0) == content[:10]
        assert file.pread(100, 65530) == content[65530:65630]
        assert file.pread(1 << 30, 3 * MIB) == content[3 * MIB :]
        assert file.pread(1, len(content)) == b""


def test_blocks_end_with_the_file(disk: Path, remote: Remote) -> None:
    content = disk.read_bytes()
    with remote_file(remote, str(disk)) as file:
        blocks = RemoteBlocks(file)
        count = -(-len(content) // blocks.block_bytes)
        assert count - 1 in blocks
        assert count not in blocks
        assert b"".join(map(blocks.read, range(count))) == content


def test_a_file_that_is_cut_while_it_is_read_is_an_error(disk: Path, remote: Remote) -> None:
    with remote_file(remote, str(disk)) as file:
        os.truncate(disk, MIB)
        disk.unlink()
        with pytest.raises(SourceError, match=r"root\.img: .*No such file") as failed:
            file.pread(10, 2 * MIB)
    assert failed.value.finding.code == "E-DISK-REMOTE"


@pytest.mark.parametrize(("name", "code"), [("gone", "E-DISK-MISSING"), (".", "E-DISK-KIND")])
def test_what_is_no_disk_is_told(tmp_path: Path, remote: Remote, name: str, code: str) -> None:
    with pytest.raises(SourceError) as failed, remote_file(remote, str(tmp_path / name)):
        pass
    assert failed.value.finding.code == code


def test_a_raw_disk_is_served_as_it_is(disk: Path, remote: Remote, tmp_path: Path) -> None:
    with open_image(Disk(str(disk), DiskFormat.raw, host=remote), tmp_path, trust=False) as image:
        assert image.virtual_bytes == 3 * MIB + 512
        assert first_bytes(image, MIB) == disk.read_bytes()[:MIB]


def test_a_qcow2_image_of_the_host_is_read_through_its_format(
    disk: Path, remote: Remote, tmp_path: Path
) -> None:
    packed = tmp_path / "disk.qcow2"
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", disk, packed)
    with open_image(Disk(str(packed), None, host=remote), tmp_path, trust=False) as image:
        assert image.format is DiskFormat.qcow2
        assert first_bytes(image, MIB) == disk.read_bytes()[:MIB]


def test_an_image_that_draws_in_files_of_the_host_is_refused(
    disk: Path, remote: Remote, tmp_path: Path
) -> None:
    (tmp_path / "guest").mkdir()
    top = tmp_path / "guest" / "top.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", top)
    opening = open_image(Disk(str(top), None, host=remote), top.parent, trust=False)
    with pytest.raises(SourceError, match="lies outside of the guest's folder"), opening:
        pass
    opening = open_image(Disk(str(top), None, host=remote), top.parent, trust=True)
    with pytest.raises(SourceError, match="draws in other files") as failed, opening:
        pass
    assert failed.value.finding.code == "E-DISK-REMOTE"


def test_a_disk_that_is_mapped_is_a_file_of_this_host(disk: Path, remote: Remote) -> None:
    machine = Machine(
        "xl", "xen", "web", MIB, 1,  # type: ignore[arg-type]
        (Disk("/dev/vg/root", None, host=remote), Disk("/dev/vg/data", None, host=remote)),
        disk.parent,
    )  # fmt: skip
    moved = mapped(machine, parse_maps([f"/dev/vg/root={disk}"]))
    assert [(each.path, each.host) for each in moved.disks] == [
        (str(disk), None),
        ("/dev/vg/data", remote),
    ]


def test_a_volume_is_read_from_a_snapshot_that_is_removed(
    host: Dom0, disk: Path, remote: Remote
) -> None:
    before = disk.read_bytes()
    host.has_volume(disk, len(before), 10 << 30)
    host.runs("web", "-b----", guest(disk))
    with held(read_guest(host), unheard) as (disks, findings):
        disk.write_bytes(bytes(len(before)))  # the guest goes on
        assert findings == ()
        with remote_file(remote, disks[0].path) as file:
            assert file.pread(MIB, 0) == before[:MIB]
        snapped = Path(disks[0].path)
        assert snapped.exists()
    assert not snapped.exists()


def test_a_snapshot_is_removed_after_a_failure(host: Dom0, disk: Path, remote: Remote) -> None:
    host.has_volume(disk, 3 * MIB, 10 << 30)
    made: list[str | None] = []

    def interrupted() -> None:
        with connected(remote) as connection, snapshot(connection, str(disk), "test") as device:
            made.append(device)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made[0] is not None
    assert not Path(made[0]).exists()
    assert host.calls()[-1].startswith("lvremove --force ")


def test_a_disk_without_room_for_a_snapshot_is_warned_of(
    host: Dom0, disk: Path, remote: Remote
) -> None:
    host.has_volume(disk, 3 * MIB, 100 * MIB)
    host.runs("web", "-b----", guest(disk))
    machine = read_guest(host)
    with held(machine, unheard) as (disks, findings):
        assert disks == machine.disks
    assert [finding.code for finding in findings] == ["W-RUNNING"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"UserKnownHostsFile": "/dev/null"}, "E-SSH-HOST-KEY"),
        ({"IdentityFile": "/dev/null"}, "E-SSH-AUTH"),
        ({"Hostname": "127.0.0.2"}, "E-SSH-CONNECT"),
    ],
)
def test_each_refusal_of_ssh_is_told_apart(
    host: Dom0, remote: Remote, tmp_path: Path, change: dict[str, str], code: str
) -> None:
    lines = host.config.read_text().splitlines()
    ((key, value),) = change.items()
    kept = [line for line in lines[1:] if not line.strip().startswith(key)]
    config = tmp_path / "config"
    config.write_text("\n".join([lines[0], f"  {key} {value}", *kept]) + "\n")
    elsewhere = replace(remote, config=str(config))
    with pytest.raises(SourceError) as failed, connected(elsewhere):
        pass
    assert failed.value.finding.code == code
    with pytest.raises(SourceError) as failed, remote_file(elsewhere, "/etc/hostname"):
        pass
    assert failed.value.finding.code == code
