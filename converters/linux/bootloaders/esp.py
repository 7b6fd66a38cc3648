# SPDX-License-Identifier: LGPL-2.1-or-later
"""The EFI system partition: where it is, and whose files are on it. Its names know no case."""

from __future__ import annotations

import posixpath

from v2v.files import Files
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
