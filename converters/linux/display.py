# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frees X from the old hypervisor's graphics card."""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from v2v.changes import Draft

_FILES = ("/etc/X11/xorg.conf", "/etc/X11/XF86Config", "/etc/X11/XF86Config-4",
          "/etc/X11/xorg.conf.d/*.conf")  # fmt: skip
_SECTION = re.compile(
    r"^[ \t]*Section[ \t]+\"Device\"[^\n]*\n.*?^[ \t]*EndSection", re.MULTILINE | re.DOTALL | re.I
)
_DRIVER = re.compile(r"^(?P<head>[ \t]*Driver[ \t]+)\"(?P<name>[^\"\n]+)\"", re.MULTILINE | re.I)
_PLACE = re.compile(r"^[ \t]*BusID[ \t]+[^\n]*\n", re.MULTILINE | re.I)
_OLD = frozenset({"vmware", "vboxvideo", "xenfb"})


def use_any_graphics(draft: Draft, conversion: Conversion) -> None:
    """Let X drive whatever card the domain has.

    With the driver of a card that is gone, or the PCI address of one, X finds no screen. The
    modesetting driver works with every kernel driver; it is a part of the X server since 1.17.
    """
    for pattern in _FILES:
        for path in draft.glob(pattern):
            if draft.is_file(path):
                text = _SECTION.sub(lambda match: _modeset(match[0]), draft.text(path))
                draft.write(path, text, why="X must not look for the old hypervisor's card")


def _modeset(section: str) -> str:
    driver = _DRIVER.search(section)
    if driver is None or driver["name"].lower() not in _OLD:
        return section
    return _PLACE.sub("", _DRIVER.sub(r'\g<head>"modesetting"', section))
