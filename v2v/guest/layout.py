# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the first sectors of a disk say: GRUB's boot code, and partitions of a GPT.

UEFI specification 2.10, 5.3 (GPT); GUIDs of the EFI system and the BIOS boot partition from there
and from GRUB's manual.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

from v2v.model import Firmware

HEAD_BYTES = 34 * 512  # MBR, GPT header and 128 entries of 128 bytes
_ESP = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
_BIOS_BOOT = uuid.UUID("21686148-6449-6E6F-744E-656564454649")
_MAX_ENTRIES = 128


def has_grub(head: bytes) -> bool:
    """Tell whether GRUB's boot.img is in the first sector: it holds its name for its messages."""
    return b"GRUB" in head[:512] and head[510:512] == b"\x55\xaa"


def partition_types(head: bytes) -> frozenset[uuid.UUID]:
    """Return the type GUIDs in a GPT; none where there is no GPT."""
    header = head[512 : 512 + 92]
    if len(header) < 92 or header[:8] != b"EFI PART":
        return frozenset()
    start, count, size = struct.unpack_from("<QII", header, 72)
    found = set()
    for index in range(min(count, _MAX_ENTRIES)):
        entry = head[start * 512 + index * size :][:16]
        if len(entry) == 16 and any(entry):
            found.add(uuid.UUID(bytes_le=entry))
    return frozenset(found)


def firmware(heads: Iterable[bytes]) -> Firmware:
    """Tell what the disks are made for.

    EFI if there is a system partition and no BIOS boot partition: GRUB for BIOS tolerates a
    system partition, so the BIOS boot partition wins.
    """
    types = frozenset[uuid.UUID]().union(*(partition_types(head) for head in heads))
    return Firmware.efi if _ESP in types and _BIOS_BOOT not in types else Firmware.bios
