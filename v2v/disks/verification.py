# SPDX-License-Identifier: LGPL-2.1-or-later
"""Comparing all of a source with its checksums, beside what else is done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Self, TypeAlias

from v2v.cancellation import check, stopping
from v2v.errors import GuestError

# Reads what it is to compare until the event; raises SourceError if it is damaged.
Check: TypeAlias = Callable[[Event], None]


class Verification:
    """One pass over what has checksums, from ``begin`` on; the block's end waits for it.

    If the copy reads at the same time, one finds in the cache what the other has brought. A guest
    that cannot be understood may be damaged: that is then the error that is raised, whether the
    pass had begun or not. Raises SourceError.
    """

    def __init__(self, checks: Iterable[Check | None]) -> None:
        self._checks = tuple(each for each in checks if each is not None)
        self._ended = Event()
        self._thread = ThreadPoolExecutor(1)
        self._going: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Begin the pass, unless it has been."""
        if self._going is None:
            self._going = self._thread.submit(self._pass)

    def _pass(self) -> None:
        for each in self._checks:
            each(self._ended)

    @property
    def ended(self) -> bool:
        """Tell whether all is read that is to be."""
        return not self._checks or (self._going is not None and self._going.done())

    def refuse_damaged(self) -> None:
        """Raise SourceError for damage that was found so far."""
        if self._going is not None and self._going.done():
            self._going.result()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is not None and issubclass(kind, GuestError):
                self.begin()
                kind = None
            if kind is None and self._going is not None:
                with stopping(self._ended.set):
                    self._going.result()
                check()
        finally:
            self._ended.set()
            self._thread.shutdown()
