# SPDX-License-Identifier: LGPL-2.1-or-later
"""The index is depmod's own, byte for byte, and holds the modules of the image alone."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from drivers.module_index import index

NEEDS = {
    "kernel/virtio_blk.ko": ["kernel/virtio_ring.ko", "kernel/virtio.ko"],
    "kernel/virtio_ring.ko": ["kernel/virtio.ko"],
    "kernel/virtio.ko": [],
}
ALIASES = b"""\
# Aliases extracted from modules themselves.
alias virtio:d00000002v* virtio_blk
alias acpi*:[A-Z]-X:* virtio-blk
alias virtio:d00000002v* virtio
alias pci:v00008086d* e1000
"""
# What depmod of kmod 30 writes for these three modules of Linux 6.1, in hexadecimal digits.
DEPMODS_OWN = """
b007f45700020001200000e36c6b0000000001000000006b65726e656c2f
76697274696f5f626c6b2e6b6f3a206b65726e656c2f76697274696f5f72
696e672e6b6f206b65726e656c2f76697274696f2e6b6f00696e67000000
0001000000016b65726e656c2f76697274696f5f72696e672e6b6f3a0062
72c000000c00000000000000000000000000000000000000000000000000
000000000000000000000000000000000000000000000000000000000000
0000000000c0000054697274696f005f5f2000007700000001000000026b
65726e656c2f76697274696f2e6b6f3a007676e00000bd
"""
DEPMODS_ALIAS = """
b007f4570002000120000031697274696f3a643030303030303032762a00
000000010000000076697274696f5f626c6b007676c000000c
"""


def test_the_trees_are_depmods_own() -> None:
    needs = {**NEEDS, "kernel/virtio_ring.ko": []}
    files = index(needs, b"alias virtio:d00000002v* virtio_blk\n")
    assert files["modules.dep.bin"] == bytes.fromhex(DEPMODS_OWN)
    assert files["modules.alias.bin"] == bytes.fromhex(DEPMODS_ALIAS)


def read(tree: bytes) -> dict[str, list[str]]:
    """The words of an index with their values, in the form of libkmod-index.c."""
    assert tree.startswith(bytes.fromhex("b007f457 00020001"))
    return dict(words(tree, int.from_bytes(tree[8:12], "big"), b""))


def words(tree: bytes, offset: int, before: bytes) -> Iterator[tuple[str, list[str]]]:
    at = offset & 0x0FFFFFFF

    def number() -> int:
        nonlocal at
        at += 4
        return int.from_bytes(tree[at - 4 : at], "big")

    def text() -> bytes:
        nonlocal at
        end = tree.index(b"\0", at)
        start, at = at, end + 1
        return tree[start:end]

    word = before + (text() if offset & 0x80000000 else b"")
    children = []
    if offset & 0x20000000:
        first, last = tree[at : at + 2]
        at += 2
        children = [(char, number()) for char in range(first, last + 1)]
    if offset & 0x40000000:
        found = [(number(), text()) for _ in range(number())]
        assert found == sorted(found)
        yield word.decode(), [value.decode() for _, value in found]
    for char, child in children:
        if child:
            yield from words(tree, child, word + bytes((char,)))


def test_modules_are_found_with_what_they_need() -> None:
    files = index(NEEDS, ALIASES)
    assert files["modules.dep"] == (
        b"kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko\n"
        b"kernel/virtio_ring.ko: kernel/virtio.ko\n"
        b"kernel/virtio.ko:\n"
    )
    assert read(files["modules.dep.bin"]) == {
        "virtio": ["kernel/virtio.ko:"],
        "virtio_blk": ["kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko"],
        "virtio_ring": ["kernel/virtio_ring.ko: kernel/virtio.ko"],
    }


def test_aliases_of_these_modules_lead_to_them() -> None:
    files = index(NEEDS, ALIASES)
    assert files["modules.alias"] == (
        b"alias virtio:d00000002v* virtio_blk\nalias virtio:d00000002v* virtio\n"
    )
    assert read(files["modules.alias.bin"]) == {"virtio:d00000002v*": ["virtio_blk", "virtio"]}


def test_hyphens_are_underscores_but_in_a_class_of_characters() -> None:
    files = index({"a.ko": []}, b"alias x-y:[A-Z]-z a\n")
    assert list(read(files["modules.alias.bin"])) == ["x_y:[A-Z]_z"]


def test_an_index_may_be_empty() -> None:
    assert read(index({}, b"")["modules.dep.bin"]) == {}


@given(st.lists(st.text("ab-_/.", min_size=1, max_size=8), unique=True), st.binary(max_size=60))
def test_any_names_and_lines_make_an_index(names: list[str], aliases: bytes) -> None:
    files = index({f"{name}.ko": [] for name in names}, aliases + b"\nalias \xff\xfe a\n")
    values = [value for found in read(files["modules.dep.bin"]).values() for value in found]
    assert sorted(values) == sorted(f"{name}.ko:" for name in names)


def test_a_word_that_would_lead_too_deep_is_left_out() -> None:
    aliases = b"".join(b"alias " + b"x" * size + b" a\n" for size in (500, 501, 9000))
    assert list(read(index({"a.ko": []}, aliases)["modules.alias.bin"])) == ["x" * 500]
