# SPDX-License-Identifier: LGPL-2.1-or-later
"""A chain of images, a snapshot over its parents, read as one disk: in formats that QEMU cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

# So many bytes of the disk, in their order, and the data; None: what is below has it.
Piece: TypeAlias = "tuple[int, bytes | None]"


class Layer(Protocol):
    """One image of a chain: what it has of the disk by itself."""

    def holds(self, at: int, length: int) -> bool:
        """Tell whether it may have data of its own in a piece of the disk."""

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield a piece of the disk, whole sectors, all of it. Raises SourceError or OSError."""


class ChainBlocks:
    """The blocks of a disk whose uppermost image is the first of ``layers``."""

    block_bytes = 1 << 20

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers

    def __contains__(self, number: object) -> bool:
        """Tell whether an image of the chain has the block."""
        return isinstance(number, int) and any(
            layer.holds(number * self.block_bytes, self.block_bytes) for layer in self._layers
        )

    def read(self, number: int) -> bytes:
        """Return a block as the guest sees it. Raises SourceError or OSError."""
        return self._read(0, number * self.block_bytes, self.block_bytes)

    def _read(self, depth: int, at: int, length: int) -> bytes:
        if depth == len(self._layers):
            return bytes(length)
        parts = []
        for size, data in self._layers[depth].pieces(at, length):
            parts.append(self._read(depth + 1, at, size) if data is None else data)
            at += size
        return b"".join(parts)
