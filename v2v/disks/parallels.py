# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of Parallels: a .hdd folder with a DiskDescriptor.xml, which names parts and snapshots.

A part of a disk is a sparse image (interop/parallels of QEMU) or plain; a snapshot has an image
for each part, in which a cluster that is absent is the one of the snapshot below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lxml import etree

from v2v.disks.chain import Piece
from v2v.disks.desktop import read_parallels, read_parallels_layout
from v2v.disks.image import Image, inspect_image
from v2v.disks.imagefile import SECTOR, ImageFile, opened
from v2v.disks.serving import Failed, served
from v2v.errors import SourceError
from v2v.model import Disk, DiskFormat

DESCRIPTOR = "DiskDescriptor.xml"
_MAX_TEXT = 1 << 20
_MOST = 4096  # parts, and snapshots
_TOP = "5fbaabe3-6958-40ff-92a7-860e329aab41"  # what is current, unless the file says otherwise
_NONE = "00000000-0000-0000-0000-000000000000"
_KINDS = {"Compressed": DiskFormat.parallels, "Plain": DiskFormat.raw}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the disk in one of its images."""

    bytes: int
    format: DiskFormat
    path: Path


def read_bundle(folder: Path) -> tuple[tuple[Part, ...], ...]:
    """Return the images of a .hdd folder from the top, each as its parts. Raises SourceError."""
    descriptor = folder / DESCRIPTOR
    root = _parsed(descriptor)
    engine = _guid(root.findtext("Disk_Parameters/Encryption/Engine"))
    if engine not in ("", _NONE):
        raise SourceError(
            "E-IMAGE-ENCRYPTED",
            f"{descriptor}: the disk is encrypted",
            hint="decrypt it in Parallels first",
        )
    storages = sorted(root.iterfind("StorageData/Storage"), key=lambda each: _number(each, "Start"))
    if not 0 < len(storages) <= _MOST:
        raise _malformed(descriptor, f"has {len(storages)} parts")
    end = 0
    for storage in storages:
        if _number(storage, "Start") != end or _number(storage, "End") <= end:
            raise _malformed(descriptor, f"its parts leave a gap at sector {end:,}")
        end = _number(storage, "End")
    return tuple(
        tuple(_part(storage, guid, descriptor) for storage in storages)
        for guid in _chain(root, descriptor)
    )


def _parsed(path: Path) -> etree._Element:
    with opened(path) as file:
        text = file.start(_MAX_TEXT)
    if b"<!DOCTYPE" in text.replace(b"\0", b""):
        raise _malformed(path, "declares a DOCTYPE, which is never read")
    try:
        root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise _malformed(path, f"is not XML: {error.msg}") from error
    if root.tag != "Parallels_disk_image":
        raise _malformed(path, f"is <{root.tag}>, and describes no disk")
    return root


def _chain(root: etree._Element, where: Path) -> list[str]:
    """Return the snapshots from the current one down."""
    parents = {
        _guid(shot.findtext("GUID")): _guid(shot.findtext("ParentGUID"))
        for shot in root.iterfind("Snapshots/Shot")
    }
    current = _guid(root.findtext("Snapshots/TopGUID")) or _TOP
    if current not in parents and len(parents) == 1:
        (current,) = parents
    chain: list[str] = []
    while current not in ("", _NONE):
        if current not in parents or current in chain or len(chain) >= _MOST:
            raise _malformed(where, f"its snapshot {current} is missing, or below itself")
        chain.append(current)
        current = parents[current]
    return chain


def _part(storage: etree._Element, guid: str, where: Path) -> Part:
    found = [each for each in storage.iterfind("Image") if _guid(each.findtext("GUID")) == guid]
    if len(found) != 1:
        raise _malformed(where, f"has {len(found)} images of the snapshot {guid} in a part")
    kind, name = found[0].findtext("Type") or "", (found[0].findtext("File") or "").strip()
    if kind not in _KINDS or not name or "\0" in name:
        raise _malformed(where, f"has an image {name!r} of the kind {kind!r}")
    # Absolute names are of the host that it was on.
    path = where.parent / PurePosixPath(name).name
    if path.resolve().parent != where.parent.resolve():
        raise SourceError(
            "E-IMAGE-ESCAPES", f"{where}: its image {name!r} lies outside of the disk's folder"
        )
    size = (_number(storage, "End") - _number(storage, "Start")) * SECTOR
    return Part(size, _KINDS[kind], path)


def _number(element: etree._Element, key: str) -> int:
    text = (element.findtext(key) or "").strip()
    return int(text) if re.fullmatch("[0-9]{1,15}", text, re.ASCII) else -1


def _guid(text: str | None) -> str:
    return (text or "").strip().strip("{}").lower()


def _malformed(path: Path, fact: str) -> SourceError:
    return SourceError(
        "E-DISK-FORMAT", f"{path}: {fact}", hint="copy the guest's .pvm folder as a whole again"
    )


class PartsLayer:
    """One snapshot of the disk, or what is below all: its parts, side by side."""

    def __init__(self, parts: tuple[Part, ...], held: ExitStack) -> None:
        self._parts = [(part.bytes, _opened(part, held)) for part in parts]

    def holds(self, at: int, length: int) -> bool:
        """Tell whether a part may have data in a piece of the disk."""
        return any(layer.holds(start, size) for layer, start, size in self._within(at, length))

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield a piece of the disk; behind its end are zeros."""
        done = 0
        for layer, start, size in self._within(at, length):
            yield from layer.pieces(start, size)
            done += size
        if done < length:
            yield length - done, bytes(length - done)

    def _within(self, at: int, length: int) -> Iterator[tuple[_Clusters | _Plain, int, int]]:
        begin = 0
        for size, layer in self._parts:
            low, high = max(at, begin), min(at + length, begin + size)
            if low < high:
                yield layer, low - begin, high - low
            begin += size


