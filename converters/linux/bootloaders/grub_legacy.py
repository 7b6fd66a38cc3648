# SPDX-License-Identifier: LGPL-2.1-or-later
"""GRUB legacy, 0.97: menu.lst, or grub.conf as Red Hat calls it. pygrub and PV-GRUB read it too."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from converters.linux.bootloaders import esp, menu
from converters.linux.bootloaders.grub_cfg import followed_by_initrd
from converters.linux.bootloaders.menu import Edit, Entry
from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest

_KERNEL = re.compile(
    r"(?P<head>\s*kernel\s*[\s=]\s*(?P<image>\S+)|#\s*(?:x?kopt(?:_\w+)?|defoptions|altoptions)=)"
    r"(?P<args>.*?)(?P<end>\s*)",
    re.DOTALL,
)  # fmt: skip
_DEFAULT = re.compile(r"^(?P<head>\s*default\s*[\s=]\s*)(?P<value>\w+)", re.MULTILINE)
_CONFIGS = ("/boot/grub/menu.lst", "/boot/grub/grub.conf")


@dataclass(frozen=True, slots=True)
class Title:
    """An entry of the menu; ``image`` is empty if it starts no kernel."""

    name: str
    image: str = ""
    initrds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GrubLegacy:
    """The menu in one configuration of GRUB legacy. Its entries are named by their numbers."""

    guest: Guest
    config: str

    @property
    def kind(self) -> Bootloader:
        return Bootloader.grub_legacy

    def entries(self, files: Files) -> tuple[Entry, ...]:
        found = titles(menu.text(files, self.config))
        return tuple(
            menu.entry(
                *(files, self.guest, self.config),
                name=str(number), title=title.name, image=title.image, initrds=title.initrds,
            )
            for number, title in enumerate(found)
            if title.image
        )  # fmt: skip

    def default(self, files: Files) -> Entry | None:
        saved = menu.text(files, posixpath.join(posixpath.dirname(self.config), "default"))
        number = str(default_number(menu.text(files, self.config), saved))
        return next((entry for entry in self.entries(files) if entry.name == number), None)

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        menu.edit_file(draft, self.config, edited, edit, why)

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        text = with_default(draft.text(self.config), int(entry.name))
        draft.write(self.config, text, why=why)


def edited(text: str, edit: Callable[[str, bool], str]) -> str:
    """Edit the kernels' arguments in a menu.lst, and those that Debian's update-grub keeps there.

    These are in comments: "# kopt=root=... ro".
    """
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        match = _KERNEL.fullmatch(line)
        if match is None:
            continue
        remembered = match["image"] is None
        if remembered or re.search(r"\sroot=", match["args"]):
            initrd = remembered or followed_by_initrd(lines[index + 1 :])
            lines[index] = match["head"] + edit(match["args"], initrd) + match["end"]
    return "".join(lines)


def titles(text: str) -> tuple[Title, ...]:
    """Return all entries of a menu.lst."""
    found: list[Title] = []
    for line in text.splitlines():
        words = line.replace("=", " ", 1).split()
        if words[:1] == ["title"]:
            found.append(Title(" ".join(words[1:])))
        elif words[:1] == ["kernel"] and len(words) > 1 and found:
            found[-1] = replace(found[-1], image=words[1])
        elif words[:1] in (["initrd"], ["module"]) and len(words) > 1 and found:
            found[-1] = replace(found[-1], initrds=(*found[-1].initrds, words[1]))
    return tuple(found)


def default_number(text: str, saved: str) -> int:
    """Return the number of the entry that a menu.lst starts.

    ``saved`` is the file that "default saved" takes the number from.
    """
    match = _DEFAULT.search(text)
    value = match["value"] if match else "0"
    if value == "saved":
        value = saved.strip().partition("\n")[0].strip()
    return int(value) if value.isdigit() else 0


def with_default(text: str, number: int) -> str:
    """Make a menu.lst start the title of that number."""
    if _DEFAULT.search(text):
        return _DEFAULT.sub(lambda match: f"{match['head']}{number}", text, count=1)
    return f"default {number}\n{text}"


def find(files: Files, guest: Guest, *, efi: bool) -> tuple[GrubLegacy, ...]:
    """Return all menus of GRUB legacy; that of RHEL 6 is on the EFI system partition, with UEFI."""
    partition = esp.find(files, guest) if efi else None
    folders = () if partition is None else esp.vendors(files, guest, partition)
    paths = (*(esp.look_up(files, folder, "grub.conf") for folder in folders), *_CONFIGS)
    real = dict.fromkeys(real_file(files, path) for path in paths)
    return tuple(GrubLegacy(guest, path) for path in real if path is not None)


def installed(files: Files) -> bool:
    """Tell whether a BIOS may start GRUB legacy: its second stage is there."""
    return "stage2" in files.listdir("/boot/grub")
