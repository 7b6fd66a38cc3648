# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real libvirtd takes guests: pools of folders, file systems and partitions, streams, UEFI."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lxml import etree

from fixtures.build import guest as real_guest
from tests.libvirt_host import TCP_PORT, LibvirtHost, libvirt_host

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("libvirt")]

MIB = 1 << 20
TCP = f"qemu+tcp://127.0.0.1:{TCP_PORT}/system"
MAC = "00:16:3e:5a:1e:01"  # of the guest xen-web
ON_DEFAULT = ("-b", ":network:default")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibvirtHost]:
    with libvirt_host(tmp_path_factory.mktemp("host")) as made:
        made.virsh("net-start", "default")
        yield made


@pytest.fixture
def guest(host: LibvirtHost, tmp_path: Path) -> Iterator[Path]:
    """Return a domain XML with an image of 64 MiB; domains and pools are gone afterwards."""
    yield _guest(tmp_path)
    for name in host.virsh("list", "--all", "--name").split():
        host.virsh("destroy", name, check=False)
        host.virsh("undefine", name, "--nvram")
    for pool in host.virsh("pool-list", "--name").split():
        for volume in host.virsh("vol-list", pool).splitlines():
            host.virsh("vol-delete", volume.split()[0], "--pool", pool)
        host.virsh("pool-destroy", pool)
    for pool in host.virsh("pool-list", "--all", "--name").split():
        host.virsh("pool-undefine", pool)


