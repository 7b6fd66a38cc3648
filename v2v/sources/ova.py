# SPDX-License-Identifier: LGPL-2.1-or-later
"""OVF packages in one file: an OVA, which is a tar, or a zip of the same; or in a folder.

Nothing is unpacked. Archives that are compressed as a whole are streams: v2v/sources/ova_stream.py.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from v2v.disks.archive import ZIP_MAGIC, zip_members
from v2v.disks.tar import MAGIC, MAGIC_AT, tar_members
from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import config_file, ovf, xva
from v2v.sources.ova_files import Archive, Folder, Package, content, located

name = "ova"
about = "an OVA, the archive of an exported guest, or a folder with one OVF"


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is an archive, and no XVA."""
    return (_is_tar(head) and not xva.matches(head)) or head.startswith(ZIP_MAGIC)


def _is_tar(head: bytes) -> bool:
    return head[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC


def read(paths: Sequence[Path], system: str | None = None) -> Machine:
    """Return the guest of an archive or a folder, by name where there are several.

    Raises SourceError.
    """
    (path,) = paths
    package = _package(path)
    inner = _descriptor(package, path)
    data = content(package, inner)
    described = ovf.parse(data, path / inner, system)
    machine = located(package, inner, data, described.machine, described.files)
    return replace(machine, kind=name, folder=path if path.is_dir() else path.parent)


def _package(path: Path) -> Package:
    if path.is_dir():
        return Folder(path)
    head = config_file.head(path)
    if head.startswith(ZIP_MAGIC):
        return Archive(path, zip_members(path))
    if _is_tar(head):
        return Archive(path, tar_members(path))
    raise SourceError(
        "E-OVA-DAMAGED",
        f"{path}: is neither a tar nor a zip archive",
        hint="give the .ova file, or the .ovf file beside its disks",
    )


def _descriptor(package: Package, path: Path) -> str:
    """Return the name of the one OVF. Raises SourceError for none, or several."""
    found = [
        each
        for each in package.everything()
        if each.lower().endswith(".ovf") and not posixpath.basename(each).startswith("._")
    ]
    if len(found) != 1:
        names = f"{len(found)} OVF files ({', '.join(found[:5])})" if found else "no OVF file"
        raise SourceError(
            "E-OVA-OVF", f"{path}: has {names}", hint="unpack it, and give one .ovf file"
        )
    return found[0]
