# SPDX-License-Identifier: LGPL-2.1-or-later
"""Xen's disks that are partitions, or file systems as a whole, made into disks that a PC can start.

Xen gives a guest images as xvda1 and xvda2 (xen-tools makes them so), with no xvda around them, and
starts guests from an xvda without a partition table, as the kernel comes from outside. KVM has
neither, and a BIOS needs room for a boot loader.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from v2v.disks import loader_partition
from v2v.disks.composition import Part, compose
from v2v.disks.image import Image
from v2v.disks.partition_tables import EFI_SYSTEM
from v2v.disks.qemu_img import first_bytes
from v2v.errors import Finding
from v2v.guest.layout import mbr_partitions, partitions
from v2v.model import BootMethod, Disk, Firmware, Machine

_PARTITION = re.compile(r"(?P<disk>(?:xvd|sd|hd)[a-z]{1,3})(?P<number>[1-9][0-9]?)")
_HEAD = 68 * 1024  # up to and with the superblock of btrfs
_LINUX, _SWAP, _LVM = 0x83, 0x82, 0x8E
_CONTENT = (  # offset, magic number, type of a partition that holds it
    (4086, b"SWAPSPACE2", _SWAP),
    (4086, b"SWAP-SPACE", _SWAP),
    (512, b"LABELONE", _LVM),
    (1080, b"\x53\xef", _LINUX),  # ext2, 3, 4
    (0, b"XFSB", _LINUX),
    (65600, b"_BHRfS_M", _LINUX),  # btrfs
    (65588, b"ReIsEr", _LINUX),
    (32768, b"JFS1", _LINUX),
    (0, b"LUKS\xba\xbe", _LINUX),
)


@dataclass(frozen=True, slots=True)
class Arranged:
    """The disks as they will be: the machine with them, and their images."""

    machine: Machine
    images: tuple[Image, ...]
    findings: tuple[Finding, ...] = ()


def arrange(
    machine: Machine, images: tuple[Image, ...], folder: Path, firmware: Firmware | None = None
) -> Arranged:
    """Return the disks that the target is to have; new ones need the files put into ``folder``.

    Images that are partitions of one disk become one; the disk to start from gets a partition table
    if it has none, and for UEFI a partition with a loader. Raises SourceError.
    """
    groups = _groups(machine)
    if 0 not in groups and _starts_from_bare(machine, images[0]):
        groups[0] = _Group(machine.disks[0].device or "disk", (0,), (1,), wrapped=True)
    disks: list[Disk] = []
    made: list[Image] = []
    findings: list[Finding] = []
    for at, (disk, image) in enumerate(zip(machine.disks, images, strict=True)):
        group = groups.get(at)
        if group is None:
            disks.append(disk)
            made.append(image)
        elif group.members[0] == at:
            numbered = zip(group.members, group.numbers, strict=True)
            parts = [Part(number, images[at], _type(images[at])) for at, number in numbered]
            signature = _signature(machine, group)
            loader = firmware is Firmware.efi and not any(disk.loader for disk in disks)
            if loader:
                parts.append(_loader(group, folder, signature))
            made.append(compose(parts, folder, group.device, signature))
            disks.append(_disk(disk, group, made[-1], loader=loader))
            findings.append(_finding(machine, group))
    return Arranged(replace(machine, disks=tuple(disks)), tuple(made), tuple(findings))


@dataclass(frozen=True, slots=True)
class _Group:
    device: str  # what the guest calls the disk
    members: tuple[int, ...]  # positions of the images
    numbers: tuple[int, ...]  # of the partitions that they are
    wrapped: bool = False  # the guest knew no partition


def _groups(machine: Machine) -> dict[int, _Group]:
    """Return the group of each image that is a partition, by the image's position."""
    found: dict[str, list[tuple[int, int]]] = {}
    whole = {disk.device for disk in machine.disks}
    for at, disk in enumerate(machine.disks):
        match = _PARTITION.fullmatch(disk.device or "")
        if match and match["disk"] not in whole:
            found.setdefault(match["disk"], []).append((at, int(match["number"])))
    return {
        at: _Group(device, tuple(at for at, _ in members), tuple(number for _, number in members))
        for device, members in found.items()
        for at, _ in members
    }


def _starts_from_bare(machine: Machine, image: Image) -> bool:
    """Tell whether the first disk is a file system without a partition table, with Xen's help."""
    if machine.boot is None or machine.boot.method is BootMethod.hvm:
        return False
    head = first_bytes(image, _HEAD)
    if partitions(head) or mbr_partitions(head):
        return False
    kind = _type_of(head)
    return kind is not None and kind != _SWAP


def _type(image: Image) -> int:
    return _type_of(first_bytes(image, _HEAD)) or _LINUX


def _type_of(head: bytes) -> int | None:
    """Return the partition type for a content, None for one that is not known."""
    for at, magic, kind in _CONTENT:
        if head[at : at + len(magic)] == magic:
            return kind
    return None


def _loader(group: _Group, folder: Path, signature: int) -> Part:
    """Return the partition with UEFI's loader, behind the others."""
    image = loader_partition.make(folder / f"{group.device}.esp", group.numbers, signature)
    return Part(max(group.numbers) + 1, image, EFI_SYSTEM)


def _disk(first: Disk, group: _Group, image: Image, *, loader: bool) -> Disk:
    return Disk(
        str(image.path),
        image.format,
        first.controller,
        group.device,
        image.virtual_bytes,
        wrapped=group.wrapped,
        loader=loader,
    )


def _finding(machine: Machine, group: _Group) -> Finding:
    names = ", ".join(machine.disks[at].device or "" for at in group.members)
    what = (
        f"{names}: it has no partition table to start from; it becomes partition 1 of a disk"
        if group.wrapped
        else f"{names}: become the partitions of one disk, {group.device}, under their numbers"
    )
    return Finding("W-DISK-LAYOUT", what)


def _signature(machine: Machine, group: _Group) -> int:
    """Return the disk's number in its MBR, the same for each run."""
    text = f"{machine.uuid or machine.name}/{group.device}"
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:4], "little") or 1
