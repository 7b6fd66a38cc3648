# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all targets have in common, and what they are where they say nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from v2v.disks.copy import Progress
from v2v.domain import Domain
from v2v.errors import Finding
from v2v.host_support import USUAL, HostSupport
from v2v.model import Nic, TargetDisk


class Writing(Protocol):
    """A target that is being written."""

    @property
    def images(self) -> tuple[tuple[TargetDisk, Path], ...]:
        """The images to fill, each with the path to write it at; none if nothing is copied."""

    def filled(self, disk: TargetDisk, place: Path, on_progress: Progress) -> None:
        """An image is complete at its place."""
        return

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        """Make the result appear, all or nothing; return its paths, the definition first."""


class Target(Protocol):
    """A place for converted guests."""

    def named(self, wanted: str) -> str:
        """Return the name that a guest gets which is to have the wanted one. Raises TargetError."""
        return wanted

    def disks(self, name: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        """Return the images of a guest, by their virtual sizes. Raises TargetError for the name."""

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        """Raise TargetError if the guest cannot be written; ``estimates``: bytes of each image."""

    @property
    def near(self) -> Path | None:
        """The folder of the images, if they come to lie in one of this host."""
        return None

    def support(self, name: str) -> HostSupport:
        """Return what the hypervisor has that is to run the guest. Raises TargetError."""
        return USUAL

    def findings(self, name: str, nics: Iterable[Nic]) -> tuple[Finding, ...]:
        """Return what the user should know of the target, blockers among it."""
        return ()

    def writing(self, name: str, disks: Sequence[TargetDisk]) -> AbstractContextManager[Writing]:
        """Begin to write. What is not committed when the block is left never appears."""

    def recovered(self, name: str) -> bool:
        """Tell whether a guest is there, all of it, after a conversion that may have been killed.

        If it is not, nothing is left of it afterwards. Raises OSError, TargetError.
        """
