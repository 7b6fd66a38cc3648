# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits variables in files of shell, such as /etc/default/grub, which grub-mkconfig sources.

What is assigned as a literal is understood, all else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_ASSIGNMENT = re.compile(
    r"^(?P<head>[ \t]*(?:export[ \t]+)?(?P<key>\w+)=)"
    r"(?:\"(?P<double>(?:[^\"\\]|\\.)*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'#]*))",
    re.MULTILINE | re.DOTALL,
)


def values(text: str, key: re.Pattern[str]) -> tuple[str, ...]:
    """Return the values of all variables that match."""
    return tuple(
        _value(match) for match in _ASSIGNMENT.finditer(text) if key.fullmatch(match["key"])
    )


def _value(match: re.Match[str]) -> str:
    return next((match[name] for name in ("double", "single", "bare") if match[name]), "")


def edit_values(text: str, key: re.Pattern[str], edit: Callable[[str], str]) -> str:
    """Edit the values of all variables that match; quotes stay as they are."""

    def change(match: re.Match[str]) -> str:
        old = _value(match)
        new = edit(old) if key.fullmatch(match["key"]) else old
        if new == old:
            return match[0]
        quote = "'" if match["single"] is not None else '"'
        return f"{match['head']}{quote}{new}{quote}"

    return _ASSIGNMENT.sub(change, text)


def set_value(text: str, key: str, value: str) -> str:
    """Assign a variable: in the place of its last assignment, or at the end."""
    matches = [match for match in _ASSIGNMENT.finditer(text) if match["key"] == key]
    if not matches:
        before = text if text.endswith("\n") or not text else f"{text}\n"
        return f'{before}{key}="{value}"\n'
    last = matches[-1]
    return f'{text[: last.start()]}{last["head"]}"{value}"{text[last.end() :]}'
