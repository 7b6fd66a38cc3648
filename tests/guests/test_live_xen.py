# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of a Xen host, taken over SSH: from a file, and from a block device."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures.build import guest
from tests.xapi_server import xapi
from tests.xen_dom0 import dom0
from v2v.access import Access
from v2v.errors import BlockedError
from v2v.options import Options
from v2v.pipeline import convert, plan
from v2v.sources import read

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("live-xen")]


@contextmanager
def block_device(path: Path) -> Iterator[Path]:
    argv = ["losetup", "--find", "--show", "--read-only", str(path)]
    device = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield Path(device)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


def described(images: Mapping[str, Path]) -> str:
    """Return the guest of these disks in libxl's words, as xl list -l prints them."""
    config = {
        "c_info": {"type": "pv", "name": "web"},
        "b_info": {"max_vcpus": 1, "max_memkb": 524288, "bootloader": "pygrub"},
        "disks": [
            {"pdev_path": str(image), "vdev": device, "format": "raw", "readwrite": 1}
            for device, image in images.items()
        ],
    }
    return json.dumps([{"domid": 3, "config": config}])


def used(path: Path) -> int:
    return path.stat().st_blocks * 512


def test_a_guest_of_a_host_becomes_what_its_files_become(tmp_path: Path) -> None:
    """The road of the disk makes no difference to what is in the result, or to its size."""
    source = guest("xen-web") / "xen-web.cfg"
    files = {disk.device or "": Path(disk.path) for disk in read([source]).disks}
    folder, far, near = (tmp_path / name for name in ("host", "far", "near"))
    for each in (folder, far, near):
        each.mkdir()
    with dom0(folder) as host, block_device(files["xvda"]) as device:
        host.runs("web", "---s--", described({**files, "xvda": device}))
        address = f"{host.address}/web"
        report = convert(address, Options(access=Access(host.config), storage=far))
        host.runs("web", "-b----", described(files))
        with pytest.raises(BlockedError) as failed:
            convert(address, Options(access=Access(host.config), storage=far, name="other"))
        looked = plan(
            address, Options(access=Access(host.config), allow_running=True, storage=near)
        )
    assert "E-RUNNING" in [finding.code for finding in failed.value.findings]
    assert [finding.code for finding in looked.blockers] == []
    assert "W-RUNNING" in [finding.code for finding in looked.warnings]
    assert report.guest is not None
    assert looked.guest == report.guest
    local = convert(source, Options(storage=near))
    assert local.guest == report.guest
    there, here = (sorted(folder.glob("*.qcow2")) for folder in (far, near))
    assert len(there) == len(here) == len(files)
    for one, other in zip(there, here, strict=True):
        assert abs(used(one) - used(other)) <= used(other) // 20


def test_an_export_by_xapi_becomes_the_result_itself(tmp_path: Path) -> None:
    """Nothing is copied: the disks are written as they come, and changed in place."""
    export = guest("xen-xva") / "xen-web.xva"
    near, far = tmp_path / "near", tmp_path / "far"
    for each in (near, far):
        each.mkdir()
    halted: dict[str, Mapping[str, object]] = {
        "OpaqueRef:1": {"name_label": "web", "uuid": "web", "power_state": "Halted"}
    }
    with xapi(tmp_path, {"VM": halted}) as server:
        server.exports["web"] = export
        access = Access(cacert=server.certificate, password_file=server.password)
        streamed = convert(f"{server.address}/web", Options(access=access, storage=far))
    local = convert(export, Options(storage=near))
    assert streamed.guest == local.guest
    assert streamed.plan is not None
    assert local.plan is not None
    assert streamed.plan.changes == local.plan.changes
    assert sorted(path.name for path in far.iterdir()) == sorted(
        path.name for path in near.iterdir()
    )
    for one in far.glob("*.qcow2"):
        subprocess.run(["qemu-img", "check", "-q", one], check=True)
        assert used(one) < 1.3 * used(near / one.name)
