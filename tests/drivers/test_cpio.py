# SPDX-License-Identifier: LGPL-2.1-or-later
"""Archives are read as the kernel reads them."""

from __future__ import annotations

import stat
from collections.abc import Generator

import pytest

from drivers.cpio import CpioError, Entry, Stream, archive, entries
from tests.drivers.images import member, newc


def pieces(data: bytes, size: int) -> Generator[bytes, None, int]:
    for at in range(0, len(data), size):
        yield data[at : at + size]
    return len(data)


def read(data: bytes, size: int = 7, limit: int = 1 << 20) -> list[Entry]:
    return list(entries(Stream(pieces(data, size), limit), lambda _name, _size: True))


@pytest.mark.parametrize("size", [1, 7, 110, 4096])
def test_members_are_read_from_pieces_of_any_size(size: int) -> None:
    data = newc({"etc": None, "etc/mtab": "/proc/mounts", "etc/x": b"content"})
    assert read(data, size) == [
        Entry("etc", stat.S_IFDIR | 0o755, None),
        Entry("etc/mtab", stat.S_IFLNK | 0o777, b"/proc/mounts"),
        Entry("etc/x", stat.S_IFREG | 0o644, b"content"),
    ]


def test_archives_may_follow_one_another_and_lack_a_trailer() -> None:
    data = newc({"a": b"1"}, trailer=False) + newc({"b": b"2"}) + bytes(16) + newc({"c": b"3"})
    assert [entry.name for entry in read(data)] == ["a", "b", "c"]


def test_content_that_is_not_wanted_is_passed_over() -> None:
    stream = Stream(pieces(newc({"a": b"x" * 100, "b": b"y"}), 30), 1 << 20)
    found = list(entries(stream, lambda name, size: name == "b" and size == 1))
    assert [entry.data for entry in found] == [None, b"y"]


def test_reading_stops_at_what_is_no_archive() -> None:
    data = newc({"a": b"1"})
    stream = Stream(pieces(data + b"\x1f\x8b", 50), 1 << 20)
    assert [entry.name for entry in entries(stream, lambda _name, _size: False)] == ["a"]
    assert stream.position == len(data)


def test_reading_stops_at_an_archive_that_is_not_aligned() -> None:
    assert [entry.name for entry in read(newc({"a": b"1"}) + b"\0" + newc({"b": b"2"}))] == ["a"]


@pytest.mark.parametrize("size", [50, 112, 117])
def test_an_archive_that_is_cut_short_is_an_error(size: int) -> None:
    with pytest.raises(CpioError, match="archive ends early"):
        read(member("file", stat.S_IFREG, b"content")[:size])


@pytest.mark.parametrize(
    "header",
    [
        b"070707" + b"0" * 104,
        b"070701" + b"0" * 8 + b"-0000001" + b"0" * 88,
        b"070701" + b"x" * 104,
    ],
)
def test_a_damaged_header_is_an_error(header: bytes) -> None:
    with pytest.raises(CpioError, match="damaged header"):
        read(header + bytes(8))


@pytest.mark.parametrize("size", [0, 5000])
def test_a_name_of_an_impossible_size_is_an_error(size: int) -> None:
    header = b"070701" + b"0" * 88 + f"{size:08x}".encode() + b"0" * 8
    with pytest.raises(CpioError, match="impossible name"):
        read(header + bytes(6000))


def test_an_archive_that_expands_without_end_is_an_error() -> None:
    with pytest.raises(CpioError, match="archive is too large"):
        read(newc({"a": bytes(5000)}), limit=1000)


def test_what_is_written_is_read_again() -> None:
    members = [
        Entry("usr", stat.S_IFDIR | 0o755, None),
        Entry("usr/lib", stat.S_IFDIR | 0o755, None),
        Entry("usr/lib/x", stat.S_IFREG | 0o755, b"content"),
        Entry("usr/lib/empty", stat.S_IFREG | 0o644, b""),
    ]
    assert read(archive(members)) == members
    assert len(archive(members)) % 4 == 0


def test_the_same_content_is_written_the_same() -> None:
    member = Entry("b", stat.S_IFREG | 0o644, b"1")
    assert archive([member]) == archive([member])
