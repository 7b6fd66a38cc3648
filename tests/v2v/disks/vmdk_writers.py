# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writers of VMware's sparse extents that qemu-img cannot write: ESX's snapshots, its exports."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.vmdk import SECTOR, se_sparse, vmfs_sparse


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % SECTOR)


def write_cowd(path: Path, data: bytes, below: bytes = b"", grain: int = 1) -> Path:
    """Write an ESX snapshot's extent (vmfsSparse) of what differs from ``below``."""
    with _raws(path, below, data) as (before, after):
        vmfs_sparse(path, before, after, grain)
    return path


def write_sesparse(path: Path, data: bytes, below: bytes = b"") -> Path:
    """Write an ESX snapshot's extent of VMFS 6 (seSparse) of what differs from ``below``."""
    with _raws(path, below, data) as (before, after):
        se_sparse(path, before, after)
    return path


@contextmanager
def _raws(path: Path, *disks: bytes) -> Iterator[list[Path]]:
    """Have disks as raw images beside a path for as long as the block lasts."""
    made = [path.with_name(f"{path.name}.{number}") for number in range(len(disks))]
    for image, data in zip(made, disks, strict=True):
        image.write_bytes(data)
    yield made
    for image in made:
        image.unlink()


def write_stream(path: Path, data: bytes, name: str = "generated-stream.vmdk") -> Path:
    """Write an export as ESX and ovftool make them: compressed grains, directory and footer behind.

    The extent in the descriptor is read-only, and has a name that is not the file's.
    """
    grain, entries = 128, 512
    sectors = len(data) // SECTOR
    text = (
        "# Disk DescriptorFile\nversion=1\nCID=7e5b80a7\nparentCID=ffffffff\n"
        'createType="streamOptimized"\n\n# Extent description\n'
        f'RDONLY {sectors} SPARSE "{name}"\n\n#DDB\n\nddb.adapterType = "lsilogic"\n'
        'ddb.comment = ""\nddb.encoding = "UTF-8"\n'
    ).encode()

    def header(directory: int) -> bytes:
        return struct.pack(
            "<4sIIQQQQIQQQ5sH", b"KDMV", 3, 0x30001, sectors, grain, 1, 20, entries, 0,
            directory, 128, b"\0\n \r\n", 1,
        ).ljust(SECTOR, b"\0")  # fmt: skip

    def marker(count: int, kind: int) -> bytes:
        return struct.pack("<QII", count, 0, kind).ljust(SECTOR, b"\0")

    out = bytearray((header((1 << 64) - 1) + text).ljust(128 * SECTOR, b"\0"))
    size = grain * SECTOR
    found = (data[at : at + size] for at in range(0, len(data), size))
    pieces = [piece if any(piece) else None for piece in found]
    directory = []
    for at in range(0, len(pieces), entries):
        table = []
        for number, piece in enumerate(pieces[at : at + entries], at):
            table.append(0 if piece is None else len(out) // SECTOR)
            if piece is not None:
                packed = zlib.compress(piece.ljust(grain * SECTOR, b"\0"))
                out += _padded(struct.pack("<QI", number * grain, len(packed)) + packed)
        out += marker(entries * 4 // SECTOR, 1)
        directory.append(len(out) // SECTOR if any(table) else 0)
        out += struct.pack(f"<{len(table)}I", *table).ljust(entries * 4, b"\0")
    out += marker(1, 2)
    directory_at = len(out) // SECTOR
    out += _padded(struct.pack(f"<{len(directory)}I", *directory))
    out += marker(1, 3) + header(directory_at) + bytes(SECTOR)
    path.write_bytes(bytes(out))
    return path
