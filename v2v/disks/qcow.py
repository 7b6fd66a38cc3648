# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of qcow2, qcow and QED images (QEMU's docs/interop/qcow2.txt and qed_spec.txt)."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, replace

from v2v.disks.imagefile import Header, ImageFile, Reference, Role
from v2v.model import DiskFormat

QCOW_MAGIC = b"QFI\xfb"
QED_MAGIC = b"QED\0"
_MAX_NAME = 1023  # of a backing file, as in QEMU
_MAX_L1 = 32 << 20  # bytes, as in QEMU
_MAX_REFCOUNT_TABLE = 8 << 20  # bytes, as in QEMU

_EXTERNAL_DATA = 1 << 2
_EXTENDED_L2 = 1 << 4
_KNOWN_FEATURES = 0b11111  # dirty, corrupt, external data, compression type, extended L2
_BACKING_FORMAT = 0xE2792ACA
_DATA_FILE = 0x44415441
_OFFSET = 0x00FFFFFFFFFFFE00  # the bits of an L1 or L2 entry that are an offset
_COMPRESSED = 1 << 62

# What old images call a raw backing file.
_RAW_NAMES = ("raw", "file", "host_device")


@dataclass(frozen=True, slots=True)
class _Qcow2:
    """The fields of a qcow2 header that are used here, in the order in which they stand."""

    backing_at: int
    backing_length: int
    cluster_bits: int
    size: int
    crypt: int
    l1_count: int
    l1_at: int
    refcounts_at: int
    refcounts_clusters: int
    features: int = 0
    refcount_order: int = 4
    length: int = 72

    @property
    def cluster(self) -> int:
        return 1 << self.cluster_bits

    @property
    def entry(self) -> int:
        """Bytes of an L2 entry."""
        return 16 if self.features & _EXTENDED_L2 else 8


