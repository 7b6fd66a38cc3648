# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the first sectors of a disk say: GRUB's boot code, partitions, and the room before them.

UEFI specification 2.10, 5.3 (GPT); GUIDs of the EFI system and the BIOS boot partition from there
and from GRUB's manual.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from v2v.model import BootArea, Firmware

HEAD_BYTES = 34 * 512  # MBR, GPT header and 128 entries of 128 bytes
ESP = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
# The extended boot loader partition of uapi-group.org, UAPI.1.
XBOOTLDR = uuid.UUID("BC13C2FF-59E6-4262-A352-B275FD6F7172")
_BIOS_BOOT = uuid.UUID("21686148-6449-6E6F-744E-656564454649")
_MAX_ENTRIES = 128
_AFTER_GPT = 34  # the first sector behind a table of the usual 128 entries


def has_grub(head: bytes) -> bool:
    """Tell whether GRUB's boot.img is in the first sector: it holds its name for its messages."""
    return b"GRUB" in head[:512] and head[510:512] == b"\x55\xaa"


def has_code(head: bytes) -> bool:
    """Tell whether there is any code in the first sector, in front of the partition table."""
    return any(head[:440]) and head[510:512] == b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class _Partition:
    number: int
    type: uuid.UUID
    unique: uuid.UUID
    first: int
    last: int


def _gpt(head: bytes) -> tuple[_Partition, ...]:
    """Return the partitions in a GPT; none where there is no GPT."""
    header = head[512 : 512 + 92]
    if len(header) < 92 or header[:8] != b"EFI PART":
        return ()
    start, count, size = struct.unpack_from("<QII", header, 72)
    found = []
    for index in range(min(count, _MAX_ENTRIES)):
        entry = head[start * 512 + index * size :][:48]
        if len(entry) == 48 and any(entry[:16]):
            first, last = struct.unpack_from("<QQ", entry, 32)
            kind, unique = (uuid.UUID(bytes_le=entry[at : at + 16]) for at in (0, 16))
            found.append(_Partition(index + 1, kind, unique, first, last))
    return tuple(found)


def partitions(head: bytes) -> dict[int, uuid.UUID]:
    """Return the type GUIDs in a GPT by the partitions' numbers; none where there is no GPT."""
    return {partition.number: partition.type for partition in _gpt(head)}


def unique_ids(head: bytes) -> dict[int, uuid.UUID]:
    """Return the own GUIDs of partitions in a GPT by their numbers."""
    return {partition.number: partition.unique for partition in _gpt(head)}


def partition_types(head: bytes) -> frozenset[uuid.UUID]:
    """Return the type GUIDs in a GPT; none where there is no GPT."""
    return frozenset(partitions(head).values())


def boot_area(head: bytes) -> BootArea | None:
    """Return where a disk has room for a boot loader, None where it has no partition.

    That is a BIOS boot partition, else the sectors between the tables and the first partition.
    """
    gpt = _gpt(head)
    for partition in gpt:
        if partition.type == _BIOS_BOOT:
            return BootArea(partition.first, partition.last - partition.first + 1)
    if gpt:
        start, firsts = _AFTER_GPT, [partition.first for partition in gpt]
    else:
        start, firsts = 1, [*mbr_partitions(head).values()]
    return BootArea(start, max(0, min(firsts) - start)) if firsts else None


def mbr_partitions(head: bytes) -> dict[int, int]:
    """Return the first sectors of the primary partitions in an MBR; none where it is no MBR."""
    entries = [head[at : at + 16] for at in range(446, 510, 16)]
    if head[510:512] != b"\x55\xaa" or any(entry[:1] not in (b"\0", b"\x80") for entry in entries):
        return {}
    firsts = [int(struct.unpack_from("<I", entry, 8)[0]) if entry[4] else 0 for entry in entries]
    return {number: first for number, first in enumerate(firsts, 1) if first > 0}


def with_boot_code(sector: bytes, code: bytes) -> bytes:
    """Return a disk's first sector with other code in it.

    What is the disk's own stays: the parameter block of a DOS file system, the disk's signature
    and its partition table.
    """
    return code[:3] + sector[3:0x5A] + code[0x5A:440] + sector[440:510] + b"\x55\xaa"


def firmware(heads: Iterable[bytes]) -> Firmware:
    """Tell what the disks are made for.

    EFI if there is a system partition and no BIOS boot partition: GRUB for BIOS tolerates a
    system partition, so the BIOS boot partition wins.
    """
    types = frozenset[uuid.UUID]().union(*(partition_types(head) for head in heads))
    return Firmware.efi if ESP in types and _BIOS_BOOT not in types else Firmware.bios
