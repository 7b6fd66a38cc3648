# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams are recognised, expanded, and end where they end."""

from __future__ import annotations

import base64
import ctypes
from collections.abc import Iterator

import pytest

from drivers.compression import (
    Compression,
    CompressionError,
    detect,
    expand,
    expanded,
    lz4_stream,
)
from tests.drivers.images import compressed

CONTENT = bytes(range(256)) * 100
STREAMS = tuple(kind for kind in Compression if kind is not Compression.none)

# What lzop 1.04 made of an archive of one file of 300 bytes, "ext4\n" 60 times.
LZOP = base64.b64decode(
    "iUxaTwANChoKEEAgoAlAAQUDAAANAAAAAGsEjKYAAAAAACr3AxEAAAKYAAAAhi/upQ8EMDcwNzAxMKAAnAABNDFFRLgB"
    "LxQAnAMvVAAgAUEANegEA2NvbmYAACvNATJsAwE4MUE0fAAxDAAszwExMkMxjAAySAAnDANsDgwvbW9kdWxlcwAAZXh0"
    "NAogAAcQACucBjKMBSpMACycBipkADwtAEL4AwtUUkFJTEVSISEhAAAAABEAAAAAAAA="
)


def end(data: bytes, at: int, kind: Compression) -> int:
    """Where a stream ends, once it has been read."""
    ends = []

    def passed_on() -> Iterator[bytes]:
        ends.append((yield from expand(data, at, kind)))

    for _ in passed_on():
        pass
    return ends[0]


@pytest.mark.parametrize("kind", STREAMS)
def test_each_stream_is_recognised_and_expanded(kind: Compression) -> None:
    data = compressed(CONTENT, kind)
    assert detect(data) is kind
    assert expanded(data, kind) == CONTENT


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_ends_before_the_zeros_behind_it(kind: Compression) -> None:
    data = compressed(CONTENT, kind)
    assert end(b"before" + data + bytes(9), 6, kind) == 6 + len(data)


@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind is not Compression.lz4])
def test_a_stream_ends_before_what_follows_it_directly(kind: Compression) -> None:
    data = compressed(CONTENT, kind)
    assert end(data + b"070701" * 2000, 0, kind) == len(data)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_truncated_stream_is_an_error(kind: Compression) -> None:
    data = compressed(CONTENT, kind)
    with pytest.raises(CompressionError, match=f"{kind} stream ends early"):
        expanded(data[: len(data) // 2], kind)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_damaged_stream_is_an_error(kind: Compression) -> None:
    data = compressed(CONTENT, kind)
    start = 34 if kind is Compression.lzop else 8
    with pytest.raises(CompressionError, match=f"{kind} stream"):
        expanded(data[:start] + b"\xff" * 64 + data[start + 64 :], kind)


def test_a_plain_archive_and_other_data_are_no_streams() -> None:
    assert detect(b"070701") is None
    assert detect(b"") is None
    with pytest.raises(CompressionError, match="none: not a compression"):
        expanded(b"070701", Compression.none)


def test_lz4_blocks_that_shrink_are_read_across_frames() -> None:
    long = bytes(9 << 20) + CONTENT
    assert expanded(lz4_stream(long) + lz4_stream(CONTENT), Compression.lz4) == long + CONTENT


def test_lzop_blocks_that_shrink_are_read() -> None:
    content = expanded(LZOP, Compression.lzop)
    assert len(content) == 664
    assert content.count(b"ext4\n") == 60
    assert end(LZOP + b"rest", 0, Compression.lzop) == len(LZOP)


def test_lzop_blocks_with_more_checksums_are_read() -> None:
    content = expanded(LZOP, Compression.lzop)
    at = LZOP.index(bytes.fromhex("00000298 00000086"))
    flags = LZOP[:17] + (0x3).to_bytes(4, "big") + LZOP[21:at]
    both = flags + LZOP[at : at + 12] + bytes(4) + LZOP[at + 12 :]
    assert expanded(both, Compression.lzop) == content


def test_an_lzop_block_of_the_wrong_size_is_an_error() -> None:
    at = LZOP.index(bytes.fromhex("00000298 00000086"))
    wrong = LZOP[:at] + (0x299).to_bytes(4, "big") + LZOP[at + 4 :]
    with pytest.raises(CompressionError, match="lzop stream is damaged"):
        expanded(wrong, Compression.lzop)


def test_without_the_lzo_library_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    with pytest.raises(CompressionError, match=r"cannot be read without liblzo2\.so\.2"):
        expanded(LZOP, Compression.lzop)
