# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts GRUB where a BIOS starts it, for guests that never had it there."""

from __future__ import annotations

import re

from converters.linux import grub_menu
from converters.linux.conversion import Conversion
from v2v.changes import Draft
from v2v.devices import boot_disk
from v2v.model import Guest

_CONFIG = "/boot/grub/grub.cfg"
_INSTALL = "/usr/sbin/grub-install"
_PLATFORM = "/usr/lib/grub/i386-pc"
_MKCONFIG = "/usr/sbin/grub-mkconfig"
_DEBCONF = "/var/cache/debconf/config.dat"
_GRUB_DEVICES = re.compile(
    r"^(?P<head>Name: grub-pc/install_devices\n(?:[^\n]+\n)*?Value: )(?P<value>[^\n]+)$",
    re.MULTILINE,
)


def _partitioned_boot_disk(guest: Guest) -> str | None:
    """Return libguestfs's name of the boot disk; None if its file system leaves GRUB no room."""
    number = boot_disk(guest)
    device = guest.mountpoints.get("/boot", guest.mountpoints.get("/", guest.root))
    return None if number is None or device in guest.disks else guest.disks[number]


def write_menu(draft: Draft, conversion: Conversion) -> None:
    """Have a menu for GRUB 2 where the guest has a menu.lst alone and needs boot code.

    pygrub and PV-GRUB read menu.lst; the GRUB that a BIOS starts does not.
    """
    if not _needs_boot_code(conversion) or _partitioned_boot_disk(conversion.guest) is None:
        return
    text = draft.text(_CONFIG) if draft.is_file(_CONFIG) else ""
    if grub_menu.entries(text):
        return
    if draft.is_file(_MKCONFIG) and draft.is_file(f"{_PLATFORM}/boot.img"):
        why = "GRUB 2 needs a menu of its own; it cannot read menu.lst"
        draft.run("grub-mkconfig", "-o", _CONFIG, why=why, makes=_CONFIG)
    else:
        draft.block(
            "E-GRUB-MENU",
            f"{_CONFIG}: there is no menu that GRUB could start a kernel from",
            hint="install grub-pc in the guest and run update-grub, then convert again",
        )


def install_boot_code(draft: Draft, conversion: Conversion) -> None:
    """Install GRUB into the first sectors of the boot disk, where a BIOS starts it.

    Xen's pygrub and PV-GRUB read the menu from outside, so such disks have no code to start.
    """
    if not _needs_boot_code(conversion):
        return
    guest = conversion.guest
    disk = _partitioned_boot_disk(guest)
    why = "a BIOS starts what is in the disk's first sector, and there is nothing"
    if disk is None:
        draft.block(
            "E-GRUB-MISSING",
            f"{guest.mountpoints.get('/boot', guest.root)}: no disk has GRUB in its first sector, "
            "and this file system is on no partition of one, so that there is no room for it",
            hint="move the guest to a partitioned disk, or keep its kernel outside",
        )
    elif draft.is_file(_INSTALL) and draft.is_file(f"{_PLATFORM}/boot.img"):
        draft.run(
            *("grub-install", "--target=i386-pc", "--no-floppy", disk),
            why=why, makes="/boot/grub/i386-pc/core.img",
        )  # fmt: skip
    else:
        draft.block(
            "E-GRUB-MISSING",
            f"{disk}: it has no GRUB in its first sector, and the guest has no grub-install "
            "for a BIOS",
            hint="install grub-pc in the guest (or grub-pc-bin and grub2-common), then convert",
        )


def _needs_boot_code(conversion: Conversion) -> bool:
    guest = conversion.guest
    return not conversion.efi and not guest.grub_disks and bool(guest.kernels)


def upgrade_boot_code_later(draft: Draft, conversion: Conversion) -> None:
    """Tell Debian's grub-pc the boot disk's new name.

    It installs itself again at each upgrade, on the disks that debconf has noted; one that is not
    there makes the upgrade of the package fail.
    """
    guest = conversion.guest
    disk = _partitioned_boot_disk(guest)
    if disk is None or "grub-pc" not in conversion.packages or not draft.is_file(_DEBCONF):
        return
    new = conversion.names.of_disk(guest.disks.index(disk))

    def change(match: re.Match[str]) -> str:
        devices = [device.strip() for device in match["value"].split(",")]
        old = [device for device in devices if conversion.names.depends(device)]
        return match["head"] + new if old else match[0]

    text = _GRUB_DEVICES.sub(change, draft.text(_DEBCONF))
    draft.write(_DEBCONF, text, why="an upgrade of grub-pc must find the boot disk")
