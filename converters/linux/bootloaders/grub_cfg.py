# SPDX-License-Identifier: LGPL-2.1-or-later
"""Understands GRUB 2's menu, grub.cfg, as grub-mkconfig writes it; edits keep all other bytes.

A menu entry is named by a path through submenus, "submenu>entry"; each part is an id, a title or
a number (GRUB manual, "default").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

_ENTRY = re.compile(
    r"\s*(?P<kind>menuentry|submenu)\s+(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>\S+))"
    r"(?:.*(?:--id|\$\{?menuentry_id_option\}?)\s+['\"]?(?P<id>[^'\"\s{]+))?.*\{\s*"
)
_OPENS = re.compile(r"^(?!\s*#).*\{\s*$")
_LINUX = re.compile(
    r"(?P<head>\s*(?:linux(?:16|efi)?|module2?)\s+(?P<image>\S+))(?P<args>.*?)(?P<end>\s*)",
    re.DOTALL,
)
_INITRD = re.compile(
    r"\s*(?:initrd(?:16|efi)?|module2?)\s+(?:--\w+\s+)*(?P<images>[^\s#].*?)\s*", re.DOTALL
)
_DEFAULT = re.compile(
    r"^(?P<head>\s*set\s+default=)(?P<value>\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.MULTILINE
)

_BLSCFG = re.compile(r"^\s*blscfg\b", re.MULTILINE)
# What entries of the Boot Loader Specification have as $kernelopts where grubenv has none.
_KERNELOPTS = re.compile(r"^(?P<head>\s*set\s+kernelopts=\")(?P<args>[^\"\n]*)", re.MULTILINE)
_PREFIX = re.compile(r"^\s*set\s+prefix=(?P<path>\S+)", re.MULTILINE)
_INCLUDE = re.compile(r"^\s*(?:configfile|source|\.)\s+(?P<path>\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A menu entry that starts a Linux kernel."""

    path: tuple[str, ...]  # ids, or titles where there are none
    titles: tuple[str, ...]
    numbers: tuple[int, ...]
    image: str  # as the entry names it: maybe relative to /boot's own file system
    initrds: tuple[str, ...]
    version: str | None = None  # of the kernel, where the entry says it

    def behind(self, count: int) -> MenuEntry:
        """Return this entry as it is when so many others come before it."""
        return replace(self, numbers=(self.numbers[0] + count, *self.numbers[1:]))

    def is_named(self, name: str) -> bool:
        """Tell whether a default names this entry, or a submenu that starts with it."""
        parts = name.split(">")
        own = list(zip(self.path, self.titles, map(str, self.numbers), strict=True))
        named = all(part in names for part, names in zip(parts, own, strict=False))
        return named and not any(self.numbers[len(parts) :])


def entries(text: str) -> tuple[MenuEntry, ...]:
    """Return the entries of a grub.cfg that start a kernel, in their order."""
    found = []
    # Each open brace: title, id, number and how many entries it holds so far; None for functions.
    stack: list[tuple[str, str, int] | None] = []
    counts = [0]
    image: str | None = None
    initrds: tuple[str, ...] = ()
    for line in text.splitlines():
        match = _ENTRY.fullmatch(line)
        if match:
            title = match["single"] or match["double"] or match["bare"] or ""
            stack.append((title, match["id"] or title, counts[-1]))
            counts[-1] += 1
            counts.append(0)
            image, initrds = None, ()
        elif _OPENS.match(line):
            stack.append(None)
        elif line.strip() == "}" and stack:
            closed = stack.pop()
            if closed is not None:
                counts.pop()
                if image is not None:
                    menus = [*(menu for menu in stack if menu is not None), closed]
                    titles, ids, numbers = zip(*menus, strict=True)
                    found.append(MenuEntry(ids, titles, numbers, image, initrds))
                image, initrds = None, ()
        elif image is None and (linux := _LINUX.fullmatch(line)):
            if "xen" not in linux["image"].rpartition("/")[2].split("-")[0]:
                image = linux["image"]
        elif ramdisk := _INITRD.fullmatch(line):
            initrds = tuple(ramdisk["images"].split())
    return tuple(found)


def default_entry(
    listed: Sequence[MenuEntry], text: str, environment: Mapping[str, str]
) -> MenuEntry | None:
    """Return what a grub.cfg starts of its entries when nobody touches a key."""
    first = next(iter(listed), None)
    for match in reversed(list(_DEFAULT.finditer(text))):
        value = match["value"].strip("\"'")
        if value == "${saved_entry}":
            value = environment.get("saved_entry", "0")
        if "$" not in value:
            # A default that names nothing makes GRUB start the first entry.
            return next((entry for entry in listed if entry.is_named(value)), first)
    return first


def uses_saved(text: str) -> bool:
    """Tell whether the default of a grub.cfg is read from the environment block."""
    return any("saved_entry" in match["value"] for match in _DEFAULT.finditer(text))


def with_default(text: str, name: str) -> str:
    """Make a grub.cfg start the named entry; lines that copy another variable stay."""

    def change(match: re.Match[str]) -> str:
        value = match["value"].strip("\"'")
        copies = "$" in value and value != "${saved_entry}"
        return match[0] if copies else f'{match["head"]}"{name}"'

    return _DEFAULT.sub(change, text)


def uses_bls(text: str) -> bool:
    """Tell whether a grub.cfg has GRUB read entries of the Boot Loader Specification."""
    return _BLSCFG.search(text) is not None


def forwards_to(text: str) -> str | None:
    """Return the configuration that a grub.cfg without entries hands over to, as it names it.

    The EFI system partition of Fedora, RHEL 9, SUSE, Debian and others has such a one, with
    "configfile $prefix/grub.cfg" or "source".
    """
    if entries(text) or uses_bls(text):
        return None
    found = [match["path"] for match in _INCLUDE.finditer(text)]
    prefix = [match["path"] for match in _PREFIX.finditer(text)]
    if not found:
        return None
    path = re.sub(r"\$(prefix\b|\{prefix\})", lambda _: prefix[-1] if prefix else "", found[-1])
    return re.sub("[\"']", "", path)  # Debian quotes a part: ($root)'/boot/grub'


def edit_linux(text: str, edit: Callable[[str, bool], str]) -> str:
    """Edit the arguments of each kernel that is given a root; others are memory tests and such.

    ``edit`` gets the arguments and whether an initramfs is loaded with them.
    """
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        match = _LINUX.fullmatch(line)
        if match and re.search(r"\sroot=", match["args"]):
            initrd = followed_by_initrd(lines[index + 1 :])
            lines[index] = match["head"] + edit(match["args"], initrd) + match["end"]
    return _KERNELOPTS.sub(lambda match: match["head"] + edit(match["args"], True), "".join(lines))


def followed_by_initrd(lines: Sequence[str]) -> bool:
    """Tell whether an initramfs is loaded further down in the same entry."""
    for line in lines:
        if _INITRD.fullmatch(line):
            return True
        if line.strip() == "}" or line.lstrip().startswith(("menuentry", "title")):
            return False
    return False
