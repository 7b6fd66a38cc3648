# SPDX-License-Identifier: LGPL-2.1-or-later
"""Block devices of another host, read where they are, and files where there is no SFTP.

The host needs nothing but a shell and dd(1), and nothing is ever written there: one connection
per file takes requests, and each is a dd of its own. SFTP does for files, and is as fast, but it
knows no size of a block device. Of 512 MiB over loopback, ``ssh host cat`` passed 280 MiB/s, this
and a copy to qcow2 176 with blocks of 1 MiB, 154 with 512 KiB, 187 with 2 MiB, which make metadata
slower.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from v2v.errors import SourceError
from v2v.hosts import ssh
from v2v.model import Remote
from v2v.run import Child, running

_UNIT = 1 << 16  # of dd
_MOST = 1 << 30  # that is fetched as a whole
_SCRIPT = r"""
f=$1
if [ -b "$f" ] && [ -r "$f" ]; then
  blockdev --flushbufs "$f" 2> /dev/null
  size=$(blockdev --getsize64 "$f") || exit 1
  echo "ok $size $size"
elif [ -f "$f" ] && [ -r "$f" ]; then
  echo "ok $(stat -L -c %s "$f") $(($(stat -L -c %b "$f") * 512))"
elif [ -e "$f" ]; then echo kind
else echo missing
fi
exec 3>&1
while read -r skip count; do
  said=$(dd if="$f" bs=65536 skip="$skip" count="$count" 2>&1 >&3) || { echo "$said" >&2; exit 1; }
done
"""
# The guest's writes go past the page cache of Xen's dom0, which may hold older content of a device:
# hence the flush, which drops what is cached and clean.


class RemoteFile:
    """A file or block device of a host that is open for reading, from any thread."""

    def __init__(self, place: str, child: Child, log: Path, remote: Remote) -> None:
        self.place = place
        self._child = child
        self._log = log
        self._remote = remote
        self._lock = threading.Lock()
        self.size, self.allocated = self._facts()

    def _facts(self) -> tuple[int, int]:
        assert self._child.stdout is not None  # running() asks for the pipe
        said = self._child.stdout.readline().decode("ascii", "replace").split()
        if said[:1] == ["ok"] and len(said) == 3 and said[1].isdigit() and said[2].isdigit():
            return int(said[1]), int(said[2])
        if said == ["missing"]:
            raise SourceError("E-DISK-MISSING", f"{self.place}: no such file on the host")
        if said == ["kind"]:
            raise SourceError(
                "E-DISK-KIND", f"{self.place}: is no file or block device, or may not be read"
            )
        raise self._broken()

    def pread(self, length: int, offset: int) -> bytes:
        """Return bytes at an offset, fewer at the end. Raises SourceError."""
        first, last = offset // _UNIT, -(-(offset + length) // _UNIT)
        wanted = min(last * _UNIT, self.size) - first * _UNIT
        if wanted <= 0:
            return b""
        assert self._child.stdin is not None  # running() was asked for both pipes
        assert self._child.stdout is not None
        with self._lock:
            try:
                self._child.stdin.write(b"%d %d\n" % (first, last - first))
                self._child.stdin.flush()
                data = self._child.stdout.read(wanted)
            except BrokenPipeError as error:
                raise self._broken() from error
        if len(data) < wanted:
            raise self._broken()
        at = offset - first * _UNIT
        return data if not at and len(data) <= length else data[at : at + length]

    def _broken(self) -> SourceError:
        self._child.wait()
        said = self._log.read_text(errors="replace")
        if self._child.returncode == ssh.FAILED:
            return ssh.refusal(self._remote, said)
        lines = said.strip().splitlines() or ["the host's answer is too short"]
        return SourceError(
            "E-DISK-REMOTE",
            f"{self.place}: {lines[-1].removeprefix('dd: ')}",
            hint="look for I/O errors of the host's disk, and for a snapshot that is full",
        )


@contextmanager
def remote_file(remote: Remote, path: str) -> Iterator[RemoteFile]:
    """Open a file of a host for as long as the block lasts. Raises SourceError, MissingProgram."""
    with tempfile.TemporaryDirectory(prefix="v2v-ssh-") as folder:
        log = Path(folder, "log")
        argv = (*ssh.command(remote), ssh.script(_SCRIPT, path))
        with running(*argv, stderr=log, stdin=True) as child:
            yield RemoteFile(f"{remote}:{path}", child, log, remote)


def fetched(remote: Remote, path: str, folder: Path) -> Path:
    """Copy a small file of a host, a kernel for example, into a folder. Raises SourceError."""
    copy = folder / Path(path).name
    with remote_file(remote, path) as file:
        if file.size > _MOST:
            raise SourceError("E-DISK-REMOTE", f"{file.place}: {file.size} bytes are no kernel")
        copy.write_bytes(file.pread(file.size, 0))
    return copy


class ReadAt(Protocol):
    """A file of another host that is open."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def pread(self) -> Callable[[int, int], bytes]:
        """Return so many bytes at an offset, fewer at the end. Raises SourceError."""


class RemoteBlocks:
    """A file of a host as blocks, of which the last ones are kept: the guest's metadata."""

    block_bytes = 1 << 20

    def __init__(self, file: ReadAt) -> None:
        self._file = file
        self.read = lru_cache(maxsize=64)(self._read)

    def __contains__(self, number: object) -> bool:
        """Tell whether a block is inside of the file; what is zero in it is not known before."""
        return isinstance(number, int) and number * self.block_bytes < self._file.size

    def _read(self, number: int) -> bytes:
        return self._file.pread(self.block_bytes, number * self.block_bytes)
