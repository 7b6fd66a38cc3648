# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks in an XVA, what XenServer and XCP-ng export: found in the archive, read where they are.

An XVA is a tar file. After ``ova.xml`` it has for each disk members ``Ref:N/00000000`` and on, each
a block of 1 MiB (the last may be shorter), and after each a checksum of it, SHA-1 or XXH64. What is
not there is zeros (XenServer's "XVA format"; xen-api, stream_vdi.ml).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

import xxhash

from v2v.errors import SourceError

BLOCK = 1 << 20
HEADER = 512
_MEMBER = re.compile(
    r"(?P<disk>Ref:[0-9A-Za-z-]+)/(?P<number>[0-9]{8,12})(?P<sum>\.checksum|\.xxhash)?"
)
_MAX_SUM = 64
_MAX_XML = 16 << 20  # of ova.xml; a guest with many snapshots has some 100 KiB


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive: where its content is, in bytes."""

    name: str
    offset: int
    size: int


@dataclass(slots=True)
class Block:
    """A block of a disk."""

    content: Member
    sum: Member | None = None  # the one behind it


def members(file: BinaryIO, where: Path) -> Iterator[Member]:
    """Yield the members of an archive, whose content is not read. Raises SourceError."""
    at = 0
    end = file.seek(0, 2)
    while at + HEADER <= end:
        file.seek(at)
        header = file.read(HEADER)
        if not any(header):
            return
        name, size = parse_header(header, where)
        at += HEADER
        if at + size > end:
            raise damaged(where, f"{name} is cut off")
        yield Member(name, at, size)
        at += -(-size // HEADER) * HEADER
    raise damaged(where, "the archive has no end, it was not copied as a whole")


def parse_header(header: bytes, where: Path) -> tuple[str, int]:
    """Return name and size in a header of tar (POSIX.1-1988 ustar)."""
    try:
        name = header[:100].partition(b"\0")[0].decode("ascii")
        size = int(header[124:136].strip(b" \0") or b"0", 8)
        told = int(header[148:156].strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise damaged(where, "there is no member of a tar file where one should begin") from error
    if told != sum(header) - sum(header[148:156]) + 8 * 0x20:
        raise damaged(where, "there is no member of a tar file where one should begin")
    return name, size


def refuse_large(size: int, where: Path) -> None:
    """Raise SourceError unless ova.xml has a size that it may have."""
    if size > _MAX_XML:
        raise SourceError("E-SOURCE-SIZE", f"{where}: ova.xml has {size} bytes")


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a member tells: a block of a disk, or the checksum of one."""

    disk: str
    number: int
    sum: str | None  # .checksum or .xxhash


def block_of(name: str) -> Name | None:
    """Return what a member's name tells, None if it is another file."""
    match = _MEMBER.fullmatch(name)
    return None if match is None else Name(match["disk"], int(match["number"]), match["sum"])


def check(data: bytes | memoryview, told: bytes, kind: str, name: str, where: Path) -> None:
    """Compare a block with its checksum, SHA-1 or XXH64 in hex. Raises SourceError."""
    made = (
        f"{xxhash.xxh64_intdigest(data):016x}"
        if kind == ".xxhash"
        else hashlib.sha1(data, usedforsecurity=False).hexdigest()
    )
    if told.decode("ascii", "replace").strip().lower() != made:
        raise damaged(where, f"{name.removesuffix(kind)} is not what its checksum says")


def disks(path: Path) -> Mapping[str, Mapping[int, Block]]:
    """Return the blocks of each disk in an archive, by reference and number. Raises SourceError."""
    found: dict[str, dict[int, Block]] = {}
    try:
        with path.open("rb") as file:
            for member in members(file, path):
                part = block_of(member.name)
                if part is not None:
                    blocks = found.setdefault(part.disk, {})
                    _add(blocks, part.number, member, path, part.sum is not None)
    except OSError as error:
        raise SourceError("E-SOURCE-READ", f"{path}: {error.strerror}") from error
    return found


def _add(blocks: dict[int, Block], number: int, member: Member, where: Path, is_sum: bool) -> None:
    if is_sum:
        block = blocks.get(number)
        if block is not None and member.size <= _MAX_SUM:
            block.sum = member
        return
    if member.size > BLOCK:
        raise damaged(where, f"{member.name} is larger than 1 MiB")
    if member.size == 0:  # sent to keep the connection alive
        return
    if number in blocks:
        raise damaged(where, f"{member.name} is there twice")
    blocks[number] = Block(member)


def verify(archive: Path, blocks: Iterable[Block], ended: Event) -> None:
    """Compare blocks with their checksums, in the archive's order, until ``ended``.

    Raises SourceError.
    """
    room = memoryview(bytearray(BLOCK))
    try:
        with archive.open("rb", buffering=0) as file:
            for block in sorted(blocks, key=lambda block: block.content.offset):
                if block.sum is None:
                    continue
                if ended.is_set():
                    return
                data = room[: os.preadv(file.fileno(), [room], block.content.offset)]
                told = os.pread(file.fileno(), block.sum.size, block.sum.offset)
                kind = block.sum.name.removeprefix(block.content.name)
                check(data[: block.content.size], told, kind, block.sum.name, archive)
    except OSError as error:
        raise SourceError("E-SOURCE-READ", f"{archive}: {error.strerror}") from error


def damaged(where: Path, what: str) -> SourceError:
    """Return the error for an archive that is not as it was written."""
    return SourceError(
        "E-XVA-DAMAGED", f"{where}: {what}", hint="export the guest once more, and copy it again"
    )
