# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows on real NTFS: what is seen of it, dry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import v2v
from fixtures.debian import MIB, guestfish
from fixtures.hives import hive
from tests.v2v.test_windows import NT, SYSTEM, numbered, program
from v2v.hive import Value
from v2v.model import Firmware

pytestmark = pytest.mark.guest

# A system partition for UEFI, then C:.
_SCRIPT = """\
part-init /dev/sda gpt
part-add /dev/sda p 2048 65535
part-add /dev/sda p 65536 -2048
part-set-gpt-type /dev/sda 1 C12A7328-F81F-11D2-BA4B-00A0C93EC93B
part-set-gpt-guid /dev/sda 2 01234567-89AB-CDEF-0123-456789ABCDEF
mkfs vfat /dev/sda1
mkfs ntfs /dev/sda2
mount /dev/sda1 /
mkdir-p /EFI/Microsoft/Boot
touch /EFI/Microsoft/Boot/bootmgfw.efi
umount /
mount /dev/sda2 /
mkdir-p /Windows/SYSTEM32/config
mkdir /Windows/TEMP
upload {tree}/cmd.exe /Windows/SYSTEM32/cmd.exe
upload {tree}/SYSTEM /Windows/SYSTEM32/config/SYSTEM
upload {tree}/SOFTWARE /Windows/SYSTEM32/config/SOFTWARE
upload {tree}/hiberfil.sys /hiberfil.sys
"""


def image(folder: Path, *, memory: bytes) -> Path:
    path = folder / "windows.img"
    path.touch()
    os.truncate(path, 300 * MIB)
    own = bytes.fromhex("67452301ab89efcd0123456789abcdef")
    drives = {"\\DosDevices\\C:": Value.binary(b"DMIO:ID:" + own)}
    files = {
        "cmd.exe": program(0x8664),
        "SYSTEM": hive({**SYSTEM, "MountedDevices": drives}),
        "SOFTWARE": hive({NT: numbered("Windows 10 Pro", "22631")}),
        "hiberfil.sys": memory.ljust(8192, b"\0"),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    guestfish(_SCRIPT.format(tree=folder), path)
    return path


def test_a_hibernated_windows_is_refused_before_it_is_written_to(tmp_path: Path) -> None:
    source = image(tmp_path, memory=b"HIBR")
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(v2v.BlockedError) as caught:
        v2v.convert([source], v2v.Options(storage=target))
    assert "E-GUEST-HIBERNATED" in {finding.code for finding in caught.value.findings}
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(("memory", "stops"), [(b"HIBR", True), (b"wake", False)])
def test_windows_is_told_from_its_disk(tmp_path: Path, memory: bytes, stops: bool) -> None:
    report = v2v.plan([image(tmp_path, memory=memory)], v2v.Options(storage=tmp_path))
    guest = report.guest
    assert guest is not None
    assert guest.windows is not None
    assert (guest.product, guest.version, guest.arch) == ("Windows 11 Pro", "10.0", "x86_64")
    assert guest.firmware is Firmware.efi
    assert guest.mountpoints == {"/": "/dev/sda2", "/Windows/TEMP": "/dev/sda1"}
    assert guest.windows.drive_letters == {"C": "/dev/sda2"}
    assert guest.windows.system_hive == "/Windows/SYSTEM32/config/SYSTEM"
    codes = {finding.code for finding in report.blockers}
    assert ("E-GUEST-HIBERNATED" in codes) is stops
