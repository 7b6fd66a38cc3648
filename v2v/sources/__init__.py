# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading what a guest is: one reader for each kind of source, chosen by content, not by name.

A reader's ``parse`` takes text; its ``read`` adds the file access. Disk images are not opened here
and need not exist: a guest can be reported on from its configuration alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from v2v.errors import ConfigError, SourceError
from v2v.model import DiskFormat, Machine
from v2v.sources import config_file, disk, libvirt_xml, sxp, vmx, xl, xl_json, xm, xva


class Source(Protocol):
    """A kind of source. The modules of this package are such."""

    name: str  # of the kind, as in -i
    about: str  # for people who look for the right kind

    def matches(self, head: bytes) -> bool:
        """Tell by a file's first bytes whether it is of this kind; no two kinds say yes."""

    def read(self, paths: Sequence[Path]) -> Machine:
        """Return the guest. Raises SourceError."""


SOURCES: tuple[Source, ...] = (xl, xm, sxp, xl_json, xva, vmx, libvirt_xml, disk)


def read(
    paths: Sequence[Path], kind: str | None = None, disk_format: DiskFormat | None = None
) -> Machine:
    """Return the guest that these files describe. Raises SourceError, or ConfigError for a kind.

    There is one configuration file, or one or more disk images. ``kind`` forces a reader;
    ``disk_format`` is the format of all images, whatever the source says.
    """
    absolute = tuple(path.absolute() for path in paths)
    source = _forced(kind) if kind is not None else _detected(absolute)
    if source is not disk and len(absolute) != 1:
        raise SourceError(
            "E-SOURCE-MANY",
            f"{paths[0]}: one guest is one {source.name} file, {len(paths)} are given",
            hint="only disk images can be several; v2v batch converts several guests",
        )
    machine = source.read(absolute)
    if disk_format is None:
        return machine
    return replace(
        machine, disks=tuple(replace(image, format=disk_format) for image in machine.disks)
    )


def guests(paths: Sequence[Path], kind: str | None = None) -> tuple[tuple[Path, ...], ...]:
    """Return the files of each guest: a configuration is a guest, all disk images are one together.

    Raises SourceError, or ConfigError for a kind.
    """
    sources = [_forced(kind) if kind is not None else kind_of(path) for path in paths]
    images = tuple(path for path, source in zip(paths, sources, strict=True) if source is disk)
    found: list[tuple[Path, ...]] = []
    for path, source in zip(paths, sources, strict=True):
        if source is not disk:
            found.append((path,))
        elif images not in found:
            found.append(images)
    return tuple(found)


def kind_of(path: Path) -> Source:
    """Return the reader for a file's content. Raises SourceError."""
    head = config_file.head(path)
    found = [source for source in SOURCES if source.matches(head)]
    if len(found) == 1:
        return found[0]
    what = " and ".join(source.name for source in found)
    raise SourceError(
        "E-SOURCE-UNKNOWN",
        f"{path}: could be {what}" if found else f"{path}: {_unlike(head)}",
        hint=f"choose with -i KIND: {_kinds()}",
    )


def _unlike(head: bytes) -> str:
    return "no kind of source is known that looks like this" if head else "the file is empty"


def _kinds() -> str:
    return "; ".join(f"{source.name}: {source.about}" for source in SOURCES)


def _forced(kind: str) -> Source:
    for source in SOURCES:
        if source.name == kind:
            return source
    raise ConfigError("E-SOURCE-KIND", f"unknown kind of source {kind!r}", hint=_kinds())


def _detected(paths: Sequence[Path]) -> Source:
    if not paths:
        raise SourceError("E-SOURCE-MANY", "no source is given")
    kinds = [kind_of(path) for path in paths]
    return next((source for source in kinds if source is not disk), disk)
