# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the index that modprobe and udev look modules up in, for the modules of an initramfs.

depmod(8) writes it twice: as text, for busybox, and as a tree of characters for kmod, which reads
nothing else. The tree's form is from kmod's libkmod/libkmod-index.h: big-endian numbers; each node
has, as the flags in the offset that leads to it say, the rest of its word, its children by their
first character, and its values. Children stand before their parents.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby

from drivers.virtio import module_name

_MAGIC = 0xB007F457
_VERSION = 2 << 16 | 1
_PREFIX, _VALUES, _CHILDREN = 1 << 31, 1 << 30, 1 << 29
_LONGEST = 500  # characters of a word: each may be a step down the tree
_CLASS = re.compile(rb"(\[[^\]]*\])")  # of characters, in a pattern of an alias

Values = Mapping[bytes, Sequence[tuple[int, bytes]]]  # each with its rank: the lowest comes first


def index(needs: Mapping[str, Sequence[str]], aliases: bytes) -> dict[str, bytes]:
    """Return the files of an index by their names.

    ``needs`` has the path of each module with the paths of all that it needs, in modules.dep's
    order; ``aliases`` is a modules.alias, in which lines of other modules are passed over.
    """
    lines, ranks, dep = [], {}, defaultdict(list)
    for rank, (path, others) in enumerate(needs.items()):
        name = module_name(path).encode(errors="surrogateescape")
        line = " ".join((f"{path}:", *others)).encode(errors="surrogateescape")
        lines.append(line)
        ranks[name] = rank
        dep[name].append((rank, line))
    known, alias = [], defaultdict(list)
    for line in aliases.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] in ranks and len(words[1]) <= _LONGEST:
            known.append(line)
            alias[_normal(words[1])].append((ranks[words[2]], words[2]))
    return {
        "modules.dep": b"".join(line + b"\n" for line in lines),
        "modules.dep.bin": _tree(dep),
        "modules.alias": b"".join(line + b"\n" for line in known),
        "modules.alias.bin": _tree(alias),
    }


def _normal(pattern: bytes) -> bytes:
    """Hyphens are underscores, but in a class of characters."""
    parts = _CLASS.split(pattern)
    return b"".join(part if at % 2 else part.replace(b"-", b"_") for at, part in enumerate(parts))


def _tree(values: Values) -> bytes:
    out = bytearray(_number(_MAGIC) + _number(_VERSION) + _number(0))
    out[8:12] = _number(_node(out, b"", sorted(values), 0, values))
    return bytes(out)


def _node(out: bytearray, prefix: bytes, words: list[bytes], start: int, values: Values) -> int:
    """Append the node of words that have the same characters before ``start``; return its offset.

    The word that ends there, if there is one, is the first in their order.
    """
    own = words[0] if words and len(words[0]) == start else None
    children = {}
    for char, group in groupby(words[own is not None :], key=lambda word: word[start]):
        below = list(group)
        end = _common(below[0], below[-1])
        children[char] = _node(out, below[0][start + 1 : end], below, end, values)
    offset = len(out)
    if prefix:
        out += prefix + b"\0"
        offset |= _PREFIX
    if children:
        first, last = min(children), max(children)
        out += bytes((first, last))
        for char in range(first, last + 1):
            out += _number(children.get(char, 0))
        offset |= _CHILDREN
    if own is not None:
        found = sorted(values[own], key=lambda value: value[0])
        out += _number(len(found))
        for rank, value in found:
            out += _number(rank) + value + b"\0"
        offset |= _VALUES
    return offset


def _common(first: bytes, last: bytes) -> int:
    """Return how many characters two words, and so all that are sorted between, begin with."""
    length = min(len(first), len(last))
    return next((at for at in range(length) if first[at] != last[at]), length)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")
