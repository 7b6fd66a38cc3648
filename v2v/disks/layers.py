# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formats of which QEMU does not read a chain: a snapshot and what is below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from v2v.disks.chain import Layer, Piece
from v2v.disks.image import Image
from v2v.disks.imagefile import ImageFile
from v2v.disks.vdi_chain import VdiLayer
from v2v.disks.vhd_chain import VhdLayer
from v2v.disks.vhdx_chain import VhdxLayer
from v2v.model import DiskFormat


class RawLayer:
    """The lowest image of a chain, if it is raw; behind its end are zeros."""

    def __init__(self, file: ImageFile) -> None:
        self._file = file

    def holds(self, at: int, length: int) -> bool:
        """Tell whether the disk reaches there."""
        return at < self._file.size

    def pieces(self, at: int, length: int) -> Iterator[Piece]:
        """Yield all of a piece of the disk."""
        here = max(0, min(length, self._file.size - at))
        yield length, self._file.pread(here, at).ljust(length, b"\0")


LAYERS: Mapping[str, Callable[[ImageFile], Layer]] = {
    DiskFormat.vpc: VhdLayer,
    DiskFormat.vhdx: VhdxLayer,
    DiskFormat.vdi: VdiLayer,
}
_OVER_RAW = frozenset({DiskFormat.vpc})  # formats of snapshots whose lowest parent may be raw


def layers(files: Sequence[ImageFile], chain: str, base: str) -> list[Layer]:
    """Return the layers of files from the top down; ``base`` is the format of the lowest."""
    *above, lowest = files
    made = RawLayer if base == DiskFormat.raw else LAYERS[base]
    return [*(LAYERS[chain](file) for file in above), made(lowest)]


def told(image: Image) -> tuple[str, ...]:
    """Return the words for the plugin that tell a chain's formats; none for one it cannot read."""
    *above, base = (link.format for link in image.chain())
    if set(above) <= {base}:
        return (f"chain={base}",)
    if base is DiskFormat.raw and _OVER_RAW.issuperset(above):
        return (f"chain={above[0]}", f"base={base}")
    return ()
