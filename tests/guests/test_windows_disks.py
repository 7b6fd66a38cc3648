# SPDX-License-Identifier: LGPL-2.1-or-later
"""Look-alike Windows guests on real disks: NTFS, both partition tables, letters of drives."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fixtures.build import guest
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
