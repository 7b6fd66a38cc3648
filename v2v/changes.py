# SPDX-License-Identifier: LGPL-2.1-or-later
"""One plan, two readers: changes as data, and the draft that collects them.

A converter reads a Draft (the guest as it will be) and adds changes to it. A dry run prints the
changes; a real run prints and applies the same ones. No converter can tell which of the two it
is in.
"""

from __future__ import annotations

import fnmatch
import posixpath
import shlex
import stat as modes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from v2v.change_kinds import (
    Change,
    GuestHandle,
    RemoveFile,
    RunCommand,
    SetLabels,
    SetRegistry,
    UploadFile,
    UploadFolder,
    WriteBootCode,
    WriteDevice,
    WriteFile,
)
from v2v.errors import Finding
from v2v.files import Files, Stat, realpath
from v2v.hive import Hive, Value
from v2v.model import Capabilities

__all__ = [
    "Change", "Direct", "Draft", "GuestHandle", "Plan", "RemoveFile", "RunCommand", "SetLabels",
    "SetRegistry", "UploadFile", "UploadFolder", "WriteBootCode", "WriteDevice", "WriteFile",
]  # fmt: skip

_LINK_MODE = modes.S_IFLNK | 0o777


@dataclass(frozen=True, slots=True)
class Direct:
    """What a guest is started from that is in none of its disks (QEMU's -kernel)."""

    kernel: bytes = field(repr=False)
    initramfs: bytes | None = field(repr=False)
    cmdline: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a conversion will do to a guest, and what the guest will then have drivers for."""

    changes: tuple[Change, ...]
    warnings: tuple[Finding, ...]
    blockers: tuple[Finding, ...]
    capabilities: Capabilities
    direct: Direct | None = None  # what starts the guest, if nothing in its disks does


class DraftHive(Hive):
    """A registry hive as it will be: what is set is drafted, and seen by the next who reads."""

    def __init__(self, path: str, original: bytes, changes: list[Change]) -> None:
        super().__init__(original, path)
        self._original = original
        self._changes = changes

    def draft(self, key: str, values: Mapping[str, Value | None], *, why: str) -> None:
        """Draft values of a key, None to remove one; nothing is drafted for what is so already."""
        old = {name: self.value(key, name) for name in values}
        new = {name: value for name, value in values.items() if old[name] != value}
        if new or not self.exists(key):
            old = {name: old[name] for name in new}
            self._changes.append(SetRegistry(self.name, self._original, key, old, new, why))
            self.set(key, new)

    def draft_removal(self, key: str, *, why: str) -> None:
        """Draft the removal of a key with all that is below it; nothing if it is absent."""
        if self.exists(key):
            below = tuple(self._all_below(key))
            old = self.values(key)
            self._changes.append(SetRegistry(self.name, self._original, key, old, None, why, below))
            self.remove(key)

    def _all_below(self, key: str) -> Iterator[str]:
        for name in self.keys(key):
            yield f"{key}\\{name}"
            yield from self._all_below(f"{key}\\{name}")


class Draft:
    """The guest as it will be: reads see the changes drafted so far, the guest is untouched.

    Without ``guest_code`` no program of the guest may run.
    """

    def __init__(self, files: Files, *, guest_code: bool = True) -> None:
        self._files = files
        self._guest_code = guest_code
        self._drafted: dict[str, tuple[int, bytes] | None] = {}  # mode and content; None: removed
        self._hives: dict[str, DraftHive] = {}
        self.changes: list[Change] = []
        self.warnings: list[Finding] = []
        self.blockers: list[Finding] = []
        self.direct: Direct | None = None

    # The reader: a Draft is itself Files.

    def stat(self, path: str) -> Stat | None:
        if path not in self._drafted:
            return self._files.stat(path) or self._drafted_dir(path)
        entry = self._drafted[path]
        return None if entry is None else Stat(entry[0], len(entry[1]))

    def _drafted_dir(self, path: str) -> Stat | None:
        below = path.rstrip("/") + "/"
        new = any(entry is not None and at.startswith(below) for at, entry in self._drafted.items())
        return Stat(modes.S_IFDIR | 0o755) if new else None

    def read(self, path: str) -> bytes:
        path = realpath(self, path)
        if path not in self._drafted:
            return self._files.read(path)
        entry = self._drafted[path]
        if entry is None:
            raise FileNotFoundError(path)
        return entry[1]

    def listdir(self, path: str) -> tuple[str, ...]:
        path = realpath(self, path)
        below = path.rstrip("/") + "/"
        names = set(self._files.listdir(path))
        for at, entry in self._drafted.items():
            if at.startswith(below):
                name = at.removeprefix(below).split("/")[0]
                if entry is not None:
                    names.add(name)
                elif name == at.removeprefix(below):
                    names.discard(name)
        return tuple(sorted(names))

    def readlink(self, path: str) -> str:
        if path not in self._drafted:
            return self._files.readlink(path)
        entry = self._drafted[path]
        if entry is None or not modes.S_ISLNK(entry[0]):
            raise FileNotFoundError(path)
        return entry[1].decode()

    def text(self, path: str) -> str:
        """Return a file's content as text that encodes back to the same bytes (surrogateescape).

        Raises FileNotFoundError.
        """
        return self.read(path).decode(errors="surrogateescape")

    def exists(self, path: str) -> bool:
        """Tell whether a path leads to something, symbolic links followed."""
        return self.stat(realpath(self, path)) is not None

    def is_file(self, path: str) -> bool:
        """Tell whether a path leads to a regular file, symbolic links followed."""
        found = self.stat(realpath(self, path))
        return found is not None and found.is_file

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the sorted paths that match a pattern of glob(7); no ** and no {}."""
        found = ["/"]
        for part in pattern.strip("/").split("/"):
            if any(char in part for char in "*?["):
                found = [
                    posixpath.join(base, name)
                    for base in found
                    for name in self.listdir(base)
                    if fnmatch.fnmatchcase(name, part)
                ]
            else:
                found = [posixpath.join(base, part) for base in found]
        return tuple(path for path in found if self.stat(path) is not None or self.exists(path))

    def created(self) -> dict[str, int]:
        """Return what the changes so far create, parents first: path to type (stat's S_IFMT).

        Folders on the way to it that the guest does not have are part of it.
        """
        found = {}
        for path in {path for change in self.changes for path in change.creates}:
            if self._drafted.get(path, ()) is None:  # removed again
                continue
            stat = self.stat(path)
            found[path] = modes.S_IFREG if stat is None else modes.S_IFMT(stat.mode)
            folder = posixpath.dirname(path)
            while self._files.stat(folder) is None:
                found[folder] = modes.S_IFDIR
                folder = posixpath.dirname(folder)
        return dict(sorted(found.items()))

    def hive(self, path: str) -> DraftHive:
        """Return a registry hive, to read it and to draft changes of it.

        Raises FileNotFoundError, and GuestError(E-HIVE) for what is no hive.
        """
        path = realpath(self, path)
        if path not in self._hives:
            self._hives[path] = DraftHive(path, self.read(path), self.changes)
        return self._hives[path]

    # The pen.

    def write(self, path: str, new: bytes | str, *, why: str, mode: int = 0o644) -> None:
        """Draft a file's new content; nothing is drafted if it is the same. ``mode``: if new.

        A symbolic link is followed to the file that it stands for.
        """
        path = realpath(self, path)
        data = new.encode(errors="surrogateescape") if isinstance(new, str) else new
        found = self.stat(path)
        if found is None:
            self.changes.append(WriteFile(path, None, data, why, mode))
            self._drafted[path] = (modes.S_IFREG | mode, data)
        elif (old := self.read(path)) != data:
            self.changes.append(WriteFile(path, old, data, why))
            self._drafted[path] = (found.mode, data)

    def upload(self, path: str, data: bytes, *, why: str, mode: int = 0o644) -> None:
        """Draft a binary file's new content; nothing is drafted if it is the same."""
        path = realpath(self, path)
        found = self.stat(path)
        if found is not None and self.read(path) == data:
            return
        self.changes.append(UploadFile(path, data, why, mode if found is None else None))
        self._drafted[path] = (modes.S_IFREG | mode if found is None else found.mode, data)

    def take_out(self, path: str) -> bytes:
        """Return the content of a file that was uploaded, which the guest does not get after all.

        Raises FileNotFoundError.
        """
        path = realpath(self, path)
        data = self.read(path)
        self.changes[:] = [
            change
            for change in self.changes
            if not (isinstance(change, UploadFile) and change.path == path)
        ]
        self._drafted.pop(path, None)
        return data

    def upload_folder(self, path: str, files: Mapping[str, bytes], *, why: str) -> None:
        """Draft many binary files in a folder, be they there already or not."""
        path = realpath(self, path)
        self.changes.append(UploadFolder(path, files, why))
        for name, data in files.items():
            self._drafted[posixpath.join(path, name)] = (modes.S_IFREG | 0o644, data)

    def write_boot_code(
        self, disk: str, sector: bytes, start: int, core: bytes, *, why: str
    ) -> None:
        """Draft what a BIOS starts: the disk's first sector, and more on those from ``start`` on.

        Do so only for a disk without it.
        """
        self.changes.append(WriteBootCode(disk, sector, start, core, why))

    def write_device(self, device: str, offset: int, old: bytes, new: bytes, *, why: str) -> None:
        """Draft bytes on a device in place of ``old``; nothing if they are the same."""
        if old != new:
            self.changes.append(WriteDevice(device, offset, old, new, why))

    def link(self, path: str, target: str, *, why: str) -> None:
        """Draft a symbolic link in place of what is there; nothing if it is there already."""
        path = posixpath.join(realpath(self, posixpath.dirname(path)), posixpath.basename(path))
        found = self.stat(path)
        old = None
        if found is not None and found.is_link:
            old = self.readlink(path).encode()
            if old == target.encode():
                return
        elif found is not None:
            old = self.read(path)
        self.changes.append(WriteFile(path, old, target.encode(), why, _LINK_MODE))
        self._drafted[path] = (_LINK_MODE, target.encode())

    def remove(self, path: str, *, why: str) -> None:
        """Draft the removal of a file or of a symbolic link itself; nothing if it is absent."""
        path = posixpath.join(realpath(self, posixpath.dirname(path)), posixpath.basename(path))
        found = self.stat(path)
        if found is None:
            return
        old = self.read(path) if found.is_file else None
        self.changes.append(RemoveFile(path, old, why))
        self._drafted[path] = None

    def run(self, *argv: str, why: str, makes: str | None = None) -> None:
        """Draft a command; do so only where the guest's state asks for it, or plans never end.

        ``makes`` is the file that it makes or replaces; without it, nobody knows what it changes.
        """
        if self._guest_code:
            self.changes.append(RunCommand(argv, why, makes))
            return
        self.block(
            "E-GUEST-CODE",
            f"{shlex.join(argv)}: it would have to run in the guest: {why}",
            hint="run it in the guest before that is shut down, or leave --no-guest-code out",
        )

    def label(self, labels: Mapping[str, str], *, why: str) -> None:
        """Draft the labels of what the changes so far create; nothing is drafted for none."""
        if labels:
            self.changes.append(SetLabels(labels, why))

    def warn(self, code: str, message: str, *, hint: str | None = None) -> None:
        """Say something that the user should know; the conversion goes on."""
        self.warnings.append(Finding(code, message, hint))

    def block(self, code: str, message: str, *, hint: str | None = None) -> None:
        """Say why the guest cannot be converted; planning goes on, to find all such reasons."""
        self.blockers.append(Finding(code, message, hint))
