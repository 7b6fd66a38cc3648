# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of which there is nothing but disk images: their configuration is made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from v2v.disks.parallels import DESCRIPTOR
from v2v.model import Disk, Display, Hypervisor, Machine, Network, NetworkKind, Nic
from v2v.sources import image_content, xml
from v2v.sources.identity import image_path, name_from_file

name = "disk"
about = "one or more disk images, without a configuration"

_MEMORY = 2048 * 1024 * 1024


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is a disk image."""
    return image_content.is_disk(head) or xml.root_name(head) == "Parallels_disk_image"


def read(paths: Sequence[Path]) -> Machine:
    """Return a guest of these images. The images are not opened."""
    disks = tuple(
        Disk(image_path(f"{path}", path.parent, path.name), format=None) for path in paths
    )
    # A disk of Parallels is a folder.
    called = paths[0].parent if paths[0].name == DESCRIPTOR else paths[0]
    return made(disks, name_from_file(called), paths[0].parent)


def made(disks: tuple[Disk, ...], called: str, folder: Path) -> Machine:
    """Return a guest with these disks."""
    return Machine(
        kind=name,
        hypervisor=Hypervisor.unknown,
        name=called,
        memory_bytes=_MEMORY,
        vcpus=1,
        disks=disks,
        folder=folder,
        features=("acpi", "apic", "pae"),
        nics=(Nic(mac=None, model=None, network=Network(NetworkKind.network, "default")),),
        display=Display("window"),
    )
