# SPDX-License-Identifier: LGPL-2.1-or-later
"""Partition tables for disks that are composed: an MBR where it can be, else a GPT.

UEFI specification 2.10, 5.2.3 (protective MBR) and 5.3 (GPT); the GUIDs of types are those of the
Discoverable Partitions Specification (UAPI.2), that of the BIOS boot partition is GRUB's.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SECTOR = 512
MBR_SECTORS = (1 << 32) - 1  # that an MBR can name
MBR_NUMBERS = 4  # of primary partitions
GPT_NUMBERS = 127  # and the last one is GRUB's
GPT_TAIL = 33  # sectors of the backup at the disk's end
_ENTRIES, _ENTRY = 128, 128
_FIRST = 34  # sector behind header and entries
_CHS = b"\xfe\xff\xff"  # beyond what cylinders, heads and sectors can say
_PROTECTIVE = 0xEE
_LINUX = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
EFI_SYSTEM = 0xEF  # UEFI's own number for its partition in an MBR
_TYPES = {
    EFI_SYSTEM: uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B"),
    0x82: uuid.UUID("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"),  # swap
    0x8E: uuid.UUID("E6D6D379-F507-44C2-A23C-238F2A3DF928"),  # LVM
    0xFD: uuid.UUID("A19D880F-05FC-4D3B-A006-743F0F84911E"),  # RAID
}
_BIOS_BOOT = uuid.UUID("21686148-6449-6E6F-744E-656564454649")


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition; ``start`` and ``count`` are in sectors of 512 bytes."""

    number: int
    type: int  # in an MBR: 0x83 Linux, 0x82 swap, 0x8e LVM
    start: int
    count: int


def mbr(partitions: Iterable[Partition], signature: int) -> bytes:
    """Return a first sector without boot code."""
    entries = [bytes(16)] * MBR_NUMBERS
    for each in partitions:
        entries[each.number - 1] = struct.pack(
            "<B3sB3sII", 0, _CHS, each.type, _CHS, each.start, each.count
        )
    return bytes(440) + struct.pack("<IH", signature, 0) + b"".join(entries) + b"\x55\xaa"


def gpt(partitions: Sequence[Partition], sectors: int, signature: int) -> tuple[bytes, bytes]:
    """Return the first 34 and the last 33 sectors of a disk.

    What is free up to sector 2048 is a BIOS boot partition, number 128, unless one of the
    partitions is UEFI's. GUIDs come from the signature, so that they are the same for each run.
    """
    own = uuid.uuid5(uuid.NAMESPACE_OID, f"v2v disk {signature:08x}")
    table = bytearray(_ENTRIES * _ENTRY)
    loader = Partition(_ENTRIES, 0, _FIRST, 2048 - _FIRST)
    efi = any(each.type == EFI_SYSTEM for each in partitions)
    for each in (*partitions, *(() if efi else (loader,))):
        kind = _BIOS_BOOT if each is loader else _TYPES.get(each.type, _LINUX)
        unique = uuid.uuid5(own, str(each.number))
        last = each.start + each.count - 1
        at = (each.number - 1) * _ENTRY
        struct.pack_into("<16s16sQQ", table, at, kind.bytes_le, unique.bytes_le, each.start, last)
    backup = sectors - 1
    head = _header(1, backup, 2, sectors, own, table)
    tail = _header(backup, 1, sectors - GPT_TAIL, sectors, own, table)
    whole = Partition(1, _PROTECTIVE, 1, min(sectors - 1, MBR_SECTORS))
    return mbr([whole], signature) + head + bytes(table), bytes(table) + tail


def _header(
    here: int, other: int, entries: int, sectors: int, own: uuid.UUID, table: bytes | bytearray
) -> bytes:
    def packed(crc: int) -> bytes:
        return struct.pack(
            "<8s4sIIIQQQQ16sQIII",
            b"EFI PART", b"\0\0\1\0", 92, crc, 0, here, other, _FIRST, sectors - _FIRST,
            own.bytes_le, entries, _ENTRIES, _ENTRY, zlib.crc32(table),
        )  # fmt: skip

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")
