# SPDX-License-Identifier: LGPL-2.1-or-later
"""An OVA is converted where it is, and one that was damaged on its way leaves nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import v2v
from fixtures.build import guest
from fixtures.ova import exported, vmware

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("ova")]


@pytest.fixture(scope="module")
def ova(tmp_path_factory: pytest.TempPathFactory) -> Path:
    disk = guest("systemd-boot") / "systemd-boot.vmdk"
    return exported(disk, tmp_path_factory.mktemp("ova"), "web", vmware)


def test_an_ova_is_converted_where_it_is(
    ova: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = ova.read_bytes()
    target = tmp_path / "target"
    target.mkdir()
    report = v2v.convert(ova, v2v.Options(storage=target))
    assert sorted(path.name for path in target.iterdir()) == [
        "web-sda.qcow2", "web.report.json", "web.xml",
    ]  # fmt: skip
    # What is left is libguestfs' own appliance.
    assert [path for path in temporary.iterdir() if path.name != ".guestfs-0"] == []
    assert ova.read_bytes() == before
    assert report.machine.kind == "ova"
    assert report.guest is not None
    assert report.guest.product == "Debian GNU/Linux 13 (trixie)"
    again = v2v.plan(target / "web.xml", v2v.Options(storage=tmp_path))
    assert again.blockers == ()
    assert again.plan is not None
    assert again.plan.changes == ()


def test_an_ova_that_was_damaged_leaves_nothing(ova: Path, tmp_path: Path) -> None:
    """A byte in the padding of the VMDK is not what it was: only the checksum shows it."""
    damaged = Path(shutil.copy(ova, tmp_path / "web.ova"))
    (disk,) = v2v.open(damaged).disks
    assert disk.packed is not None
    (piece,) = disk.packed.pieces
    with damaged.open("r+b") as file:
        # Behind the descriptor inside of the VMDK.
        file.seek(piece.offset + 20 * 512 + 100)
        file.write(b"\xff")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(v2v.V2VError, match=r"web-disk1\.vmdk: is not what its checksum") as caught:
        v2v.convert(damaged, v2v.Options(storage=target))
    assert caught.value.finding.code == "E-OVF-SUM"
    assert list(target.iterdir()) == []
