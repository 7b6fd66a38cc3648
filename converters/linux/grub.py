# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes GRUB start the right kernel with the right arguments on KVM.

The menu that GRUB reads is edited in place, together with what it is made from, so that the next
update-grub of the guest comes to the same result. Nothing is regenerated: that takes seconds, and
run in an appliance it would write the appliance's names of disks.
"""

from __future__ import annotations

import posixpath
import re

from converters.linux import grub_defaults, grub_menu
from converters.linux.conversion import Conversion
from converters.linux.kernel_cmdline import (
    has_serial,
    rename_disks,
    with_serial,
    without_xen,
    xen_console_to_serial,
)
from v2v.changes import Draft
from v2v.files import Files
from v2v.model import Bootloader, Guest, Kernel

DEFAULTS = "/etc/default/grub"
_DEFAULTS_MORE = "/etc/default/grub.d/*.cfg"
# Entries that people write: the sources of grub.cfg's last part, and what it reads at boot.
_OWN_ENTRIES = ("/etc/grub.d/40_custom", "/etc/grub.d/41_custom", "/boot/grub/custom.cfg")


def edit_menus(draft: Draft, conversion: Conversion) -> None:
    """Edit the kernels' arguments where GRUB reads them.

    The kernel would wait for a root named by the old hypervisor, and talk to a console that KVM
    does not have.
    """
    why = "kernels find their root on KVM and talk to its serial console"
    config = conversion.guest.bootloader_config
    legacy = conversion.guest.bootloader is Bootloader.grub_legacy
    edit = grub_menu.edit_legacy if legacy else grub_menu.edit_linux
    for path in (config, *_OWN_ENTRIES):
        if path is None or not draft.is_file(path):
            continue
        unknown: list[str] = []

        def arguments(args: str, initrd: bool, unknown: list[str] = unknown) -> str:
            return _arguments(args, conversion, initrd=initrd, unknown=unknown)

        draft.write(path, edit(draft.text(path), arguments), why=why)
        warn_unknown(draft, path, unknown)


def _arguments(args: str, conversion: Conversion, *, initrd: bool, unknown: list[str]) -> str:
    """Return a kernel's arguments for KVM; those without a root are only a part of a line."""
    args = without_xen(args, xen_guest=conversion.xen)
    edited = rename_disks(args, conversion.names, by_uuid=initrd)
    unknown.extend(edited.unknown)
    args = xen_console_to_serial(edited.text)
    if re.search(r"(^|\s)root=", args):
        args = with_serial(args, screen_last=asks_passphrase(conversion))
    return args


def asks_passphrase(conversion: Conversion) -> bool:
    """Tell whether a passphrase may be asked for at boot, which is typed where it always was.

    initramfs-tools asks on /dev/console, the last of the consoles.
    """
    return any(found.type == "crypto_LUKS" for found in conversion.guest.filesystems)


def edit_defaults(draft: Draft, conversion: Conversion) -> None:
    """Edit what update-grub makes the next menu from: the same arguments, and UUIDs for roots."""
    paths = [path for path in (DEFAULTS, *draft.glob(_DEFAULTS_MORE)) if draft.is_file(path)]
    texts = {path: draft.text(path) for path in paths}
    unknown: list[str] = []
    serial = any(
        has_serial(value)
        for text in texts.values()
        for value in grub_defaults.values(text, grub_defaults.CMDLINE)
    )

    def edit(args: str) -> str:
        nonlocal serial
        args = xen_console_to_serial(
            without_xen(args, xen_guest=conversion.xen), already=serial and not has_serial(args)
        )
        serial = serial or has_serial(args)
        edited = rename_disks(args, conversion.names, by_uuid=True)
        unknown.extend(edited.unknown)
        return edited.text

    for path, text in texts.items():
        edited = grub_defaults.edit_values(text, grub_defaults.CMDLINE, edit)
        texts[path] = grub_defaults.by_uuid(edited)
    if DEFAULTS in texts and not serial:
        texts[DEFAULTS] = _with_serial(texts[DEFAULTS], conversion)
    for path, text in texts.items():
        draft.write(path, text, why="the next update-grub keeps what is edited in GRUB's menu")
    warn_unknown(draft, DEFAULTS, unknown)


def _with_serial(text: str, conversion: Conversion) -> str:
    present = grub_defaults.values(text, re.compile("GRUB_CMDLINE_LINUX"))
    args = with_serial(present[-1] if present else "", screen_last=asks_passphrase(conversion))
    return grub_defaults.set_value(text, "GRUB_CMDLINE_LINUX", args)


def warn_unknown(draft: Draft, path: str, unknown: list[str] | tuple[str, ...]) -> None:
    """Warn of names of disks that the source does not have."""
    for name in dict.fromkeys(unknown):
        draft.warn(
            "W-DISK-NAME",
            f"{path}: {name} is none of the source's disks, or its partition cannot be told",
            hint="it stays as it is; name it by UUID in the guest if it is needed",
        )


# The default entry.


