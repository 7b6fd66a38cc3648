# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.virtio_win import open_media
from drivers.windows_list import rows
from fixtures.virtio_win import VERSION, write_folder
from v2v.cli import DONE, FAILED, main


def test_each_windows_has_a_row(tmp_path: Path) -> None:
    with open_media(write_folder(tmp_path / "m"), {}) as media:
        found = {(row.windows, row.arch): row for row in rows(media)}
    assert len(found) == 25
    assert found["Windows XP", "i686"].drivers.packages == ()
    ten = found["Windows 10", "x86_64"].to_text()
    assert f"  blk      viostor.inf    {VERSION:20} service viostor\n" in ten
    assert ten.endswith("  agent    qemu-ga-x86_64.msi\n")
    assert found["Windows Vista", "i686"].to_text() == (
        "Windows Vista (i686)\n  agent    qemu-ga-i386.msi\n"
    )


def test_the_program_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    medium = str(write_folder(tmp_path / "m"))
    assert main(["drivers", "list", "--virtio-win", medium]) == DONE
    assert "Windows Server 2022 (x86_64)\n" in capsys.readouterr().out
    assert main(["drivers", "list", "--virtio-win", medium, "--format", "json"]) == DONE
    (seven,) = (
        row
        for row in json.loads(capsys.readouterr().out)
        if (row["windows"], row["arch"]) == ("Windows 7", "x86_64")
    )
    assert {driver["service"] for driver in seven["drivers"]} >= {"viostor", "netkvm"}
    assert main(["drivers", "list", "--virtio-win", f"{medium}/none"]) == FAILED
