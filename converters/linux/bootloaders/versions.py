# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two ways in which boot menus put versions in order, as keys for sorted()."""

from __future__ import annotations

import re

Key = tuple[tuple[int, str, int], ...]

_RPM = re.compile(r"[~^]|\d+|[A-Za-z]+")
_UAPI = re.compile(r"[~^.-]|\d+|[A-Za-z]+")
# What comes before what: a tilde is less than the end of the string, all else is more.
_END = 0
_RANKS = {"~": -1, "-": 1, "^": 2, ".": 3}
_WORD, _NUMBER = 4, 5


def rpm_key(version: str) -> Key:
    """Return what sorts as rpmvercmp of rpm does, which GRUB has for entries of blscfg."""
    return _key(_RPM, version)


def uapi_key(version: str) -> Key:
    """Return what sorts as the Version Format Specification says (uapi-group.org, UAPI.10)."""
    return _key(_UAPI, version)


def _key(tokens: re.Pattern[str], version: str) -> Key:
    key = []
    for token in tokens.findall(version):
        if token.isdigit():
            key.append((_NUMBER, "", int(token)))
        elif token.isalpha():
            key.append((_WORD, token, 0))
        else:
            key.append((_RANKS[token], "", 0))
    return (*key, (_END, "", 0))
