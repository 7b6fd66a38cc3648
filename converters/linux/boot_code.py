# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts GRUB where a BIOS starts it, for guests that never had it there.

Xen's pygrub and PV-GRUB read the menu from outside. What grub-install would do in the guest is
done here from its own package's files, and no program of the guest runs.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from converters.linux.conversion import Conversion
from converters.linux.disks import warn_unknown
from converters.linux.kernel_cmdline import (
    rename_disks,
    with_serial,
    without_xen,
    xen_console_to_serial,
)
from drivers import grub_image
from drivers.grub_image import GrubImageError, Platform
from v2v.changes import Draft
from v2v.devices import boot_disk
from v2v.model import Bootloader, Filesystem, Guest

_PLATFORMS = ("/usr/lib/grub/i386-pc", "/usr/share/grub2/i386-pc")  # Debian's and Fedora's; SUSE's
HOST = Path("/")
_EFI = HOST / "usr/lib/grub/x86_64-efi"  # those that the loader of a composed disk is made of
_WHY_MODULES = "GRUB loads the rest of itself from beside its menu"
_MODULES = re.compile(r".+\.(mod|lst|img)")
_FILE_SYSTEMS = {
    "ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "xfs": "xfs", "btrfs": "btrfs",
    "vfat": "fat", "reiserfs": "reiserfs", "jfs": "jfs", "f2fs": "f2fs",
}  # fmt: skip
_ALWAYS = ("biosdisk", "part_msdos", "part_gpt", "search_fs_uuid")
_VOLUMES = ("lvm", "mdraid09", "mdraid1x")
_LILO = "/etc/lilo.conf"
_DEBCONF = "/var/cache/debconf/config.dat"
_GRUB_DEVICES = re.compile(
    r"^(?P<head>Name: grub-pc/install_devices\n(?:[^\n]+\n)*?Value: )(?P<value>[^\n]+)$",
    re.MULTILINE,
)
_LEGACY_MENU = """\
# Written by v2v: the menu of this guest is {name}, and GRUB 2 shows it.
insmod legacycfg
legacy_configfile $prefix/{name}
"""
_MENU = "# Written by v2v, for want of a menu; update-grub makes another.\nset timeout=5\n"
_ENTRY = """\
menuentry 'Linux {version}' {{
\tsearch --no-floppy --fs-uuid --set=root {uuid}
\tlinux {image} {arguments}
{initrd}}}
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a guest's path is: a file system, and the path in it as GRUB sees it."""

    filesystem: Filesystem
    path: str
    disk: str | None  # that it is a partition of; None: it is on LVM or md


def write_menu(draft: Draft, conversion: Conversion) -> None:
    """Have a menu for GRUB 2 where a guest needs boot code and has none that this reads.

    The menu.lst of pygrub and PV-GRUB is kept, since the guest's packages keep it up to date.
    """
    guest = conversion.guest
    config = f"{_folder(guest)}/grub.cfg"
    if not _needs_menu(conversion) or _disk_number(guest, _place(guest, config)) is None:
        return
    if _menu_text(draft, config).strip() and not conversion.new_menu:
        return  # what it does may be more than is understood here
    if guest.bootloader is Bootloader.grub_legacy and guest.bootloader_config is not None:
        name = posixpath.basename(guest.bootloader_config)
        menu = _LEGACY_MENU.format(name=name)
    else:
        menu = _menu(draft, conversion)
    if menu:
        draft.write(config, menu, why="GRUB 2 needs a menu of its own to start from")
    else:
        draft.block(
            "E-GRUB-MENU",
            f"{config}: there is no menu that GRUB could start a kernel from, and the root file "
            "system has no UUID to make one with",
            hint="install grub-pc in the guest and run update-grub, then convert again",
        )


def _menu_text(draft: Draft, config: str) -> str:
    return draft.text(config) if draft.is_file(config) else ""


def _menu(draft: Draft, conversion: Conversion) -> str:
    """Return a menu of the kernels that there are, started as the old hypervisor started them."""
    guest = conversion.guest
    root, boot = guest.filesystem(guest.root), _place(guest, "/boot")
    if root is None or root.uuid is None or boot is None or boot.filesystem.uuid is None:
        return ""
    arguments = source_arguments(draft, conversion)
    menu = _MENU
    for kernel in sorted(guest.kernels, key=lambda kernel: kernel != conversion.kernel):
        initramfs = posixpath.basename(kernel.initramfs) if kernel.initramfs else ""
        menu += _ENTRY.format(
            version=kernel.version,
            uuid=boot.filesystem.uuid,
            image=posixpath.join(boot.path, posixpath.basename(kernel.image)),
            arguments=arguments,
            initrd=f"\tinitrd {posixpath.join(boot.path, initramfs)}\n" if initramfs else "",
        )
    return menu


