# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edits kernel arguments, wherever they are written: text in, text out, spacing kept."""

from __future__ import annotations

import re
from collections.abc import Callable

from converters.linux.disk_names import DiskNames, Edited

SERIAL = "console=ttyS0,115200"
_DISK = re.compile(
    r"(?P<key>(?:root|resume|real_root)=|(?:cryptopts|target)=.*,source=)(?P<name>/dev/[^,]+)(?P<rest>.*)"
)
_XEN_CONSOLE = re.compile(r"console=(hvc|xvc)0(,.*)?")
_SERIAL = re.compile(r"console=(ttyS|uart).*")
# Xen's own; of the rest, what people gave to Xen guests against its clock and interrupts.
_XEN = re.compile(
    r"xencons=.*|clocksource=xen|(xen\.)?independent_wallclock(=.*)?|xen_emul_unplug=.*"
    r"|earlyprintk=xen"
)
_XEN_ONLY_GUESTS = re.compile(r"noirqdebug|iommu=soft")


def rename_disks(args: str, names: DiskNames, *, by_uuid: bool) -> Edited:
    """Rename the disks of root= and resume=.

    Only an initramfs understands UUID= and LABEL=; the kernel itself wants a device.
    """
    unknown = []

    def rename(word: str) -> str:
        match = _DISK.fullmatch(word)
        if match is None or not names.depends(match["name"]):
            return word
        name = names.stable(match["name"], "/" if match["key"] == "root=" else None)
        if not by_uuid:
            name = names.on_target(match["name"])
        if name is None:
            unknown.append(match["name"])
            return word
        return match["key"] + name + match["rest"]

    return Edited(_words(args, rename), tuple(unknown))


def without_xen(args: str, *, xen_guest: bool) -> str:
    """Drop what has a meaning on Xen only, or was a remedy for its faults."""

    def keep(word: str) -> str | None:
        known = _XEN.fullmatch(word) or (xen_guest and _XEN_ONLY_GUESTS.fullmatch(word))
        return None if known else word

    return _words(args, keep)


def has_serial(args: str) -> bool:
    """Tell whether a serial console is named."""
    return any(_SERIAL.fullmatch(word) for word in args.split())


def xen_console_to_serial(args: str, *, already: bool = False) -> str:
    """Put ttyS0 in the place of Xen's console; drop that where there is a serial one already.

    hvc0 would be a virtio console on KVM, which the domain does not have; the order stays, since
    the last console becomes /dev/console (the kernel's serial-console.rst).
    """
    seen = already or has_serial(args)

    def change(word: str) -> str | None:
        nonlocal seen
        if not _XEN_CONSOLE.fullmatch(word):
            return word
        new, seen = None if seen else SERIAL, True
        return new

    return _words(args, change)


def with_serial(args: str, *, screen_last: bool) -> str:
    """Add a serial console where there is none.

    It becomes /dev/console, unless ``screen_last``; the screen keeps what it shows.
    """
    if has_serial(args):
        return args
    first = re.search(r"(?<!\S)console=", args)
    body = args.rstrip()
    tail = args[len(body) :]
    gap = " " if body else ""
    if not screen_last:
        screen = "" if first else "console=tty0 "
        return f"{body}{gap}{screen}{SERIAL}{tail}"
    if first:
        return f"{args[: first.start()]}{SERIAL} {args[first.start() :]}"
    return f"{body}{gap}{SERIAL} console=tty0{tail}"


def _words(text: str, change: Callable[[str], str | None]) -> str:
    """Change each word; None drops it, with the blanks before it."""

    def one(match: re.Match[str]) -> str:
        word = change(match["word"])
        return "" if word is None else match["blank"] + word

    changed = re.sub(r"(?P<blank>\s*)(?P<word>\S+)", one, text)
    return changed if text[:1].isspace() else changed.lstrip()
