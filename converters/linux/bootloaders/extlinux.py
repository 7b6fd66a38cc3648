# SPDX-License-Identifier: LGPL-2.1-or-later
"""extlinux and syslinux: labels in extlinux.conf or syslinux.cfg, syslinux(1) and doc/syslinux.txt.

Keywords know no case. Names of files are relative to the folder of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from converters.linux.bootloaders import assignments, menu
from converters.linux.bootloaders.menu import Edit, Entry
from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest

_CONFIGS = (
    "/boot/extlinux/extlinux.conf", "/boot/extlinux.conf", "/extlinux.conf",
    "/boot/syslinux/extlinux.conf", "/boot/syslinux/syslinux.cfg", "/boot/syslinux.cfg",
    "/syslinux/syslinux.cfg", "/syslinux.cfg",
)  # fmt: skip
_LINE = re.compile(
    r"^(?P<head>[ \t]*(?P<key>menu[ \t]+(?:default|include|label)\b|\w+)[ \t]*)(?P<value>[^\n]*?)"
    r"(?P<end>[ \t\r]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_PROGRAM = re.compile(r"\.(c32|com|cbt|bss|bs|img|0)$")
_MAX_INCLUDES = 16
# What the configuration is made from: the files, and what names the default label there.
_SOURCES = (("/etc/update-extlinux.conf", "default"), ("/etc/default/extlinux", "EXTLINUX_DEFAULT"))


@dataclass(slots=True)
class _Label:
    name: str
    kernel: str = ""
    initrds: tuple[str, ...] = ()


@dataclass(slots=True)
class _Menu:
    """What a configuration says, with what it includes; filled line by line."""

    labels: list[_Label] = field(default_factory=list)
    chosen: dict[str, str] = field(default_factory=dict)  # by ontimeout, menu default and default


@dataclass(frozen=True, slots=True)
class Extlinux:
    """The menu of one configuration. Entries are named by their labels."""

    guest: Guest
    config: str

    @property
    def kind(self) -> Bootloader:
        return Bootloader.extlinux

    def _paths(self, files: Files) -> tuple[str, ...]:
        """Return the configuration and all that it includes, in the order of reading."""
        found: list[str] = []
        todo = [self.config]
        while todo and len(found) < _MAX_INCLUDES:
            path = todo.pop(0)
            if path in found:
                continue
            found.append(path)
            for key, value in _lines(menu.text(files, path)):
                target = menu.located(files, self.guest, self.config, value)
                if key in ("include", "menu include") and target is not None:
                    todo.append(target)
        return tuple(found)

    def _menu(self, files: Files) -> _Menu:
        read = _Menu()
        for path in self._paths(files):
            for key, value in _lines(menu.text(files, path)):
                _take(read, key, value)
        return read

    def entries(self, files: Files) -> tuple[Entry, ...]:
        return tuple(
            menu.entry(
                *(files, self.guest, self.config),
                name=label.name, title=label.name, image=label.kernel, initrds=label.initrds,
            )
            for label in self._menu(files).labels
            if label.kernel
        )  # fmt: skip

    def default(self, files: Files) -> Entry | None:
        read = self._menu(files)
        labels = {label.name for label in read.labels}
        names = [read.chosen.get(key) for key in ("ontimeout", "menu default", "default")]
        listed = self.entries(files)
        name = next((name for name in names if name in labels), None)
        first = next(iter(listed), None) if name is None else None
        return next((entry for entry in listed if entry.name == name), first)

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        for path in self._paths(draft):
            menu.edit_file(draft, path, edited, edit, why)

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        read = self._menu(draft)
        labels = frozenset(label.name for label in read.labels)
        marked = "menu default" in read.chosen
        for path in self._paths(draft):
            text = with_default(draft.text(path), labels, entry.name, marked=marked)
            draft.write(path, text, why=why)
        for path, key in _SOURCES:
            if draft.is_file(path):
                draft.write(path, assignments.set_value(draft.text(path), key, entry.name), why=why)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    for match in _LINE.finditer(text):
        yield _key(match), match["value"]


def _key(match: re.Match[str]) -> str:
    return " ".join(match["key"].lower().split())


def _take(read: _Menu, key: str, value: str) -> None:
    label = read.labels[-1] if read.labels else None
    if key == "label":
        read.labels.append(_Label(value))
    elif key in ("default", "ontimeout"):
        read.chosen[key] = value.split()[0] if value else ""
    elif label is None:
        return
    elif key in ("linux", "kernel") and value:
        # menu.c32 and the like are programs, others are boot sectors.
        label.kernel = (
            "" if re.search(r"\.(c32|com|cbt|bss|bs|img|0)$", value) else value.split()[0]
        )
    elif key == "initrd":
        label.initrds = tuple(value.split(","))
    elif key == "append":
        found = re.findall(r"(?<!\S)initrd=(\S+)", value)
        label.initrds = label.initrds or tuple(path for one in found for path in one.split(","))
    elif key == "menu default":
        read.chosen[key] = label.name


def edited(text: str, edit: Callable[[str, bool], str]) -> str:
    """Edit the arguments of each kernel that is given a root."""
    initrd = re.search(r"^[ \t]*initrd[ \t]|(?<!\S)initrd=", text, re.MULTILINE | re.IGNORECASE)

    def change(match: re.Match[str]) -> str:
        if match["key"].lower() != "append" or not re.search(r"(?<!\S)root=", match["value"]):
            return match[0]
        return match["head"] + edit(match["value"], initrd is not None) + match["end"]

    return _LINE.sub(change, text)


def with_default(text: str, labels: frozenset[str], name: str, *, marked: bool) -> str:
    """Make a configuration start a label, wherever it names the one to start.

    A "default" that is no label is the program that shows the menu, and stays. ``marked``: the
    menu marks the label to start with "menu default".
    """
    lines = []
    for line in text.splitlines(keepends=True):
        match = _LINE.fullmatch(line.rstrip("\n"))
        key = _key(match) if match else ""
        if match and key in ("default", "ontimeout") and match["value"] in labels:
            line = f"{match['head']}{name}{match['end']}\n"
        if key != "menu default":
            lines.append(line)
        if match and key == "label" and match["value"] == name and marked:
            lines.append("  MENU DEFAULT\n")
    return "".join(lines)


def find(files: Files, guest: Guest) -> tuple[Extlinux, ...]:
    """Return all menus of extlinux or syslinux."""
    real = dict.fromkeys(real_file(files, path) for path in _CONFIGS)
    return tuple(Extlinux(guest, path) for path in real if path is not None)
