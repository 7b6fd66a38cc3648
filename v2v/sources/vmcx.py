# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hyper-V's binary configurations, .vmcx: a tree of keys in tables that objects are listed for.

Microsoft does not describe the format; dissect.hypervisor's authors found it out (descriptor/
c_hyperv.py), and only files of the version that they had (0x400) are read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias

from v2v.errors import SourceError

Tree: TypeAlias = "dict[str, Tree | str | int]"

_HEADER = struct.Struct("<IIHIQIQQI")
_OBJECT = struct.Struct("<BIQIB")
_KEY = struct.Struct("<HIHIIIB")
_TABLE = struct.Struct("<HHHI")
_SIGNATURE, _VERSION = 0x01282014, 0x0400
_HEADERS_AT = (0x0000, 0x1000)
_OBJECTS_AT = 0x2000
_OBJECTS, _LOG = 0x01110001, 0x01110003
_KEY_TABLE, _FILE = 2, 3  # kinds of objects
_KEYS = 0x0002
_FREE, _INT, _UINT, _STRING, _BOOL, _NODE = 1, 3, 4, 6, 8, 9  # kinds of keys
_OUTSIDE = 0x100  # a flag: the value is in a file object
_MOST = 100_000  # objects, and keys
_DEPTH = 64


def is_vmcx(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is such a store (.vmrs are, too)."""
    return len(head) >= 8 and int.from_bytes(head[:4], "little") == _SIGNATURE


@dataclass(frozen=True, slots=True)
class _Key:
    """An entry of a table."""

    name: str
    kind: int
    parent: tuple[int, int] | None  # table and place in it
    value: str | int | None


def parse(data: bytes, where: str) -> Tree:
    """Return the tree of keys in a file. Raises SourceError."""
    try:
        return _grown(_keys(data, where), where)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise _damaged(where, "ends in the middle of a table") from error


def _keys(data: bytes, where: str) -> dict[tuple[int, int], _Key]:
    """Return all keys by their table and their place in it."""
    headers = [_HEADER.unpack_from(data, at) for at in _HEADERS_AT]
    header = max((each for each in headers if each[0] == _SIGNATURE), key=lambda each: each[2])
    if header[3] != _VERSION:
        raise _damaged(where, f"is of version {header[3]:#x}, and only {_VERSION:#x} is known")
    signature, _, pending = struct.unpack_from("<III", data, header[6])
    if signature == _LOG and pending:
        raise _damaged(where, "has changes in its log that were not written back")
    signature, count = struct.unpack_from("<II", data, _OBJECTS_AT)
    if signature != _OBJECTS or count > _MOST:
        raise _damaged(where, "has no table of its objects")
    tables: dict[int, tuple[int, bytes]] = {}  # by index: sequence number and content
    for number in range(count):
        kind, _, place, size, allocated = _OBJECT.unpack_from(
            data, _OBJECTS_AT + 8 + number * _OBJECT.size
        )
        if kind != _KEY_TABLE or not allocated:
            continue
        content = data[place : place + size]
        mark, index, sequence, _ = _TABLE.unpack_from(content)
        if mark == _KEYS and sequence >= tables.get(index, (0, b""))[0]:
            tables[index] = sequence, content
    found: dict[tuple[int, int], _Key] = {}
    for index, (_, content) in tables.items():
        at = _TABLE.size
        while at + _KEY.size <= len(content):
            kind, size, table, offset, _, _, value_at = _KEY.unpack_from(content, at)
            if size < _KEY.size or len(found) > _MOST:
                break
            if kind & 0xFF != _FREE:
                raw = content[at + _KEY.size : at + size]
                found[index, at] = _Key(
                    raw[: max(0, value_at - 1)].decode("utf-8"), kind & 0xFF,
                    (table, offset) if table else None, _value(kind, raw[value_at:], data),
                )  # fmt: skip
            at += size
    return found


def _value(kind: int, raw: bytes, data: bytes) -> str | int | None:
    """Return a value; None for what no guest is described by: numbers with points, blobs."""
    if kind & 0xFF == _STRING:
        if kind & _OUTSIDE:
            size, place = struct.unpack_from("<IQ", raw)
            text = data[place : place + size]
        else:
            (size,) = struct.unpack_from("<I", raw)
            text = raw[4 : 4 + size]
        return text.decode("utf-16-le").rstrip("\0")
    if kind == _INT:
        return int(struct.unpack_from("<q", raw)[0])
    if kind == _UINT:
        return int(struct.unpack_from("<Q", raw)[0])
    if kind == _BOOL:
        return int(struct.unpack_from("<I", raw)[0] != 0)
    return None


def _grown(keys: dict[tuple[int, int], _Key], where: str) -> Tree:
    """Return the tree that keys make by their parents."""
    branches: dict[tuple[int, int], Tree] = {
        at: {} for at, key in keys.items() if key.kind == _NODE
    }
    root: Tree = {}
    for at, key in keys.items():
        _refuse_loop(keys, key, where)
        parent = root if key.parent is None else branches.get(key.parent)
        if parent is None:
            raise _damaged(where, f"the key {key.name!r} is below none")
        if key.kind == _NODE:
            parent[key.name] = branches[at]
        elif key.value is not None:
            parent[key.name] = key.value
    return root


def _refuse_loop(keys: dict[tuple[int, int], _Key], key: _Key, where: str) -> None:
    above: _Key | None = key
    for _ in range(_DEPTH):
        if above is None or above.parent is None:
            return
        above = keys.get(above.parent)
    raise _damaged(where, f"the key {key.name!r} is below itself, or too deep")


def _damaged(where: str, fact: str) -> SourceError:
    return SourceError(
        "E-HYPERV-SYNTAX",
        f"{where}: {fact}",
        hint="export the guest once more while it is shut down; or give its disks with -i disk, and"
        " name, memory and CPUs to the domain by hand",
    )
