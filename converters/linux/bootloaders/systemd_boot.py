# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd-boot, and unified kernel images that the firmware starts without it.

It reads loader/loader.conf, loader/entries/*.conf (type #1 entries) and EFI/Linux/*.efi (unified
images, type #2 entries) from the EFI system partition, and entries from the boot partition as well:
systemd-boot(7), loader.conf(5), uapi-group.org UAPI.1.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from dataclasses import dataclass

from converters.linux.bootloaders import bls, esp, menu
from converters.linux.bootloaders.menu import Edit, Entry
from converters.linux.bootloaders.versions import uapi_key
from drivers import uki
from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest

_DEFAULT = re.compile(r"^[ \t]*default[ \t]+(?P<value>\S+)[ \t]*$", re.MULTILINE)
_VERSIONS = ("IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID")
_MAGIC = b"LoaderInfo: systemd-boot"
# Debian's and Fedora's packages have it there until bootctl installs it.
_PACKAGED = "/usr/lib/systemd/boot/efi"


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry with what the menu is sorted by."""

    entry: Entry
    id: str
    sort_key: str
    machine: str
    version: str
    bad: bool


@dataclass(frozen=True, slots=True)
class SystemdBoot:
    """The menu of systemd-boot. Entries are named by their files, without boot counters."""

    guest: Guest
    partitions: tuple[str, ...]  # where the EFI system partition and the boot partition are

    @property
    def kind(self) -> Bootloader:
        return Bootloader.systemd_boot

    @property
    def config(self) -> str:
        return posixpath.join(self.partitions[0], "loader/loader.conf")

    def entries(self, files: Files) -> tuple[Entry, ...]:
        found = [
            listed
            for partition in self.partitions
            for listed in (*self._texts(files, partition), *_images(files, partition))
        ]
        # The last sort counts most, and each keeps the order of those before where it sees none.
        found.sort(key=lambda one: uapi_key(one.id), reverse=True)
        found.sort(key=lambda one: uapi_key(one.version) if one.sort_key else (), reverse=True)
        found.sort(key=lambda one: (one.bad, not one.sort_key, one.sort_key, one.machine))
        return tuple(one.entry for one in found)

    def _texts(self, files: Files, partition: str) -> list[_Listed]:
        return [
            _Listed(
                entry=found.entry(files, self.guest, f"{found.id}.conf"),
                id=found.id,
                sort_key=found.value("sort-key"),
                machine=found.value("machine-id"),
                version=found.value("version"),
                bad=found.bad,
            )
            for found in bls.read(files, esp.look_up(files, partition, "loader/entries"))
        ]

    def default(self, files: Files) -> Entry | None:
        """Return the first that the pattern fits; @saved is a variable of the old firmware."""
        listed = self.entries(files)
        patterns = [match["value"].lower() for match in self._defaults(files)]
        fitting = (
            entry
            for entry in listed
            if patterns and fnmatch.fnmatchcase(entry.name.lower(), patterns[-1])
        )
        return next(fitting, next(iter(listed), None))

    def _defaults(self, files: Files) -> list[re.Match[str]]:
        return list(_DEFAULT.finditer(menu.text(files, self.config)))

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        for partition in self.partitions:
            for found in bls.read(draft, esp.look_up(draft, partition, "loader/entries")):
                menu.edit_file(draft, found.path, bls.edited, edit, why)

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        text = menu.text(draft, self.config)
        if matches := self._defaults(draft):
            start, end = matches[-1].span("value")
            new = text[:start] + entry.name + text[end:]
        else:
            new = f"default {entry.name}\n{text}"
        draft.write(self.config, new, why=why)


def _images(files: Files, partition: str) -> list[_Listed]:
    """Return the unified images on a partition; their os-release says what they are sorted by."""
    found = []
    folder = esp.look_up(files, partition, "EFI/Linux")
    for name in files.listdir(folder):
        path = posixpath.join(folder, name)
        named = bls.id_of(name, ".efi")
        image = unified(files, path) if named else None
        if named and image:
            said = image.os_release
            listed = _Listed(
                entry=_unified_entry(path, f"{named[0]}.efi", image),
                id=named[0],
                sort_key=said.get("IMAGE_ID") or said.get("ID", ""),
                machine="",
                version=next((said[key] for key in _VERSIONS if key in said), ""),
                bad=named[1],
            )
            found.append(listed)
    return found


def _unified_entry(path: str, name: str, image: uki.Uki) -> Entry:
    title = f"{image.os_release.get('PRETTY_NAME', '')} {image.uname}"
    return Entry(name, title, path, None, image.uname or None)


def unified(files: Files, path: str) -> uki.Uki | None:
    """Return what is in a unified kernel image, None if a path leads to no such thing."""
    try:
        return uki.parse(files.read(path))
    except (FileNotFoundError, uki.UkiError):
        return None


@dataclass(frozen=True, slots=True)
class Unified:
    """A unified kernel image without a boot loader: there is no menu and nothing to edit."""

    config: str  # the image

    @property
    def kind(self) -> Bootloader:
        return Bootloader.uki

    def entries(self, files: Files) -> tuple[Entry, ...]:
        image = unified(files, self.config)
        return () if image is None else (_unified_entry(self.config, self.config, image),)

    def default(self, files: Files) -> Entry | None:
        return next(iter(self.entries(files)), None)

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        """Do nothing: the arguments are signed with the image."""

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        """Do nothing: it is the only one."""


def program(files: Files, guest: Guest, partition: str) -> str | None:
    """Return the path of systemd-boot itself: installed, else as its package has it."""
    name = f"systemd-boot{esp.suffix(guest)}.efi"
    return esp.program(files, esp.look_up(files, partition, "EFI/systemd"), name) or real_file(
        files, posixpath.join(_PACKAGED, name)
    )


def find(files: Files, guest: Guest) -> tuple[SystemdBoot | Unified, ...]:
    """Return systemd-boot if the target's firmware comes to start it, or else a lone image.

    Of the firmware's own entries none are left, so it starts the fallback program. Where that is
    missing, it is made from what is there.
    """
    partition = esp.find(files, guest)
    if partition is None:
        return ()
    menu_of = SystemdBoot(guest, (partition, *_boot_partition(guest, partition)))
    fallback = esp.fallback(files, guest, partition)
    if real_file(files, fallback):
        if unified(files, fallback):
            return (Unified(fallback),)
        # shim starts the program beside it that is called like GRUB.
        beside = esp.look_up(files, posixpath.dirname(fallback), f"grub{esp.suffix(guest)}.efi")
        return (menu_of,) if _is_started(files, (fallback, beside)) else ()
    if esp.grub_folder(files, guest, partition) or not menu_of.entries(files):
        return ()
    if program(files, guest, partition):
        return (menu_of,)
    images = (entry.image for entry in menu_of.entries(files))
    return tuple(Unified(image) for image in images if unified(files, image))[:1]


def _boot_partition(guest: Guest, partition: str) -> tuple[str, ...]:
    """Return where the boot partition is, if there is one that systemd-boot can read."""
    device = guest.mountpoints.get("/boot", "")
    found = guest.filesystem(device)
    readable = found is not None and found.type == "vfat"
    return ("/boot",) if readable and device != guest.mountpoints[partition] else ()


def _is_started(files: Files, programs: tuple[str, ...]) -> bool:
    return any(
        _MAGIC in uki.sections(files.read(path)).get(".sdmagic", b"")
        for path in programs
        if real_file(files, path)
    )
