# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copying a converted overlay out into an image of its own."""

from __future__ import annotations

import os
import re
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from v2v.cancellation import stopping
from v2v.errors import SourceError, TargetError, V2VError
from v2v.model import DiskFormat
from v2v.run import running

Progress = Callable[[int, int], None]  # bytes done, bytes in all

# To qcow2, 1.5 GB of data in a 4 GiB disk, 2 busy cores, best of 5 to 7, seconds with the fsync:
#                            source cached   not cached
#   -W (chosen)                   1.4           2.4
#   in order                      1.5           2.9
#   -t writeback -W               1.7           2.0
#   -t none -W                    1.3           2.6
# Runs vary by more than these differ. -S 64k, -m 16, 256 KiB clusters and lazy refcounts (two runs
# each) were within that noise too, 1 MiB clusters slower. So: the default cache mode (unsafe) with
# one fsync at the end (about 0.9 s of it). That works on every file system, which O_DIRECT does
# not, and leaves the result cached for its first boot.
# With setpriv(1) it dies when we are killed; the servers notice by themselves.
_DIES_TOO = ("setpriv", "--pdeathsig", "KILL", "--")
_CONVERT = (*_DIES_TOO, "qemu-img", "convert", "-p", "-W", "-f", DiskFormat.qcow2)
_PERCENT = re.compile(rb"\(\s*([0-9.]+)/100%\)")
_MODE = 0o600  # a disk holds password hashes and keys; libvirt makes its volumes so too


def copy(
    overlay: Path,
    target: Path,
    *,
    format: DiskFormat,
    preallocated: bool = False,
    existing: bool = False,
    on_progress: Progress | None = None,
) -> None:
    """Copy what a qcow2 overlay shows into a new image that stands alone and is on stable storage.

    Only data is copied: what was discarded in the overlay reads as zeroes and takes no room, unless
    ``preallocated``. ``target`` must not exist, and after any failure does not; or it is an
    ``existing`` device, which keeps what is behind the disk's end.
    """
    options = ("-o", "preallocation=falloc") if preallocated else ()
    kept = ("-n",) if existing else ()
    argv = (*_CONVERT, "-O", format, *options, *kept, overlay.absolute(), target.absolute())
    with _there(target) if existing else _new(target) as descriptor:
        converted(argv, overlay, target, on_progress)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise _unwritable(target, error.strerror) from error


@contextmanager
def _new(target: Path) -> Iterator[int]:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError as error:
        raise TargetError(
            "E-TARGET-EXISTS",
            f"{target}: exists already",
            hint="remove it, or give the guest another name: -on NAME",
        ) from error
    except OSError as error:
        raise _unwritable(target, error.strerror) from error
    try:
        yield descriptor
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


@contextmanager
def _there(target: Path) -> Iterator[int]:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(target, error.strerror) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def converted(
    argv: tuple[str | Path, ...], overlay: Path, target: Path, on_progress: Progress | None
) -> None:
    """Run a qemu-img that prints its progress. Raises V2VError with what it says."""
    total = _virtual_bytes(overlay)
    with tempfile.TemporaryDirectory(prefix="v2v-copy-") as folder:
        said = Path(folder, "stderr")
        with running(*argv, stderr=said) as child, stopping(child.terminate):
            assert child.stdout is not None  # running() asks for the pipe
            while piece := os.read(child.stdout.fileno(), 4096):
                percent = _PERCENT.findall(piece)
                if percent and on_progress is not None:
                    on_progress(min(total, int(float(percent[-1]) / 100 * total)), total)
            status = child.wait()
        if status != 0:
            raise _failure(said.read_text(errors="replace"), status, overlay, target)


def _virtual_bytes(overlay: Path) -> int:
    with overlay.open("rb") as file:
        return int(struct.unpack(">24xQ", file.read(32))[0])


def _failure(stderr: str, status: int, overlay: Path, target: Path) -> V2VError:
    """Return the error for what qemu-img said last."""
    lines = stderr.strip().splitlines()
    fact = lines[-1].removeprefix("qemu-img: ") if lines else f"qemu-img: exit status {status}"
    if "No space left" in fact or "Disk quota exceeded" in fact:
        return TargetError(
            "E-TARGET-SPACE",
            f"{target}: the disk is full: {fact}",
            hint="make room, or choose another folder: -os DIR",
        )
    if "error while reading" in fact or "Could not open" in fact:
        return SourceError(
            "E-DISK-READ",
            f"{overlay.name}: the source cannot be read: {fact}",
            hint="look for I/O errors of the source's disk: journalctl -k",
        )
    return _unwritable(target, fact)


def _unwritable(target: Path, fact: str | None) -> TargetError:
    return TargetError(
        "E-TARGET-WRITE",
        f"{target}: {fact or 'cannot be written'}",
        hint="choose a folder that you may write to: -os DIR",
    )
