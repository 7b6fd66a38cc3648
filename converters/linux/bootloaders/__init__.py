# SPDX-License-Identifier: LGPL-2.1-or-later
"""The boot loaders of Linux guests, each behind the interface of `menu.Loader`."""

from __future__ import annotations

from converters.linux.bootloaders.grub2 import Grub2
from converters.linux.bootloaders.grub_legacy import GrubLegacy
from converters.linux.bootloaders.menu import Loader
from v2v.files import Files, real_file
from v2v.model import Guest

_LOADERS: tuple[tuple[str, type[Grub2 | GrubLegacy]], ...] = (
    ("/boot/grub/grub.cfg", Grub2),
    ("/boot/grub2/grub.cfg", Grub2),
    ("/boot/grub/menu.lst", GrubLegacy),
    ("/boot/grub/grub.conf", GrubLegacy),
)


def find(files: Files, guest: Guest) -> tuple[Loader, ...]:
    """Return the guest's boot loaders, the one that starts it first."""
    configs = ((real_file(files, path), kind) for path, kind in _LOADERS)
    return tuple(kind(guest, path) for path, kind in configs if path is not None)[:1]