def _opened(part: Part, held: ExitStack) -> _Clusters | _Plain:
    file = held.enter_context(opened(part.path))
    if part.format is DiskFormat.parallels:
        return _Clusters(file)
    file.require(0, part.bytes, "a part of the disk")
    return _Plain(file)


class _Plain:
    """A part that is the data itself."""

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def holds(self, at: int, length: int) -> bool:
        return True

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        yield length, self._file.read(at, length)


class _Clusters:
    """A part in clusters, of which a table says where they are."""

    def __init__(self, file: ImageFile) -> None:
        read_parallels(file)  # whether the table is sound
        layout = read_parallels_layout(file)
        self._cluster, self._unit = layout.cluster_bytes, layout.unit_bytes
        self._table = file.words(layout.table_at, layout.entries, "I", "little")
        self._file = file

    def _place(self, number: int) -> int:
        return self._table[number] * self._unit if number < len(self._table) else 0

    def holds(self, at: int, length: int) -> bool:
        return any(
            self._place(number)
            for number in range(at // self._cluster, -(-(at + length) // self._cluster))
        )

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        while length:
            number, inside = divmod(at, self._cluster)
            size = min(length, self._cluster - inside)
            place = self._place(number)
            # The last cluster of a file may be cut off behind the disk's end.
            yield size, self._file.pread(size, place + inside).ljust(size, b"\0") if place else None
            at += size
            length -= size


@contextmanager
def in_bundle(folder: Path, failed: Failed) -> Iterator[Image]:
    """Open the disk of a .hdd folder for as long as the block lasts. Raises SourceError."""
    chain = read_bundle(folder)
    for part in (part for parts in chain for part in parts):
        inspect_image(Disk(part.path.name, part.format), folder, trust=False)
    ((first, *more), *below) = chain
    if not more and not below:
        yield inspect_image(Disk(first.path.name, first.format), folder, trust=False)
        return
    size = sum(part.bytes for part in (first, *more))
    used = sum(part.path.stat().st_blocks * SECTOR for parts in chain for part in parts)
    words = (f"chain={DiskFormat.parallels}", f"file={folder}")
    with served(folder, words, size, used, failed) as image:
        yield image
