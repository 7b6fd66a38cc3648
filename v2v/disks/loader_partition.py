# SPDX-License-Identifier: LGPL-2.1-or-later
"""An EFI system partition for a disk that is composed: GRUB, where UEFI starts it by itself.

grub-mkimage(1) makes the program of this host's GRUB. Its configuration beside it looks for the
guest's own menu on the partitions of its disk, and then on all volumes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from v2v.disks.image import Image
from v2v.errors import CommandError, SourceError
from v2v.model import DiskFormat
from v2v.run import run

_GRUB = Path("/usr/lib/grub/x86_64-efi")
_BYTES = 64 << 20
_FOLDER = "/EFI/BOOT"
_PROGRAM = "BOOTX64.EFI"  # UEFI specification 2.10, 3.5.1.1
# What a menu may use before GRUB has its folder, and with it the rest of its modules.
_MODULES = (
    *("part_gpt", "part_msdos", "lvm", "mdraid09", "mdraid1x", "diskfilter"),
    *("fat", "ext2", "xfs", "btrfs", "reiserfs", "jfs", "f2fs", "gzio"),
    *("search", "search_fs_file", "search_fs_uuid", "search_label", "regexp", "test"),
    *("normal", "configfile", "linux", "boot", "echo", "sleep", "minicmd", "loadenv"),
    *("all_video", "efi_gop", "serial", "terminal"),
)
_CONFIG = """\
# Written by v2v: leads to the menu that the guest has.
regexp --set=1:disk '^\\(?([a-z]+[0-9]+),' "$root"
for part in {parts}; do
    for folder in /boot/grub /boot/grub2 /grub /grub2; do
        if [ -f "($disk,gpt$part)$folder/grub.cfg" ]; then
            set root="$disk,gpt$part"
            set prefix="($root)$folder"
            configfile "$prefix/grub.cfg"
        fi
    done
done
for folder in /boot/grub /boot/grub2 /grub /grub2; do
    if search --no-floppy --file --set=root "$folder/grub.cfg"; then
        set prefix="($root)$folder"
        configfile "$prefix/grub.cfg"
    fi
done
echo "no menu of GRUB was found"
sleep 60
"""


def make(path: Path, parts: Iterable[int], serial: int) -> Image:
    """Make the partition as a raw image; the guest's own partitions are ``parts``, by number.

    ``serial`` is that of its FAT. Raises SourceError without GRUB for UEFI on this host.
    """
    if not _GRUB.is_dir():
        raise SourceError(
            "E-FIRMWARE",
            f"{_GRUB}: this host has no GRUB for UEFI to put into the guest's disk",
            hint="apt-get install grub-efi-amd64-bin; or leave --firmware efi out",
        )
    program, config = path.with_suffix(".efi"), path.with_suffix(".cfg")
    config.write_text(_CONFIG.format(parts=" ".join(map(str, parts))))
    kibibytes = str(_BYTES >> 10)
    try:
        run(
            *("grub-mkimage", "-O", _GRUB.name, "-d", _GRUB, "-p", _FOLDER, "-o", program),
            *_MODULES,
        )
        run("mkfs.vfat", "-F", "32", "-i", f"{serial:08x}", "-n", "EFI", "-C", path, kibibytes)
        run("mmd", "-i", path, "::/EFI", f"::{_FOLDER}")
        run("mcopy", "-i", path, program, f"::{_FOLDER}/{_PROGRAM}")
        run("mcopy", "-i", path, config, f"::{_FOLDER}/grub.cfg")
    except CommandError as error:
        raise SourceError("E-FIRMWARE", f"{path.name}: it cannot be made: {error}") from error
    return Image(path, DiskFormat.raw, _BYTES, path.stat().st_blocks * 512)
