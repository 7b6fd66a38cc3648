# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of another host by SFTP (draft-ietf-secsh-filexfer-02), through OpenSSH's client.

ESXi has no dd(1) worth the name, but this; many requests are on their way at a time. libssh (with
nbdkit-ssh-plugin, say) knows little of the user's ssh_config(5): jump hosts, agents, hardware keys.
Nothing is ever written.
"""

from __future__ import annotations

import os
import stat as modes
import struct
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from v2v.errors import SourceError
from v2v.hosts import ssh
from v2v.model import Remote
from v2v.run import Child, running

_INIT, _VERSION, _OPEN, _CLOSE, _READ = 1, 2, 3, 4, 5
_OPENDIR, _READDIR, _REALPATH, _STAT = 11, 12, 16, 17
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS = 101, 102, 103, 104, 105
_EOF, _ABSENT, _DENIED = 1, 2, 3  # of SSH_FX_*
_PIECE = 1 << 16  # more than some servers send at once; each must send half of it
_MOST = 1 << 18  # bytes of a packet
_MOST_NAMES = 1 << 20  # of a folder
_FOR_READING = 1


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a path is; ``mode`` as in stat(2)."""

    size: int
    mode: int

    @property
    def is_file(self) -> bool:
        return modes.S_ISREG(self.mode)

    @property
    def is_device(self) -> bool:
        return modes.S_ISBLK(self.mode)


class _Reader:
    """The fields of a packet, in their order."""

    def __init__(self, data: bytes, broken: Callable[[str], SourceError]) -> None:
        self._data = memoryview(data)
        self._broken = broken
        self._at = 0

    def number(self, bytes_long: int = 4) -> int:
        return int.from_bytes(self._take(bytes_long), "big")

    def text(self) -> bytes:
        return bytes(self.data())

    def data(self) -> memoryview:
        """Return what text() does, without a copy of it."""
        return self._take(self.number())

    def _take(self, length: int) -> memoryview:
        value = self._data[self._at : self._at + length]
        if len(value) < length:
            raise self._broken("its answer is too short")
        self._at += length
        return value

    def attributes(self) -> Attributes:
        flags = self.number()
        size = self.number(8) if flags & 1 else 0
        self._take(8 if flags & 2 else 0)
        mode = self.number() if flags & 4 else 0
        self._take(8 if flags & 8 else 0)
        for _ in range(self.number() if flags & 1 << 31 else 0):
            self.text()
            self.text()
        return Attributes(size, mode)


