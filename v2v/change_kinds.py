# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can be changed in a guest: each kind of change can be described, and applied to a guest."""

from __future__ import annotations

import difflib
import posixpath
import shlex
import stat as modes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from v2v.hive import Hive, Value, quoted


class GuestHandle(Protocol):
    """What changes need of a guest that may be written."""

    def write(self, path: str, data: bytes, mode: int | None) -> None:
        """Replace a file's content; a new file gets ``mode``, an old one keeps its own at None."""

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, in place of what was there."""

    def remove(self, path: str) -> None:
        """Remove a file or symbolic link."""

    def run(self, argv: tuple[str, ...], makes: str | None) -> None:
        """Run a command inside the guest; ``makes`` must exist afterwards."""

    def label(self, path: str, label: str) -> None:
        """Give a file, folder or symbolic link its SELinux label."""

    def fill(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Put files into a folder by their names; those of the same name are replaced."""

    def edit_hive(self, path: str, original: bytes, edit: Callable[[Hive], None]) -> None:
        """Change a registry hive; it is written once, when all changes have been made."""

    def write_device(self, device: str, offset: int, data: bytes) -> None:
        """Write bytes to a device, whatever is on it."""

    def write_boot_code(self, disk: str, sector: bytes, start: int, core: bytes) -> None:
        """Put code into the first sector, whose partition table stays, and more from another on."""


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a text file, or a symbolic link, whose mode then says so as in git (0o120777)."""

    path: str
    old: bytes | None  # None: the file is new
    new: bytes
    why: str
    mode: int | None = None  # for a new file; None: the old one's stays

    kind = "write_file"

    @property
    def is_link(self) -> bool:
        return self.mode is not None and modes.S_ISLNK(self.mode)

    @property
    def creates(self) -> tuple[str, ...]:
        return (self.path,) if self.old is None or self.is_link else ()

    def diff(self) -> str | None:
        """Return the change as a unified diff."""
        return _diff(self.path, self.old, self.new)

    def describe(self) -> str:
        if self.is_link:
            return f"link {self.path} -> {self.new.decode()}"
        return f"{'create' if self.old is None else 'edit'} {self.path}"

    def apply(self, guest: GuestHandle) -> None:
        if self.is_link:
            guest.link(self.path, self.new.decode())
        else:
            guest.write(self.path, self.new, self.mode)


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a file or a symbolic link."""

    path: str
    old: bytes | None  # None: a symbolic link, or not worth reading
    why: str

    kind = "remove_file"
    creates = ()

    def diff(self) -> str | None:
        return None if self.old is None else _diff(self.path, self.old, None)

    def describe(self) -> str:
        return f"remove {self.path}"

    def apply(self, guest: GuestHandle) -> None:
        guest.remove(self.path)


@dataclass(frozen=True, slots=True)
class UploadFile:
    """Put a binary file into the guest; it has a size, not a diff."""

    path: str
    data: bytes
    why: str
    mode: int | None = None  # for a new file; None: the old one's stays

    kind = "upload_file"

    @property
    def creates(self) -> tuple[str, ...]:
        return () if self.mode is None else (self.path,)

    def diff(self) -> str | None:
        return None

    def describe(self) -> str:
        return f"upload {self.path} ({len(self.data):,} bytes)"

    def apply(self, guest: GuestHandle) -> None:
        guest.write(self.path, self.data, self.mode)


@dataclass(frozen=True, slots=True)
class UploadFolder:
    """Put many binary files into a folder, in one go."""

    path: str
    files: Mapping[str, bytes]  # by their names in the folder
    why: str

    kind = "upload_folder"

    @property
    def creates(self) -> tuple[str, ...]:
        return tuple(posixpath.join(self.path, name) for name in self.files)

    def diff(self) -> str | None:
        return None

    def describe(self) -> str:
        size = sum(map(len, self.files.values()))
        return f"upload {self.path}/ ({len(self.files)} files, {size:,} bytes)"

    def apply(self, guest: GuestHandle) -> None:
        guest.fill(self.path, self.files)


@dataclass(frozen=True, slots=True)
class WriteBootCode:
    """Write what a BIOS starts to a disk, outside of its file systems."""

    disk: str  # libguestfs's name
    sector: bytes  # the first one; the disk's own partition table stays
    start: int  # the sector that the rest begins at
    core: bytes
    why: str

    kind = "write_boot_code"
    creates = ()

    def diff(self) -> str | None:
        return None

    def describe(self) -> str:
        last = self.start + len(self.core) // 512 - 1
        return f"write boot code to {self.disk}: sector 0, and {self.start} to {last}"

    def apply(self, guest: GuestHandle) -> None:
        guest.write_boot_code(self.disk, self.sector, self.start, self.core)


