# SPDX-License-Identifier: LGPL-2.1-or-later
"""Renames disks in fstab(5), crypttab(5) and other files; comments, order and spacing stay.

All functions here take a text and return it with its disks renamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from converters.linux.disk_names import DiskNames, Edited

# Drives whose medium is changed: they are named by where they hang, and are absent at boot.
_REMOVABLE_TYPES = frozenset({"iso9660", "udf", "udf,iso9660", "iso9660,udf"})
# Folders that VMware, VirtualBox and Parallels share with the host, and Xen's /proc/xen.
_SHARED = frozenset({"vmhgfs", "fuse.vmhgfs-fuse", "vboxsf", "prl_fs", "xenfs"})
_TABLE_LINE = re.compile(r"(?P<before>\s*)(?P<fields>[^#\s].*)", re.DOTALL)
_LAST_KEYS = ("/dev/urandom", "/dev/random", "/dev/hwrng")
# RESUME= and ROOT= of initramfs.conf(5); "resume device =" of uswsusp.conf; What= of systemd.mount.
_ASSIGNED = re.compile(
    r"^(?P<key>[ \t]*(?:RESUME|ROOT|What|resume device)[ \t]*[=:][ \t]*[\"']?)"
    r"(?P<name>/dev/[^\s\"']+)",
    re.MULTILINE,
)
_FILTER = re.compile(
    r"^[ \t]*(?:global_)?filter[ \t]*=[ \t]*\[(?P<patterns>[^\]]*)\]", re.MULTILINE
)
_ACCEPT = re.compile(
    r"\"a(?P<mark>[^\w\s\"])(?P<pattern>[^\"]*?(?P<disk>xvd|sd|hd)[^\"]*?)(?P=mark)\""
)


def fstab(text: str, names: DiskNames) -> Edited:
    """Rename in the first field of fstab(5)."""

    def rename(fields: list[str]) -> str | None:
        kind = fields[2] if len(fields) > 2 else ""
        name = names.stable(fields[0], fields[1] if len(fields) > 1 else None)
        return fields[0] if name is None and kind in _REMOVABLE_TYPES else name

    return _table(text, 0, names, rename)


def without_shared_folders(text: str) -> str:
    """Comment out what only the old hypervisor can mount; systemd would end in emergency mode."""
    lines = text.splitlines(keepends=True)
    return "".join(
        f"#{line}"
        if line.lstrip()[:1] != "#" and line.split()[2:3] and line.split()[2] in _SHARED
        else line
        for line in lines
    )


def crypttab(text: str, names: DiskNames) -> Edited:
    """Rename in the second field of crypttab(5).

    What is encrypted with a new random key at each boot keeps no UUID, so it gets a device name.
    """

    def rename(fields: list[str]) -> str | None:
        options = fields[3].split(",") if len(fields) > 3 else []
        random = len(fields) > 2 and fields[2] in _LAST_KEYS
        if random or {"plain", "swap"} & set(options):
            return names.on_target(fields[1])
        return names.stable(fields[1])

    return _table(text, 1, names, rename)


def _table(
    text: str, column: int, names: DiskNames, rename: Callable[[list[str]], str | None]
) -> Edited:
    lines, unknown = [], []
    for line in text.splitlines(keepends=True):
        match = _TABLE_LINE.fullmatch(line)
        fields = match["fields"].split() if match else []
        if match and len(fields) > column and names.depends(fields[column]):
            name = rename(fields)
            if name is None:
                unknown.append(fields[column])
            else:
                words = re.split(r"(\s+)", match["fields"])
                words[2 * column] = name
                line = match["before"] + "".join(words)
        lines.append(line)
    return Edited("".join(lines), tuple(unknown))


def assignments(text: str, names: DiskNames) -> Edited:
    """Rename the disks that RESUME=, ROOT=, What= and uswsusp's "resume device" name."""
    unknown = []

    def rename(match: re.Match[str]) -> str:
        if not names.depends(match["name"]):
            return match[0]
        name = names.stable(match["name"])
        if name is None:
            unknown.append(match["name"])
            return match[0]
        # systemd.mount(5) takes a path or a tag, and so do the others.
        return match["key"] + name

    return Edited(_ASSIGNED.sub(rename, text), tuple(unknown))


def lvm_filter(text: str, names: DiskNames) -> Edited:
    """Let filters of lvm.conf(5) accept the new names where they accept the old ones.

    A filter that accepts /dev/xvd alone would hide the volume groups, and with them the root.
    """

    def accept(match: re.Match[str]) -> str:
        before, after = match["pattern"].split(match["disk"], 1)
        new = f'"a{match["mark"]}{before}{names.prefix}{after}{match["mark"]}"'
        return match[0] if new in match.string else f"{new}, {match[0]}"

    def widen(match: re.Match[str]) -> str:
        patterns = _ACCEPT.sub(accept, match["patterns"])
        start = match.start("patterns") - match.start()
        return match[0][:start] + patterns + match[0][start + len(match["patterns"]) :]

    return Edited(_FILTER.sub(widen, text))