def read_qcow2(file: ImageFile) -> Header:
    """Return what a qcow2 header says. Raises SourceError if it is damaged or encrypted."""
    head = _parse(file)
    if head.crypt:
        raise file.encrypted()
    if head.features & ~_KNOWN_FEATURES:
        raise file.malformed(f"the image needs unknown qcow2 features {head.features:#x}")
    if not 9 <= head.cluster_bits <= 21 or head.refcount_order > 6:
        raise file.malformed(f"the qcow2 header has clusters of 2^{head.cluster_bits} bytes")
    size = file.virtual(head.size)
    if head.l1_count * 8 > _MAX_L1 or head.refcounts_clusters * head.cluster > _MAX_REFCOUNT_TABLE:
        raise file.malformed("the qcow2 header has tables of an absurd size")
    if head.l1_count * head.cluster * (head.cluster // head.entry) < size:
        raise file.malformed("the qcow2 header has an L1 table that is too small for its disk")
    file.require(head.l1_at, head.l1_count * 8, "its L1 table")
    file.require(head.refcounts_at, head.refcounts_clusters * head.cluster, "its refcount table")
    tables = _l2_tables(file, head)
    if _refcounts_pass_the_end(file, head):
        _refuse_missing_clusters(file, head, tables)
    return Header(size, _references(file, head))


def _parse(file: ImageFile) -> _Qcow2:
    (version,) = struct.unpack(">I", file.read(4, 4))
    head = _Qcow2(*struct.unpack(">QIIQIIQQI", file.read(8, 52)))
    if version == 2:
        return head
    if version != 3:
        raise file.malformed(f"qcow2 version {version} is not known")
    features, order, length = struct.unpack(">Q16xII", file.read(72, 32))
    if not 104 <= length <= 512:
        raise file.malformed(f"a qcow2 header of {length} bytes is not credible")
    return replace(head, features=features, refcount_order=order, length=length)


def _references(file: ImageFile, head: _Qcow2) -> tuple[Reference, ...]:
    extensions = _extensions(file, head)
    found = []
    if head.backing_at:
        named = extensions.get(_BACKING_FORMAT)
        found.append(
            Reference(
                Role.backing,
                _name(file, head.backing_at, head.backing_length),
                None if named is None else _format(file, named),
            )
        )
    if head.features & _EXTERNAL_DATA:
        if _DATA_FILE not in extensions:
            raise file.malformed("the image has its data in another file, but does not name it")
        name = os.fsdecode(extensions[_DATA_FILE].rstrip(b"\0"))
        found.append(Reference(Role.data, name, DiskFormat.raw))
    return tuple(found)


def _extensions(file: ImageFile, head: _Qcow2) -> dict[int, bytes]:
    end = head.backing_at or min(head.cluster, file.size)
    at, found = head.length, dict[int, bytes]()
    while at + 8 <= end:
        kind, length = struct.unpack(">II", file.read(at, 8))
        if kind == 0:
            break
        if length > end - at - 8:
            raise file.malformed("a qcow2 header extension is longer than the header")
        found[kind] = file.read(at + 8, length)
        at += 8 + -(-length // 8) * 8
    return found


def _name(file: ImageFile, at: int, length: int) -> str:
    if not 0 < length <= _MAX_NAME:
        raise file.malformed(f"a backing file name of {length} bytes is not credible")
    return os.fsdecode(file.read(at, length))


def _format(file: ImageFile, named: bytes) -> DiskFormat:
    text = named.rstrip(b"\0").decode(errors="backslashreplace")
    if text in _RAW_NAMES:
        return DiskFormat.raw
    try:
        return DiskFormat(text)
    except ValueError as error:
        raise file.malformed(f"the backing file has the format {text!r}") from error


def _refcounts_pass_the_end(file: ImageFile, head: _Qcow2) -> bool:
    """Tell whether a cluster in use lies behind the file's end.

    That a file was cut short shows nowhere else: QEMU reads what is missing as zeroes.
    """
    last, block = -1, 0
    words = head.refcounts_clusters * head.cluster // 8
    for base, table in enumerate(file.table(head.refcounts_at, words, "Q", "big")):
        used = [at for at, entry in enumerate(table) if entry]
        if used:
            last, block = base * (1 << 17) + used[-1], table[used[-1]] & _OFFSET
    if last < 0:
        return False
    counts = file.read(block, head.cluster).rstrip(b"\0")
    if not counts:
        return False
    in_block = (len(counts) - 1) * 8 >> head.refcount_order
    cluster = last * (head.cluster * 8 >> head.refcount_order) + in_block
    return cluster * head.cluster >= file.size


def _l2_tables(file: ImageFile, head: _Qcow2) -> set[int]:
    """Return where the L2 tables lie, all of them inside the file."""
    tables: set[int] = set()
    for words in file.table(head.l1_at, head.l1_count, "Q", "big"):
        tables.update(word & _OFFSET for word in words)
    tables.discard(0)
    file.require(max(tables, default=0), head.cluster if tables else 0, "an L2 table")
    return tables


def _refuse_missing_clusters(file: ImageFile, head: _Qcow2, tables: set[int]) -> None:
    """Raise SourceError if a guest's data lies behind the file's end.

    A crash of QEMU leaves refcounts of clusters that nobody uses (leaks), so the L2 tables decide.
    """
    if head.features & _EXTERNAL_DATA:
        return
    for table in sorted(tables):
        for words in file.table(table, head.cluster // 8, "Q", "big"):
            entries = words[:: head.entry // 8]
            plain = (entry & _OFFSET for entry in entries if not entry & _COMPRESSED)
            file.require(max(plain, default=0), 1, "the guest's data")


def read_qcow(file: ImageFile) -> Header:
    """Return what the header of an image in the first qcow format says."""
    version, at, length, _, size, cluster_bits, _, crypt, l1_at = struct.unpack(
        ">IQIIQBB2xIQ", file.read(4, 44)
    )
    if version != 1:
        raise file.malformed(f"qcow version {version} is not known")
    if crypt:
        raise file.encrypted()
    if not 9 <= cluster_bits <= 16:
        raise file.malformed(f"the qcow header has clusters of 2^{cluster_bits} bytes")
    file.require(l1_at, 8, "its L1 table")
    # The format has no place for the backing file's format.
    references = (Reference(Role.backing, _name(file, at, length), None),) if at else ()
    return Header(file.virtual(size), references)


def read_qed(file: ImageFile) -> Header:
    """Return what a QED header says."""
    cluster, _, _, features, _, _, l1_at, size, name_at, name_length = struct.unpack(
        "<IIIQQQQQII", file.read(4, 60)
    )
    if not 4096 <= cluster <= 64 << 20:
        raise file.malformed(f"the QED header has clusters of {cluster:,} bytes")
    file.require(l1_at, cluster, "its L1 table")
    if not features & 1:
        return Header(file.virtual(size))
    raw = DiskFormat.raw if features & 4 else None
    return Header(
        file.virtual(size), (Reference(Role.backing, _name(file, name_at, name_length), raw),)
    )
