# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the records of a Berkeley DB file, the form of rpm's database until RHEL 8 and SLES 15.

All pages are looked at one after another, as each says what it is: that needs neither hash nor
tree to be sound. Source: the layout of pages in Berkeley DB's dbinc/db_page.h. Numbers are in the
byte order of the machine that made the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MAGICS = (0x061561, 0x053162)  # of a hash and of a tree
_MAGIC_AT, _PAGE_SIZE_AT = 12, 20
_PAGE_SIZES = tuple(1 << bits for bits in range(9, 17))
_HEADER = 26  # bytes: log number, page number, previous, next, entries, free, level, type
_HASH, _HASH_UNSORTED, _TREE_LEAF, _OVERFLOW = 13, 2, 5, 7
_HASH_ITEM, _HASH_FAR = 1, 3  # in the page itself, on overflow pages
_TREE_ITEM, _TREE_FAR = 1, 3


class BerkeleyError(Exception):
    """The file is no Berkeley DB, or is damaged."""


def values(data: bytes) -> Iterator[bytes]:
    """Yield the value of each record, without its key. Raises BerkeleyError."""
    try:
        yield from _Pages(data).values()
    except (struct.error, IndexError) as error:
        raise BerkeleyError(str(error)) from error


class _Pages:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = next(
            (o for o in "<>" if struct.unpack_from(f"{o}I", data, _MAGIC_AT)[0] in _MAGICS), ""
        )
        if not self._order:
            raise BerkeleyError("it does not begin as a Berkeley DB does")
        self._size = self._number("I", _PAGE_SIZE_AT)
        if self._size not in _PAGE_SIZES:
            raise BerkeleyError(f"pages of {self._size} bytes")

    def values(self) -> Iterator[bytes]:
        for start in range(self._size, len(self._data) - _HEADER, self._size):
            kind = self._data[start + 25]
            if kind in (_HASH, _HASH_UNSORTED):
                yield from self._hash_values(start)
            elif kind == _TREE_LEAF:
                yield from self._tree_values(start)

    def _number(self, form: str, at: int) -> int:
        found: int = struct.unpack_from(f"{self._order}{form}", self._data, at)[0]
        return found

    def _items(self, start: int) -> list[int]:
        """Return where the items of a page are, in the page: key, value, key, value, ..."""
        entries = self._number("H", start + 20)
        return [self._number("H", start + _HEADER + 2 * index) for index in range(entries)]

    def _hash_values(self, start: int) -> Iterator[bytes]:
        """Items fill a page from its end, so each ends where the one before it begins."""
        items = self._items(start)
        for key, value in zip(items[::2], items[1::2], strict=False):
            at = start + value
            kind = self._data[at]
            if kind == _HASH_ITEM:
                yield self._data[at + 1 : start + key]
            elif kind == _HASH_FAR:
                yield self._far(self._number("I", at + 4), self._number("I", at + 8))

    def _tree_values(self, start: int) -> Iterator[bytes]:
        for value in self._items(start)[1::2]:
            at = start + value
            kind = self._data[at + 2]
            if kind == _TREE_ITEM:
                yield self._data[at + 3 : at + 3 + self._number("H", at)]
            elif kind == _TREE_FAR:
                yield self._far(self._number("I", at + 4), self._number("I", at + 8))

    def _far(self, page: int, length: int) -> bytes:
        """Return what fills a chain of overflow pages."""
        if length > len(self._data):
            raise BerkeleyError(f"a record of {length} bytes")
        pieces = []
        left = length
        while left > 0:
            start = page * self._size
            if not page or self._data[start + 25] != _OVERFLOW:
                raise BerkeleyError(f"page {page} is no overflow page")
            used = min(self._number("H", start + 22), left)
            if not used:
                raise BerkeleyError(f"page {page} is empty")
            pieces.append(self._data[start + _HEADER : start + _HEADER + used])
            left -= used
            page = self._number("I", start + 16)
        return b"".join(pieces)
