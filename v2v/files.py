# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a guest's files: the narrow interface that converters see, and a guest made of a dict.

The real reader is v2v.guest.files.GuestFiles; both pass the one contract in tests/v2v/contract.py.
Guest paths are absolute, with ``/``. Only the last part of a path may be a symbolic link that is
*not* followed by stat and readlink; everything else follows links inside the guest's root.
"""

from __future__ import annotations

import posixpath
import stat as modes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from v2v.hive import Hive

_MAX_LINKS = 40  # as the kernel's own limit, path_resolution(7)


@dataclass(frozen=True, slots=True)
class Stat:
    """lstat of a guest file: ``mode`` with the type bits; ``size`` in bytes."""

    mode: int
    size: int = 0
    uid: int = 0
    gid: int = 0

    @property
    def is_dir(self) -> bool:
        return modes.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return modes.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        return modes.S_ISLNK(self.mode)


class Files(Protocol):
    """A guest's file system, for reading."""

    def stat(self, path: str) -> Stat | None:
        """Return what lstat says of a path whose parents hold no symbolic link, None if absent."""

    def read(self, path: str) -> bytes:
        """Return a regular file's content. Raises FileNotFoundError."""

    def listdir(self, path: str) -> tuple[str, ...]:
        """Return the sorted names in a directory; none if it is absent or no directory."""

    def readlink(self, path: str) -> str:
        """Return a symbolic link's target. Raises FileNotFoundError where there is no link."""


def realpath(files: Files, path: str) -> str:
    """Follow every symbolic link of a path inside the guest; parts that are absent stay as given.

    Raises FileNotFoundError for a loop of links.
    """
    done = "/"
    todo = [part for part in path.split("/") if part not in ("", ".")]
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = posixpath.dirname(done)
            continue
        step = posixpath.join(done, part)
        found = files.stat(step)
        if found is None or not found.is_link:
            done = step
            continue
        links += 1
        if links > _MAX_LINKS:
            raise FileNotFoundError(f"{path}: too many symbolic links")
        target = files.readlink(step)
        if target.startswith("/"):
            done = "/"
        todo = [part for part in target.split("/") if part not in ("", ".")] + todo
    return done


def real_file(files: Files, path: str) -> str | None:
    """Return the path of the regular file that a path leads to, None if it leads nowhere."""
    try:
        real = realpath(files, path)
    except FileNotFoundError:
        return None
    found = files.stat(real)
    return real if found is not None and found.is_file else None


def any_case(files: Files, path: str) -> str:
    """Return a path with its parts as the guest spells them, whatever their case (for Windows).

    Parts that are absent stay as given.
    """
    done = "/"
    for part in filter(None, path.split("/")):
        if files.stat(posixpath.join(done, part)) is None:
            names = files.listdir(done)
            part = next((name for name in names if name.casefold() == part.casefold()), part)
        done = posixpath.join(done, part)
    return done


class DictFiles:
    """A guest made of a dict: path to content, or to a ``Link``; parents come by themselves.

    It reads as Files and takes changes as GuestHandle (v2v.changes). Commands are recorded in
    ``commands``; the file that a command says it makes appears, empty. Labels are in
    ``labels``.
    """

    def __init__(
        self,
        content: Mapping[str, bytes | str | Link],
        *,
        dirs: Iterable[str] = (),
    ) -> None:
        self.content: dict[str, bytes | Link] = {
            path: entry.encode() if isinstance(entry, str) else entry
            for path, entry in content.items()
        }
        self.mode: dict[str, int] = {}
        self.labels: dict[str, str] = {}
        self.devices: dict[tuple[str, int], bytes] = {}  # what was written to them, and where
        self.boot_code: dict[str, bytes] = {}  # disk to what it begins with
        self.commands: list[tuple[str, ...]] = []
        self._dirs = set(dirs)

    def _is_dir(self, path: str) -> bool:
        below = path.rstrip("/") + "/"
        return path in self._dirs or any(
            entry.startswith(below) for entry in (*self.content, *self._dirs)
        )

    def stat(self, path: str) -> Stat | None:
        entry = self.content.get(path)
        if isinstance(entry, Link):
            return Stat(modes.S_IFLNK | 0o777, len(entry.target))
        if entry is not None:
            return Stat(modes.S_IFREG | self.mode.get(path, 0o644), len(entry))
        return Stat(modes.S_IFDIR | 0o755) if self._is_dir(path) else None

    def read(self, path: str) -> bytes:
        entry = self.content.get(realpath(self, path))
        if not isinstance(entry, bytes):
            raise FileNotFoundError(path)
        return entry

    def listdir(self, path: str) -> tuple[str, ...]:
        below = realpath(self, path).rstrip("/") + "/"
        names = {
            entry.removeprefix(below).split("/")[0]
            for entry in (*self.content, *self._dirs)
            if entry.startswith(below)
        }
        return tuple(sorted(names - {""}))

    def readlink(self, path: str) -> str:
        entry = self.content.get(path)
        if not isinstance(entry, Link):
            raise FileNotFoundError(path)
        return entry.target

    def write(self, path: str, data: bytes, mode: int | None) -> None:
        self.content[path] = data
        if mode is not None:
            self.mode[path] = mode

    def link(self, path: str, target: str) -> None:
        self.content[path] = Link(target)

    def remove(self, path: str) -> None:
        self.content.pop(path, None)
        self.mode.pop(path, None)

    def run(self, argv: tuple[str, ...], makes: str | None) -> None:
        self.commands.append(argv)
        if makes is not None:
            self.content.setdefault(makes, b"")

    def label(self, path: str, label: str) -> None:
        self.labels[path] = label

    def fill(self, folder: str, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self.content[posixpath.join(folder, name)] = data

    def edit_hive(self, path: str, original: bytes, edit: Callable[[Hive], None]) -> None:
        hive = Hive(self.read(path), path)
        edit(hive)
        self.content[path] = hive.commit()

    def write_device(self, device: str, offset: int, data: bytes) -> None:
        self.devices[device, offset] = data

    def write_boot_code(self, disk: str, sector: bytes, start: int, core: bytes) -> None:
        self.boot_code[disk] = sector + bytes((start - 1) * len(sector)) + core


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link in a DictFiles."""

    target: str
