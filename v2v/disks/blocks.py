# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk as blocks: what is served of formats that QEMU does not read."""

from __future__ import annotations

from typing import Protocol


class Blocks(Protocol):
    """The blocks of a disk that hold data, by their numbers; all else reads as zeros."""

    block_bytes: int

    def __contains__(self, number: object) -> bool:
        """Tell whether a block holds data."""

    def read(self, number: int) -> bytes:
        """Return a block that holds data, which may be short. Raises SourceError or OSError."""
