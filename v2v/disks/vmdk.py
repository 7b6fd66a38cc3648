# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of VMDK images ("Virtual Disk Format 5.0", VMware).

A VMDK is a text descriptor that lists extents, a sparse extent (KDMV; COWD on old ESX) or a sparse
extent with the descriptor inside. QEMU finds extents and parents in the text with sscanf and
strstr; so here every line of it must be in the strict form that VMware writes, or what is checked
would not be what is opened.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from v2v.disks.imagefile import SECTOR, Header, ImageFile, Reference, Role
from v2v.disks.vmdk_grains import ESX_SPARSE_MAGIC, SPARSE_MAGIC, Grains, read_grains
from v2v.errors import SourceError
from v2v.model import DiskFormat
from v2v.vmware_encodings import codec

TEXT_MAGIC = b"# Disk DescriptorFile"

_MAX_TEXT = (1 << 20) - 1  # as much as QEMU reads of a descriptor
_EMBEDDED_AT = SECTOR  # where QEMU looks for the descriptor inside a sparse extent
_MAX_EMBEDDED = 20 * SECTOR  # and how much of it is read there for the parent
_NO_PARENT = "ffffffff"
_HINT = "parentFileNameHint"

_PAIR = re.compile(r"\s*([\w.:\-]+)\s*=\s*(?:\"([^\"]*)\"|(.*?))\s*")
_ENCODING = re.compile(rb"^[ \t]*encoding[ \t]*=[ \t]*\"([\w.:-]{1,40})\"", re.MULTILINE | re.ASCII)
_EXTENT = re.compile(
    r"(RW|RDONLY|NOACCESS)\s+(\d{1,18})\s+(\w+)(?:\s+\"([^\"]+)\"(?:\s+(\d{1,18}))?)?\s*"
)
_RAW_DEVICES = {
    "vmfsrdm": "a LUN of ESX (a raw device map)",
    "vmfsrawdevicemap": "a LUN of ESX (a raw device map)",
    "vmfsrdmp": "a LUN of ESX (a raw device map)",
    "vmfspassthroughrawdevicemap": "a LUN of ESX (a raw device map)",
    "vmfsraw": "a LUN of ESX",
    "fulldevice": "a whole disk of its host",
    "partitioneddevice": "partitions of its host's disk",
}
"""What createType, or an extent's kind, says of VMDKs that are no files."""
FLAT = ("FLAT", "VMFS")
_SPARSE = ("SPARSE", "VMFSSPARSE", "SESPARSE")
_DESCRIPTOR = """\
# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="{kind}"
# Extent description
{extents}# The Disk Data Base
ddb.adapterType = "lsilogic"
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of the disk, in the order of the disk."""

    kind: str  # FLAT, SPARSE, ...
    name: str
    sectors: int
    offset: int = 0  # sectors, into a flat file


def descriptor(kind: str, extents: Iterable[Extent]) -> str:
    """Return the text that makes one disk of extents; their names may hold no quotes."""
    lines = "".join(
        f'RW {each.sectors} {each.kind} "{each.name}"'
        + (f" {each.offset}\n" if each.kind in FLAT else "\n")
        for each in extents
    )
    return _DESCRIPTOR.format(kind=kind, extents=lines)


@dataclass(slots=True)
class _Descriptor:
    pairs: dict[str, str] = field(default_factory=dict)
    extents: list[Extent] = field(default_factory=list)
    recoded: bool = False


def read_vmdk(file: ImageFile) -> Header:
    """Return what a VMDK says: its own size, extents and parent. Raises SourceError."""
    if file.start(4) in (SPARSE_MAGIC, ESX_SPARSE_MAGIC):
        return _read_monolithic(file)
    descriptor = _descriptor(file)
    extents = descriptor.extents
    references = tuple(_reference(extent) for extent in extents)
    size = sum(extent.sectors for extent in extents) * SECTOR
    return _header(file, descriptor, size, references)


def virtual_bytes(file: ImageFile) -> int:
    """Return a VMDK's size by its first bytes alone. Raises SourceError."""
    if file.start(4) in (SPARSE_MAGIC, ESX_SPARSE_MAGIC):
        grains = read_grains(file)
        return file.virtual((grains.capacity if grains else 0) * SECTOR)
    return file.virtual(sum(extent.sectors for extent in _descriptor(file).extents) * SECTOR)


def read_extents(file: ImageFile) -> tuple[Extent, ...]:
    """Return the parts of a VMDK, none if it is a sparse extent by itself. Raises SourceError."""
    if file.start(4) in (SPARSE_MAGIC, ESX_SPARSE_MAGIC):
        return ()
    return tuple(_descriptor(file).extents)


def check_extent(file: ImageFile) -> None:
    """Raise SourceError unless a file is a sparse extent, and whole."""
    _checked(file)