def default_image(files: Files, guest: Guest) -> str | None:
    """Return the kernel image that the boot loader starts, as its configuration names it."""
    if guest.bootloader_config is None:
        return None
    text = _text(files, guest.bootloader_config)
    if guest.bootloader is Bootloader.grub_legacy:
        return grub_menu.legacy_default(text)
    entry = grub_menu.default_entry(text, _environment(files, guest.bootloader_config))
    return None if entry is None else re.sub(r"^\([^)]*\)", "", entry.image)


def has_entry(files: Files, guest: Guest, kernel: Kernel) -> bool:
    """Tell whether the boot loader's menu can start a kernel."""
    if guest.bootloader_config is None:
        return False
    text = _text(files, guest.bootloader_config)
    if guest.bootloader is Bootloader.grub_legacy:
        return any(_same(image, kernel) for image in grub_menu.legacy_images(text))
    return _entry(text, kernel) is not None


def _understood(files: Files, guest: Guest) -> bool:
    text = _text(files, guest.bootloader_config or "")
    legacy = guest.bootloader is Bootloader.grub_legacy
    return bool(grub_menu.legacy_images(text) if legacy else grub_menu.entries(text))


def _text(files: Files, path: str) -> str:
    try:
        return files.read(path).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _environment(files: Files, config: str) -> dict[str, str]:
    return grub_menu.read_environment(_text(files, _environment_path(config)))


def _environment_path(config: str) -> str:
    return posixpath.join(posixpath.dirname(config), "grubenv")


def _same(image: str, kernel: Kernel) -> bool:
    return posixpath.basename(image) == posixpath.basename(kernel.image)


def _entry(text: str, kernel: Kernel) -> grub_menu.Entry | None:
    """Return the entry to start a kernel with: one of a submenu, whose name tells its version.

    Of those it is the first; recovery entries come after. Where there is no submenu, the first of
    all is taken.
    """
    found = [entry for entry in grub_menu.entries(text) if _same(entry.image, kernel)]
    versioned = [entry for entry in found if kernel.version in entry.titles[-1]]
    return next(iter(versioned or found), None)


def set_default_kernel(draft: Draft, conversion: Conversion) -> None:
    """Make GRUB start the chosen kernel if that is not what it starts by itself.

    A default without virtio would not find its root.
    """
    kernel, guest, config = conversion.kernel, conversion.guest, conversion.guest.bootloader_config
    if kernel is None or kernel.default or config is None:
        return
    known = [other.version for other in guest.kernels if other.default]
    current = f"the default, {known[0]}," if known else "the default"
    why = f"kernel {kernel.version} can run on KVM, {current} cannot"
    if not _understood(draft, guest):
        draft.warn(
            "W-BOOT-MENU",
            f"{config}: no entry of this menu is understood, so its default stays as it is",
            hint=f"see to it that kernel {kernel.version} is started",
        )
        return
    if not has_entry(draft, guest, kernel):
        draft.block(
            "E-KERNEL-MENU",
            f"{config}: no entry of this menu starts kernel {kernel.version}, which can run on KVM",
            hint="run update-grub in the guest, then convert again",
        )
        return
    text = draft.text(config)
    if guest.bootloader is Bootloader.grub_legacy:
        images = grub_menu.legacy_images(text)
        number = next(n for n, image in enumerate(images) if _same(image, kernel))
        draft.write(config, grub_menu.set_legacy_default(text, number), why=why)
    elif (entry := _entry(text, kernel)) is not None:
        _set_default(draft, config, ">".join(entry.path), why)
    draft.warn(
        "W-DEFAULT-KERNEL",
        f"kernel {kernel.version} becomes the default, as {current} cannot run on KVM",
        hint="choose anew in the guest's boot menu configuration when a newer kernel is installed",
    )


def _set_default(draft: Draft, config: str, name: str, why: str) -> None:
    text = draft.text(config)
    environment = _environment_path(config)
    if grub_menu.uses_saved(text):
        data = draft.text(environment) if draft.is_file(environment) else ""
        block = grub_menu.set_in_environment(data, "saved_entry", name)
        if block is not None:
            draft.write(environment, block, why=why)
            return
        text = re.sub(r'set default="\$\{saved_entry\}"', f'set default="{name}"', text)
    draft.write(config, grub_menu.set_default(text, name), why=why)
    if draft.is_file(DEFAULTS):
        new = grub_defaults.set_value(draft.text(DEFAULTS), "GRUB_DEFAULT", name)
        draft.write(DEFAULTS, new, why=why)


def edit_environment(draft: Draft, conversion: Conversion) -> None:
    """Edit the kernel arguments that GRUB's environment block can hold.

    Entries in the style of the Boot Loader Specification take theirs from "kernelopts".
    """
    config = conversion.guest.bootloader_config
    path = _environment_path(config) if config else ""
    if not config or not draft.is_file(path):
        return
    data = draft.text(path)
    old = grub_menu.read_environment(data).get("kernelopts")
    if old is None:
        return
    unknown: list[str] = []
    new = _arguments(old, conversion, initrd=True, unknown=unknown)
    warn_unknown(draft, path, unknown)
    block = grub_menu.set_in_environment(data, "kernelopts", new)
    if new != old and block is not None:
        draft.write(path, block, why="kernels find their root on KVM, whatever hypervisor it is")
    elif new != old:
        draft.warn("W-GRUBENV", f"{path}: it has no room for the new kernel arguments")
