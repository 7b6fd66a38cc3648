# SPDX-License-Identifier: LGPL-2.1-or-later
"""The EFI system partition: where it is, and whose files are on it. Its names know no case."""

from __future__ import annotations

import posixpath

from v2v.files import Files, real_file
from v2v.model import Guest

# Distributions whose folder below EFI has another name than their own ID.
_FOLDERS = {"rhel": "redhat", "ol": "redhat", "scientific": "redhat", "linuxmint": "ubuntu",
            "sled": "sles"}  # fmt: skip
_NO_VENDOR = frozenset({"boot", "linux", "systemd", "microsoft", "tools"})


def find(files: Files, guest: Guest) -> str | None:
    """Return where the EFI system partition is mounted, None if it is not."""
    for mountpoint, device in sorted(guest.mountpoints.items()):
        found = guest.filesystem(device)
        if found is not None and found.type == "vfat":
            folder = look_up(files, mountpoint, "EFI")
            if posixpath.basename(folder) in files.listdir(mountpoint):
                return mountpoint
    return None


def look_up(files: Files, top: str, path: str) -> str:
    """Return a path below a folder as it is written there; what is absent stays as given."""
    for name in path.split("/"):
        there = {other.lower(): other for other in files.listdir(top)}
        top = posixpath.join(top, there.get(name.lower(), name))
    return top


def vendors(files: Files, guest: Guest, partition: str) -> tuple[str, ...]:
    """Return the folders of distributions, that of the guest's own first."""
    top = look_up(files, partition, "EFI")
    mine = _FOLDERS.get(guest.distro, guest.distro)
    names = [name for name in files.listdir(top) if name.lower() not in _NO_VENDOR]
    # openSUSE's ID is opensuse-leap, its folder opensuse.
    names.sort(key=lambda name: not mine.startswith(name.lower()))
    return tuple(posixpath.join(top, name) for name in names)


def suffix(guest: Guest) -> str:
    """Return what UEFI calls the guest's architecture (specification 2.10, 3.5.1.1)."""
    return {"x86_64": "x64", "aarch64": "aa64"}.get(guest.arch, "ia32")


def fallback(files: Files, guest: Guest, partition: str) -> str:
    """Return where the program is, or must be, that UEFI starts when it knows of no other."""
    return look_up(files, partition, f"EFI/BOOT/BOOT{suffix(guest).upper()}.EFI")


def program(files: Files, folder: str, *names: str) -> str | None:
    """Return the first of the programs that is in a folder."""
    paths = (look_up(files, folder, name) for name in names)
    return next((path for path in paths if real_file(files, path)), None)


def grub_program(files: Files, guest: Guest, folder: str) -> str | None:
    """Return the GRUB in a folder; SUSE's and GRUB legacy's have no architecture in the name."""
    return program(files, folder, f"grub{suffix(guest)}.efi", "grub.efi")


def grub_folder(files: Files, guest: Guest, partition: str) -> str | None:
    """Return the folder of the distribution that has a GRUB for UEFI."""
    folders = vendors(files, guest, partition)
    return next((folder for folder in folders if grub_program(files, guest, folder)), None)
