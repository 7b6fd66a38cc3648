# SPDX-License-Identifier: LGPL-2.1-or-later
"""The only module that starts programs: argument lists, never a shell; a clean environment."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from v2v.cancellation import check, stopping
from v2v.errors import CommandError, MissingProgram

log = logging.getLogger(__name__)

PACKAGES = {
    "bsdtar": "libarchive-tools",
    "depmod": "kmod",
    "grub-mkimage": "grub-common",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "mmd": "mtools",
    "nbdkit": "nbdkit nbdkit-plugin-python",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "ssh": "openssh-client",
}
Child = subprocess.Popen[bytes]
_SOCKETS = Path("/proc/net/unix")
_ACCEPTS = "00010000"  # __SO_ACCEPTCON of linux/net.h
_GRACE = 5.0  # seconds between SIGTERM and SIGKILL for a child of ours


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C"}


def run(*argv: str | Path, text: str | None = None) -> str:
    """Run a program to its end and return its standard output.

    ``text`` is given to it on standard input. Raises CommandError or MissingProgram.
    """
    args = [str(arg) for arg in argv]
    log.debug("+ %s", shlex.join(args))
    try:
        child = subprocess.Popen(
            args,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=_environment(),
        )
    except FileNotFoundError as error:
        raise MissingProgram(args[0], PACKAGES.get(args[0])) from error
    with child:
        try:
            with stopping(child.kill):
                said, complaint = child.communicate(text)
        except BaseException:
            child.kill()
            raise
    if child.returncode != 0:
        check()  # it was ended on purpose
        raise CommandError(args, child.returncode, complaint)
    return said


@contextmanager
def running(
    *argv: str | Path, stderr: Path, stdin: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start a program and end it when the block is left, however it is left.

    Its standard output is a pipe (binary), its standard error goes to the file ``stderr``. With
    ``stdin`` its standard input is a pipe too, else it has none. ``settings`` are variables of its
    environment, beside ours. Raises MissingProgram.
    """
    args = [str(arg) for arg in argv]
    log.debug("+ %s &", shlex.join(args))
    with stderr.open("wb") as errors:
        try:
            child = subprocess.Popen(
                args,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**_environment(), **(settings or {})},
                start_new_session=True,  # a Ctrl-C on the terminal is ours to handle, not its
            )
        except FileNotFoundError as error:
            raise MissingProgram(args[0], PACKAGES.get(args[0])) from error
        try:
            yield child
        finally:
            _end(child)


def listens(child: Child, socket: Path, seconds: float) -> bool:
    """Wait for a program to listen on its socket; False if it ends before, or takes longer.

    The socket's file is there before anybody listens (bind(2), listen(2)), and to connect could use
    up the one client that a server waits for, so the kernel's list is asked.
    """
    deadline = time.monotonic() + seconds
    while not _is_listening(socket):
        check()
        if child.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_listening(socket: Path) -> bool:
    """Tell by proc(5)'s table: number, references, protocol, flags, type, state, inode, path.

    The path is the one of bind(2): OpenSSH adds a suffix, and takes it away when it listens.
    """
    if not socket.is_socket():
        return False
    with _SOCKETS.open(errors="surrogateescape") as table:
        rows = (line.rstrip("\n").split(maxsplit=7) for line in table)
        return any(
            row[3] == _ACCEPTS and row[7].startswith(str(socket)) for row in rows if len(row) == 8
        )


def _end(child: Child) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # what it did not read
                pipe.close()
