# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small initramfs images and kernels' module folders to look into, made without our own writer."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import struct
from collections.abc import Mapping

import lz4.block
import zstandard

from drivers.compression import Compression

VERSION = "6.1.0-9-amd64"
CORE = "/usr/lib/modules/6.1.0-9-amd64"
FOLDER = CORE.lstrip("/")

Members = Mapping[str, bytes | str | None]  # path to content, a link's target, or None: a folder


def newc(members: Members, *, trailer: bool = True) -> bytes:
    """An archive as cpio -o -H newc makes it, with its padding to 512."""
    out = b""
    for number, (name, content) in enumerate(members.items(), start=1):
        if content is None:
            out += member(name, stat.S_IFDIR | 0o755, b"", number)
        elif isinstance(content, str):
            out += member(name, stat.S_IFLNK | 0o777, content.encode(), number)
        else:
            out += member(name, stat.S_IFREG | 0o644, content, number)
    if trailer:
        out += member("TRAILER!!!", 0, b"", 0)
        out += bytes(-len(out) % 512)
    return out


def member(name: str, mode: int, content: bytes, number: int = 7) -> bytes:
    path = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + path
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def compressed(data: bytes, kind: Compression) -> bytes:
    match kind:
        case Compression.none:
            return data
        case Compression.gzip:
            return gzip.compress(data, mtime=0)
        case Compression.bzip2:
            return bz2.compress(data)
        case Compression.lzma:
            return lzma.compress(data, lzma.FORMAT_ALONE)
        case Compression.xz:
            return lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32)
        case Compression.zstd:
            return zstandard.compress(data)
        case Compression.lz4:
            block = lz4.block.compress(data, store_size=False)
            return b"\x02\x21\x4c\x18" + len(block).to_bytes(4, "little") + block
        case Compression.lzop:
            return lzop(data)


def lzop(data: bytes) -> bytes:
    """A file of lzop's with blocks that did not shrink, which are stored as they are."""
    head = bytes.fromhex("894c5a4f000d0a1a0a 1030 20a0 0940 01 05 00000001") + bytes(12)
    out = head + b"\0" + bytes(4)
    for start in range(0, len(data), 1000):
        block = data[start : start + 1000]
        out += len(block).to_bytes(4, "big") * 2 + bytes(4) + block
    return out + bytes(4)


def debian(extra: Members | None = None) -> dict[str, bytes | str | None]:
    """What initramfs-tools puts into an image for a Xen guest, in short."""
    return {
        ".": None,
        "lib": "usr/lib",
        "conf": None,
        "conf/initramfs.conf": b"MODULES=list\n",
        "conf/modules": b"xen-blkfront\next4\n",
        "usr": None,
        "usr/lib": None,
        "usr/lib/systemd": None,
        "usr/lib/systemd/systemd-udevd": b"\x7fELF",
        "usr/lib/modules": None,
        FOLDER: None,
        f"{FOLDER}/kernel": None,
        f"{FOLDER}/kernel/drivers": None,
        f"{FOLDER}/kernel/drivers/block": None,
        f"{FOLDER}/kernel/drivers/block/xen-blkfront.ko": b"front",
        f"{FOLDER}/modules.dep": b"kernel/drivers/block/xen-blkfront.ko:\n",
        **(extra or {}),
    }


_DEP = """\
kernel/drivers/block/xen-blkfront.ko:
kernel/drivers/block/virtio_blk.ko: {v}/virtio_ring.ko {v}/virtio.ko
kernel/drivers/scsi/virtio_scsi.ko: kernel/drivers/scsi/scsi_mod.ko {v}/virtio_ring.ko {v}/virtio.ko
kernel/drivers/scsi/scsi_mod.ko:
kernel/drivers/scsi/sd_mod.ko: kernel/lib/crc-t10dif.ko kernel/drivers/scsi/scsi_mod.ko
kernel/lib/crc-t10dif.ko:
kernel/drivers/net/xen-netfront.ko:
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko {v}/virtio_ring.ko {v}/virtio.ko
kernel/net/core/failover.ko:
{v}/virtio_pci.ko: {v}/virtio_ring.ko {v}/virtio.ko
{v}/virtio_ring.ko: {v}/virtio.ko
{v}/virtio.ko:
kernel/drivers/char/hw_random/virtio-rng.ko: {v}/virtio_ring.ko {v}/virtio.ko
""".replace("{v}", "kernel/drivers/virtio")


def kernel_files(dep: str = _DEP, folder: str = CORE) -> dict[str, bytes | str]:
    """The module folder of a kernel: each module's content is its own path."""
    files: dict[str, bytes | str] = {
        f"{folder}/modules.dep": dep,
        f"{folder}/modules.alias": "alias virtio:d00000002v* virtio_blk\n",
        f"{folder}/modules.order": "not needed",
        f"{folder}/modules.builtin": "kernel/drivers/char/virtio_console.ko\n",
    }
    for line in dep.splitlines():
        path = line.partition(":")[0]
        files[f"{folder}/{path}"] = path
    return files


def unified(sections: Mapping[str, bytes]) -> bytes:
    """A unified kernel image, as far as its sections go: DOS header, PE header and their table."""
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(sections), 0, 0, 0, 0, 0x22)
    at = len(header) + len(coff) + 40 * len(sections)
    table, body = b"", b""
    for name, content in sections.items():
        stored = content + bytes(-len(content) % 512)
        where = at + len(body)
        table += struct.pack(
            "<8sIIIIIIHHI", name.encode(), len(content), where, len(stored), where, 0, 0, 0, 0, 0
        )
        body += stored
    return header + coff + table + body
