# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads one file of a network configuration."""

from __future__ import annotations

from converters.linux.network_config import Reader
from converters.linux.network_names import Named


def read(reader: Reader, text: str, *, path: str = "/etc/x", into: Named | None = None) -> Named:
    """What a reader says of a file, added to what is known already."""
    named = Named() if into is None else into
    named.path = path
    reader(named, text)
    return named


def cards(reader: Reader, text: str, *, path: str = "/etc/x") -> list[str]:
    """The names of real cards in a file."""
    return list(read(reader, text, path=path).cards())
