# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts a loader where UEFI starts one when it knows of no other: EFI/BOOT/BOOTX64.EFI.

The firmware's boot entries stay behind with the old hypervisor. What is there already is left
alone, also where it is shim with fbx64.efi: that makes boot entries from the vendors' BOOTX64.CSV,
then resets the machine once (shim's README.fallback). fbx64.efi itself is not copied, so that shim
starts GRUB at once.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from converters.linux.bootloaders import esp, menu, systemd_boot
from converters.linux.conversion import Conversion
from v2v.changes import Draft
from v2v.files import Files, real_file
from v2v.model import Bootloader, Guest

_WHY = "UEFI's boot entries stay behind with the old hypervisor, and this is what it starts then"
_SYSTEMD_BOOT = frozenset({Bootloader.systemd_boot, Bootloader.uki})


@dataclass(frozen=True, slots=True)
class _Program:
    """A program to copy, and what it is called beside the others; None: the fallback itself."""

    source: str
    name: str | None = None


def place_loader(draft: Draft, conversion: Conversion) -> None:
    """Have a fallback loader, made from the distribution's own programs."""
    if not conversion.efi or conversion.own_loader:
        return
    guest = conversion.guest
    partition = esp.find(draft, guest)
    if partition is None:
        draft.warn(
            "W-EFI-PARTITION",
            f"{guest.product}: its EFI system partition is not mounted, so it cannot be told "
            "whether UEFI finds a loader there without its old boot entries",
            hint="it must have EFI/BOOT/BOOTX64.EFI; name it in /etc/fstab, then convert again",
        )
        return
    fallback = esp.fallback(draft, guest, partition)
    if real_file(draft, fallback) is not None:
        return
    programs = _programs(draft, conversion, partition)
    if not programs:
        draft.block(
            "E-EFI-LOADER",
            f"{fallback}: there is no such file, and no loader on this partition that is known "
            "to work from there",
            hint="install the distribution's GRUB for the removable path: "
            "grub-install --removable, or bootctl install",
        )
    for program in programs:
        name = program.name or posixpath.basename(fallback)
        path = esp.look_up(draft, posixpath.dirname(fallback), name)
        draft.upload(path, draft.read(program.source), why=_WHY)
    if programs and conversion.loaders[:1] and conversion.loaders[0].kind not in _SYSTEMD_BOOT:
        _write_config(draft, conversion, posixpath.dirname(programs[0].source), fallback)


def _programs(files: Files, conversion: Conversion, partition: str) -> tuple[_Program, ...]:
    guest = conversion.guest
    kind = conversion.loaders[0].kind if conversion.loaders else Bootloader.none
    if kind is Bootloader.uki:
        return (_Program(conversion.loaders[0].config),)
    if kind is Bootloader.systemd_boot:
        own = systemd_boot.program(files, guest, partition)
        return () if own is None else (_Program(own),)
    folder = esp.grub_folder(files, guest, partition)
    return () if folder is None else _grub(files, guest, folder)


def _grub(files: Files, guest: Guest, folder: str) -> tuple[_Program, ...]:
    """Return GRUB, started by shim where there is one; shim wants the names of its companions."""
    suffix = esp.suffix(guest)
    grub = esp.grub_program(files, guest, folder)
    shim = esp.program(files, folder, f"shim{suffix}.efi", "shim.efi")
    keys = esp.program(files, folder, f"mm{suffix}.efi", "MokManager.efi")
    if grub is None or shim is None:
        return tuple(_Program(path) for path in (grub,) if path is not None)
    beside = (path for path in (grub, keys) if path is not None)
    return (_Program(shim), *(_Program(path, posixpath.basename(path)) for path in beside))


def _write_config(draft: Draft, conversion: Conversion, folder: str, fallback: str) -> None:
    """Lead a GRUB that looks for its configuration beside itself to that of the distribution.

    Most have the folder of their distribution built in, as /EFI/debian, and read nothing here.
    SUSE's has no prefix, and takes the folder that it is started from. GRUB legacy takes a file
    that is called like itself, and has no way to go on to another from there.
    """
    old = esp.look_up(draft, folder, "grub.conf")
    if conversion.loaders[0].kind is Bootloader.grub_legacy and real_file(draft, old):
        path = f"{posixpath.splitext(fallback)[0]}.conf"
        draft.write(path, menu.text(draft, old), why=_WHY)
        draft.warn(
            "W-EFI-CONFIG",
            f"{path}: it is a copy of {old}, which updates of the kernel do not change",
            hint="make a boot entry in the converted guest: efibootmgr -c -L Linux "
            f"-l '\\EFI\\{posixpath.basename(folder)}\\grub.efi'",
        )
    path = esp.look_up(draft, posixpath.dirname(fallback), "grub.cfg")
    if real_file(draft, esp.look_up(draft, folder, "grub.cfg")) and not draft.exists(path):
        draft.write(
            path,
            "# Written by v2v: the configuration is where the distribution has it.\n"
            f"set prefix=($root)/EFI/{posixpath.basename(folder)}\n"
            "configfile $prefix/grub.cfg\n",
            why=_WHY,
        )
