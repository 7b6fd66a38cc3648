# SPDX-License-Identifier: LGPL-2.1-or-later
"""The processes of a guest, whoever started them: all carry a mark in their environment.

A worker's QEMU and nbdkit may outlive it, and have other parents then; the mark stays.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.errors import V2VError

MARK = "V2V_BATCH"  # its value: the batch, a slash, the number of the guest
_PROC = Path("/proc")
_KIB = 1 << 10
_SECONDS = 20.0  # for killed processes to be gone; one that waits for a disk takes its time
# What cannot be dropped and read again: not the page cache. proc(5)
_MEMORY = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def marked(mark: str) -> Iterator[int]:
    """Yield the numbers of processes with a mark, or with one that begins so up to a slash."""
    wanted = f"{MARK}={mark}".encode()
    for path in _PROC.iterdir():
        if path.name.isdecimal() and int(path.name) != os.getpid():
            fields = _environment(int(path.name)).split(b"\0")
            if any(field == wanted or field.startswith(wanted + b"/") for field in fields):
                yield int(path.name)


def memory_of(mark: str) -> int:
    """Return the bytes of memory that processes with a mark hold."""
    return sum(
        int(size) * _KIB
        for process in marked(mark)
        for size in _MEMORY.findall(_content(process, "status"))
    )


def end_all(mark: str) -> int:
    """Kill the processes with a mark and return how many; none is left then. Raises V2VError."""
    deadline = time.monotonic() + _SECONDS
    killed: set[int] = set()
    while found := set(marked(mark)):
        for process in found - killed:
            _kill(process, mark)
        killed |= found
        if time.monotonic() > deadline:
            raise V2VError(
                "E-BATCH-PROCESS",
                f"process {min(found)} of an earlier run does not end",
                hint=f"look what it waits for: cat /proc/{min(found)}/wchan",
            )
        time.sleep(0.02)
    return len(killed)


def _kill(process: int, mark: str) -> None:
    """Kill a process if it still is the one that has the mark: numbers are used again."""
    with _handle(process) as handle:
        if handle is not None and process in marked(mark):
            signal.pidfd_send_signal(handle, signal.SIGKILL)


@contextmanager
def _handle(process: int) -> Iterator[int | None]:
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _environment(process: int) -> bytes:
    return _content(process, "environ")


def _content(process: int, name: str) -> bytes:
    """Return a file of a process; nothing if it is gone or somebody else's."""
    try:
        return (_PROC / str(process) / name).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
