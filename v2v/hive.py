# SPDX-License-Identifier: LGPL-2.1-or-later
"""Registry hives: the only module that imports hivex.

Keys are paths below the hive's root with ``\\`` between their parts, such as
``ControlSet001\\Services\\disk``; an empty one is the root. Upper and lower case are the same in
names of keys and values, as to Windows. Data stays as it is in the hive: no text is decoded that
nobody asks for, so that names and texts in any language survive.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

import hivex

from v2v.errors import GuestError


class Type(IntEnum):
    """Types of values, under the names of winnt.h without REG_."""

    NONE = 0
    SZ = 1
    EXPAND_SZ = 2
    BINARY = 3
    DWORD = 4
    DWORD_BIG_ENDIAN = 5
    LINK = 6
    MULTI_SZ = 7
    RESOURCE_LIST = 8
    FULL_RESOURCE_DESCRIPTOR = 9
    RESOURCE_REQUIREMENTS_LIST = 10
    QWORD = 11


_TEXTS = frozenset({Type.SZ, Type.EXPAND_SZ, Type.MULTI_SZ, Type.LINK})


@dataclass(frozen=True, slots=True)
class Value:
    """A value's type and data; ``type`` is a plain number, as device properties have many more."""

    type: int
    data: bytes

    @classmethod
    def text(cls, text: str, type: Type = Type.SZ) -> Self:
        return cls(type, _encode(text))

    @classmethod
    def texts(cls, texts: Iterable[str]) -> Self:
        return cls(Type.MULTI_SZ, b"".join(map(_encode, texts)) + b"\0\0")

    @classmethod
    def dword(cls, number: int) -> Self:
        return cls(Type.DWORD, number.to_bytes(4, "little"))

    @classmethod
    def binary(cls, data: bytes) -> Self:
        return cls(Type.BINARY, data)

    @property
    def as_text(self) -> str | None:
        """The text up to its end, of whatever type of text; None for what is no text."""
        return next(iter(self.as_texts), "") if self.type in _TEXTS else None

    @property
    def as_texts(self) -> tuple[str, ...]:
        """The texts of a MULTI_SZ, or the one of another type of text."""
        if self.type not in _TEXTS:
            return ()
        texts = self.data.decode("utf-16-le", "surrogatepass").split("\0") if self._even else []
        return tuple(texts[: texts.index("")] if "" in texts else texts)

    @property
    def _even(self) -> bool:
        return len(self.data) % 2 == 0

    @property
    def as_number(self) -> int | None:
        """The number of a DWORD or QWORD, None for other types or wrong sizes."""
        sizes = {Type.DWORD: 4, Type.QWORD: 8}
        if sizes.get(Type(self.type) if self.type in sizes else Type.NONE) != len(self.data):
            return None
        return int.from_bytes(self.data, "little")

    def __str__(self) -> str:
        """The value as in a .reg file of Registry Editor 5, but with text of all types readable."""
        number = self.as_number
        if self.type == Type.DWORD and number is not None:
            return f"dword:{number:08x}"
        said = ",".join(f'"{quoted(text)}"' for text in self.as_texts or ("",))
        if self == Value.text(self.as_text or ""):
            return said
        if self == Value.text(self.as_text or "", Type.EXPAND_SZ):
            return f"expand_sz:{said}"
        if self == Value.texts(self.as_texts):
            return f"multi_sz:{said}"
        kind = "hex" if self.type == Type.BINARY else f"hex({self.type:x})"
        return f"{kind}:{self.data.hex(',')}"


def _encode(text: str) -> bytes:
    return f"{text}\0".encode("utf-16-le", "surrogatepass")


