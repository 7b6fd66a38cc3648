# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which disks of Xen become partitions, and which get a partition table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2v.disks.image import Image, inspect_image
from v2v.disks.qemu_img import first_bytes
from v2v.errors import SourceError
from v2v.guest.layout import ESP, HEAD_BYTES, partitions
from v2v.guest.layout import firmware as made_for
from v2v.model import Boot, BootMethod, Disk, DiskFormat, Firmware, Hypervisor, Machine
from v2v.partitioning import Arranged, arrange
from v2v.run import run

EXT4 = bytes(1080) + b"\x53\xef"
SWAP = bytes(4086) + b"SWAPSPACE2"
LVM = bytes(512) + b"LABELONE"
MBR = (bytes(446) + b"\x80\0\0\0\x83\0\0\0\0\x08\0\0\0\x08\0\0").ljust(510, b"\0") + b"\x55\xaa"


def arranged(
    folder: Path,
    method: BootMethod | None = BootMethod.pygrub,
    firmware: Firmware | None = None,
    **contents: bytes,
) -> Arranged:
    """Disks of these names and contents, of 2 MiB each."""
    disks, images = [], []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        os.truncate(path, 2 << 20)
        disks.append(Disk(str(path), DiskFormat.raw, device=name))
        images.append(inspect_image(disks[-1], folder, trust=False))
    machine = Machine(
        kind="xl",
        hypervisor=Hypervisor.xen,
        name="web",
        memory_bytes=1 << 29,
        vcpus=1,
        disks=tuple(disks),
        folder=folder,
        boot=None if method is None else Boot(method),
    )
    return arrange(machine, tuple(images), folder, firmware)


def devices(found: Arranged) -> list[str | None]:
    return [disk.device for disk in found.machine.disks]


def types(image: Image) -> list[int]:
    head = image.path.with_name(f"{image.path.stem}.head").read_bytes()
    return [head[446 + 16 * at + 4] for at in range(4)]


def test_images_that_are_partitions_become_one_disk(tmp_path: Path) -> None:
    found = arranged(tmp_path, sda2=EXT4, sda1=SWAP, sdb1=LVM, xvdc=EXT4)
    assert devices(found) == ["sda", "sdb", "xvdc"]
    assert types(found.images[0]) == [0x82, 0x83, 0, 0]
    assert types(found.images[1]) == [0x8E, 0, 0, 0]
    assert [disk.wrapped for disk in found.machine.disks] == [False, False, False]
    assert [finding.code for finding in found.findings] == ["W-DISK-LAYOUT", "W-DISK-LAYOUT"]


@pytest.mark.parametrize("content", [EXT4, LVM], ids=["file system", "physical volume"])
def test_a_first_disk_without_a_table_gets_one(tmp_path: Path, content: bytes) -> None:
    found = arranged(tmp_path, xvda=content, xvdb=EXT4)
    assert devices(found) == ["xvda", "xvdb"]
    assert [disk.wrapped for disk in found.machine.disks] == [True, False]
    assert found.images[1].format is DiskFormat.raw


@pytest.mark.parametrize(
    ("method", "content"),
    [
        (BootMethod.pygrub, MBR),
        (BootMethod.hvm, EXT4),
        (None, EXT4),
        (BootMethod.direct, SWAP),
        (BootMethod.direct, b"nothing known"),
    ],
    ids=["partitioned", "started by a BIOS", "no Xen guest", "swap", "unknown"],
)
def test_other_disks_stay_as_they_are(
    tmp_path: Path, method: BootMethod | None, content: bytes
) -> None:
    found = arranged(tmp_path, method, xvda=content)
    assert found.findings == ()
    assert found.images[0].format is DiskFormat.raw


def test_a_partition_beside_its_own_disk_stays_as_it_is(tmp_path: Path) -> None:
    assert devices(arranged(tmp_path, xvda=MBR, xvda1=EXT4)) == ["xvda", "xvda1"]


def test_the_signature_is_the_same_for_each_run(tmp_path: Path) -> None:
    heads = []
    for once in ("a", "b"):
        (tmp_path / once).mkdir()
        arranged(tmp_path / once, xvda1=EXT4)
        heads.append((tmp_path / once / "xvda.head").read_bytes())
    assert heads[0] == heads[1]


def test_for_uefi_the_first_disk_that_is_composed_gets_a_loader(tmp_path: Path) -> None:
    found = arranged(tmp_path, firmware=Firmware.efi, sda2=EXT4, sda1=SWAP, sdb1=LVM)
    assert [disk.loader for disk in found.machine.disks] == [True, False]
    head = first_bytes(found.images[0], HEAD_BYTES)
    assert list(partitions(head)) == [1, 2, 3]  # none for a BIOS
    assert partitions(head)[3] == ESP
    assert made_for([head]) is Firmware.efi
    assert types(found.images[1]) == [0x8E, 0, 0, 0]


def test_the_loader_is_where_uefi_looks_for_it_and_leads_to_the_guests_menu(tmp_path: Path) -> None:
    arranged(tmp_path, firmware=Firmware.efi, xvda=EXT4)
    esp = tmp_path / "xvda.esp"
    program = run("mtype", "-i", esp, "::/EFI/BOOT/grub.cfg")
    assert "for part in 1; do" in program
    assert "BOOTX64  EFI" in run("mdir", "-i", esp, "::/EFI/BOOT")
    assert run("fsck.vfat", "-n", esp)


def test_without_grub_on_the_host_there_is_no_disk_for_uefi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2v.disks.loader_partition._GRUB", tmp_path / "absent")
    with pytest.raises(SourceError, match="no GRUB for UEFI") as caught:
        arranged(tmp_path, firmware=Firmware.efi, xvda=EXT4)
    assert caught.value.finding.code == "E-FIRMWARE"
