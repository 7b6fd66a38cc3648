# SPDX-License-Identifier: LGPL-2.1-or-later
"""First sectors: boot code and partition types."""

from __future__ import annotations

import struct
import uuid

from v2v.guest.layout import HEAD_BYTES, firmware, has_grub, partition_types
from v2v.model import Firmware

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"


def gpt(*types: str, count: int = 128, size: int = 128) -> bytes:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, count, size)
    entries = b"".join(uuid.UUID(kind).bytes_le.ljust(size, b"\0") for kind in types)
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
