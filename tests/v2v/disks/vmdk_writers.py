# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writers of VMware's sparse extents that qemu-img cannot write: ESX's snapshots, its exports."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

SECTOR = 512
_ENTRIES = 4096  # of a table, both in COWD and in seSparse


def _grains(data: bytes, below: bytes, grain: int) -> Iterator[bytes | None]:
    """Yield each grain of a disk, None for those that are as in its parent."""
    for at in range(0, len(data), grain):
        piece = data[at : at + grain]
        yield None if piece == below[at : at + grain].ljust(len(piece), b"\0") else piece


def _tables(entries: list[int]) -> list[list[int]]:
    return [entries[at : at + _ENTRIES] for at in range(0, len(entries), _ENTRIES)]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % SECTOR)


def write_cowd(path: Path, data: bytes, below: bytes = b"", grain: int = 1) -> Path:
    """Write an ESX snapshot's extent (vmfsSparse) of what differs from ``below``."""
    pieces = list(_grains(data, below, grain * SECTOR))
    tables = -(-len(pieces) // _ENTRIES)
    directory_size = -(-tables * 4 // SECTOR)
    first = 4 + directory_size + tables * _ENTRIES * 4 // SECTOR
    entries: list[int] = []
    grains: list[bytes] = []
    for piece in pieces:
        entries.append(0 if piece is None else first + len(grains) * grain)
        if piece is not None:
            grains.append(piece.ljust(grain * SECTOR, b"\0"))
    header = struct.pack(
        "<4sIIIIIII", b"COWD", 1, 3, len(data) // SECTOR, grain, 4, tables,
        first + len(grains) * grain,
    ).ljust(4 * SECTOR, b"\0")  # fmt: skip
    directory, body = [], b""
    for number, table in enumerate(_tables(entries)):
        there = any(table)
        at = 4 + directory_size + number * _ENTRIES * 4 // SECTOR
        directory.append(at if there else 0)
        body += struct.pack(f"<{len(table)}I", *table).ljust(_ENTRIES * 4, b"\0")
    words = _padded(struct.pack(f"<{tables}I", *directory))
    path.write_bytes(header + words + body + b"".join(grains))
    return path


def write_sesparse(path: Path, data: bytes, below: bytes = b"", *, dirty: bool = False) -> Path:
    """Write an ESX snapshot's extent of VMFS 6 (seSparse) of what differs from ``below``."""
    grain = 8
    pieces = list(_grains(data, below, grain * SECTOR))
    tables = _tables([0] * len(pieces))
    directory_at, tables_at = 64, 128
    grains_at = tables_at + len(tables) * 64
    stored: list[bytes] = []
    directory, body = [], b""
    for number in range(len(tables)):
        words = []
        for piece in pieces[number * _ENTRIES : (number + 1) * _ENTRIES]:
            if piece is None:
                words.append(0)
            elif not any(piece):
                words.append((1 if len(words) % 2 else 2) << 60)  # unmapped, or zeros
            else:
                at = len(stored)
                words.append(3 << 60 | (at & 0xFFF) << 48 | at >> 12)
                stored.append(piece.ljust(grain * SECTOR, b"\0"))
        directory.append(1 << 60 | number if any(words) else 0)
        body += struct.pack(f"<{len(words)}Q", *words).ljust(64 * SECTOR, b"\0")
    header = struct.pack(
        "<26Q", 0xCAFEBABE, 0x200000001, len(data) // SECTOR, grain, 64, 0, 0, 0, 0, 0,
        1, 1, 2, 2, 4, 4, directory_at, 64, tables_at, len(tables) * 64,
        8, 1, 16, 1, grains_at, len(stored) * grain,
    ).ljust(SECTOR, b"\0")  # fmt: skip
    volatile = struct.pack("<4Q", 0xCAFECAFE, 0, 1, dirty).ljust(SECTOR, b"\0")
    words_of_directory = struct.pack(f"<{len(directory)}Q", *directory)
    start = (header + volatile).ljust(directory_at * SECTOR, b"\0")
    start = (start + words_of_directory).ljust(tables_at * SECTOR, b"\0")
    path.write_bytes(start + body + b"".join(stored))
    return path


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
    pieces = list(_grains(data, b"", grain * SECTOR))
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
