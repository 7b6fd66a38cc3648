# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest of a vCenter, taken over HTTPS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fixtures.build import guest
from tests.v2v.hosts.test_vsphere import DESCRIPTOR
from tests.vcenter import vcenter
from v2v.access import Access
from v2v.options import Options
from v2v.pipeline import convert

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("live-vcenter")]


def test_a_guest_of_a_vcenter_is_converted_over_https(tmp_path: Path) -> None:
    with vcenter(tmp_path, "-off") as server:
        folder = server.datastores["LocalDS_0"] / "DC0_H0_VM0"
        flat = folder / "disk1-flat.vmdk"
        source = guest("esx-app") / "esx-app.vmdk"
        subprocess.run(["qemu-img", "convert", "-O", "raw", source, flat], check=True)
        sectors = flat.stat().st_size // 512
        text = DESCRIPTOR.format(parent="ffffffff", hint="", sectors=sectors)
        (folder / "disk1.vmdk").write_text(text)
        access = Access(cacert=server.certificate, password_file=server.password)
        options = Options(access=access, storage=tmp_path)
        report = convert(f"vpx://root@{server.authority}/DC0/DC0_H0_VM0", options)
    assert report.guest is not None
    assert report.guest.distro == "debian"
    assert (tmp_path / "DC0_H0_VM0-sda.qcow2").stat().st_size > 100 << 20
    assert "not-a-secret" not in (tmp_path / "DC0_H0_VM0.report.json").read_text()
