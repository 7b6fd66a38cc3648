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
    r"^[ \t]*(?:global_)?filter[ \t]*=[ \t]*\[(?P<patterns>(?:[^\]\"]|\"[^\"]*\")*)\]", re.MULTILINE
)
_ACCEPT = re.compile(
    r"\"a(?P<mark>[^\w\s\"])(?P<pattern>[^\"]*?"
    r"(?P<disk>xvd|sd|hd|nvme|cciss|mpath|disk/by-(?:id|path))[^\"]*?)(?P=mark)\""
)
_LETTERS = ("xvd", "sd", "hd")
_MENTION = re.compile(r"(?<![\w/])/dev/[\w/.:+@-]+")
_COMMENT = re.compile(r"\s*[#;]")
# The device of a journal or a log, and the parts of a btrfs; mount(8), btrfs(5).
_DEVICE_OPTION = re.compile(
    r"(?<![^,\s])(?P<key>device|logdev|rtdev|journal_path)=(?P<name>/dev/[^,\s]+)"
)


def fstab(text: str, names: DiskNames) -> Edited:
    """Rename in the first field of fstab(5)."""

    def rename(fields: list[str]) -> str | None:
        kind = fields[2] if len(fields) > 2 else ""
        name = names.stable(fields[0], fields[1] if len(fields) > 1 else None)
        return fields[0] if name is None and kind in _REMOVABLE_TYPES else name

    def part(match: re.Match[str]) -> str:
        new = names.on_target(match["name"]) if names.depends(match["name"]) else None
        return match[0] if new is None else f"{match['key']}={new}"

    edited = _table(text, 0, names, rename)
    lines = (
        line if line.lstrip()[:1] == "#" else _DEVICE_OPTION.sub(part, line)
        for line in edited.text.splitlines(keepends=True)
    )
    return Edited("".join(lines), edited.unknown)


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
        pattern = f"{before}{names.prefix}{after}"
        if match["disk"] not in _LETTERS:  # a name of another kind has no counterpart
            pattern = f"^/dev/{names.prefix}"
        new = f'"a{match["mark"]}{pattern}{match["mark"]}"'
        return match[0] if new in match.string else f"{new}, {match[0]}"

    def widen(match: re.Match[str]) -> str:
        patterns = _ACCEPT.sub(accept, match["patterns"])
        start = match.start("patterns") - match.start()
        return match[0][:start] + patterns + match[0][start + len(match["patterns"]) :]

    return Edited(_FILTER.sub(widen, text))


def mentions(text: str, names: DiskNames) -> Edited:
    """Rename disks wherever a line that is no comment has one; all get names that are paths."""
    unknown = []

    def rename(match: re.Match[str]) -> str:
        if not names.depends(match[0]):
            return match[0]
        new = names.path(match[0])
        if new is None:
            unknown.append(match[0])
        return new or match[0]

    lines = (
        line if _COMMENT.match(line) else _MENTION.sub(rename, line)
        for line in text.splitlines(keepends=True)
    )
    return Edited("".join(lines), tuple(unknown))


def smartd(text: str, names: DiskNames) -> Edited:
    """Comment out the disks in smartd.conf(5): KVM has no S.M.A.R.T., and smartd would end."""
    lines = (
        f"#{line}" if names.depends((line.split() or [""])[0]) else line
        for line in text.splitlines(keepends=True)
    )
    return Edited("".join(lines))


def mdadm_conf(text: str, names: DiskNames) -> Edited:
    """Let mdadm.conf(5) look for parts of arrays on all disks, where it names some of them.

    Arrays are told by their UUIDs; one that is told by its devices gets their new names.
    """

    def edit(line: str) -> str:
        words = line.split()
        keyword = words[0].lower() if words else ""
        if keyword.startswith("dev") and any(_is_disk(word, names) for word in words[1:]):
            return "DEVICE partitions" + line[len(line.rstrip()) :]
        if keyword.startswith("array"):
            return re.sub(r"(?<=[=,])/dev/[^,\s]+", part, line)
        return line

    def part(match: re.Match[str]) -> str:
        return (names.depends(match[0]) and names.on_target(match[0])) or match[0]

    return Edited("".join(edit(line) for line in text.splitlines(keepends=True)))


def _is_disk(word: str, names: DiskNames) -> bool:
    """Tell whether a word names disks by the hardware, as a pattern of glob(7) does too."""
    return names.depends(re.sub(r"\[.*?\]|[*?]", "a", word)) or names.depends(
        re.sub(r"\[.*?\]|[*?]", "1", word)
    )
