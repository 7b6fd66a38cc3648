# SPDX-License-Identifier: LGPL-2.1-or-later
"""The disk's geometry in the boot sector of Windows before Vista.

Its boot code reads the disk by cylinders, heads and sectors, with the number of heads that the old
machine's BIOS had; another BIOS has another, and then it says "A disk read error occurred".
"""

from __future__ import annotations

from converters.windows.conversion import Conversion

_HEADS_AT = 0x1A  # in the first sector of an NTFS
# A BIOS tells heads by the disk's size, so that 1024 cylinders of 63 sectors are enough: SeaBIOS's
# LBA translation. Bytes below which a disk has so many.
_HEADS = ((2_114_445_312, 0x40), (4_228_374_780, 0x80))
_MOST = 0xFF


def set_heads(conversion: Conversion) -> None:
    """Draft the number of heads that the new machine's BIOS tells."""
    found, guest = conversion.windows.heads, conversion.guest
    if found is None:
        return
    size = _size(conversion)
    if size is None:
        return
    wanted = next((heads for limit, heads in _HEADS if size < limit), _MOST)
    conversion.draft.write_device(
        guest.root, _HEADS_AT, *(number.to_bytes(2, "little") for number in (found, wanted)),
        why="Windows before Vista reads its disk by the heads that its boot sector names",
    )  # fmt: skip


def _size(conversion: Conversion) -> int | None:
    """Return the bytes of the disk that Windows is on, None where the source does not say."""
    disks = zip(conversion.guest.disks, conversion.machine.disks, strict=True)
    found = (disk.virtual_bytes for name, disk in disks if conversion.guest.root.startswith(name))
    return next(found, None)
