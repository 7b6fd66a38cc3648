# SPDX-License-Identifier: LGPL-2.1-or-later
"""First sectors: boot code and partition types."""

from __future__ import annotations

import struct
import uuid

import pytest

from v2v.guest.layout import (
    HEAD_BYTES,
    boot_area,
    firmware,
    has_code,
    has_grub,
    partition_types,
    partitions,
    with_boot_code,
)
from v2v.model import BootArea, Firmware

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def gpt(*types: str, count: int = 128, size: int = 128) -> bytes:
    """A GPT whose partitions begin at 2048, 4096, ... and have 2048 sectors."""
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, count, size)
    entries = b"".join(
        (
            uuid.UUID(kind).bytes_le.ljust(32, b"\0")
            + struct.pack("<QQ", n << 11, (n + 1 << 11) - 1)
        ).ljust(size, b"\0")
        for n, kind in enumerate(types, start=1)
    )
    return (bytes(512) + header.ljust(512, b"\0") + entries).ljust(HEAD_BYTES, b"\0")


def test_an_efi_system_partition_means_efi() -> None:
    assert firmware([gpt(ESP, LINUX)]) is Firmware.efi
    assert firmware([gpt(LINUX), gpt(ESP)]) is Firmware.efi


def test_a_bios_boot_partition_wins() -> None:
    assert firmware([gpt(ESP, BIOS_BOOT, LINUX)]) is Firmware.bios


def test_no_gpt_means_bios() -> None:
    assert firmware([bytes(HEAD_BYTES)]) is Firmware.bios
    assert firmware([b""]) is Firmware.bios
    assert firmware([]) is Firmware.bios


def test_absurd_gpt_figures_are_survived() -> None:
    assert partition_types(gpt(ESP, count=0xFFFFFFFF, size=0xFFFF)[:600]) == frozenset()


def test_grubs_boot_code_is_known_by_its_name() -> None:
    sector = b"\xeb\x63".ljust(384, b"\0") + b"GRUB \0Geom\0"
    assert has_grub(sector.ljust(510, b"\0") + b"\x55\xaa")
    assert not has_grub(bytes(510) + b"\x55\xaa")
    assert not has_grub(bytes(600) + b"GRUB")


def mbr(*partitions: tuple[int, int], status: int = 0x80) -> bytes:
    """A first sector with partitions of a type and a first sector each."""
    table = b"".join(
        struct.pack("<B3xB3xII", status, kind, first, 100) for kind, first in partitions
    )
    return bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa"


@pytest.mark.parametrize(
    ("head", "area"),
    [
        (mbr((0x83, 63), (0x82, 2048)), BootArea(1, 62)),
        (mbr((0x82, 4096), (0x05, 2048)), BootArea(1, 2047)),
        (mbr((0x83, 1)), BootArea(1, 0)),
        (gpt(LINUX, BIOS_BOOT), BootArea(4096, 2048)),
        (gpt(LINUX), BootArea(34, 2014)),
        (mbr(), None),
        (mbr((0x83, 0)), None),
        (mbr((0x83, 63), status=0x42), None),  # code of a file system where the table would be
        (bytes(HEAD_BYTES), None),
        (b"", None),
    ],
)
def test_the_room_for_a_boot_loader_ends_at_the_first_partition(
    head: bytes, area: BootArea | None
) -> None:
    assert boot_area(head) == area


def test_boot_code_leaves_the_disk_what_is_its_own() -> None:
    old = bytes(range(256)) + mbr((0x83, 2048))[256:440] + b"disk" + mbr((0x83, 2048))[444:]
    new = with_boot_code(old, b"\xff" * 510 + b"\x55\xaa")
    assert len(new) == 512
    assert (new[3:0x5A], new[440:]) == (old[3:0x5A], old[440:])
    assert set(new[:3] + new[0x5A:440]) == {0xFF}


def test_partitions_are_told_by_their_numbers() -> None:
    unused = "00000000-0000-0000-0000-000000000000"
    found = partitions(gpt(LINUX, unused, ESP))
    assert {number: str(kind).upper() for number, kind in found.items()} == {1: LINUX, 3: ESP}
    assert partitions(bytes(HEAD_BYTES)) == {}


def test_any_code_in_front_of_the_partition_table_counts() -> None:
    assert has_code(b"\x33\xc0".ljust(510, b"\0") + b"\x55\xaa")
    assert not has_code(b"\x33\xc0".ljust(512, b"\0"))
    assert not has_code(bytes(446) + b"\x80".ljust(64, b"\1") + b"\x55\xaa")
