# SPDX-License-Identifier: LGPL-2.1-or-later
"""Understands GRUB's menus, as far as a converter must: grub.cfg as grub-mkconfig writes it, the
environment block, and GRUB legacy's menu.lst. Edits keep every byte that need not change.

A menu entry is named by a path through submenus, "submenu>entry"; each part is an id, a title or
a number (GRUB manual, "default").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ENV_BYTES = 1024  # of an environment block; GRUB writes to its sectors, so its size must stay
_ENV_HEAD = "# GRUB Environment Block\n"

_ENTRY = re.compile(
    r"\s*(?P<kind>menuentry|submenu)\s+(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<bare>\S+))"
    r"(?:.*(?:--id|\$\{?menuentry_id_option\}?)\s+['\"]?(?P<id>[^'\"\s{]+))?.*\{\s*"
)
_OPENS = re.compile(r"^(?!\s*#).*\{\s*$")
_LINUX = re.compile(
    r"(?P<head>\s*(?:linux(?:16|efi)?|module2?)\s+(?P<image>\S+))(?P<args>.*?)(?P<end>\s*)",
    re.DOTALL,
)
_INITRD = re.compile(r"\s*(?:initrd(?:16|efi)?|module2?)\s+(?P<image>\S+).*", re.DOTALL)
_DEFAULT = re.compile(
    r"^(?P<head>\s*set\s+default=)(?P<value>\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.MULTILINE
)
_LEGACY_KERNEL = re.compile(
    r"(?P<head>\s*kernel\s*[\s=]\s*(?P<image>\S+)|#\s*(?:x?kopt(?:_\w+)?|defoptions|altoptions)=)"
    r"(?P<args>.*?)(?P<end>\s*)",
    re.DOTALL,
)  # fmt: skip
_LEGACY_DEFAULT = re.compile(r"^(?P<head>\s*default\s*[\s=]\s*)(?P<value>\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A menu entry that starts a Linux kernel."""

    path: tuple[str, ...]  # ids, or titles where there are none
    titles: tuple[str, ...]
    numbers: tuple[int, ...]
    image: str  # as the entry names it: maybe relative to /boot's own file system
    initrd: str | None

    def is_named(self, name: str) -> bool:
        """Tell whether a default names this entry, or a submenu that starts with it."""
        parts = name.split(">")
        own = list(zip(self.path, self.titles, map(str, self.numbers), strict=True))
        named = all(part in names for part, names in zip(parts, own, strict=False))
        return named and not any(self.numbers[len(parts) :])


def entries(text: str) -> tuple[Entry, ...]:
    """Return the entries of a grub.cfg that start a kernel, in their order."""
    found = []
    # Each open brace: title, id, number and how many entries it holds so far; None for functions.
    stack: list[tuple[str, str, int] | None] = []
    counts = [0]
    image: str | None = None
    initrd: str | None = None
    for line in text.splitlines():
        match = _ENTRY.fullmatch(line)
        if match:
            title = match["single"] or match["double"] or match["bare"] or ""
            stack.append((title, match["id"] or title, counts[-1]))
            counts[-1] += 1
            counts.append(0)
            image = initrd = None
        elif _OPENS.match(line):
            stack.append(None)
        elif line.strip() == "}" and stack:
            closed = stack.pop()
            if closed is not None:
                counts.pop()
                if image is not None:
                    menus = [*(menu for menu in stack if menu is not None), closed]
                    titles, ids, numbers = zip(*menus, strict=True)
                    found.append(Entry(ids, titles, numbers, image, initrd))
                image = initrd = None
        elif linux := _LINUX.fullmatch(line):
            if image is None and "xen" not in linux["image"].rpartition("/")[2].split("-")[0]:
                image = linux["image"]
        elif ramdisk := _INITRD.fullmatch(line):
            initrd = ramdisk["image"]
    return tuple(found)


def default_entry(text: str, environment: Mapping[str, str]) -> Entry | None:
    """Return what a grub.cfg starts when nobody touches a key; None if it starts no kernel."""
    listed = entries(text)
    for match in reversed(list(_DEFAULT.finditer(text))):
        value = match["value"].strip("\"'")
        if value == "${saved_entry}":
            value = environment.get("saved_entry", "0")
        if "$" not in value:
            # A default that names nothing makes GRUB start the first entry.
            return next((entry for entry in listed if entry.is_named(value)), _first(listed))
    return _first(listed)