@dataclass(frozen=True, slots=True)
class WriteDevice:
    """Write some bytes to a device, outside of its files."""

    device: str  # libguestfs's name
    offset: int  # in bytes
    old: bytes
    new: bytes
    why: str

    kind = "write_device"
    creates = ()

    def diff(self) -> str:
        at = f"@@ byte {self.offset} of {self.device} @@"
        return f"{at}\n-{self.old.hex(' ')}\n+{self.new.hex(' ')}\n"

    def describe(self) -> str:
        last = self.offset + len(self.new) - 1
        return f"write bytes {self.offset} to {last} of {self.device}"

    def apply(self, guest: GuestHandle) -> None:
        guest.write_device(self.device, self.offset, self.new)


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run one of the guest's own programs in the guest's root."""

    argv: tuple[str, ...]
    why: str
    makes: str | None = None  # a path that must exist afterwards, all that it changes for good

    kind = "run_command"

    @property
    def creates(self) -> tuple[str, ...]:
        return () if self.makes is None else (self.makes,)

    def diff(self) -> str | None:
        return None

    def describe(self) -> str:
        return f"run {shlex.join(self.argv)}"

    def apply(self, guest: GuestHandle) -> None:
        guest.run(self.argv, self.makes)


@dataclass(frozen=True, slots=True)
class SetLabels:
    """Give SELinux labels to files, folders and symbolic links."""

    labels: Mapping[str, str]  # path to label
    why: str

    kind = "set_labels"
    creates = ()

    def diff(self) -> str | None:
        """Return the labels, a path a line."""
        return "".join(f"{path} {label}\n" for path, label in self.labels.items())

    def describe(self) -> str:
        return f"label {len(self.labels)} new files and folders"

    def apply(self, guest: GuestHandle) -> None:
        for path, label in self.labels.items():
            guest.label(path, label)


@dataclass(frozen=True, slots=True)
class SetRegistry:
    """Set or remove values of a registry key, or remove the key with all that is below it."""

    path: str  # the hive
    original: bytes = field(repr=False)  # the whole hive, before any change
    key: str
    old: Mapping[str, Value | None]  # None: there was none
    new: Mapping[str, Value | None] | None  # None: the key goes
    why: str
    below: tuple[str, ...] = ()  # keys that go with it

    kind = "set_registry"
    creates = ()

    def diff(self) -> str:
        """Return the change as a unified diff of .reg files, without places."""
        name = posixpath.basename(self.path).upper()
        if self.new is None:
            gone = [f"-[{name}\\{key}]" for key in (self.key, *self.below)]
            return "\n".join([*gone[:1], *_values("-", self.old), *gone[1:], ""])
        head = f" [{name}\\{self.key}]"
        lines = [line for value in self.new for line in self._lines(value)]
        return "\n".join([head, *lines, ""])

    def _lines(self, name: str) -> list[str]:
        assert self.new is not None
        return _values("-", {name: self.old.get(name)}) + _values("+", {name: self.new[name]})

    def describe(self) -> str:
        does = "remove" if self.new is None else "set"
        return f"{does} {posixpath.basename(self.path).upper()}\\{self.key}"

    def apply(self, guest: GuestHandle) -> None:
        guest.edit_hive(self.path, self.original, self._edit)

    def _edit(self, hive: Hive) -> None:
        if self.new is None:
            hive.remove(self.key)
        else:
            hive.set(self.key, self.new)


def _quote(name: str) -> str:
    return f'"{quoted(name)}"' if name else "@"


def _values(sign: str, values: Mapping[str, Value | None]) -> list[str]:
    return [f"{sign}{_quote(name)}={value}" for name, value in values.items() if value is not None]


# ``creates`` are the paths of what is there anew afterwards, on inodes of its own.
Change = (
    WriteFile | RemoveFile | UploadFile | UploadFolder | WriteBootCode | WriteDevice | RunCommand
    | SetLabels | SetRegistry
)  # fmt: skip


def _diff(path: str, old: bytes | None, new: bytes | None) -> str:
    before, after = (
        [] if text is None else text.decode(errors="backslashreplace").splitlines(keepends=True)
        for text in (old, new)
    )
    lines = difflib.unified_diff(
        before,
        after,
        "/dev/null" if old is None else f"a{path}",
        "/dev/null" if new is None else f"b{path}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
