# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk in an XVA as QEMU can read it where it is: nothing passes through a program of ours.

The archive's blocks are what a sparse VMDK calls grains: pieces of one size, each somewhere in a
file at a sector of its own ("Virtual Disk Format 5.0", VMware). So a header and tables of ours are
put in front of the archive, by a descriptor with both as extents. Of a disk of 4 GiB with 0.5 GB of
data QEMU copies that as fast as the raw disk; through an NBD server of ours it took twice as long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from v2v.disks import xva
from v2v.disks.image import Image
from v2v.disks.imagefile import SECTOR
from v2v.disks.scratch import scratch
from v2v.disks.vmdk import Extent, descriptor
from v2v.disks.vmdk_grains import SPARSE_MAGIC
from v2v.disks.xva import BLOCK, Block
from v2v.errors import SourceError
from v2v.model import DiskFormat

_GRAIN = BLOCK // SECTOR
_GRAINS = 512  # of a table
_TABLE = _GRAINS * 4 // SECTOR  # sectors
_DIRECTORY_AT = 1  # sector, behind the header
_HEADER = struct.Struct("<4sIIQQQQIQQQ?4sH")
_LINES = b"\n \r\n"  # shows what a transfer of text has done to the file
_LAST_SECTOR = (1 << 32) - 1  # that a table can name


@contextmanager
def in_archive(archive: Path, member: str, size: int) -> Iterator[Image]:
    """Show a disk of ``size`` bytes in an XVA for as long as the block lasts. Raises SourceError.

    Its checksums are compared by the image's ``verify``.
    """
    blocks = _sound(archive, member, size)
    first = min(block.content.offset for block in blocks.values()) // SECTOR
    count = archive.stat().st_size // SECTOR - first
    head = _head(blocks, size, first)
    if len(head) // SECTOR + count > _LAST_SECTOR:
        raise SourceError(
            "E-SOURCE-SIZE",
            f"{archive}: {member} is spread over more than 2 TiB",
            hint=f"let it pass by once: v2v convert - < {archive.name}",
        )
    with scratch("v2v-xva-") as folder:
        whole, grains, tables, link = (folder / name for name in ("vmdk", "grains", "head", "xva"))
        tables.write_bytes(head)
        link.symlink_to(archive.absolute())  # descriptors hold no quotes in names
        inside = (
            Extent("FLAT", str(tables), len(head) // SECTOR),
            Extent("FLAT", str(link), count, first),
        )
        grains.write_text(descriptor("monolithicFlat", inside))
        sectors = -(-size // SECTOR)
        disk = Extent("SPARSE", str(grains), sectors)
        whole.write_text(descriptor("twoGbMaxExtentSparse", [disk]))
        used = sum(block.content.size for block in blocks.values())
        yield Image(
            whole,
            DiskFormat.vmdk,
            sectors * SECTOR,
            used,
            extents=(archive,),
            parts=((0, Image(grains, DiskFormat.vmdk, sectors * SECTOR, used)),),
            verify=partial(xva.verify, archive, tuple(blocks.values())),
        )


def _sound(archive: Path, member: str, size: int) -> Mapping[int, Block]:
    """Return the blocks of a disk, each of them as long as its place in the disk."""
    blocks = xva.disks(archive).get(member, {})
    if not blocks:  # the first and the last one are always there
        raise xva.damaged(
            archive, f"there is no data of {member}, the export has its metadata alone"
        )
    for number, block in blocks.items():
        left = size - number * BLOCK
        if left <= 0:
            raise xva.damaged(archive, f"{member} has data behind its end, {size} bytes")
        if block.content.size < min(left, BLOCK):
            raise xva.damaged(archive, f"{block.content.name} is shorter than its place")
    return blocks


def _head(blocks: Mapping[int, Block], size: int, first: int) -> bytes:
    """Return header, directory and tables for blocks in a file from its sector ``first`` on."""
    tables = -(-size // (BLOCK * _GRAINS))
    tables_at = _DIRECTORY_AT + -(-tables * 4 // SECTOR)
    data_at = tables_at + tables * _TABLE
    grains = [0] * (tables * _GRAINS)  # 0: there is none
    for number, block in blocks.items():
        grains[number] = data_at + block.content.offset // SECTOR - first
    header = _HEADER.pack(
        SPARSE_MAGIC, 1, 1, -(-size // SECTOR), _GRAIN, 0, 0, _GRAINS, 0, _DIRECTORY_AT, data_at,
        False, _LINES, 0,
    )  # fmt: skip
    directory = struct.pack(f"<{tables}I", *range(tables_at, data_at, _TABLE))
    return b"".join((
        header.ljust(_DIRECTORY_AT * SECTOR, b"\0"),
        directory.ljust((tables_at - _DIRECTORY_AT) * SECTOR, b"\0"),
        struct.pack(f"<{len(grains)}I", *grains),
    ))  # fmt: skip