def _guest(folder: Path, firmware: str = "bios") -> Path:
    raw, image = folder / "web.raw", folder / "web-sda.qcow2"
    raw.write_bytes(hashlib.sha256(b"web").digest() * (MIB // 32))
    with raw.open("r+b") as file:
        file.truncate(64 * MIB)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    path = folder / "web.xml"
    path.write_text(
        f"<domain><name>web</name><os firmware='{firmware}'/><memory>131072</memory><devices>"
        f"<disk><source file='{image}'/></disk>"
        "<interface><mac address='52:54:00:76:32:99'/></interface></devices></domain>"
    )
    return path


def data(host: LibvirtHost, path: str, format: str) -> bytes:
    """Return the first MiB and a half of a volume, as a guest would see it."""
    out = host.folder / "data"
    host.run(
        *("qemu-img", "dd", "-f", format, "-O", "raw", "bs=65536", "count=24"),
        *(f"if={path}", f"of={out}"),
    )
    return out.read_bytes()


EXPECTED = hashlib.sha256(b"web").digest() * (MIB // 32) + bytes(MIB // 2)


def hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


@contextmanager
def looped(host: LibvirtHost, size: int) -> Iterator[str]:
    """Have a block device of the host."""
    file = host.folder / "looped"
    with file.open("wb") as stream:
        stream.truncate(size)
    device = host.run("losetup", "--find", "--show", "--partscan", file).strip()
    try:
        yield device
    finally:
        host.run("losetup", "--detach", device)
        file.unlink()


def source_of(host: LibvirtHost, name: str) -> dict[str, str]:
    root = etree.fromstring(host.virsh("dumpxml", name).encode())
    (source,) = root.iterfind("devices/disk[@device='disk']/source")
    return {str(key): str(value) for key, value in source.attrib.items()}


def test_the_default_pool_is_made_and_the_guest_starts(host: LibvirtHost, guest: Path) -> None:
    said = host.write(guest, "--create-pool", "--start", "--autostart", *ON_DEFAULT)
    assert json.loads(said) == ["web", "/var/lib/libvirt/images/web-sda.qcow2"]
    assert host.images() == ["web-sda.qcow2"]
    assert host.virsh("domstate", "web").strip() == "running"
    assert "Autostart:      enable" in host.virsh("dominfo", "web")
    assert "web-sda.qcow2" in host.virsh("vol-list", "default")
    assert data_of_copy(host) == EXPECTED


def data_of_copy(host: LibvirtHost) -> bytes:
    host.virsh("destroy", "web")
    return data(host, "/var/lib/libvirt/images/web-sda.qcow2", "qcow2")


def test_a_file_system_that_libvirt_mounts(host: LibvirtHost, guest: Path) -> None:
    mount = host.folder / "mounted"
    with looped(host, 512 * MIB) as device:
        host.run("mkfs.ext4", "-q", device)
        host.virsh(
            *("pool-define-as", "disks", "fs", "--source-dev", device),
            *("--source-format", "ext4", "--target", mount),
        )
        host.virsh("pool-build", "disks")
        refused = host.write(guest, "-os", "disks", *ON_DEFAULT, check=False)
        assert refused.startswith("E-POOL: pool disks: it is not started")
        host.write(guest, "-os", "disks", "-of", "raw", "--create-pool", *ON_DEFAULT)
        assert f"{device} {mount} ext4" in host.run("cat", "/proc/mounts")
        assert data(host, f"{mount}/web-sda.raw", "raw") == EXPECTED
        assert list(mount.iterdir()) == []  # outside of the host nothing is mounted
        host.virsh("undefine", "web")
        host.virsh("vol-delete", "web-sda.raw", "--pool", "disks")
        host.virsh("pool-destroy", "disks")


def test_a_partition_of_a_disk(host: LibvirtHost, guest: Path) -> None:
    with looped(host, 256 * MIB) as device:
        host.virsh(
            *("pool-define-as", "parts", "disk", "--source-dev", device),
            *("--source-format", "gpt", "--target", "/dev"),
        )
        host.virsh("pool-build", "parts", "--overwrite")
        host.virsh("pool-start", "parts")
        host.write(guest, "-os", "parts", *ON_DEFAULT)
        assert source_of(host, "web") == {"dev": f"{device}p1"}
        assert data(host, f"{device}p1", "raw") == EXPECTED
        host.virsh("pool-destroy", "parts")


@pytest.mark.parametrize("format", ["qcow2", "raw"])
def test_data_goes_to_another_host_by_a_stream(host: LibvirtHost, guest: Path, format: str) -> None:
    host.write(guest, "--create-pool", "-oc", TCP, "-of", format, *ON_DEFAULT)
    path = f"/var/lib/libvirt/images/web-sda.{format}"
    assert data(host, path, format) == EXPECTED
    stat = (host.folder / f"lib/images/web-sda.{format}").stat()
    assert stat.st_blocks * 512 < 4 * MIB  # holes stay holes
    assert stat.st_size == 64 * MIB or format == "qcow2"


def test_a_guest_that_libvirt_refuses_leaves_nothing(host: LibvirtHost, guest: Path) -> None:
    text = guest.read_text().replace("<memory>131072", "<uuid>no-uuid</uuid><memory>131072")
    guest.write_text(text)
    for way in ((), ("-oc", TCP)):
        refused = host.write(guest, "--create-pool", *ON_DEFAULT, *way, check=False)
        assert refused.startswith("E-LIBVIRT: libvirt refuses the domain")
        assert host.virsh("pool-list", "--all", "--name").split() == []
        assert host.virsh("list", "--all", "--name").split() == []
        assert [name for name in host.images() if name.startswith(("web", ".v2v"))] == []


def test_replacing_takes_the_old_ones_uefi_variables_away(
    host: LibvirtHost, guest: Path, tmp_path: Path
) -> None:
    efi = _guest(tmp_path, "efi")
    host.write(efi, "--create-pool", "--start", *ON_DEFAULT)
    refused = host.write(efi, "--on-conflict", "replace", *ON_DEFAULT, check=False)
    assert refused.startswith("E-DOMAIN-RUNNING: domain web")
    host.virsh("destroy", "web")
    variables = next((host.folder / "lib/qemu/nvram").iterdir())
    host.write(efi, "--on-conflict", "replace", *ON_DEFAULT)
    assert host.images() == ["web-2-sda.qcow2"]
    assert not variables.exists()
    host.write(efi, "--on-conflict", "rename", *ON_DEFAULT, "--start")
    assert sorted(host.virsh("list", "--all", "--name").split()) == [
        "web",
        "web-3",
    ]  # web-2 has the disks of web


def test_networks_of_the_host_are_known(host: LibvirtHost, guest: Path) -> None:
    said = host.write(guest, "--create-pool", "-b", ":br-absent")
    assert said.startswith("E-NETWORK: bridge br-absent: the target has no network device")
    host.run("ip", "link", "add", "br-there", "type", "bridge")
    host.run("ip", "link", "set", "br-there", "up")
    host.virsh("undefine", "web")
    host.virsh("vol-delete", "web-sda.qcow2", "--pool", "default")
    for way in ((), ("-oc", TCP)):
        said = host.write(guest, "-b", ":br-there", *way)
        assert json.loads(said)[0] == "web"
        assert "br-there" in host.virsh("domiflist", "web")
        host.virsh("undefine", "web")
        host.virsh("vol-delete", "web-sda.qcow2", "--pool", "default")


def test_blocks_are_pulled_while_the_guest_runs(host: LibvirtHost, guest: Path) -> None:
    host.write(guest, "--create-pool", *ON_DEFAULT)
    source, image = "/var/lib/libvirt/source.raw", "/var/lib/libvirt/images/web-sda.qcow2"
    host.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, source)
    before = hashlib.sha256((host.folder / "lib/source.raw").read_bytes()).digest()
    host.run("qemu-img", "create", "-q", "-f", "qcow2", "-b", source, "-F", "raw", image)
    host.virsh("start", "web")
    assert host.v2v("finish", "-q", "web") == ""
    assert host.virsh("domstate", "web").strip() == "running"
    assert hashlib.sha256((host.folder / "lib/source.raw").read_bytes()).digest() == before
    assert "backing file" not in host.run("qemu-img", "info", "-U", image)
    assert host.v2v("finish", "web") == ""  # there is nothing left to do
    (host.folder / "lib/source.raw").unlink()
    host.virsh("destroy", "web")
    assert data(host, image, "qcow2") == EXPECTED


def test_a_guest_runs_at_once_and_takes_its_data_along_later(host: LibvirtHost) -> None:
    """On overlays over the source, on libvirt's own network; then without the source."""
    folder = Path("/var/lib/libvirt/source")
    source = host.folder / "lib/source"
    source.mkdir()
    for path in real_guest("xen-web").iterdir():
        subprocess.run(["cp", "--sparse=always", path, source / path.name], check=True)
    before = hashes(source)
    said = host.v2v(
        *("convert", folder / "xen-web.cfg", "-o", "libvirt", "--create-pool", "--copy", "lazy"),
        *("--start", *ON_DEFAULT),
    )
    assert "W-LAZY" in said
    assert said.endswith("xen-web\n")
    overlay = host.folder / "lib/images/xen-web-sda.qcow2"
    assert overlay.stat().st_blocks * 512 < 100 * MIB  # what the conversion changed
    _wait_for_lease(host, MAC)
    done = host.v2v("finish", "xen-web", "-q")
    assert done == ""
    assert hashes(source) == before
    for path in source.iterdir():
        path.unlink()
    said = host.run("qemu-img", "info", "-U", "/var/lib/libvirt/images/xen-web-sda.qcow2")
    assert "backing file" not in said
    host.virsh("destroy", "xen-web")
    host.virsh("start", "xen-web")
    host.virsh("destroy", "xen-web")


@pytest.mark.every
def test_a_guest_on_a_bridge_reaches_the_network(host: LibvirtHost) -> None:
    """On a bridge of the host, that happens to be the one of libvirt's own network."""
    source = host.folder / "lib/bridged"
    source.mkdir()
    for path in real_guest("xen-web").iterdir():
        subprocess.run(["cp", "--sparse=always", path, source / path.name], check=True)
    configuration = "/var/lib/libvirt/bridged/xen-web.cfg"
    words = ("-on", "bridged", "-b", "xenbr0:virbr0")
    before = _lease(host, MAC)
    host.v2v("convert", configuration, "-o", "libvirt", "--create-pool", "--start", *words)
    assert "<interface type='bridge'>" in host.virsh("dumpxml", "bridged")
    _wait_for_lease(host, MAC, before)
    host.virsh("destroy", "bridged")


def _wait_for_lease(host: LibvirtHost, mac: str, before: str = "") -> None:
    """Wait until libvirt's DHCP server gave a guest an address, another time than ``before``."""
    deadline = time.monotonic() + 300
    while (lease := _lease(host, mac)) in ("", before):
        assert time.monotonic() < deadline, lease
        time.sleep(1)


def _lease(host: LibvirtHost, mac: str) -> str:
    """Return the line of a guest's lease, which says when it ends; "" if it has none."""
    lines = host.virsh("net-dhcp-leases", "default").splitlines()
    return next((line for line in lines if mac in line), "")
