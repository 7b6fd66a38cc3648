# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every boot loader has: a menu of entries that start kernels, and one that is the default."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest, Kernel

# What a file's arguments of a kernel become: the file, the arguments, and whether an initramfs is
# loaded with them.
Edit = Callable[[str, str, bool], str]
# Applies the last two of that to all that is in a text of one kind.
Editor = Callable[[str, Callable[[str, bool], str]], str]

_DEVICE = re.compile(r"^\([^)]*\)")  # GRUB's (hd0,1) and ($root)
_MICROCODE = re.compile(r"ucode|microcode")


@dataclass(frozen=True, slots=True)
class Entry:
    """A menu entry that starts a Linux kernel."""

    name: str  # what makes it the default
    title: str
    image: str  # without symbolic links; as the entry names it where there is no such file
    initramfs: str | None  # the one with drivers, not the microcode; None: none, or no such file
    version: str | None = None  # the kernel's, where the entry says it


class Loader(Protocol):
    """A boot loader of a guest: reads the draft as it is, so it knows of earlier edits."""

    @property
    def kind(self) -> Bootloader: ...

    @property
    def config(self) -> str:
        """The file that holds the menu, or says where it is."""

    def entries(self, files: Files) -> tuple[Entry, ...]:
        """Return the entries that start a kernel, in their order."""

    def default(self, files: Files) -> Entry | None:
        """Return what is started when nobody touches a key; None if that is no kernel."""

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        """Edit the arguments of all kernels, wherever the loader takes them from."""

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        """Make an entry the default, now and after the guest makes its menu anew."""


def text(files: Files, path: str) -> str:
    """Return a file's text, empty if there is none."""
    try:
        return files.read(path).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def edit_file(draft: Draft, path: str, editor: Editor, edit: Edit, why: str) -> None:
    """Edit the arguments in a file, if there is one."""
    if draft.is_file(path):
        draft.write(path, editor(draft.text(path), partial(edit, path)), why=why)


def mountpoint_of(guest: Guest, path: str) -> str:
    """Return where the file system of a path is mounted."""
    around = [top for top in guest.mountpoints if f"{path}/".startswith(f"{top.rstrip('/')}/")]
    return max(around, key=len, default="/")


def located(files: Files, guest: Guest, config: str, name: str) -> str | None:
    """Return the guest's path of a file that a boot loader's configuration names.

    A boot loader sees file systems, not mounts: the path starts at the top of one, mostly that of
    the configuration or that of /boot; in btrfs with the name of a subvolume. extlinux takes a
    path without a slash from the folder of its configuration.
    """
    name = _DEVICE.sub("", name)
    if not name.startswith("/"):
        return real_file(files, posixpath.join(posixpath.dirname(config), name))
    tops = dict.fromkeys((mountpoint_of(guest, config), "/boot", "/"))
    tried = [posixpath.join(top, name.lstrip("/")) for top in tops]
    _, boot, below = name.rpartition("/boot/")
    if boot:
        tried.append(f"/boot/{below}")
    return next((real for path in tried if (real := real_file(files, path))), None)


def entry(
    files: Files,
    guest: Guest,
    config: str,
    *,
    name: str,
    title: str,
    image: str,
    initrds: Sequence[str],
    version: str | None = None,
) -> Entry:
    """Return an entry with its files found in the guest."""
    ramdisks = [
        path
        for initrd in initrds
        if not _MICROCODE.search(initrd) and (path := located(files, guest, config, initrd))
    ]
    kernel = located(files, guest, config, image) or _DEVICE.sub("", image)
    return Entry(name, title, kernel, ramdisks[-1] if ramdisks else None, version)


def entry_of(files: Files, entries: Iterable[Entry], kernel: Kernel) -> Entry | None:
    """Return the entry to start a kernel with: one whose title tells its version, or the first.

    The entry at the top of GRUB's menu starts whatever is newest, so it is no lasting default.
    Recovery entries come after those that they are variants of.
    """
    image = real_file(files, kernel.image)
    found = [entry for entry in entries if entry.image == image]
    versioned = [entry for entry in found if kernel.version in entry.title]
    return next(iter(versioned or found), None)
