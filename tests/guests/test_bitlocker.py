# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows on a volume that BitLocker encrypts: opened by a key, changed, closed again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import v2v
from fixtures import windows
from fixtures.bitlocker import RECOVERY_KEY, encrypted
from fixtures.debian import MIB, guestfish
from fixtures.virtio_win import write_folder
from v2v.keys import parse_keys

pytestmark = pytest.mark.guest

_NAME = "win10-esx"
_SYSTEM = 128 * MIB
_START = windows.look_alike(_NAME).start
_TABLE = """\
part-init /dev/sda mbr
part-add /dev/sda p 2048 {last}
part-add /dev/sda p {first} -1
part-set-mbr-id /dev/sda 2 7
mkfs ntfs /dev/sda1
"""
_CONTENT = "mkfs ntfs /dev/sda\nmount /dev/sda /\n{copies}umount /\n"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BIOS disk with a small partition before that of Windows."""
    folder = tmp_path_factory.mktemp("bitlocker")
    tree, system, whole = folder / "tree", folder / "system.raw", folder / "disk.raw"
    for path, data in windows.content(_NAME).items():
        file = tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for image, size in ((system, _SYSTEM), (whole, _START + _SYSTEM)):
        image.touch()
        os.truncate(image, size)
    copies = "".join(f'copy-in "{top}" /\n' for top in sorted(tree.iterdir()))
    guestfish(_CONTENT.format(copies=copies), system)
    guestfish(_TABLE.format(first=_START // 512, last=_START // 512 - 1), whole)
    with whole.open("r+b") as stream:
        stream.seek(440)
        stream.write(windows.DISK_ID.to_bytes(4, "little"))
        stream.seek(_START)
        stream.write(encrypted(system.read_bytes(), "pass word"))
    return whole


def test_without_a_key_the_volume_is_named(disk: Path, tmp_path: Path) -> None:
    report = v2v.plan([disk], v2v.Options(storage=tmp_path))
    (found,) = report.blockers
    assert found.code == "E-GUEST-LOCKED"
    assert "/dev/sda2 (BitLocker)" in found.message


def test_the_recovery_key_opens_it_and_the_changes_are_encrypted(
    disk: Path, tmp_path: Path
) -> None:
    medium = write_folder(tmp_path / "virtio-win")
    target = tmp_path / "target"
    target.mkdir()
    options = v2v.Options(
        storage=target,
        virtio_win=medium,
        keys=parse_keys([f"/dev/sda2:key:{RECOVERY_KEY}"]),
        name="win",
    )
    report = v2v.convert([disk], options)
    assert report.guest is not None
    assert report.guest.windows is not None
    assert report.guest.root == "/dev/mapper/bitlk-sda2"
    assert report.guest.windows.drive_letters == {"C": "/dev/mapper/bitlk-sda2"}
    assert "W-BITLOCKER" in {finding.code for finding in report.warnings}
    assert report.plan is not None
    assert len(report.plan.changes) > 40
    again = v2v.plan(
        target / "win.xml",
        v2v.Options(
            storage=tmp_path,
            virtio_win=medium,
            keys=parse_keys(["all:key:pass word"]),
            name="again",
        ),
    )
    assert again.plan is not None
    assert [change.describe() for change in again.plan.changes] == []
