# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frees X from the old hypervisor's graphics card."""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from converters.linux.kernel_choice import release_of
from drivers.modules import read_modules
from drivers.virtio import Device
from v2v.changes import Draft
from v2v.model import Driver

_FILES = ("/etc/X11/xorg.conf", "/etc/X11/XF86Config", "/etc/X11/XF86Config-4",
          "/etc/X11/xorg.conf.d/*.conf")  # fmt: skip
_SECTION = re.compile(
    r"^[ \t]*Section[ \t]+\"Device\"[^\n]*\n.*?^[ \t]*EndSection", re.MULTILINE | re.DOTALL | re.I
)
_DRIVER = re.compile(r"^(?P<head>[ \t]*Driver[ \t]+)\"(?P<name>[^\"\n]+)\"", re.MULTILINE | re.I)
_PLACE = re.compile(r"^[ \t]*BusID[ \t]+[^\n]*\n", re.MULTILINE | re.I)
_OLD = frozenset({"vmware", "vboxvideo", "xenfb", "cirrus", "prlvideo"})
_BOCHS = 3, 14  # the first kernel with a driver for QEMU's standard VGA; some older ones got it too


def use_any_graphics(draft: Draft, conversion: Conversion) -> None:
    """Let X drive whatever card the domain has.

    With the driver of a card that is gone, or the PCI address of one, X finds no screen. The
    modesetting driver works with every kernel driver; it is a part of the X server since 1.17. A
    kernel without a driver for the card leaves it to the VESA BIOS.
    """
    for pattern in _FILES:
        for path in draft.glob(pattern):
            if draft.is_file(path):
                text = draft.text(path)
                sections = [match[0] for match in _SECTION.finditer(text) if _is_old(match[0])]
                driver = _driver(draft, conversion) if sections else ""
                for section in sections:
                    text = text.replace(section, _drive(section, driver))
                draft.write(path, text, why="X must not look for the old hypervisor's card")


def _is_old(section: str) -> bool:
    driver = _DRIVER.search(section)
    return driver is not None and driver["name"].lower() in _OLD


def _drive(section: str, driver: str) -> str:
    return _PLACE.sub("", _DRIVER.sub(rf'\g<head>"{driver}"', section))


def _driver(draft: Draft, conversion: Conversion) -> str:
    kernel = conversion.kernel
    if kernel is None or release_of(kernel.version) >= _BOCHS:
        return "modesetting"
    modules = read_modules(draft, kernel.version)
    return (
        "vesa" if modules.has(Device("bochs_drm", "DRM_BOCHS")) is Driver.missing else "modesetting"
    )
