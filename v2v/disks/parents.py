# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finding the image that a snapshot was made of, where its own header does not lead there.

A linked clone's parent is in another guest's folder, which its configuration names. A VDI tells an
identifier, and no file.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from v2v.disks.desktop import VDI_MAGIC, VDI_MAGIC_AT, read_vdi_layout
from v2v.disks.imagefile import LOCAL, Place, Reference
from v2v.errors import SourceError

_MOST = 1000  # files that are looked into


def named_parent(place: Place, reference: Reference, named: Sequence[Path]) -> Path | None:
    """Return the file that a header means, if it is one that the guest's configuration names."""
    if reference.by_id:
        return next((path for path in named if _identifier(place, path) == reference.name), None)
    last = re.split(r"[/\\]", reference.name)[-1]
    return next((path for path in named if path.name == last and place.exists(path)), None)


def parent_beside(place: Place, image: Path, wanted: str) -> Path:
    """Return the VDI with an identifier that lies beside an image or one folder above.

    VirtualBox has snapshots in a folder of their own below the guest's. Raises SourceError.
    """
    if place is LOCAL:
        for path in islice(_around(image), _MOST):
            if path.is_file() and _identifier(place, path) == wanted:
                return path
    raise SourceError(
        "E-DISK-MISSING",
        f"{image}: is a snapshot, and its parent {uuid.UUID(bytes_le=bytes.fromhex(wanted))} is"
        " not beside it",
        hint="copy the image that it is a snapshot of into the guest's folder",
    )


def _around(image: Path) -> Iterator[Path]:
    yield from sorted(image.parent.glob("*.vdi"))
    yield from sorted(image.parent.parent.glob("*.vdi"))


def _identifier(place: Place, path: Path) -> str | None:
    """Return the identifier of a VDI, None if the file is none that can be read."""
    try:
        with place.open(path) as file:
            if file.read(0, 80)[VDI_MAGIC_AT:].startswith(VDI_MAGIC):
                return read_vdi_layout(file).id
    except SourceError:  # another one may fit
        return None
    return None
