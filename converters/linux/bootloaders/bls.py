# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entries of type #1 of the Boot Loader Specification, which GRUB's blscfg and systemd-boot read.

Each is a file in loader/entries: a key and a value on each line (uapi-group.org, UAPI.1).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from converters.linux.bootloaders import menu
from converters.linux.bootloaders.menu import Entry
from v2v.files import Files
from v2v.model import Guest

_NAME = re.compile(r"(?P<id>.+?)(?:\+(?P<left>\d+)(?:-\d+)?)?(?P<end>\.\w+)")
_LINE = re.compile(r"^[ \t]*(?P<key>[a-z][\w-]*)[ \t]+(?P<value>[^\n]*?)[ \t]*$", re.MULTILINE)
_OPTIONS = re.compile(r"^(?P<head>[ \t]*options[ \t]+)(?P<args>[^\n]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BlsEntry:
    """One file of entries."""

    path: str
    id: str  # the file's name without .conf and counters
    values: Mapping[str, tuple[str, ...]]
    bad: bool  # boot counting has no tries left

    def value(self, key: str) -> str:
        """Return the value of a key, empty if it is not there."""
        return next(iter(self.values.get(key, ())), "")

    def entry(self, files: Files, guest: Guest, name: str) -> Entry:
        """Return this as an entry of a menu, under the name that makes it the default."""
        return menu.entry(
            *(files, guest, self.path),
            name=name, title=f"{self.value('title')} {self.value('version')} {self.id}",
            image=self.value("linux"), version=self.value("version") or None,
            initrds=[path for value in self.values.get("initrd", ()) for path in value.split()],
        )  # fmt: skip


def id_of(name: str, ending: str) -> tuple[str, bool] | None:
    """Return the id in a file's name, and whether boot counting has no tries left for it.

    The tries that are left, and those done, are behind the id: x+3-1.conf. None: it is no entry.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["end"].lower() != ending:
        return None
    return match["id"], match["left"] is not None and int(match["left"]) == 0


def read(files: Files, folder: str) -> tuple[BlsEntry, ...]:
    """Return the entries in a folder that start a kernel, in no order that means anything."""
    found = []
    for name in files.listdir(folder):
        named = id_of(name, ".conf")
        path = posixpath.join(folder, name)
        values: dict[str, tuple[str, ...]] = {}
        for line in _LINE.finditer(menu.text(files, path)) if named else ():
            values[line["key"]] = (*values.get(line["key"], ()), line["value"])
        if named and "linux" in values:
            found.append(BlsEntry(path, named[0], values, named[1]))
    return tuple(found)


def edited(text: str, change: Callable[[str, bool], str]) -> str:
    """Edit the arguments in an entry; $kernelopts and the like stay."""
    initrd = re.search(r"^[ \t]*initrd[ \t]", text, re.MULTILINE) is not None
    return _OPTIONS.sub(lambda match: match["head"] + change(match["args"], initrd), text)
