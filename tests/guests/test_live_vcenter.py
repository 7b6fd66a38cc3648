# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of a vCenter, taken over HTTPS, and exported while it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from fixtures.build import guest
from tests.v2v.hosts.test_vsphere import DESCRIPTOR
from tests.vcenter import Vcenter, vcenter
from v2v.access import Access
from v2v.hosts.vsphere import logged_in
from v2v.options import Options
from v2v.pipeline import convert
from v2v.proof import describe, verify
from v2v.sources import read

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("live-vcenter")]

_NAME = "DC0_H0_VM0"


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[Vcenter, str]]:
    """Start a vCenter that has esx-app's disk; yield it and the guest's address."""
    with vcenter(folder, *options) as server:
        store = server.datastores["LocalDS_0"] / _NAME
        flat = store / "disk1-flat.vmdk"
        source = guest("esx-app") / "esx-app.vmdk"
        subprocess.run(["qemu-img", "convert", "-O", "raw", source, flat], check=True)
        sectors = flat.stat().st_size // 512
        text = DESCRIPTOR.format(parent="ffffffff", hint="", sectors=sectors)
        (store / "disk1.vmdk").write_text(text)
        address = f"vpx://root@{server.authority}/DC0/{_NAME}"
        enlarge(address, access(server), flat.stat().st_size)
        yield server, address


def access(server: Vcenter, transport: str | None = None) -> Access:
    return Access(cacert=server.certificate, password_file=server.password, transport=transport)


def enlarge(address: str, how: Access, size: int) -> None:
    """Give the simulator's guest the memory and the disk of a real one."""
    store = read([address], access=how).disks[0].datastore
    assert store is not None
    with logged_in(store.login) as session:
        reference = session.guest(store.guest)
        config = session.properties(reference, "config")["config"]
        disks: list[Any] = [
            each for each in config.hardware.device if isinstance(each, vim.vm.device.VirtualDisk)
        ]
        disk = disks[0]
        disk.capacityInKB = size // 1024
        disk.capacityInBytes = size
        change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
        spec = vim.vm.ConfigSpec(memoryMB=512, numCPUs=2, deviceChange=[change])
        session.finished(session.call(reference.ReconfigVM_Task, spec), 30)


def snapshots(address: str, how: Access) -> object:
    store = read([address], access=how).disks[0].datastore
    assert store is not None
    with logged_in(store.login) as session:
        return session.properties(session.guest(store.guest), "snapshot").get("snapshot")


def test_a_guest_of_a_vcenter_is_converted_over_https(tmp_path: Path) -> None:
    with served(tmp_path, "-off") as (server, address):
        report = convert(address, Options(access=access(server), storage=tmp_path))
    assert report.guest is not None
    assert report.guest.distro == "debian"
    assert (tmp_path / f"{_NAME}-sda.qcow2").stat().st_size > 100 << 20
    assert "not-a-secret" not in (tmp_path / f"{_NAME}.report.json").read_text()


@pytest.mark.every
@pytest.mark.parametrize("transport", ["https", "nfc"])
def test_a_running_guest_is_copied_from_a_snapshot_and_boots(
    tmp_path: Path, transport: str
) -> None:
    with served(tmp_path) as (server, address):
        how = access(server, transport)
        options = Options(access=how, storage=tmp_path, allow_running=True)
        report = convert(address, options)
        assert snapshots(address, how) is None
    assert "W-RUNNING" in {warning.code for warning in report.warnings}
    evidence = verify(tmp_path / f"{_NAME}.xml", timeout=600)
    assert evidence.booted, describe(evidence)
