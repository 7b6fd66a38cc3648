# SPDX-License-Identifier: LGPL-2.1-or-later
"""GRUB's environment block, grubenv: variables that live longer than a boot."""

from __future__ import annotations

import re

ENV_BYTES = 1024  # of a block; GRUB writes to its sectors, so its size must stay
_HEAD = "# GRUB Environment Block\n"


def read(data: str) -> dict[str, str]:
    """Return the variables of a block; a backslash makes the next character plain."""
    found = {}
    for line in data.splitlines():
        key, assigned, value = line.partition("=")
        if assigned and not line.startswith("#"):
            found[key] = re.sub(r"\\(.)", r"\1", value)
    return found


def with_value(data: str, key: str, value: str) -> str | None:
    """Return a block of the same size with the variable set; None if it is full."""
    size = len(data) or ENV_BYTES
    lines = [
        line.rstrip("#")  # the padding follows the last line, with or without an end of line
        for line in data.splitlines()
        if line.strip("#") and not line.startswith(f"{key}=")
    ]
    escaped = value.replace("\\", "\\\\")
    text = "".join(f"{line}\n" for line in (*(lines or [_HEAD.rstrip()]), f"{key}={escaped}"))
    return text.ljust(size, "#") if len(text) <= size else None
