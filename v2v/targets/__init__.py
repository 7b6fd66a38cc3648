# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a converted guest goes. A target names its images, is checked before work, and is written.

target = open_target("local", storage, DiskFormat.qcow2, Allocation.sparse)
disks = target.disks(name, sizes)            # says what would be; touches nothing
target.check(name, disks, estimates)         # TargetError, before any work is done
with target.writing(name, disks) as writing:
    for disk, partial in writing.images:     # fill the image at the path ``partial``
        ...
    writing.commit(domain, report)           # all of it appears; left without it, nothing does
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from v2v.domain import Domain
from v2v.errors import ConfigError
from v2v.model import Allocation, DiskFormat, TargetDisk
from v2v.targets.local import LocalTarget
from v2v.targets.null import NullTarget


class Writing(Protocol):
    """A target that is being written."""

    @property
    def images(self) -> tuple[tuple[TargetDisk, Path], ...]:
        """The images to fill, each with the path to write it at; none if nothing is copied."""

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        """Make the result appear, all or nothing; return its paths, the definition first."""


class Target(Protocol):
    """A place for converted guests."""

    def disks(self, name: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        """Return the images of a guest, by their virtual sizes. Raises TargetError for the name."""

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        """Raise TargetError if the guest cannot be written; ``estimates``: bytes of each image."""

    def writing(self, name: str, disks: Sequence[TargetDisk]) -> AbstractContextManager[Writing]:
        """Begin to write. What is not committed when the block is left never appears."""

    def recovered(self, name: str) -> bool:
        """Tell whether a guest is there, all of it, after a conversion that may have been killed.

        If it is not, nothing is left of it afterwards. Raises OSError.
        """


TARGETS: Mapping[str, Callable[[Path, DiskFormat, Allocation], Target]] = {
    "local": LocalTarget,
    "null": NullTarget,
}


def open_target(mode: str, storage: Path, format: DiskFormat, allocation: Allocation) -> Target:
    """Return the target of an output mode. Raises ConfigError."""
    if mode not in TARGETS:
        raise ConfigError(
            "E-OUTPUT", f"-o {mode}: no such output", hint=f"choose one of {', '.join(TARGETS)}"
        )
    if format not in (DiskFormat.qcow2, DiskFormat.raw):
        raise ConfigError(
            "E-OUTPUT", f"-of {format}: not a format for the result", hint="choose qcow2 or raw"
        )
    return TARGETS[mode](storage, format, allocation)
