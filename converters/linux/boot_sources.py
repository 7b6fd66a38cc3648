# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits what the guest makes its next boot menu from, so that this one keeps what was edited."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from converters.linux.boot_menu import arguments
from converters.linux.bootloaders import assignments
from converters.linux.conversion import Conversion
from converters.linux.disks import warn_unknown
from converters.linux.kernel_cmdline import (
    has_serial,
    rename_disks,
    with_serial,
    without_xen,
    xen_console_to_serial,
)
from v2v.changes import Draft

_WHY = "the next kernel that is installed is started as those of today"


@dataclass(frozen=True, slots=True)
class _Source:
    """Files of shell variables that one tool makes kernels' arguments from."""

    tool: str
    menu: str
    paths: tuple[str, ...]  # or patterns
    cmdline: re.Pattern[str]  # the variables that hold arguments
    main: str  # of these, the one for every kernel


_SOURCES = (
    # Not GRUB_CMDLINE_XEN, which is the hypervisor's.
    _Source(
        "update-grub",
        "GRUB's",
        ("/etc/default/grub", "/etc/default/grub.d/*.cfg"),
        re.compile(r"GRUB_CMDLINE_LINUX(_\w+)?"),
        "GRUB_CMDLINE_LINUX",
    ),
    _Source(  # SUSE's perl-Bootloader, up to SLES 11
        "update-bootloader",
        "GRUB's",
        ("/etc/sysconfig/bootloader",),
        re.compile(r"(DEFAULT|FAILSAFE|XEN_KERNEL)_APPEND"),
        "DEFAULT_APPEND",
    ),
    _Source(  # Alpine
        "update-extlinux",
        "extlinux's",
        ("/etc/update-extlinux.conf",),
        re.compile("default_kernel_opts"),
        "default_kernel_opts",
    ),
    _Source(  # Debian
        "update-extlinux",
        "extlinux's",
        ("/etc/default/extlinux",),
        re.compile("EXTLINUX_(PARAMETERS|ROOT)"),
        "EXTLINUX_PARAMETERS",
    ),
)
_ROOT = re.compile("root")  # of update-extlinux.conf
_BY_DEVICE = re.compile(r"^(?P<line>[ \t]*(?:export[ \t]+)?GRUB_DISABLE_LINUX_UUID=)", re.MULTILINE)
# Whole command lines: kernel-install(8) and mkinitcpio(8) make entries and unified images of them.
_LINES = ("/etc/kernel/cmdline", "/etc/cmdline.d/*.conf")
# The disk that Red Hat's tools for GRUB legacy take for the one with boot code.
_BOOT = re.compile(r"^(?P<key>boot=)(?P<name>/dev/\S+)", re.MULTILINE)
_GRUB_LEGACY = "/etc/sysconfig/grub"


def edit_variables(draft: Draft, conversion: Conversion) -> None:
    """Edit what update-grub and its like make the next menu from: arguments, UUIDs for roots."""
    for source in _SOURCES:
        paths = [path for pattern in source.paths for path in draft.glob(pattern)]
        texts = {path: draft.text(path) for path in paths if draft.is_file(path)}
        unknown = _edit(texts, source, conversion)
        why = f"the next {source.tool} keeps what is edited in {source.menu} menu"
        for path, text in texts.items():
            draft.write(path, text, why=why)
        warn_unknown(draft, source.paths[0], unknown)


def _edit(texts: dict[str, str], source: _Source, conversion: Conversion) -> Sequence[str]:
    """Edit the texts of one source in place; return names of disks that are not known."""
    unknown: list[str] = []
    present = [
        value for text in texts.values() for value in assignments.values(text, source.cmdline)
    ]
    serial = any(map(has_serial, present))

    def edit(args: str) -> str:
        nonlocal serial
        args = xen_console_to_serial(
            without_xen(args, xen_guest=conversion.xen), already=serial and not has_serial(args)
        )
        serial = serial or has_serial(args)
        return rename(args)

    def rename(args: str) -> str:
        edited = rename_disks(args, conversion.names, by_uuid=True)
        unknown.extend(edited.unknown)
        return edited.text

    for path, text in texts.items():
        new = assignments.edit_values(text, source.cmdline, edit)
        new = assignments.edit_values(
            new, _ROOT, lambda value: rename(f"root={value}").removeprefix("root=")
        )
        texts[path] = _BY_DEVICE.sub(r"#\g<line>", new)
    if source.paths[0] in texts and present and not serial:
        texts[source.paths[0]] = _with_serial(texts[source.paths[0]], source.main, conversion)
    return unknown


def _with_serial(text: str, variable: str, conversion: Conversion) -> str:
    present = assignments.values(text, re.compile(variable))
    args = with_serial(present[-1] if present else "", screen_last=conversion.asks_passphrase)
    return assignments.set_value(text, variable, args)


def edit_lines(draft: Draft, conversion: Conversion) -> None:
    """Edit the command line that kernel-install and mkinitcpio give to the next kernel."""
    for path in (path for pattern in _LINES for path in draft.glob(pattern)):
        if draft.is_file(path):
            unknown: list[str] = []
            old = draft.text(path)
            draft.write(path, arguments(old, conversion, initrd=True, unknown=unknown), why=_WHY)
            warn_unknown(draft, path, unknown)


def rename_boot_disk(draft: Draft, conversion: Conversion) -> None:
    """Rename the disk that grubby and up2date of RHEL 6 and before take for the boot disk."""

    def rename(match: re.Match[str]) -> str:
        return match["key"] + (conversion.names.on_target(match["name"]) or match["name"])

    if draft.is_file(_GRUB_LEGACY):
        text = _BOOT.sub(rename, draft.text(_GRUB_LEGACY))
        draft.write(_GRUB_LEGACY, text, why="an upgrade of the kernel must find the boot disk")