def _text(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


class Sftp:
    """A session; its methods raise SourceError when it breaks off. For any thread."""

    def __init__(self, remote: Remote, child: Child, log: Path) -> None:
        self.remote = remote
        self._child = child
        self._log = log
        self._lock = threading.Lock()
        self._number = 0
        self._write(bytes([_INIT]) + struct.pack(">I", 3))
        kind, _ = self._packet()
        if kind != _VERSION:
            raise self._broken("its first answer is none of SFTP")

    def attributes(self, path: str) -> Attributes | None:
        """Return what a path leads to, symbolic links followed; None if there is nothing."""
        kind, answer = self._asked(_STAT, _text(os.fsencode(path)))
        if kind == _ATTRS:
            return answer.attributes()
        self._refuse_other(path, kind, answer)
        return None

    def real(self, path: str) -> str | None:
        """Return a path without symbolic links, None if it is not there."""
        kind, answer = self._asked(_REALPATH, _text(os.fsencode(path)))
        if kind == _NAME and answer.number() == 1:
            return os.fsdecode(answer.text())
        self._refuse_other(path, kind, answer)
        return None

    def entries(self, folder: str) -> tuple[tuple[str, int], ...]:
        """Return what is in a folder, by name and mode, links unfollowed; nothing if it is gone."""
        kind, answer = self._asked(_OPENDIR, _text(os.fsencode(folder)))
        if kind != _HANDLE:
            self._refuse_other(folder, kind, answer)
            return ()
        handle = _text(answer.text())
        found: dict[str, int] = {}
        kind, answer = self._asked(_READDIR, handle)
        while kind == _NAME and len(found) < _MOST_NAMES:
            before = len(found)
            for _ in range(answer.number()):
                name = os.fsdecode(answer.text())
                answer.text()  # the line of ls(1)
                found[name] = answer.attributes().mode
            if len(found) == before:
                raise self._broken("it lists a folder without end")
            kind, answer = self._asked(_READDIR, handle)
        self._asked(_CLOSE, handle)
        return tuple((name, found[name]) for name in sorted({*found} - {".", ".."}))

    @contextmanager
    def opened(self, path: str, size: int) -> Iterator[SftpFile]:
        """Open a file of a known size for as long as the block lasts. Raises SourceError."""
        wanted = _text(os.fsencode(path)) + struct.pack(">II", _FOR_READING, 0)
        kind, answer = self._asked(_OPEN, wanted)
        if kind != _HANDLE:
            self._refuse_other(path, kind, answer)
            raise _missing(self.remote, path)
        handle = _text(answer.text())
        yield SftpFile(self, path, size, handle)
        self._asked(_CLOSE, handle)  # after an error the session may be of no use any more

    def read(self, path: str, handle: bytes, length: int, offset: int) -> bytes:
        """Return bytes of an open file, fewer at its end."""
        end = offset + length
        wanted = {at: min(_PIECE, end - at) for at in range(offset, end, _PIECE)}
        found: dict[int, memoryview] = {}
        with self._lock:
            while wanted:
                wanted = self._read_once(path, handle, wanted, found)
        whole = []
        for at in sorted(found):
            if at != offset:
                break  # the file ends before
            whole.append(found[at])
            offset += len(found[at])
        return b"".join(whole)

    def _read_once(
        self, path: str, handle: bytes, wanted: dict[int, int], found: dict[int, memoryview]
    ) -> dict[int, int]:
        """Ask for pieces and take them in, in any order; return what a short answer left out."""
        asked = {}
        packets = []
        for at, count in wanted.items():
            self._number += 1
            asked[self._number] = (at, count)
            packets.append(
                _framed(
                    struct.pack(">BI", _READ, self._number) + handle + struct.pack(">QI", at, count)
                )
            )
        self._send(b"".join(packets))
        left = {}
        failed = None
        while asked:
            kind, answer = self._packet()
            at, count = asked.pop(answer.number(), (-1, 0))
            if at < 0:
                raise self._broken("it answers what nobody asked")
            data = answer.data() if kind == _DATA else memoryview(b"")
            if kind != _DATA and self._code(kind, answer) != _EOF:
                failed = failed or _unreadable(self.remote, path, answer)
            if len(data) > count:
                raise self._broken("it sends more than was asked for")
            found[at] = data
            if data and len(data) < count:
                left[at + len(data)] = count - len(data)
        if failed is not None:  # all answers are read: the session can go on
            raise failed
        return left

    def _refuse_other(self, path: str, kind: int, answer: _Reader) -> None:
        """Raise SourceError for an answer, unless it is that a path is not there."""
        code = self._code(kind, answer)
        if code == _DENIED:
            raise SourceError(
                "E-DISK-UNREADABLE",
                f"{self.remote}:{path}: permission denied",
                hint="log in as a user who may read it",
            )
        if code != _ABSENT:
            raise _unreadable(self.remote, path, answer)

    def _code(self, kind: int, answer: _Reader) -> int:
        if kind != _STATUS:
            raise self._broken("its answer is of another kind")
        return answer.number()

    def _asked(self, kind: int, payload: bytes) -> tuple[int, _Reader]:
        with self._lock:
            self._number += 1
            self._write(struct.pack(">BI", kind, self._number) + payload)
            said, answer = self._packet()
            if answer.number() != self._number:
                raise self._broken("it answers what nobody asked")
        return said, answer

    def _write(self, packet: bytes) -> None:
        self._send(_framed(packet))

    def _send(self, data: bytes) -> None:
        assert self._child.stdin is not None  # running() was asked for both pipes
        try:
            self._child.stdin.write(data)
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise self._broken() from error

    def _packet(self) -> tuple[int, _Reader]:
        assert self._child.stdout is not None
        head = self._child.stdout.read(5)
        if len(head) < 5:
            raise self._broken()
        length, kind = struct.unpack(">IB", head)
        if not 1 <= length <= _MOST:
            raise self._broken("its answer is none of SFTP; does the login print something?")
        data = self._child.stdout.read(length - 1)
        if len(data) < length - 1:
            raise self._broken()
        return kind, _Reader(data, self._broken)

    def _broken(self, fact: str = "") -> SourceError:
        assert self._child.stdin is not None
        if not fact:
            with suppress(BrokenPipeError):
                self._child.stdin.close()  # or it could wait for us
            self._child.wait()
        said = self._log.read_text(errors="replace")
        if "subsystem request failed" in said or fact:
            return SourceError(
                "E-SSH-SFTP",
                f"{self.remote}: {fact or 'has no SFTP'}",
                hint=f"does this work? sftp {self.remote}; if not, see Subsystem in sshd_config(5)",
            )
        return ssh.refusal(self.remote, said)


class SftpFile:
    """A file that is open for reading, from any thread."""

    def __init__(self, session: Sftp, path: str, size: int, handle: bytes) -> None:
        self.size = size
        self._session = session
        self._path = path
        self._handle = handle

    def pread(self, length: int, offset: int) -> bytes:
        """Return bytes at an offset, fewer at the end. Raises SourceError."""
        return self._session.read(self._path, self._handle, length, offset)


def _framed(packet: bytes) -> bytes:
    return struct.pack(">I", len(packet)) + packet


def _missing(remote: Remote, path: str) -> SourceError:
    return SourceError("E-DISK-MISSING", f"{remote}:{path}: no such file on the host")


def _unreadable(remote: Remote, path: str, answer: _Reader) -> SourceError:
    said = answer.text().decode(errors="replace")
    return SourceError(
        "E-DISK-REMOTE",
        f"{remote}:{path}: {said}",
        hint="look for I/O errors of the host's disk, and for locks of a guest that is running",
    )


@contextmanager
def sftp(remote: Remote) -> Iterator[Sftp]:
    """Connect for as long as the block lasts. Raises SourceError, MissingProgram."""
    with tempfile.TemporaryDirectory(prefix="v2v-ssh-") as folder:
        log = Path(folder, "log")
        argv = (*ssh.command(remote, "-s"), "sftp")
        with running(*argv, stderr=log, stdin=True) as child:
            yield Sftp(remote, child, log)