def source_arguments(draft: Draft, conversion: Conversion) -> str:
    """Return the arguments that the old host gave to the kernel, as they are right on KVM."""
    guest = conversion.guest
    said = conversion.machine.boot.cmdline if conversion.machine.boot else None
    arguments = without_xen(said or "", xen_guest=conversion.xen)
    edited = rename_disks(arguments, conversion.names, by_uuid=True)
    warn_unknown(draft, "the kernel's arguments in the source", edited.unknown)
    arguments = edited.text
    root = guest.filesystem(guest.root)
    if root is not None and root.uuid and not re.search(r"(^|\s)root=", arguments):
        arguments = f"root=UUID={root.uuid} ro {arguments}".rstrip()
    return with_serial(xen_console_to_serial(arguments), screen_last=conversion.asks_passphrase)


def install_boot_code(draft: Draft, conversion: Conversion) -> None:
    """Write GRUB to the first sectors of the boot disk, where a BIOS starts it.

    GRUB's modules go beside its menu, as grub-install puts them there.
    """
    guest = conversion.guest
    folder = _folder(guest)
    if conversion.own_loader and guest.kernels:
        modules = {path.name: path.read_bytes() for path in sorted(_EFI.iterdir())
                   if _MODULES.fullmatch(path.name)}  # fmt: skip
        draft.upload_folder(f"{folder}/{_EFI.name}", modules, why=_WHY_MODULES)
    if not _needs_boot_code(conversion):
        return
    place = _place(guest, folder)
    number = _disk_number(guest, place)
    area = guest.boot_areas[number] if number is not None else None
    if place is None or number is None or area is None:
        draft.block(
            "E-GRUB-MISSING",
            f"{guest.mountpoints.get('/boot', guest.root)}: no disk has GRUB in its first sector, "
            "and this file system is on no partition of one, so that there is no room for it",
            hint="move the guest to a partitioned disk, or keep its kernel outside",
        )
        return
    disk = guest.disks[number]
    try:
        platform = _platform(draft)
        if "blscfg" in _menu_text(draft, f"{folder}/grub.cfg") and "blscfg.mod" not in platform:
            raise GrubImageError("the menu is of Fedora's kind, and this GRUB cannot read that")
        core = _core(platform, place, area.start)
        sector = grub_image.boot_sector(platform, area.start)
        if len(core) > area.count * grub_image.SECTOR:
            raise GrubImageError(
                f"it takes {len(core) // grub_image.SECTOR} sectors, and {area.count} are free "
                "before the first partition"
            )
    except GrubImageError as error:
        draft.block(
            "E-GRUB-MISSING",
            f"{disk}: it has no GRUB in its first sector, and none can be put there: {error}",
            hint="install grub-pc in the guest (or grub-pc-bin on this host), then convert again",
        )
        return
    modules = {name: data for name, data in platform.items() if _MODULES.fullmatch(name)}
    draft.upload_folder(f"{folder}/i386-pc", modules, why=_WHY_MODULES)
    why = "a BIOS starts what is in the disk's first sector, and there is nothing"
    draft.write_boot_code(disk, sector, area.start, core, why=why)


def _core(platform: Platform, place: _Place, start: int) -> bytes:
    """Return GRUB's core image, which finds its folder by the UUID of the file system."""
    filesystem = place.filesystem
    if filesystem.type not in _FILE_SYSTEMS:
        raise GrubImageError(f"GRUB does not read {filesystem.type}")
    if filesystem.uuid is None:
        raise GrubImageError(f"{filesystem.device} has no UUID to find it by")
    volumes = () if place.disk else _VOLUMES
    modules = (*_ALWAYS, *volumes, _FILE_SYSTEMS[filesystem.type])
    find = f"search.fs_uuid {filesystem.uuid} root\nset prefix=($root)'{place.path}'\n"
    return grub_image.core_image(platform, modules, find, place.path, start)


def _platform(draft: Draft) -> Platform:
    """Return GRUB's files for a BIOS: the guest's own, else this host's."""
    for folder in _PLATFORMS:
        names = draft.listdir(folder)
        if set(grub_image.NEEDED) <= set(names):
            return {name: draft.read(f"{folder}/{name}") for name in names}
    for host in (HOST / folder[1:] for folder in _PLATFORMS):
        if all((host / name).is_file() for name in grub_image.NEEDED):
            return {path.name: path.read_bytes() for path in host.iterdir() if path.is_file()}
    raise GrubImageError("neither the guest nor this host has GRUB 2 for a BIOS")


def _needs_boot_code(conversion: Conversion) -> bool:
    guest = conversion.guest
    outside = conversion.efi or conversion.keeps_direct_boot
    if outside or not guest.kernels or _starts_extlinux(conversion):
        return False
    return conversion.new_menu or not guest.grub_disks


