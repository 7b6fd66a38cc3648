# SPDX-License-Identifier: LGPL-2.1-or-later
"""The null output: everything is converted, nothing is copied or kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from v2v.domain import Domain
from v2v.model import TargetDisk
from v2v.options import Options
from v2v.targets.naming import check_name
from v2v.targets.target import Target, Writing

_NOWHERE = Path("/dev/null")


class NullWriting(Writing):
    """Has no images to fill."""

    images: tuple[tuple[TargetDisk, Path], ...] = ()

    def commit(self, domain: Domain, report: str) -> tuple[Path, ...]:
        return ()


class NullTarget(Target):
    """Takes everything and keeps nothing."""

    def __init__(self, options: Options) -> None:
        self._format = options.format
        self._allocation = options.allocation

    def disks(self, name: str, sizes: Sequence[int]) -> tuple[TargetDisk, ...]:
        check_name(name)
        return tuple(TargetDisk(_NOWHERE, self._format, size, self._allocation) for size in sizes)

    def check(self, name: str, disks: Sequence[TargetDisk], estimates: Sequence[int]) -> None:
        """There is always room in it."""

    @contextmanager
    def writing(self, name: str, disks: Sequence[TargetDisk]) -> Iterator[NullWriting]:
        yield NullWriting()

    def recovered(self, name: str) -> bool:
        return False