def _first(listed: tuple[Entry, ...]) -> Entry | None:
    return listed[0] if listed else None


def uses_saved(text: str) -> bool:
    """Tell whether the default of a grub.cfg is read from the environment block."""
    return any("saved_entry" in match["value"] for match in _DEFAULT.finditer(text))


def set_default(text: str, name: str) -> str:
    """Make a grub.cfg start the named entry; lines that copy a variable stay."""

    def change(match: re.Match[str]) -> str:
        return match[0] if "$" in match["value"] else f'{match["head"]}"{name}"'

    return _DEFAULT.sub(change, text)


def edit_linux(text: str, edit: Callable[[str, bool], str]) -> str:
    """Edit the arguments of each kernel that is given a root; others are memory tests and such.

    ``edit`` gets the arguments and whether an initramfs is loaded with them.
    """
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        match = _LINUX.fullmatch(line)
        if match and re.search(r"\sroot=", match["args"]):
            initrd = _followed_by_initrd(lines[index + 1 :])
            lines[index] = match["head"] + edit(match["args"], initrd) + match["end"]
    return "".join(lines)


def _followed_by_initrd(lines: list[str]) -> bool:
    for line in lines:
        if _INITRD.fullmatch(line):
            return True
        if line.strip() == "}" or line.lstrip().startswith(("menuentry", "title")):
            return False
    return False


# The environment block.


def read_environment(data: str) -> dict[str, str]:
    """Return the variables of an environment block; a backslash makes the next character plain."""
    found = {}
    for line in data.splitlines():
        key, assigned, value = line.partition("=")
        if assigned and not line.startswith("#"):
            found[key] = re.sub(r"\\(.)", r"\1", value)
    return found


def set_in_environment(data: str, key: str, value: str) -> str | None:
    """Return an environment block of the same size with the variable set; None if it is full."""
    size = len(data) or ENV_BYTES
    lines = [
        line.rstrip("#")  # the padding follows the last line, with or without an end of line
        for line in data.splitlines()
        if line.strip("#") and not line.startswith(f"{key}=")
    ]
    escaped = value.replace("\\", "\\\\")
    text = "".join(f"{line}\n" for line in (*(lines or [_ENV_HEAD.rstrip()]), f"{key}={escaped}"))
    return text.ljust(size, "#") if len(text) <= size else None


# GRUB legacy.


def edit_legacy(text: str, edit: Callable[[str, bool], str]) -> str:
    """Edit the kernels' arguments in a menu.lst, and those that Debian's update-grub keeps there.

    These are in comments: "# kopt=root=... ro".
    """
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        match = _LEGACY_KERNEL.fullmatch(line)
        if match is None:
            continue
        remembered = match["image"] is None
        if remembered or re.search(r"\sroot=", match["args"]):
            initrd = remembered or _followed_by_initrd(lines[index + 1 :])
            lines[index] = match["head"] + edit(match["args"], initrd) + match["end"]
    return "".join(lines)


def legacy_images(text: str) -> tuple[str, ...]:
    """Return each title's kernel image, empty for one that starts none."""
    found: list[str] = []
    for line in text.splitlines():
        words = line.replace("=", " ", 1).split()
        if words[:1] == ["title"]:
            found.append("")
        elif words[:1] == ["kernel"] and len(words) > 1 and found:
            found[-1] = re.sub(r"^\([^)]*\)", "", words[1])
    return tuple(found)


def legacy_default(text: str) -> str | None:
    """Return the kernel image that a menu.lst starts, None if it starts none."""
    match = _LEGACY_DEFAULT.search(text)
    number = int(match["value"]) if match and match["value"].isdigit() else 0
    images = legacy_images(text)
    return images[number] or None if number < len(images) else None


def set_legacy_default(text: str, number: int) -> str:
    """Make a menu.lst start the title of that number."""
    if _LEGACY_DEFAULT.search(text):
        return _LEGACY_DEFAULT.sub(lambda match: f"{match['head']}{number}", text, count=1)
    return f"default {number}\n{text}"
