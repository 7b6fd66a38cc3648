# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debugging messages, to standard error (-vv) and to a file that can be sent to somebody.

What is logged are stages, command lines, names of libguestfs calls and changes: no keys, no
passwords, no content of files. Only the command line has the packages' loggers write anywhere.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from v2v.errors import ConfigError
from v2v.version import VERSION

_PACKAGES = ("v2v", "converters", "drivers")
_FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(name)s: %(message)s"
_MODE = 0o600  # paths and names of guests are nobody else's business

log = logging.getLogger(__name__)


@contextmanager
def logged(verb: str, place: Path | None, *, to_stderr: bool) -> Iterator[None]:
    """Write debugging messages for as long as the block lasts. Raises ConfigError."""
    with ExitStack() as stack:
        if to_stderr:
            shown = logging.StreamHandler()
            shown.setFormatter(logging.Formatter("%(name)s: %(message)s"))
            stack.enter_context(_attached(shown))
        if place is not None:
            stream = stack.enter_context(_opened(place))
            kept = logging.StreamHandler(stream)
            kept.setFormatter(logging.Formatter(_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S"))
            stack.enter_context(_attached(kept))
        log.debug("v2v %s %s, Python %s, %s", VERSION, verb, platform.python_version(),
                  platform.platform())  # fmt: skip
        try:
            yield
        except BaseException:
            log.debug("ended by", exc_info=True)
            raise


def _opened(place: Path) -> TextIO:
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
    except OSError as error:
        raise ConfigError("E-USAGE", f"--log-file: {place}: {error.strerror}") from error
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


@contextmanager
def _attached(handler: logging.Handler) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _PACKAGES]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
