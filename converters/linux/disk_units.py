# SPDX-License-Identifier: LGPL-2.1-or-later
"""Renames disks in the names of systemd's units: dev-sda2.swap, After=dev-sdb1.device.

A unit for a device that never comes keeps what needs it waiting for 90 s, systemd.device(5).
"""

from __future__ import annotations

import posixpath
import re

from converters.linux.disk_names import DiskNames
from converters.linux.disk_tables import mentions
from v2v.changes import Draft

_FOLDERS = ("/etc/systemd/system/*", "/etc/systemd/system/*/*")
_UNIT = re.compile(r"(?<![\w\\-])(?P<path>dev-[\w\\:.@-]+?)\.(?P<kind>device|swap)(?![\w.])")
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_SAFE = re.compile(r"[A-Za-z0-9:_.]")
_WHY = "units of systemd wait for disks under the names of the old hypervisor"


def rename(draft: Draft, names: DiskNames) -> None:
    """Draft new names for units and for what refers to them."""
    for path in (path for pattern in _FOLDERS for path in draft.glob(pattern)):
        found = draft.stat(path)
        if found is None or not (found.is_file or found.is_link):
            continue
        new = posixpath.join(posixpath.dirname(path), edited(posixpath.basename(path), names))
        if found.is_link:
            target = draft.readlink(path)
            if new != path or edited(target, names) != target:
                draft.link(new, edited(target, names), why=_WHY)
        else:
            text = edited(draft.text(path), names)
            # What= must be the path that the unit is named after, systemd.swap(5).
            text = mentions(text, names).text if path.endswith(".swap") else text
            draft.write(new, text, why=_WHY)
        if new != path:
            draft.remove(path, why=_WHY)


def edited(text: str, names: DiskNames) -> str:
    """Return a text with the units of the old hypervisor's disks renamed."""

    def replace(match: re.Match[str]) -> str:
        old = unescaped(match["path"])
        new = names.path(old) if names.depends(old) else None
        return match[0] if new is None else f"{_escaped(new)}.{match['kind']}"

    return _UNIT.sub(replace, text)


def unescaped(unit: str) -> str:
    """Return the path that a unit is named after, systemd.unit(5)."""
    path = "/" + unit.replace("-", "/")
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), path)


def _escaped(path: str) -> str:
    """Return a path as systemd-escape(1) --path has it."""
    return "".join(
        "-" if char == "/" else char if _SAFE.match(char) else f"\\x{ord(char):02x}"
        for char in path.strip("/")
    )
