# SPDX-License-Identifier: LGPL-2.1-or-later
"""A writer of Hyper-V's binary configurations, after what dissect.hypervisor knows of them."""

from __future__ import annotations

import struct

from v2v.sources.vmcx import Tree

_NODE, _INT, _STRING = 9, 3, 6
_TABLE_AT, _LOG_AT, _TEXTS_AT = 0x4000, 0x3000, 0x40000
_LONG = 0x800  # bytes of a value that is put outside of the tables


def vmcx(tree: Tree, *, version: int = 0x400, pending: int = 0) -> bytes:
    """Return a file with a tree, its keys in two tables."""
    out = bytearray(0x50000)
    tables = {1: bytearray(10), 2: bytearray(10)}
    outside = bytearray()

    def add(table: int, name: str, kind: int, parent: tuple[int, int], value: bytes) -> int:
        at = len(tables[table])
        text = name.encode() + b"\0"
        body = text + value
        tables[table] += struct.pack(
            "<HIHIIIB", kind, 21 + len(body), *parent, 0, 0, len(text)
        ) + body  # fmt: skip
        return at

    def grow(branch: Tree, parent: tuple[int, int]) -> None:
        for name, value in branch.items():
            if isinstance(value, dict):
                grow(value, (1, add(1, name, _NODE, parent, bytes(12))))
            elif isinstance(value, int):
                add(2, name, _INT, parent, struct.pack("<q", value))
            else:
                text = value.encode("utf-16-le")
                if len(text) >= _LONG:
                    pointer = struct.pack("<IQ", len(text), _TEXTS_AT + len(outside))
                    add(2, name, _STRING | 0x100, parent, pointer)
                    outside.extend(text)
                else:
                    add(2, name, _STRING, parent, struct.pack("<I", len(text)) + text)

    grow(tree, (0, 0))
    for sequence, at in ((1, 0), (2, 0x1000)):
        struct.pack_into("<IIHIQIQQI", out, at, 0x01282014, 0, sequence, version, 0, 0x1000,
                         _LOG_AT, 0x1000, 0x1000)  # fmt: skip
    struct.pack_into("<III", out, _LOG_AT, 0x01110003, 0, pending)
    objects = [(2, _TABLE_AT, len(tables[1])), (2, 0x20000, len(tables[2])), (6, _LOG_AT, 0x1000),
               (3, _TEXTS_AT, 0x10000), (4, 0, 0)]  # fmt: skip
    struct.pack_into("<II", out, 0x2000, 0x01110001, len(objects))
    for number, (kind, place, size) in enumerate(objects):
        struct.pack_into("<BIQIB", out, 0x2008 + number * 18, kind, 0, place, size, kind != 4)
    for index, (kind, place, _) in enumerate(objects[:2], 1):
        assert kind == 2
        struct.pack_into("<HHHI", tables[index], 0, 2, index, 1, 0)
        out[place : place + len(tables[index])] = tables[index]
    out[_TEXTS_AT : _TEXTS_AT + len(outside)] = outside
    return bytes(out)
