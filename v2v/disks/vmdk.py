# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VMDK images ("Virtual Disk Format 5.0", VMware).

A VMDK is a text descriptor that lists extents, a sparse extent (KDMV; COWD on old ESX) or a sparse
extent with the descriptor inside. QEMU finds extents and parents in the text with sscanf and
strstr; so here every line of it must be in the strict form that VMware writes, or what is checked
would not be what is opened.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

from v2v.disks.imagefile import SECTOR, Header, ImageFile, Reference, Role
from v2v.model import DiskFormat

SPARSE_MAGIC = b"KDMV"
ESX_SPARSE_MAGIC = b"COWD"
SESPARSE_MAGIC = b"\xbe\xba\xfe\xca\0\0\0\0"
TEXT_MAGIC = b"# Disk DescriptorFile"

_MAX_TEXT = (1 << 20) - 1  # as much as QEMU reads of a descriptor
_EMBEDDED_AT = SECTOR  # where QEMU looks for the descriptor inside a sparse extent
_MAX_EMBEDDED = 20 * SECTOR  # and how much of it is read there for the parent
_MAX_CAPACITY = 64 << 40 >> 9  # sectors; VMware's largest disk has 62 TB
_AT_END = (1 << 64) - 1  # a grain directory offset: see the footer
_NO_PARENT = "ffffffff"
_HINT = "parentFileNameHint"

