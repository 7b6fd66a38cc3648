# SPDX-License-Identifier: LGPL-2.1-or-later
"""The boot loaders of Linux guests, each behind the interface of `menu.Loader`."""

from __future__ import annotations

from converters.linux.bootloaders import extlinux, grub2, grub_legacy, systemd_boot
from converters.linux.bootloaders.menu import Loader
from v2v.files import Files
from v2v.model import Guest


def find(files: Files, guest: Guest, *, efi: bool) -> tuple[Loader, ...]:
    """Return the guest's boot loaders, the one that starts it first.

    Others may be the live one as well, or become it, so that they are edited too.
    """
    new: tuple[Loader, ...] = grub2.find(files, guest, efi=efi)
    old: tuple[Loader, ...] = grub_legacy.find(files, guest, efi=efi)
    other: tuple[Loader, ...] = (
        systemd_boot.find(files, guest) if efi else extlinux.find(files, guest)
    )
    new_code = any(grub2.installed(files, folder) for folder in grub2.FOLDERS)
    old_first = not efi and grub_legacy.installed(files) and not new_code
    grubs = (*old, *new) if old_first else (*new, *old)
    found = (*other, *grubs) if efi or not (new_code or guest.grub_disks) else (*grubs, *other)
    with_kernels = tuple(loader for loader in found if loader.entries(files))
    return with_kernels or found
