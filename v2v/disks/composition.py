# SPDX-License-Identifier: LGPL-2.1-or-later
"""One disk with a partition table, out of images that are partitions or bare file systems.

Nothing is copied: a VMDK descriptor names the images as its extents, one behind the other, with
a partition table of ours in front. QEMU reads that as a disk, so that it is copied once, at the
end, and holes stay holes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from v2v.disks.image import Image
from v2v.disks.partition_tables import (
    EFI_SYSTEM,
    GPT_NUMBERS,
    MBR_NUMBERS,
    MBR_SECTORS,
    SECTOR,
    Partition,
    gpt,
    mbr,
)
from v2v.disks.qemu_img import create_overlay
from v2v.disks.vmdk import Extent, descriptor
from v2v.errors import SourceError
from v2v.model import DiskFormat

_ALIGNMENT = 2048  # sectors, where each partition begins: 1 MiB, as all tools have it today


@dataclass(frozen=True, slots=True)
class Part:
    """An image, and the partition that it is to be."""

    number: int  # from 1
    image: Image
    type: int  # in an MBR: 0x83 Linux, 0x82 swap, 0x8e LVM, 0xef UEFI's


@dataclass(frozen=True, slots=True)
class _Placed:
    part: Part
    start: int  # in sectors
    count: int


def compose(parts: Sequence[Part], folder: Path, name: str, signature: int) -> Image:
    """Return a disk of these partitions, made of files in ``folder``, which it needs.

    ``name`` is for files there, ``signature`` the disk's in its MBR. Raises SourceError for what no
    partition table can hold.
    """
    placed = _placed(parts)
    head, tail, zeros = (folder / f"{name}.{piece}" for piece in ("head", "tail", "zeros"))
    _write(zeros, b"", _ALIGNMENT)
    behind = _tables(placed, name, signature, head, tail)
    end = _end(placed) + behind
    extents, inner = [_flat(_ALIGNMENT, head)], []
    for place in placed:
        link = folder / f"{name}.{place.part.number}"  # descriptors hold no quotes in names
        image = _in_file(place.part.image, link.with_name(f"{link.name}.qcow2"))
        link.symlink_to(image.path)
        inner.append((len(extents), image))
        extents.append(_flat(place.count, link))
        gap = _aligned(place.start + place.count) - place.start - place.count
        extents += [_flat(gap, zeros)] if gap else []
    extents += [_flat(behind, tail)] if behind else []
    whole = folder / f"{name}.vmdk"
    whole.write_text(descriptor("monolithicFlat", extents), encoding="utf-8")
    images = [part.image for part in parts]
    return Image(
        whole,
        DiskFormat.vmdk,
        end * SECTOR,
        sum(each.allocated_bytes for image in images for each in image.chain()),
        extents=tuple(file for image in images for file in image.files()),
        parts=tuple(inner),
        verify=partial(_verify, images) if any(image.verify for image in images) else None,
    )


def _verify(images: Sequence[Image], ended: Event) -> None:
    for image in images:
        if image.verify is not None:
            image.verify(ended)


def _flat(sectors: int, path: Path) -> Extent:
    return Extent("FLAT", str(path), sectors)


def _in_file(image: Image, overlay: Path) -> Image:
    """Return an image that is a file: a descriptor names no server and no part of a file.

    Such an image gets an overlay.
    """
    if image.is_plain_file():
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


def _end(placed: Sequence[_Placed]) -> int:
    return _aligned(placed[-1].start + placed[-1].count)


def _tables(placed: Sequence[_Placed], name: str, signature: int, head: Path, tail: Path) -> int:
    """Write what is in front of the partitions, and behind; return the sectors that are behind.

    A GPT is made where an MBR does not do, and for UEFI. Raises SourceError where no table does.
    """
    numbers = [place.part.number for place in placed]
    partitions = [
        Partition(place.part.number, place.part.type, place.start, place.count) for place in placed
    ]
    if not 0 < min(numbers) <= max(numbers) <= GPT_NUMBERS:
        raise SourceError(
            "E-DISK-LAYOUT",
            f"{name}: partitions {', '.join(map(str, numbers))}: a GPT has numbers from 1 to"
            f" {GPT_NUMBERS}",
            hint="make one disk of these images by hand, and name it in the configuration",
        )
    end = _end(placed)
    efi = any(partition.type == EFI_SYSTEM for partition in partitions)
    if not efi and end <= MBR_SECTORS and max(numbers) <= MBR_NUMBERS:
        _write(head, mbr(partitions, signature), _ALIGNMENT)
        return 0
    first, last = gpt(partitions, end + _ALIGNMENT, signature)
    _write(head, first, _ALIGNMENT)
    _write(tail, bytes(_ALIGNMENT * SECTOR - len(last)) + last, _ALIGNMENT)
    return _ALIGNMENT


def _write(path: Path, data: bytes, sectors: int) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.truncate(sectors * SECTOR)
