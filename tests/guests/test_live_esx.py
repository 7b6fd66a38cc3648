# SPDX-License-Identifier: LGPL-2.1-or-later
"""A VMware guest with two snapshots, taken over SSH from where it lies."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from fixtures.build import guest
from tests.esx_host import esx
from v2v.access import Access
from v2v.errors import BlockedError
from v2v.options import Options
from v2v.pipeline import convert
from v2v.proof import describe, verify

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("live-esx")]


def digests(folder: Path) -> dict[str, str]:
    """Return the checksums of all files in a folder."""
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


@pytest.mark.every
def test_the_newest_snapshot_is_converted_over_ssh_and_boots(tmp_path: Path) -> None:
    """What it was taken of starts nowhere, and the snapshot between does not come up."""
    source = guest("esx-chain")
    (tmp_path / "host").mkdir()
    before = digests(source)
    with esx(tmp_path / "host") as host:
        store = host.datastore("data store \u00e9")
        (store / "esx-chain").symlink_to(source)
        path = host.volumes / "data store \u00e9" / "esx-chain" / "esx-chain.vmx"
        address = f"{host.address}{quote(str(path))}"
        host.tells("", path.resolve())
        running = Options(access=Access(host.config), storage=tmp_path)
        with pytest.raises(BlockedError) as failed:
            convert(address, running)
        assert "E-RUNNING" in [finding.code for finding in failed.value.findings]
        host.tells("")
        report = convert(address, running)
    assert report.guest is not None
    assert report.machine.disks[0].host is not None
    assert digests(source) == before
    subprocess.run(["qemu-img", "check", "-q", tmp_path / "esx-chain-sda.qcow2"], check=True)
    evidence = verify(tmp_path / "esx-chain.xml", timeout=400)
    assert evidence.booted, describe(evidence)


def test_a_chain_over_ssh_becomes_what_it_becomes_here(tmp_path: Path) -> None:
    """The road of the disk makes no difference to what is in the result, or to its size."""
    source = guest("esx-chain") / "esx-chain.vmx"
    host_folder, far, near = (tmp_path / name for name in ("host", "far", "near"))
    for each in (host_folder, far, near):
        each.mkdir()
    with esx(host_folder) as host:
        access = Access(host.config)
        report = convert(f"{host.address}{quote(str(source))}", Options(access=access, storage=far))
    local = convert(source, Options(storage=near))
    assert report.guest == local.guest
    assert report.plan is not None
    assert local.plan is not None
    assert report.plan.changes == local.plan.changes
    there, here = (folder / "esx-chain-sda.qcow2" for folder in (far, near))
    used = [path.stat().st_blocks * 512 for path in (there, here)]
    assert abs(used[0] - used[1]) <= used[1] // 20
