# SPDX-License-Identifier: LGPL-2.1-or-later
"""What single values in a plan mean. All raise ValueError with what is wrong."""

from __future__ import annotations

import re

from v2v.batch.places import Node, Text

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?", re.IGNORECASE)
_LEAST_MEMORY = 1 << 30  # the appliance and what serves it; with less it does not start
_MAX = 10**6


def text(node: Node) -> str:
    """Return a text that is not empty."""
    if isinstance(node, Text) and node.value:
        return node.value
    raise ValueError("takes one value")


def truth(node: Node) -> bool:
    """Return what true and false, yes and no, on and off say."""
    word = text(node).lower()
    if word not in ("true", "yes", "on", "false", "no", "off"):
        raise ValueError("is true or false")
    return word in ("true", "yes", "on")


def number(node: Node, least: int) -> int:
    """Return a whole number."""
    word = text(node)
    if not (word.isascii() and word.isdecimal() and least <= int(word[:9]) <= _MAX):
        raise ValueError(f"is a number of {least} or more")
    return int(word)


def seconds(node: Node) -> float:
    """Return a time: 90, 90s, 30m, 2h, 1h30m."""
    match = _DURATION.fullmatch(text(node))
    if match is None or not any(match.groups()) or len(match[0]) > 20:
        raise ValueError("is a time such as 45m, 2h or 90 (seconds)")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    if not (hours or minutes or rest):
        raise ValueError("is longer than nothing")
    return float(hours * 3600 + minutes * 60 + rest)


def memory(node: Node) -> int:
    """Return bytes: 3GiB, 3G and 3072MiB are the same."""
    match = _SIZE.fullmatch(text(node))
    if match is None or len(match[1]) > 9:
        raise ValueError("is a size such as 3GiB or 1536MiB")
    size = int(float(match[1]) * (1 << (10 * ("KMGT".index(match[2].upper()) + 1))))
    if size < _LEAST_MEMORY:
        raise ValueError("is less than an appliance needs, 1GiB")
    return size