def quoted(text: str) -> str:
    """Return a text as it stands between the quotes of a .reg file."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


class _Handle(hivex.Hivex):
    """Like its parent, which fails to go when it could not be opened."""

    def __del__(self) -> None:
        if hasattr(self, "_o"):
            super().__del__()


class Hive:
    """A hive in memory; what is changed in it stays there until it is asked for by `commit`.

    ``name`` is for people. Raises GuestError(E-HIVE) for what is no hive, or a damaged one.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self._nodes: dict[str, int] = {}
        with _translated(name), _memory_file(data) as path:
            self._h = _Handle(path, write=True)

    def exists(self, key: str) -> bool:
        return self._node(key) is not None

    def keys(self, key: str) -> tuple[str, ...]:
        """Return the names of the keys below a key; none if it is absent."""
        node = self._node(key)
        with _translated(self.name):
            children = [] if node is None else self._h.node_children(node)
            return tuple(self._h.node_name(child) for child in children)

    def values(self, key: str) -> dict[str, Value]:
        """Return a key's values by name, "" for the default one; none if it is absent."""
        node = self._node(key)
        if node is None:
            return {}
        with _translated(self.name):
            return {
                self._h.value_key(value): Value(*self._h.value_value(value))
                for value in self._h.node_values(node)
            }

    def value(self, key: str, name: str) -> Value | None:
        wanted = name.casefold()
        found = self.values(key).items()
        return next((value for called, value in found if called.casefold() == wanted), None)

    def text(self, key: str, name: str) -> str | None:
        """Return a text, or None where there is none."""
        value = self.value(key, name)
        return None if value is None else value.as_text

    def number(self, key: str, name: str) -> int | None:
        """Return a DWORD or QWORD, or None where there is none."""
        value = self.value(key, name)
        return None if value is None else value.as_number

    def set(self, key: str, values: Mapping[str, Value | None]) -> None:
        """Set values of a key, which is made if it is absent; None removes one."""
        node = self._make(key)
        kept = {name.casefold(): (name, value) for name, value in self.values(key).items()}
        for name, value in values.items():
            called = kept.pop(name.casefold(), (name, value))[0]
            if value is not None:
                kept[name.casefold()] = called, value
        with _translated(self.name):
            self._h.node_set_values(
                node,
                [
                    {"key": name, "t": int(value.type), "value": value.data}
                    for name, value in kept.values()
                ],
            )

    def remove(self, key: str) -> None:
        """Remove a key with all that is below it; nothing if it is absent."""
        node = self._node(key)
        if node is not None:
            with _translated(self.name):
                self._h.node_delete_child(node)
            self._nodes.clear()

    def commit(self) -> bytes:
        """Return the hive as a file with all changes."""
        with _translated(self.name), _memory_file(b"") as path:
            self._h.commit(path)
            with open(path, "rb") as stream:  # noqa: PTH123 (a descriptor, under a name)
                return stream.read()

    def _node(self, key: str) -> int | None:
        wanted = key.strip("\\")
        if wanted.casefold() not in self._nodes:
            with _translated(self.name):
                node: int | None = self._h.root()
                for part in filter(None, wanted.split("\\")):
                    node = None if node is None else self._child(node, part)
            if node is None:
                return None
            self._nodes[wanted.casefold()] = node
        return self._nodes[wanted.casefold()]

    def _child(self, node: int, name: str) -> int | None:
        found = self._h.node_get_child(node, name)
        if found is None and not name.isascii():  # hivex knows no other upper and lower case
            for child in self._h.node_children(node):
                if self._h.node_name(child).casefold() == name.casefold():
                    return child
        return found

    def _make(self, key: str) -> int:
        node = self._node(key)
        if node is not None:
            return node
        parent, _, name = key.strip("\\").rpartition("\\")
        above = self._make(parent)
        with _translated(self.name):
            return self._h.node_add_child(above, name)


@contextmanager
def _memory_file(data: bytes) -> Iterator[str]:
    """Give a file that is in memory alone a name for as long as the block lasts."""
    with os.fdopen(os.memfd_create("hive"), "wb", buffering=0) as memory:
        memory.write(data)
        yield f"/proc/self/fd/{memory.fileno()}"


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise GuestError(
            "E-HIVE",
            f"{name}: the registry hive cannot be used: {error}",
            hint="start the guest once more, see that it works, and shut it down",
        ) from error
