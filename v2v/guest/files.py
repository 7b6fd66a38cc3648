# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a guest's files through the appliance in few calls, and remembers what it has read.

/etc comes whole, as one archive, and so do GRUB's modules where they are wanted. Any other
directory costs two calls, and a file one.
"""

from __future__ import annotations

import io
import posixpath
import stat as modes
import tarfile
from collections.abc import Sequence

from v2v.files import Stat, realpath
from v2v.guest.session import Session

FETCHED_WHOLE = ("/etc", "/usr/lib/grub/i386-pc", "/usr/share/grub2/i386-pc")
_TYPES = {
    tarfile.REGTYPE: modes.S_IFREG,
    tarfile.AREGTYPE: modes.S_IFREG,
    tarfile.LNKTYPE: modes.S_IFREG,
    tarfile.SYMTYPE: modes.S_IFLNK,
    tarfile.DIRTYPE: modes.S_IFDIR,
    tarfile.CHRTYPE: modes.S_IFCHR,
    tarfile.BLKTYPE: modes.S_IFBLK,
    tarfile.FIFOTYPE: modes.S_IFIFO,
}


class GuestFiles:
    """v2v.files.Files over a Session whose root file system is mounted.

    It describes the guest as it was when each thing was first read: make a new one after changes.
    """

    def __init__(self, session: Session, whole: Sequence[str] = FETCHED_WHOLE) -> None:
        self._session = session
        self._whole = tuple(whole)
        self._directories: dict[str, dict[str, Stat]] = {}
        self._content: dict[str, bytes] = {}
        self._links: dict[str, str] = {}

    def stat(self, path: str) -> Stat | None:
        if path == "/":
            return Stat(modes.S_IFDIR | 0o755)
        parent, name = posixpath.split(path)
        return self._directory(parent).get(name)

    def listdir(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(self._directory(realpath(self, path))))

    def read(self, path: str) -> bytes:
        path = realpath(self, path)
        found = self.stat(path)
        if found is None or not found.is_file:
            raise FileNotFoundError(path)
        if path not in self._content:
            self._content[path] = self._session.read(path, found.size)
        return self._content[path]

    def readlink(self, path: str) -> str:
        found = self.stat(path)
        if found is None or not found.is_link:
            raise FileNotFoundError(path)
        if path not in self._links:
            self._links[path] = self._session.readlink(path)
        return self._links[path]

    def _directory(self, path: str) -> dict[str, Stat]:
        if path not in self._directories:
            root = next((top for top in self._whole if f"{path}/".startswith(f"{top}/")), None)
            if root is not None and root not in self._directories:
                self._fetch_whole(root)
            else:
                self._directories[path] = self._list(path)
        return self._directories.get(path, {})

    def _list(self, path: str) -> dict[str, Stat]:
        if path != "/":
            found = self.stat(path)
            if found is None or not found.is_dir:
                return {}
        names = self._session.names(path)
        return self._session.stats(path, names) if names else {}

    def _fetch_whole(self, top: str) -> None:
        found = self.stat(top)
        if found is None or not found.is_dir:
            self._directories[top] = {}
            return
        archive = io.BytesIO(self._session.archive(top))
        with tarfile.open(fileobj=archive, mode="r:") as tar:
            for member in tar:
                path = posixpath.normpath(posixpath.join(top, member.name))
                if member.isdir():
                    self._directories.setdefault(path, {})
                if path != top:
                    self._keep(tar, member, path)

    def _keep(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        parent, name = posixpath.split(path)
        size = member.size
        if member.isreg() or member.islnk():
            stream = tar.extractfile(member)
            self._content[path] = b"" if stream is None else stream.read()
            size = len(self._content[path])
        elif member.issym():
            self._links[path] = member.linkname
        mode = _TYPES.get(member.type, modes.S_IFREG) | member.mode
        self._directories.setdefault(parent, {})[name] = Stat(mode, size, member.uid, member.gid)