_PAIR = re.compile(r"\s*([\w.:\-]+)\s*=\s*(?:\"([^\"]*)\"|(.*?))\s*")
_EXTENT = re.compile(
    r"(RW|RDONLY|NOACCESS)\s+(\d{1,18})\s+(\w+)(?:\s+\"([^\"]+)\"(?:\s+(\d{1,18}))?)?\s*"
)
_FLAT = ("FLAT", "VMFS")
_SPARSE = ("SPARSE", "VMFSSPARSE", "SESPARSE")


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the disk, in the order of the disk."""

    kind: str  # FLAT, SPARSE, ...
    name: str
    sectors: int
    offset: int = 0  # sectors, into a flat file


@dataclass(slots=True)
class _Descriptor:
    pairs: dict[str, str] = field(default_factory=dict)
    extents: list[Extent] = field(default_factory=list)


def read_vmdk(file: ImageFile) -> Header:
    """Return what a VMDK says: its own size, extents and parent. Raises SourceError."""
    magic = file.start(4)
    if magic == ESX_SPARSE_MAGIC:
        return Header(file.virtual(_read_esx_sparse(file) * SECTOR))
    if magic == SPARSE_MAGIC:
        return _read_monolithic(file)
    text = file.start(_MAX_TEXT)
    if b"CID" not in text:
        raise file.malformed("holds neither a VMDK header nor a VMDK descriptor")
    descriptor = _parse(file, text)
    extents = descriptor.extents
    if not extents:
        raise file.malformed(
            "the VMDK descriptor has no extents", hint="is the file a VMDK, and complete?"
        )
    references = tuple(_reference(extent) for extent in extents)
    size = sum(extent.sectors for extent in extents) * SECTOR
    return _header(file, descriptor, size, references)


def check_extent(file: ImageFile) -> None:
    """Raise SourceError unless a file is a sparse extent, and whole."""
    magic = file.start(8)
    if magic.startswith(SPARSE_MAGIC):
        _read_sparse(file)
    elif magic.startswith(ESX_SPARSE_MAGIC):
        _read_esx_sparse(file)
    elif magic != SESPARSE_MAGIC:
        raise file.malformed("is named as a sparse VMDK extent, but has no such header")


def _read_monolithic(file: ImageFile) -> Header:
    size = file.virtual(_read_sparse(file) * SECTOR)
    (at,) = struct.unpack("<Q", file.read(28, 8))
    text = file.read(_EMBEDDED_AT, min(_MAX_EMBEDDED, max(0, file.size - _EMBEDDED_AT)))
    if at == 0:
        # An extent of a larger disk. QEMU looks for a parent here all the same.
        if _HINT.encode() in text:
            raise file.malformed("the VMDK names a parent in a place that holds no descriptor")
        return Header(size)
    if at * SECTOR != _EMBEDDED_AT:
        raise file.malformed(f"the VMDK has its descriptor in sector {at}, not in sector 1")
    # The extent line in it names the file itself, under the name that it once had.
    return _header(file, _parse(file, text), size, ())


def _header(
    file: ImageFile, descriptor: _Descriptor, size: int, references: tuple[Reference, ...]
) -> Header:
    pairs = descriptor.pairs
    if any(key.lower().startswith("encryption") for key in pairs):
        raise file.encrypted()
    parent, hint = pairs.get("parentCID", _NO_PARENT).lower(), pairs.get(_HINT)
    if hint is not None:
        references += (Reference(Role.backing, hint, DiskFormat.vmdk, cid=parent),)
    elif parent != _NO_PARENT:
        raise file.malformed(
            "is a snapshot, but does not name its parent",
            hint="delete the guest's snapshots in its hypervisor, or clone the disk",
        )
    # The UUID is the disk's NAA identifier, of VMware's own numbers (disk.EnableUUID shows it).
    uuid = "".join(pairs.get("ddb.uuid", "").lower().replace("-", " ").split())
    wwid = f"3{uuid}" if re.fullmatch("6000c29[0-9a-f]{25}", uuid) else None
    return Header(file.virtual(size), references, pairs.get("CID", "").lower(), wwid)


def _parse(file: ImageFile, data: bytes) -> _Descriptor:
    """Return the lines of a descriptor; a C string, so a NUL ends it."""
    text = data.split(b"\0", 1)[0].decode(errors="surrogateescape")
    if text.count(_HINT) > 1:
        raise file.malformed("the VMDK descriptor names its parent more than once")
    found = _Descriptor()
    before = "#"
    for line in text.split("\n"):
        _add_line(file, found, line.rstrip("\r"), before)
        before = line.strip()
    if _HINT in text and not (_HINT in found.pairs and f'{_HINT}="' in text):
        raise file.malformed("the VMDK descriptor names its parent in another form than VMware")
    return found


def _add_line(file: ImageFile, found: _Descriptor, line: str, before: str) -> None:
    if not line.strip() or line.startswith("#"):
        return
    if extent := _EXTENT.fullmatch(line):
        if not before:
            raise file.malformed(
                "an empty line stands before an extent: QEMU would count that extent twice",
                hint="remove the empty line from the descriptor",
            )
        found.extents.append(_extent(file, extent))
    elif pair := _PAIR.fullmatch(line):
        found.pairs[pair[1]] = pair[3] if pair[2] is None else pair[2]
    else:
        raise file.malformed(f"the VMDK descriptor has the line {line[:80]!r}")


def _extent(file: ImageFile, match: re.Match[str]) -> Extent:
    access, sectors, kind, name, offset = match.groups()
    if access != "RW" or kind not in (*_FLAT, *_SPARSE) or name is None:
        # QEMU leaves out such an extent, and all that follows would move.
        raise file.malformed(
            f"the VMDK has an extent of the kind {access} {kind}, which QEMU cannot read",
            hint="clone the disk in its hypervisor",
        )
    if kind == "FLAT" and offset is None:
        raise file.malformed(f"the VMDK has a flat extent {name!r} without an offset")
    return Extent(kind, name, int(sectors), int(offset or 0))


def _reference(extent: Extent) -> Reference:
    if extent.kind in _FLAT:
        length = (extent.offset + extent.sectors) * SECTOR
        return Reference(Role.extent, extent.name, DiskFormat.raw, length)
    return Reference(Role.extent, extent.name, DiskFormat.vmdk)


def _read_sparse(file: ImageFile) -> int:
    """Return a hosted sparse extent's capacity in sectors, with all its tables inside the file."""
    at, (capacity, grain, entries, directory) = 0, _sparse_fields(file, 0)
    if directory == _AT_END:
        at = max(0, file.size - 2 * SECTOR)
        if file.read(at, 4) != SPARSE_MAGIC:
            raise file.truncated("the footer of a stream-optimized VMDK is missing at its end")
        capacity, grain, entries, directory = _sparse_fields(file, at)
    if not 0 < capacity <= _MAX_CAPACITY:
        raise file.malformed(f"a VMDK capacity of {capacity:,} sectors is not credible")
    if not (1 <= grain <= 1 << 16 and 1 <= entries <= 512):
        raise file.malformed(f"a VMDK with grains of {grain:,} sectors is not credible")
    _check_grains(file, directory, -(-capacity // (grain * entries)), entries)
    return capacity


def _sparse_fields(file: ImageFile, at: int) -> tuple[int, int, int, int]:
    header = struct.unpack("<IIIQQQQIQQ", file.read(at, 64))
    _, _, _, capacity, grain, _, _, entries, _, directory = header
    return capacity, grain, entries, directory


def _read_esx_sparse(file: ImageFile) -> int:
    """Return the capacity in sectors of an ESX sparse extent (vmfsSparse)."""
    _, _, capacity, grain, directory, entries = struct.unpack("<IIIIII", file.read(4, 24))
    if capacity == 0 or not 1 <= grain <= 1 << 16:
        raise file.malformed("the VMDK's COWD header is not credible")
    _check_grains(file, directory, min(entries, -(-capacity // (grain * 4096))), 4096)
    return int(capacity)


def _check_grains(file: ImageFile, directory: int, tables: int, entries: int) -> None:
    """Raise SourceError if a grain or a grain table lies behind the file's end.

    QEMU reads what is missing as zeroes, so a file that was cut short shows nowhere else.
    """
    starts: set[int] = set()
    for words in file.table(directory * SECTOR, tables, "I", "little"):
        starts.update(words)
    for start in sorted(starts - {0}):
        for words in file.table(start * SECTOR, entries, "I", "little"):
            file.require(max(words) * SECTOR, 1, "the guest's data")
