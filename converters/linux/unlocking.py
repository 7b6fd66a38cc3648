# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps encrypted disks unlocked by an initramfs that initramfs-tools makes in the appliance.

update-initramfs takes an entry of crypttab(5) only if its volume is in use under that name, and in
the appliance it has another one (RHEL-137121 of virt-v2v); the option initramfs makes it take the
entry all the same, README.initramfs of cryptsetup.
"""

from __future__ import annotations

import re

from drivers.initramfs import Contents
from v2v.changes import Draft

_TABLE = "/etc/crypttab"
_LINE = re.compile(r"(?P<fields>(?P<name>[^#\s]\S*)[^#\n]*?)(?P<end>\s*(#.*)?)", re.DOTALL)
_TARGET = re.compile(r"\btarget=([^,\s]+)")
_NOT_AT_BOOT = frozenset({"initramfs", "swap", "plain", "tmp", "noauto"})


def unlock_in_initramfs(draft: Draft, contents: Contents | None) -> None:
    """Mark the entries that the image unlocks: what it does not would ask for more passphrases.

    Of an image that cannot be read (None), nothing is known, and all are marked but for swap.
    """
    if not draft.is_file(_TABLE):
        return
    names = None if contents is None else _unlocked(contents)
    lines = draft.text(_TABLE).splitlines(keepends=True)
    text = "".join(_marked(line, names) for line in lines)
    draft.write(_TABLE, text, why="the new initramfs unlocks what the old one does")


def _unlocked(contents: Contents) -> frozenset[str]:
    """Return the names in the image's copy of the table, or in the form before cryptsetup 2.0."""
    table = contents.files.get("cryptroot/crypttab", b"").decode(errors="surrogateescape")
    old = contents.files.get("conf/conf.d/cryptroot", b"").decode(errors="surrogateescape")
    return frozenset(line.split()[0] for line in table.splitlines() if line.strip()) | frozenset(
        _TARGET.findall(old)
    )


def _marked(line: str, names: frozenset[str] | None) -> str:
    match = _LINE.fullmatch(line)
    if match is None or (names is not None and match["name"] not in names):
        return line
    words = match["fields"].split()
    options = words[3].split(",") if len(words) > 3 else []
    if len(words) < 2 or _NOT_AT_BOOT & set(options):
        return line
    lacking = (" none", " luks")[len(words) - 2 :] if len(words) < 4 else ()
    return match["fields"] + "".join(lacking) + ",initramfs" + match["end"]
