# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of a package, an OVA or a folder with an OVF: where each lies, and what its sum must be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto


class Packing(StrEnum):
    """How the content of a file is stored."""

    plain = auto()
    gzip = auto()  # compression of OVF
    deflate = auto()  # compression of zip, without a header of its own


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file of this host, in bytes."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Content that is in pieces, one behind the other; a disk of none is blank."""

    pieces: tuple[Piece, ...] = ()
    packing: Packing = Packing.plain

    @property
    def size(self) -> int:
        """Bytes that it takes as it is stored."""
        return sum(piece.size for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Sum:
    """A checksum that a manifest has of a file."""

    name: str  # of the file, for people
    algorithm: str  # in the words of hashlib
    digest: str  # hex, lower case
    content: Packed
