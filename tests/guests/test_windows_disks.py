# SPDX-License-Identifier: LGPL-2.1-or-later
"""Look-alike Windows guests on real disks: NTFS, both partition tables, letters of drives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import v2v
from fixtures.build import guest
from fixtures.virtio_win import write_iso
from tests.reference import environment


@pytest.mark.guest
@pytest.mark.parametrize(
    ("name", "firmware", "system"),
    [("win7-xen", "bios", "/dev/sda2"), ("win2k22-esx", "efi", "/dev/sda3")],
)
def test_the_system_and_its_drive_are_found(name: str, firmware: str, system: str) -> None:
    (source,) = (file for file in guest(name).iterdir() if file.suffix in (".cfg", ".vmx"))
    said = subprocess.run(
        (sys.executable, "-m", "v2v", "report", source, "--format", "json"),
        capture_output=True, check=False, text=True, env=environment(),
    ).stdout  # fmt: skip
    found = json.loads(said)["guest"]
    assert found["type"] == "windows"
    assert found["firmware"] == firmware
    assert found["root"] == system
    assert found["windows"]["drive_letters"] == {"C": system}


@pytest.mark.guest
@pytest.mark.parametrize(
    ("name", "changes"), [("winxp-esx", 10), ("win7-xen", 40), ("win2k22-esx", 40)]
)
def test_what_is_converted_is_written_and_needs_no_more(
    name: str, changes: int, tmp_path: Path
) -> None:
    (source,) = (file for file in guest(name).iterdir() if file.suffix in (".cfg", ".vmx"))
    medium = write_iso(tmp_path / "virtio-win.iso")
    target = tmp_path / "target"
    target.mkdir()
    report = v2v.convert(source, v2v.Options(storage=target, virtio_win=medium))
    assert report.plan is not None
    assert len(report.plan.changes) >= changes
    domain = target / f"{name}.xml"
    again = v2v.plan(domain, v2v.Options(storage=tmp_path, name="again", virtio_win=medium))
    assert again.blockers == ()
    assert again.plan is not None
    assert [change.describe() for change in again.plan.changes] == []
