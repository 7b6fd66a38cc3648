# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads settings that a shell sources: NAME=value, quoted or not, or a list in parentheses."""

from __future__ import annotations

import re

_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<key>\w+)=(?P<value>"
    r"\([^()]*\)|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"'()#;]*)",
    re.MULTILINE | re.DOTALL,
)
_QUOTES = str.maketrans("", "", "()\"'\\")


def settings(text: str) -> dict[str, str]:
    """Return variables and their values, lists as their words; the last assignment counts."""
    return {
        match["key"]: " ".join(match["value"].translate(_QUOTES).split())
        for match in _ASSIGNMENT.finditer(text)
    }
