# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small stand-ins for the files of /usr/lib/grub/i386-pc."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path

from drivers.grub_image import Platform

FOLDER = "/usr/lib/grub/i386-pc"
HOST = Path(FOLDER)
KERNEL = b"kernel in memory"


def platform() -> dict[str, bytes]:
    """A platform whose kernel is KERNEL and whose modules hold their names."""
    names = ("biosdisk", "part_msdos", "part_gpt", "search_fs_uuid", "fshelp", "ext2", "xfs",
             "btrfs", "lvm", "diskfilter", "mdraid09", "mdraid1x", "normal")  # fmt: skip
    header = b"\x7fELF\1".ljust(28, b"\0") + struct.pack("<I", 52)
    header = header.ljust(44, b"\0") + struct.pack("<H", 2)
    segments = struct.pack("<8I", 4, 0, 0, 0, 0, 0, 0, 0) + struct.pack(
        "<8I", 1, 52 + 64, 0x9000, 0x9000, len(KERNEL), 0x8000, 7, 32
    )
    return {
        "boot.img": b"\xeb\x63\x90".ljust(384, b"\0") + b"GRUB".ljust(126, b"\0") + b"\x55\xaa",
        "diskboot.img": b"R".ljust(512, b"\0"),
        "lzma_decompress.img": bytes(64),
        "kernel.img": header.ljust(52, b"\0") + segments + KERNEL + b"symbols",
        "moddep.lst": b"ext2: fshelp\nfshelp:\nlvm: diskfilter\nmdraid09: diskfilter\n",
        **{f"{name}.mod": name.encode() for name in names},
    }


def unpacked(core: bytes, files: Platform) -> bytes:
    """What a core image has in memory, read as its decompressor reads it."""
    at = 512 + len(files["lzma_decompress.img"])
    packed, size = struct.unpack_from("<II", core, 512 + 8)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    return decompressor.decompress(core[at : at + packed], max_length=size)
