# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import struct
import uuid

from v2v.guest.layout import ESP
from v2v.guest.windows import disk_heads, letters
from v2v.hive import Type, Value

BASIC = uuid.UUID("EBD0A0A2-B9E5-4433-87C0-68B6B72699C7")
OWN = uuid.UUID("01234567-89AB-CDEF-0123-456789ABCDEF")


def mbr(signature: bytes, *firsts: int) -> bytes:
    entries = b"".join(struct.pack("<B3sB3sII", 0, b"", 7, b"", first, 2048) for first in firsts)
    return (bytes(440) + signature + bytes(2) + entries).ljust(510, b"\0") + b"\x55\xaa" + bytes(
        33 * 512
    )  # fmt: skip


def gpt(*entries: tuple[uuid.UUID, uuid.UUID]) -> bytes:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, 128, 128)
    table = b"".join(
        (kind.bytes_le + own.bytes_le + struct.pack("<QQ", 2048, 4095)).ljust(128, b"\0")
        for kind, own in entries
    )
    return bytes(512) + header.ljust(512, b"\0") + table.ljust(32 * 512, b"\0")


def test_letters_are_found_by_signature_and_offset_or_by_guid() -> None:
    heads = {
        "/dev/sda": mbr(b"\x01\x02\x03\x04", 2048, 206848),
        "/dev/sdb": gpt((ESP, uuid.UUID(int=1)), (BASIC, OWN)),
    }
    mounted = {
        "\\DosDevices\\C:": Value.binary(b"\x01\x02\x03\x04" + struct.pack("<Q", 206848 * 512)),
        "\\DosDevices\\e:": Value.binary(b"DMIO:ID:" + OWN.bytes_le),
        "\\DosDevices\\D:": Value(Type.BINARY, "\\??\\IDE#CdRom".encode("utf-16-le")),
        "\\DosDevices\\F:": Value.binary(b"\x09\x02\x03\x04" + struct.pack("<Q", 2048 * 512)),
        "\\??\\Volume{1}": Value.binary(b"\x01\x02\x03\x04" + struct.pack("<Q", 2048 * 512)),
    }
    assert letters(mounted, heads) == {"C": "/dev/sda2", "E": "/dev/sdb2"}


def test_heads_are_those_in_the_first_sector_of_an_ntfs() -> None:
    sector = bytearray(b"\xeb\x52\x90NTFS    ".ljust(512, b"\0"))
    sector[0x1A:0x1C] = b"\xff\x00"
    assert disk_heads(bytes(sector)) == 255
    assert disk_heads(b"\xeb\x58\x90MSDOS5.0".ljust(512, b"\0")) is None
