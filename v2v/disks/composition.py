# SPDX-License-Identifier: LGPL-2.1-or-later
"""One disk with a partition table, out of images that are partitions or bare file systems.

Nothing is copied: a VMDK descriptor names the images as its extents, one behind the other, with
a partition table of ours in front. QEMU reads that as a disk, so that it is copied once, at the
end, and holes stay holes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from v2v.disks.image import Image
from v2v.disks.qemu_img import create_overlay
from v2v.errors import SourceError
from v2v.model import DiskFormat

SECTOR = 512
_ALIGNMENT = 2048  # sectors, where each partition begins: 1 MiB, as all tools have it today
_MAX_SECTORS = (1 << 32) - 1  # that an MBR can name
_MAX_NUMBER = 4  # of primary partitions
_CHS = b"\xfe\xff\xff"  # beyond what cylinders, heads and sectors can say
_DESCRIPTOR = """\
# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="monolithicFlat"
# Extent description
{extents}# The Disk Data Base
ddb.adapterType = "lsilogic"
"""


@dataclass(frozen=True, slots=True)
class Part:
    """An image, and the partition that it is to be."""

    number: int  # from 1
    image: Image
    type: int  # in an MBR: 0x83 Linux, 0x82 swap, 0x8e LVM


@dataclass(frozen=True, slots=True)
class _Placed:
    part: Part
    start: int  # in sectors
    count: int


def compose(parts: Sequence[Part], folder: Path, name: str, signature: int) -> Image:
    """Return a disk of these partitions, made of files in ``folder``, which it needs.

    ``name`` is for files there, ``signature`` the disk's in its MBR. Raises SourceError for what no
    MBR can hold.
    """
    placed = _placed(parts)
    end = _aligned(placed[-1].start + placed[-1].count)
    if end > _MAX_SECTORS or any(not 0 < part.number <= _MAX_NUMBER for part in parts):
        numbers = ", ".join(str(part.number) for part in parts)
        raise SourceError(
            "E-DISK-LAYOUT",
            f"{name}: partitions {numbers}, of {end * SECTOR >> 30} GiB together, are more than an"
            " MBR can hold (four partitions, 2 TiB)",
            hint="make one disk of these images by hand, and name it in the configuration",
        )
    head, zeros = folder / f"{name}.head", folder / f"{name}.zeros"
    _write(head, _mbr(placed, signature), _ALIGNMENT)
    _write(zeros, b"", _ALIGNMENT)
    extents, inner = [(_ALIGNMENT, head)], []
    for place in placed:
        link = folder / f"{name}.{place.part.number}"  # descriptors hold no quotes in names
        image = _in_file(place.part.image, link.with_name(f"{link.name}.qcow2"))
        link.symlink_to(image.path)
        inner.append((len(extents), image))
        extents.append((place.count, link))
        gap = _aligned(place.start + place.count) - place.start - place.count
        extents += [(gap, zeros)] if gap else []
    lines = "".join(f'RW {count} FLAT "{path}" 0\n' for count, path in extents)
    descriptor = folder / f"{name}.vmdk"
    descriptor.write_text(_DESCRIPTOR.format(extents=lines), encoding="utf-8")
    images = [part.image for part in parts]
    return Image(
        descriptor,
        DiskFormat.vmdk,
        end * SECTOR,
        sum(each.allocated_bytes for image in images for each in image.chain()),
        extents=tuple(file for image in images for file in image.files()),
        parts=tuple(inner),
    )


def _in_file(image: Image, overlay: Path) -> Image:
    """Return an image that is a file: a descriptor names no server, so that needs an overlay."""
    if not image.path.is_socket():
        return image
    create_overlay(image, overlay)
    return Image(overlay, DiskFormat.qcow2, image.virtual_bytes, 0, backing=image)


def _placed(parts: Sequence[Part]) -> tuple[_Placed, ...]:
    """Return where the partitions are, in the order of their numbers."""
    found, start = [], _ALIGNMENT
    for part in sorted(parts, key=lambda part: part.number):
        count = -(-part.image.virtual_bytes // SECTOR)
        found.append(_Placed(part, start, count))
        start = _aligned(start + count)
    return tuple(found)


def _aligned(sector: int) -> int:
    return -(-sector // _ALIGNMENT) * _ALIGNMENT


def _mbr(placed: Sequence[_Placed], signature: int) -> bytes:
    """Return a first sector without boot code."""
    entries = [bytes(16)] * _MAX_NUMBER
    for place in placed:
        entries[place.part.number - 1] = struct.pack(
            "<B3sB3sII", 0, _CHS, place.part.type, _CHS, place.start, place.count
        )
    return bytes(440) + struct.pack("<IH", signature, 0) + b"".join(entries) + b"\x55\xaa"


def _write(path: Path, data: bytes, sectors: int) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.truncate(sectors * SECTOR)