def _needs_menu(conversion: Conversion) -> bool:
    return _needs_boot_code(conversion) or (
        conversion.own_loader and bool(conversion.guest.kernels)
    )


def _starts_extlinux(conversion: Conversion) -> bool:
    """Tell whether extlinux is the loader: its code is in the partition's first sectors."""
    first = conversion.loaders[:1]
    return bool(first) and first[0].kind is Bootloader.extlinux


def check_loader(draft: Draft, conversion: Conversion) -> None:
    """Say which loaders cannot start the converted guest, or are not known."""
    guest = conversion.guest
    if conversion.new_menu and conversion.efi and not conversion.own_loader:
        draft.block(
            "E-KERNEL-MENU",
            f"{guest.product}: the menu of its UEFI loader has no kernel that runs on KVM",
            hint="install an ordinary kernel in the guest before it is converted",
        )
    elif conversion.new_menu:
        return
    elif draft.is_file(_LILO) and not conversion.loaders:
        draft.block(
            "E-LILO",
            f"{_LILO}: LILO starts kernels by the sectors that they are in, which change as soon "
            "as an initramfs is written",
            hint="install GRUB in the guest in place of LILO, then convert again",
        )
    elif not conversion.loaders and (conversion.efi or guest.code_disks):
        draft.warn(
            "W-BOOT-MENU",
            f"{guest.product}: no boot loader's menu that is known was found, so none is edited",
            hint="prove the result with v2v verify",
        )
    elif _starts_extlinux(conversion) and not guest.code_disks and not guest.grub_disks:
        draft.block(
            "E-EXTLINUX",
            f"{conversion.loaders[0].config}: no disk has boot code in its first sector that would "
            "start extlinux",
            hint="run extlinux --install in the guest and write its mbr.bin to the disk, "
            "then convert again",
        )


def _folder(guest: Guest) -> str:
    """Return the folder with GRUB's menu: /boot/grub2 where the distribution calls it so."""
    menus = (Bootloader.grub2, Bootloader.grub2_bls)
    config = guest.bootloader_config if guest.bootloader in menus else None
    return posixpath.dirname(config) if config else "/boot/grub"


def _place(guest: Guest, path: str) -> _Place | None:
    """Return where a path is; None if its file system is not known."""
    mountpoint = max(
        (top for top in guest.mountpoints if f"{path}/".startswith(f"{top.rstrip('/')}/")),
        key=len,
        default="/",
    )
    device = guest.mountpoints.get(mountpoint, guest.root)
    below = posixpath.join("/", posixpath.relpath(path, mountpoint))
    if device.startswith("btrfsvol:"):  # btrfsvol:/dev/sda2/@ is the subvolume @ of /dev/sda2
        spec = device.removeprefix("btrfsvol:")
        found = max(
            (found for found in guest.filesystems if spec.startswith(f"{found.device}/")),
            key=lambda found: len(found.device), default=None,
        )  # fmt: skip
        below = posixpath.normpath(spec.removeprefix(found.device) + below) if found else below
    else:
        found = guest.filesystem(device)
    if found is None:
        return None
    disk = next(
        (disk for disk in guest.disks if re.fullmatch(rf"{re.escape(disk)}p?\d+", found.device)),
        None,
    )
    return _Place(found, posixpath.normpath(below), disk)


def _disk_number(guest: Guest, place: _Place | None) -> int | None:
    """Return the disk to write to: that of the file system; for LVM or md the first with room."""
    if place is None or place.filesystem.device in guest.disks:
        return None
    if place.disk is not None:
        return guest.disks.index(place.disk)
    return next((number for number, area in enumerate(guest.boot_areas) if area), None)


def upgrade_boot_code_later(draft: Draft, conversion: Conversion) -> None:
    """Tell Debian's grub-pc the boot disk's new name.

    It installs itself again at each upgrade, on the disks that debconf has noted; one that is not
    there makes the upgrade of the package fail.
    """
    guest = conversion.guest
    number, place = boot_disk(guest), _place(guest, "/boot")
    if number is None or place is None or place.filesystem.device in guest.disks:
        return
    if "grub-pc" not in conversion.packages or not draft.is_file(_DEBCONF):
        return
    new = conversion.names.of_disk(number)

    def change(match: re.Match[str]) -> str:
        devices = [device.strip() for device in match["value"].split(",")]
        old = [device for device in devices if conversion.names.depends(device)]
        return match["head"] + new if old else match[0]

    text = _GRUB_DEVICES.sub(change, draft.text(_DEBCONF))
    draft.write(_DEBCONF, text, why="an upgrade of grub-pc must find the boot disk")
