# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ending a conversion from another thread, at any moment, with nothing left behind.

The work asks between its steps (`check`), and what would keep it waiting, a program or the
appliance, is ended where it waits (`stopping`). Which request counts is known by context, so that
each thread has its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from v2v.errors import CancelledError, V2VError


class Cancellation:
    """A request to end that any thread may make, once."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._lock = threading.Lock()
        self._stops: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        """Whether the work is to end."""
        return self._requested.is_set()

    def cancel(self) -> None:
        """Have the work end; it raises CancelledError when it has cleaned up."""
        with self._lock:
            stops = () if self.requested else tuple(self._stops)
            self._requested.set()
        for stop in stops:
            stop()

    @contextmanager
    def _registered(self, stop: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._stops.append(stop)
        try:
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)


_CURRENT: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


@contextmanager
def heeding(cancellation: Cancellation | None) -> Iterator[None]:
    """Let a request end what is done in the block. Raises CancelledError if it has done so.

    None: the one that counts already, if any.
    """
    cancellation = cancellation or _CURRENT.get()
    token = _CURRENT.set(cancellation)
    try:
        check()
        yield
    except V2VError as error:
        if cancellation is None or not cancellation.requested:
            raise
        raise CancelledError from error
    finally:
        _CURRENT.reset(token)


@contextmanager
def unheeding() -> Iterator[None]:
    """Let no request end what is done in the block: what is made elsewhere and has to be undone."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check() -> None:
    """Raise CancelledError if the work is to end."""
    cancellation = _CURRENT.get()
    if cancellation is not None and cancellation.requested:
        raise CancelledError


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Have ``stop`` called, in the thread that cancels, if the block is waiting then."""
    cancellation = _CURRENT.get()
    if cancellation is None:
        yield
        return
    with cancellation._registered(stop):
        yield
