# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot partitions that fstab does not name are mounted where systemd would mount them."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.guest.boot_partitions import mount_unlisted
from v2v.guest.session import Drive, Session
from v2v.guest.volumes import look
from v2v.run import run

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("appliance")]

MIB = 1 << 20
XBOOTLDR, ESP = "BC13C2FF-59E6-4262-A352-B275FD6F7172", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with an EFI system partition, a boot partition and a root with /boot and /efi."""
    folder = tmp_path_factory.mktemp("disk")
    root = folder / "tree"
    for name in ("boot", "efi", "etc"):
        (root / name).mkdir(parents=True)
    parts = {"esp": 40, "xbootldr": 40, "root": 32}
    for name, size in parts.items():
        run("truncate", "-s", f"{size}M", folder / name)
    run("mkfs.vfat", "-F", "32", folder / "esp")
    run("mkfs.vfat", "-F", "32", folder / "xbootldr")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", root, folder / "root")
    disk = folder / "disk.img"
    run("truncate", "-s", "120M", disk)
    kinds = ((40, ESP), (40, XBOOTLDR), (32, LINUX))
    lines = [f"size={size}MiB, type={kind}\n" for size, kind in kinds]
    run("sfdisk", "--quiet", disk, text="label: gpt\n" + "".join(lines))
    with disk.open("r+b") as out:
        at = MIB
        for name, size in parts.items():
            out.seek(at)
            out.write((folder / name).read_bytes())
            at += size * MIB
    return disk


def test_each_goes_to_its_empty_folder(image: Path) -> None:
    cases: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
        ({}, {"/boot": "/dev/sda2", "/efi": "/dev/sda1"}),
        ({"/boot": "/dev/sda2"}, {"/efi": "/dev/sda1"}),
        ({"/boot": "/dev/sda1"}, {}),
        ({"/boot": "/dev/sda2", "/efi": "/dev/sda1"}, {}),
    )
    with Session([Drive(image, "raw")], writable=False) as session:
        heads = look(session).heads
        for mounted, found in cases:
            session.mount("/dev/sda3", "/")
            assert mount_unlisted(session, heads, {"/": "/dev/sda3", **mounted}) == found
            session.umount_all()
