# SPDX-License-Identifier: LGPL-2.1-or-later
"""GRUB 2: the menu in grub.cfg, its environment block, and what both are made from."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from converters.linux.bootloaders import (
    assignments,
    bls,
    esp,
    grub_cfg,
    grub_environment,
    menu,
)
from converters.linux.bootloaders.bls import BlsEntry
from converters.linux.bootloaders.grub_cfg import MenuEntry
from converters.linux.bootloaders.menu import Edit, Entry
from converters.linux.bootloaders.versions import Key, rpm_key
from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest

# Entries that people write: the sources of grub.cfg's last part.
_OWN_ENTRIES = ("/etc/grub.d/40_custom", "/etc/grub.d/41_custom")

_SOURCE = "/etc/default/grub"  # of a menu that has no default saved
FOLDERS = ("/boot/grub", "/boot/grub2")
_ENTRIES = "/boot/loader/entries"
_FOLLOWED = 3  # configurations that hand over to one another


@dataclass(frozen=True, slots=True)
class Grub2:
    """The menu in one grub.cfg."""

    guest: Guest
    config: str
    kind: Bootloader  # grub2_bls if it has entries of the Boot Loader Specification

    @property
    def environment(self) -> str:
        """The environment block that this menu reads."""
        return posixpath.join(posixpath.dirname(self.config), "grubenv")

    def _menu(self, files: Files) -> tuple[MenuEntry, ...]:
        """Return all entries; those of the Boot Loader Specification come first."""
        known = sorted(self._bls(files), key=_age, reverse=True)
        first = tuple(
            MenuEntry(
                *((found.id,), (found.value("title"),), (number,)),
                image=found.value("linux"),
                initrds=tuple(" ".join(found.values.get("initrd", ())).split()),
                version=found.value("version") or None,
            )
            for number, found in enumerate(known)
        )
        listed = grub_cfg.entries(menu.text(files, self.config))
        return (*first, *(found.behind(len(first)) for found in listed))

    def _bls(self, files: Files) -> tuple[BlsEntry, ...]:
        return bls.read(files, _ENTRIES) if self.kind is Bootloader.grub2_bls else ()

    def entries(self, files: Files) -> tuple[Entry, ...]:
        return tuple(self._entry(files, found) for found in self._menu(files))

    def _entry(self, files: Files, found: MenuEntry) -> Entry:
        return menu.entry(
            *(files, self.guest, self.config),
            name=">".join(found.path), title=found.titles[-1], image=found.image,
            initrds=found.initrds, version=found.version,
        )  # fmt: skip

    def default(self, files: Files) -> Entry | None:
        variables = grub_environment.read(menu.text(files, self.environment))
        text = menu.text(files, self.config)
        found = grub_cfg.default_entry(self._menu(files), text, variables)
        return None if found is None else self._entry(files, found)

    def edit(self, draft: Draft, edit: Edit, why: str) -> None:
        own = posixpath.join(posixpath.dirname(self.config), "custom.cfg")  # read at boot
        for path in (self.config, *_OWN_ENTRIES, own):
            menu.edit_file(draft, path, grub_cfg.edit_linux, edit, why)
        for found in self._bls(draft):
            menu.edit_file(draft, found.path, bls.edited, edit, why)
        self._edit_environment(draft, edit, why)

    def _edit_environment(self, draft: Draft, edit: Edit, why: str) -> None:
        """Edit "kernelopts", from which entries of the Boot Loader Specification take theirs."""
        data = menu.text(draft, self.environment)
        old = grub_environment.read(data).get("kernelopts")
        if old is None:
            return
        new = edit(self.environment, old, True)
        block = grub_environment.with_value(data, "kernelopts", new)
        if new != old and block is not None:
            draft.write(self.environment, block, why=why)
        elif new != old:
            draft.warn(
                "W-GRUBENV", f"{self.environment}: it has no room for the new kernel arguments"
            )

    def set_default(self, draft: Draft, entry: Entry, why: str) -> None:
        text = draft.text(self.config)
        if grub_cfg.uses_saved(text):
            data = menu.text(draft, self.environment)
            block = grub_environment.with_value(data, "saved_entry", entry.name)
            if block is not None:
                draft.write(self.environment, block, why=why)
                return
        draft.write(self.config, grub_cfg.with_default(text, entry.name), why=why)
        if draft.is_file(_SOURCE):
            new = assignments.set_value(draft.text(_SOURCE), "GRUB_DEFAULT", entry.name)
            draft.write(_SOURCE, new, why=why)


def _age(found: BlsEntry) -> tuple[Key, ...]:
    """Return what sorts entries as blscfg does: name, version and release, as rpm sorts them."""
    return tuple(rpm_key(part) for part in found.id.rsplit("-", 2))


def find(files: Files, guest: Guest, *, efi: bool) -> tuple[Grub2, ...]:
    """Return all menus of GRUB 2 that may be the live one, the likeliest first.

    With UEFI GRUB reads the configuration beside it on the EFI system partition, which may hand
    over to another file. With a BIOS it reads the one in the folder of its modules.
    """
    folders = sorted(FOLDERS, key=lambda folder: not installed(files, folder))
    paths = [posixpath.join(folder, "grub.cfg") for folder in folders]
    if efi:
        paths = [*_on_partition(files, guest), *paths]
    real = dict.fromkeys(_followed(files, guest, path) for path in paths)
    return tuple(
        Grub2(guest, path, _kind(menu.text(files, path))) for path in real if path is not None
    )


def _kind(text: str) -> Bootloader:
    return Bootloader.grub2_bls if grub_cfg.uses_bls(text) else Bootloader.grub2


def installed(files: Files, folder: str) -> bool:
    """Tell whether a BIOS may start the GRUB 2 that has its modules in a folder."""
    return "i386-pc" in files.listdir(folder)


def _on_partition(files: Files, guest: Guest) -> tuple[str, ...]:
    """Return where GRUB's configuration is looked for on the EFI system partition."""
    partition = esp.find(files, guest)
    if partition is None:
        return ()
    folders = (*esp.vendors(files, guest, partition), esp.look_up(files, partition, "EFI/BOOT"))
    return tuple(esp.look_up(files, folder, "grub.cfg") for folder in folders)


def _followed(files: Files, guest: Guest, path: str) -> str | None:
    """Return the configuration that a configuration leads to, None if it leads to no file."""
    for _ in range(_FOLLOWED):
        real = real_file(files, path)
        target = None if real is None else grub_cfg.forwards_to(menu.text(files, real))
        if real is None or target is None:
            return real
        path = menu.located(files, guest, real, target) or ""
    return None
