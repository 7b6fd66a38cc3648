# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes GRUB 2's boot code for a BIOS out of the files that its package has for that platform.

The layout is that of grub-mkimage and grub-setup for i386-pc since GRUB 2.00, read off their
results, and the names of fields are theirs. A BIOS loads the first sector (boot.img), that loads
the next piece (diskboot.img), and that the rest by its list of sectors: a decompressor
(lzma_decompress.img), then the kernel, compressed, with modules and a first script behind it.
Nothing is run here, and nothing in the files is trusted.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterable, Mapping, Sequence

SECTOR = 512
NEEDED = ("boot.img", "diskboot.img", "lzma_decompress.img", "kernel.img", "moddep.lst")
_LOADED_AT = 0x8200  # where diskboot.img puts what comes after it
_MAX_CORE = 0x78000  # bytes; more does not fit under the BIOS's memory
_KERNEL_SECTOR, _DRIVE_CHECK = 0x5C, 0x66  # in boot.img
_COMPRESSED_SIZE = 0x08  # in lzma_decompress.img; the uncompressed size comes next
_ELF, _CONFIG, _PREFIX = 0, 2, 3  # kinds of objects behind the kernel
_LZMA = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2, "nice_len": 64}]

Platform = Mapping[str, bytes]  # the files of /usr/lib/grub/i386-pc by their names


class GrubImageError(ValueError):
    """Boot code that cannot be made of these files."""


def boot_sector(platform: Platform, core_start: int) -> bytes:
    """Return the first sector's code, which loads the core image from a sector on.

    The places of the partition table and of a BIOS parameter block are left as the package has
    them: whoever writes the sector keeps the disk's own.
    """
    sector = bytearray(_file(platform, "boot.img"))
    if len(sector) != SECTOR:
        raise GrubImageError(f"boot.img has {len(sector)} bytes, not {SECTOR}")
    struct.pack_into("<Q", sector, _KERNEL_SECTOR, core_start)
    # As grub-setup does for a hard disk: where the BIOS names none, it is the first.
    sector[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    return bytes(sector)


def core_image(
    platform: Platform, modules: Iterable[str], config: str, prefix: str, start: int
) -> bytes:
    """Return the core image, in whole sectors, to stand on consecutive sectors from ``start`` on.

    ``config`` is the script that it begins with, to find the folder that all else is in; until
    then that is ``prefix``. Raises GrubImageError.
    """
    kernel = _segment(_file(platform, "kernel.img"))
    objects = [
        *((_ELF, _file(platform, f"{name}.mod")) for name in with_dependencies(platform, modules)),
        (_CONFIG, config.encode() + b"\0"),
        (_PREFIX, prefix.encode() + b"\0"),
    ]
    body = b"".join(_object(kind, data) for kind, data in objects)
    whole = kernel + struct.pack("<4sII", b"mimg", 12, 12 + len(body)) + body
    packed = lzma.compress(whole, lzma.FORMAT_RAW, filters=_LZMA)
    decompressor = bytearray(_file(platform, "lzma_decompress.img"))
    struct.pack_into("<II", decompressor, _COMPRESSED_SIZE, len(packed), len(whole))
    rest = _sectors(bytes(decompressor) + packed)
    if len(rest) > _MAX_CORE:
        raise GrubImageError(f"the core image has {len(rest)} bytes, more than GRUB can load")
    # The last of a list of sectors that grows downward; the one before is empty and ends it.
    blocks = struct.pack("<QHH", start + 1, len(rest) // SECTOR, _LOADED_AT >> 4)
    first = _file(platform, "diskboot.img")[: SECTOR - len(blocks)] + blocks
    return first + rest


def with_dependencies(platform: Platform, modules: Iterable[str]) -> tuple[str, ...]:
    """Return modules with all that they need, each after what it needs itself."""
    table = {}
    for line in _file(platform, "moddep.lst").decode(errors="replace").splitlines():
        name, _, needs = line.partition(":")
        table[name.strip()] = needs.split()
    found: dict[str, None] = {}

    def add(name: str, above: Sequence[str] = ()) -> None:
        if name in above or name in found:
            return
        for need in table.get(name, ()):
            add(need, (*above, name))
        found[name] = None

    for name in modules:
        add(name)
    return tuple(found)


def _file(platform: Platform, name: str) -> bytes:
    if name not in platform:
        raise GrubImageError(f"there is no {name}")
    return platform[name]


def _object(kind: int, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 4)
    return struct.pack("<II", kind, 8 + len(padded)) + padded


def _segment(kernel: bytes) -> bytes:
    """Return the kernel as it is in memory: the first segment to load of an ELF file (32 bits)."""
    try:
        (table,) = struct.unpack_from("<I", kernel, 28)
        (count,) = struct.unpack_from("<H", kernel, 44)
        headers = [struct.unpack_from("<6I", kernel, table + 32 * index) for index in range(count)]
    except struct.error:
        headers = []
    loaded = [(offset, size) for kind, offset, _, _, size, _ in headers if kind == 1]
    if kernel[:5] != b"\x7fELF\1" or not loaded:
        raise GrubImageError("kernel.img is no ELF program of 32 bits")
    offset, size = loaded[0]
    return kernel[offset : offset + size]


def _sectors(data: bytes) -> bytes:
    return data + bytes(-len(data) % SECTOR)