def _checked(file: ImageFile) -> Grains:
    grains = read_grains(file)
    if grains is None:
        raise file.malformed("is named as a sparse VMDK extent, but has no such header")
    grains.check(file)
    return grains


def _descriptor(file: ImageFile) -> _Descriptor:
    text = file.start(_MAX_TEXT)
    if b"CID" not in text:
        raise file.malformed("holds neither a VMDK header nor a VMDK descriptor")
    descriptor = _parse(file, text)
    if not descriptor.extents:
        raise file.malformed(
            "the VMDK descriptor has no extents", hint="is the file a VMDK, and complete?"
        )
    return descriptor


def _read_monolithic(file: ImageFile) -> Header:
    size = file.virtual(_checked(file).capacity * SECTOR)
    if file.start(4) == ESX_SPARSE_MAGIC:
        return Header(size)
    (at,) = struct.unpack("<Q", file.read(28, 8))
    text = file.read(_EMBEDDED_AT, min(_MAX_EMBEDDED, max(0, file.size - _EMBEDDED_AT)))
    if at == 0:
        # An extent of a larger disk. QEMU looks for a parent here all the same.
        if _HINT.encode() in text:
            raise file.malformed("the VMDK names a parent in a place that holds no descriptor")
        return Header(size)
    if at * SECTOR != _EMBEDDED_AT:
        raise file.malformed(f"the VMDK has its descriptor in sector {at}, not in sector 1")
    # The extent line in it stands for the file itself, which QEMU knows without: exports have it
    # as RDONLY "generated-stream.vmdk".
    return _header(file, _parse(file, text, embedded=True), size, ())


def _header(
    file: ImageFile, descriptor: _Descriptor, size: int, references: tuple[Reference, ...]
) -> Header:
    pairs = descriptor.pairs
    if any(key.lower().startswith("encryption") for key in pairs):
        raise file.encrypted()
    parent, hint = _cid(pairs.get("parentCID", _NO_PARENT)), pairs.get(_HINT)
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
    # QEMU looks at each sector of vmfsSparse by itself: 104 s for 2 GiB that take us 21.
    by_us = descriptor.recoded or any(each.kind == "VMFSSPARSE" for each in descriptor.extents)
    own = _cid(pairs.get("CID", ""))
    return Header(file.virtual(size), references, own, wwid, by_us)


def _cid(text: str) -> str:
    """Return a content id in one form; not all who write them write leading zeros."""
    return text.strip().lower().rjust(8, "0")


def _parse(file: ImageFile, data: bytes, *, embedded: bool = False) -> _Descriptor:
    """Return the lines of a descriptor; a C string, so a NUL ends it.

    Of one that is ``embedded`` in its extent, nobody reads the extents.
    """
    data = data.split(b"\0", 1)[0]
    named = _ENCODING.search(data)
    encoding = (codec(named[1].decode("ascii")) if named else None) or "utf-8"
    text = data.decode(encoding, errors="surrogateescape")
    if text.count(_HINT) > 1:
        raise file.malformed("the VMDK descriptor names its parent more than once")
    found = _Descriptor(recoded=os.fsencode(text) != data)
    before = "#"
    for line in text.split("\n"):
        if not (embedded and _EXTENT.fullmatch(line.rstrip("\r"))):
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
        if pair[1].lower() == "createtype":
            _refuse_raw_device(file, found.pairs[pair[1]])
    else:
        raise file.malformed(f"the VMDK descriptor has the line {line[:80]!r}")


def _refuse_raw_device(file: ImageFile, kind: str) -> None:
    what = _RAW_DEVICES.get(kind.lower())
    if what is not None:
        raise SourceError(
            "E-DISK-RAW-DEVICE",
            f"{file.path}: the VMDK only stands for {what}, its data is there",
            hint="clone the disk into a file: vmkfstools -i DISK.vmdk COPY.vmdk on ESX,"
            " vmware-vdiskmanager -r DISK.vmdk -t 0 COPY.vmdk elsewhere",
        )


def _extent(file: ImageFile, match: re.Match[str]) -> Extent:
    access, sectors, kind, name, offset = match.groups()
    _refuse_raw_device(file, kind)
    if access != "RW" or kind not in (*FLAT, *_SPARSE) or name is None:
        # QEMU leaves out such an extent, and all that follows would move.
        raise file.malformed(
            f"the VMDK has an extent of the kind {access} {kind}, which QEMU cannot read",
            hint="clone the disk in its hypervisor",
        )
    if kind == "FLAT" and offset is None:
        raise file.malformed(f"the VMDK has a flat extent {name!r} without an offset")
    return Extent(kind, name, int(sectors), int(offset or 0))


def _reference(extent: Extent) -> Reference:
    if extent.kind in FLAT:
        length = (extent.offset + extent.sectors) * SECTOR
        return Reference(Role.extent, extent.name, DiskFormat.raw, length)
    return Reference(Role.extent, extent.name, DiskFormat.vmdk)
