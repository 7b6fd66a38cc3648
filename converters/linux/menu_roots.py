# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of disks in GRUB's own menus, for a file system that has come into a partition.

Xen's pygrub and PV-GRUB read the menu of a guest whose disk is a file system: its root is (hd0).
With a partition table in front of it that is (hd0,0) to GRUB legacy and (hd0,msdos1) to GRUB 2.
"""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from v2v.changes import Draft
from v2v.model import Bootloader

# Not of setup and install, which mean the disk. Debian's update-grub keeps its own in a comment.
_LEGACY = re.compile(
    r"^(?P<head>[ \t]*(?:root|rootnoverify|kernel|initrd|module|configfile|splashimage)[ \t=]"
    r"[^\n]*?|\#[ \t]*groot=)\(hd(?P<disk>\d+)\)",
    re.MULTILINE,
)
_GRUB2 = re.compile(
    r"(?P<head>\bset[ \t]+root=['\"]?\(?hd|--hint(?:-\w+)?[= ]['\"]?hd)"
    r"(?P<disk>\d+)(?P<end>\)?['\"]?(?=\s))"
)


def enter_partition(draft: Draft, conversion: Conversion) -> None:
    """Have the menus look into partition 1 of a disk that the guest knew without partitions."""
    wrapped = {at for at, disk in enumerate(conversion.machine.disks) if disk.wrapped}
    if not wrapped:
        return

    def legacy(match: re.Match[str]) -> str:
        inside = ",0" if int(match["disk"]) in wrapped else ""
        return f"{match['head']}(hd{match['disk']}{inside})"

    def grub2(match: re.Match[str]) -> str:
        inside = ",msdos1" if int(match["disk"]) in wrapped else ""
        return f"{match['head']}{match['disk']}{inside}{match['end']}"

    for loader in conversion.loaders:
        text = draft.text(loader.config)
        if loader.kind is Bootloader.grub_legacy:
            text = _LEGACY.sub(legacy, text)
        elif loader.kind in (Bootloader.grub2, Bootloader.grub2_bls):
            text = _GRUB2.sub(grub2, text)
        draft.write(loader.config, text, why="what was a whole disk is its first partition now")
