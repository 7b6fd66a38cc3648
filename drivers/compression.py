# SPDX-License-Identifier: LGPL-2.1-or-later
"""The compressed streams that a Linux kernel takes an initramfs in, expanded piece by piece.

Which forms there are, and how each is recognised, is from the kernel's lib/decompress.c.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Generator
from enum import StrEnum, auto
from typing import Protocol

import lz4.block
import zstandard

from drivers.lzo import LzoError, lzop_blocks

# Input is given in small pieces so that no piece can grow beyond reason: zstd and bzip2 can make
# 32 KiB out of one byte.
_PIECE = 4096
_LZ4_BLOCK = 8 << 20  # lz4's legacy frame; the kernel's LZ4_DEFAULT_UNCOMPRESSED_CHUNK_SIZE
_LZ4_MAGIC = b"\x02\x21\x4c\x18"


class CompressionError(ValueError):
    """A stream is damaged, or cannot be read here."""


class Compression(StrEnum):
    """The ways to compress an initramfs; ``none`` is a plain archive."""

    none = auto()
    gzip = auto()
    bzip2 = auto()
    lzma = auto()
    xz = auto()
    lzop = auto()
    lz4 = auto()  # its legacy frame: the kernel knows no other
    zstd = auto()


_MAGIC = (
    (b"\x1f\x8b", Compression.gzip),
    (b"BZh", Compression.bzip2),
    (b"\x5d\x00\x00", Compression.lzma),
    (b"\xfd7zXZ\x00", Compression.xz),
    (b"\x89LZO\x00\r\n\x1a\n", Compression.lzop),
    (_LZ4_MAGIC, Compression.lz4),
    (b"\x28\xb5\x2f\xfd", Compression.zstd),
)


def detect(data: bytes, at: int = 0) -> Compression | None:
    """Return the compression of the stream that starts there, None if it is no known one."""
    return next((kind for magic, kind in _MAGIC if data.startswith(magic, at)), None)


def expand(data: bytes, at: int, kind: Compression) -> Generator[bytes, None, int]:
    """Yield the content of the one stream that starts there; return where it ends in ``data``.

    Raises CompressionError.
    """
    if kind is Compression.lz4:
        return (yield from _lz4_blocks(data, at))
    if kind is Compression.lzop:
        try:
            return (yield from lzop_blocks(data, at))
        except LzoError as error:
            raise CompressionError(str(error)) from error
    return (yield from _pieces(data, at, kind))


def expanded(data: bytes, kind: Compression) -> bytes:
    """Return the content of a stream. Raises CompressionError."""
    return b"".join(expand(data, 0, kind))


class _Decompressor(Protocol):
    """What zlib, bz2, lzma and zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _decompressor(kind: Compression) -> _Decompressor:
    if kind is Compression.gzip:
        return zlib.decompressobj(wbits=31)
    if kind is Compression.bzip2:
        return bz2.BZ2Decompressor()
    if kind is Compression.lzma:
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 30)
    if kind is Compression.xz:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=1 << 30)
    if kind is Compression.zstd:
        return zstandard.ZstdDecompressor(max_window_size=1 << 30).decompressobj()
    raise CompressionError(f"{kind}: not a compression")


def _pieces(data: bytes, at: int, kind: Compression) -> Generator[bytes, None, int]:
    stream = _decompressor(kind)
    while not stream.eof:
        piece = data[at : at + _PIECE]
        if not piece:
            raise CompressionError(f"{kind} stream ends early")
        try:
            yield stream.decompress(piece)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError) as error:
            raise CompressionError(f"{kind} stream is damaged: {error}") from error
        at += len(piece)
    return at - len(stream.unused_data)


def _lz4_blocks(data: bytes, at: int) -> Generator[bytes, None, int]:
    """lz4's legacy frame: its magic, then blocks with their sizes, to the end of the file.

    A frame may follow directly; a size of 0, from padding, ends it too. Both as in the kernel's
    lib/decompress_unlz4.c.
    """
    while at < len(data):
        if data.startswith(_LZ4_MAGIC, at):
            at += 4
            continue
        size = int.from_bytes(data[at : at + 4], "little")
        if size == 0:
            break
        block = data[at + 4 : at + 4 + size]
        if len(block) < size:
            raise CompressionError("lz4 stream ends early")
        try:
            yield lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK)
        except lz4.block.LZ4BlockError as error:
            raise CompressionError(f"lz4 stream is damaged: {error}") from error
        at += 4 + size
    return at


def compressed(content: bytes, kind: Compression) -> bytes:
    """Return a stream with this content, or the content itself where there is no compressor."""
    match kind:
        case Compression.gzip:
            return gzip.compress(content, mtime=0)
        case Compression.bzip2:
            return bz2.compress(content)
        case Compression.xz:
            # The kernel knows no other checksum (lib/xz/xz_dec_stream.c).
            return lzma.compress(content, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32)
        case Compression.zstd:
            return zstandard.compress(content)
        case Compression.lz4:
            return lz4_stream(content)
        case _:
            return content


def lz4_stream(content: bytes) -> bytes:
    """Return a legacy frame of lz4 with this content, which may follow another one directly."""
    frame = bytearray(_LZ4_MAGIC)
    for start in range(0, len(content), _LZ4_BLOCK):
        block = lz4.block.compress(content[start : start + _LZ4_BLOCK], store_size=False)
        frame += len(block).to_bytes(4, "little") + block
    return bytes(frame)
