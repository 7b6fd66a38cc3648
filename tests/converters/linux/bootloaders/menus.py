# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of a few files, to find boot loaders in."""

from __future__ import annotations

from collections.abc import Mapping

from v2v.changes import Draft, WriteFile
from v2v.files import DictFiles, Link
from v2v.model import Filesystem, Firmware, Guest, OsType

Content = Mapping[str, bytes | str | Link]


def guest(distro: str = "debian", arch: str = "x86_64", **partitions: str) -> Guest:
    """A guest with a root on /dev/sda3, and partitions of VFAT by mount points: efi="/boot/efi"."""
    mounted = dict(zip(partitions.values(), ("/dev/sda1", "/dev/sda2"), strict=False))
    return Guest(
        type=OsType.linux,
        distro=distro,
        version="1",
        product=distro,
        arch=arch,
        firmware=Firmware.efi if partitions else Firmware.bios,
        root="/dev/sda3",
        mountpoints={"/": "/dev/sda3", **mounted},
        filesystems=tuple(Filesystem(device, "vfat", None, None) for device in mounted.values()),
        disks=("/dev/sda",),
        grub_disks=("/dev/sda",),
    )


def drafted(content: Content) -> Draft:
    """A draft of a guest with these files."""
    return Draft(DictFiles(content))


def changed(draft: Draft) -> dict[str, str]:
    """The files that a draft writes, as they will be."""
    paths = [change.path for change in draft.changes if isinstance(change, WriteFile)]
    return {path: draft.text(path) for path in sorted(set(paths))}
