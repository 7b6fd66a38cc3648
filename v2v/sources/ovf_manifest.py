# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manifests of OVF packages: a line for each file with its checksum (DSP0243, 5.1).

What exporters make of it differs: ``SHA256(web.vmdk)= 1f...``, blanks anywhere, upper case, lines
that end as in Windows, blank lines. All of these are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(r"SHA-?(1|224|256|384|512)\s*\(\s*(.+?)\s*\)\s*=\s*([0-9a-f]+)", re.IGNORECASE)
_MAX_LINE = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """A file's checksum; ``name`` is relative to the manifest."""

    name: str
    algorithm: str  # in the words of hashlib
    digest: str  # hex, lower case


def entries(data: bytes) -> Iterator[Entry | str]:
    """Yield the entries of a manifest, and as text each line that is none."""
    for line in data.decode("utf-8-sig", errors="replace").splitlines():
        plain = line.strip()
        if not plain:
            continue
        match = _LINE.fullmatch(plain) if len(plain) <= _MAX_LINE else None
        if match is None:
            yield plain[:80]
        else:
            yield Entry(match[2], f"sha{match[1]}", match[3].lower())
