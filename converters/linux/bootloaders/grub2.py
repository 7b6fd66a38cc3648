# SPDX-License-Identifier: LGPL-2.1-or-later
"""GRUB 2: the menu in grub.cfg, its environment block, and what both are made from."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from converters.linux.bootloaders import grub_cfg, grub_defaults, grub_environment, menu
from converters.linux.bootloaders.grub_cfg import MenuEntry
from converters.linux.bootloaders.menu import Edit, Entry
from v2v.changes import Draft
from v2v.files import Files
from v2v.model import Bootloader, Guest

# Entries that people write: the sources of grub.cfg's last part.
_OWN_ENTRIES = ("/etc/grub.d/40_custom", "/etc/grub.d/41_custom")


@dataclass(frozen=True, slots=True)
class Grub2:
    """The menu in one grub.cfg."""

    guest: Guest
    config: str

    @property
    def kind(self) -> Bootloader:
        return Bootloader.grub2

    @property
    def environment(self) -> str:
        """The environment block that this menu reads."""
        return posixpath.join(posixpath.dirname(self.config), "grubenv")

    def _menu(self, files: Files) -> tuple[MenuEntry, ...]:
        return grub_cfg.entries(menu.text(files, self.config))

    def entries(self, files: Files) -> tuple[Entry, ...]:
        return tuple(self._entry(files, found) for found in self._menu(files))

    def _entry(self, files: Files, found: MenuEntry) -> Entry:
        return menu.entry(
            *(files, self.guest, self.config),
            name=">".join(found.path), title=found.titles[-1], image=found.image,
            initrds=found.initrds,
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
        if draft.is_file(grub_defaults.PATH):
            new = grub_defaults.set_value(
                draft.text(grub_defaults.PATH), "GRUB_DEFAULT", entry.name
            )
            draft.write(grub_defaults.PATH, new, why=why)
