# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an initramfs has copied from its guest, as it must be after the conversion.

What was copied as it is becomes a copy of the draft. What the tool made of it is edited: kernel
arguments, tables and scripts with names of disks, and the disks that dracut waits for in a
host-only image: without end, as the timeout of 0 in its dracut-dev-lib.sh means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from converters.linux import disk_tables
from converters.linux.disk_names import DiskNames, Edited
from converters.linux.disk_units import unescaped
from converters.linux.kernel_cmdline import rename_disks
from drivers.initramfs import Contents, InitramfsError
from v2v.changes import Draft, WriteFile

_DEVICE = re.compile(r"/dev/[^\s\"'\\;]+")
_WAITS = re.compile(r".*/hooks/(initqueue/finished/devexists-|emergency/80-).+")
_TIMEOUT = re.compile(r"etc/systemd/system/(?P<unit>[^/]+)\.device\.d/timeout\.conf")
_AT_ONCE = b"[Unit]\nJobTimeoutSec=1\nJobRunningTimeoutSec=1\n"
_NASH = re.compile(r"(?P<key>^[ \t]*(?:resume|mkrootdev)[ \t].*?)(?P<name>/dev/\S+)", re.MULTILINE)
_LVM_DEVICES = "etc/lvm/devices/system.devices"
_LVM_LOCAL = "etc/lvm/lvmlocal.conf"
_NO_LVM_DEVICES = b"devices {\n\tuse_devicesfile = 0\n}\n"


def copies(draft: Draft, contents: Contents, names: DiskNames) -> dict[str, bytes]:
    """Return the copies in an image with the content that they must have.

    Raises InitramfsError if the image would wait for a disk that is not known.
    """
    fresh = dict(_fresh(draft))
    found = {}
    for path, data in contents.files.items():
        old, new = fresh.get(f"/{path}", (None, b""))
        found[path] = new if old == data else _edited(path, data, names)
    return found | dict(_without_lvm_devices(contents))


def _fresh(draft: Draft) -> Iterator[tuple[str, tuple[bytes, bytes]]]:
    """Yield the files that the draft has edited, with their old and their new content."""
    edited = [change for change in draft.changes if isinstance(change, WriteFile)]
    for change in reversed(edited):  # so that the first edit of a file tells what it was
        if change.old is not None and draft.is_file(change.path):
            yield change.path, (change.old, draft.read(change.path))


def _without_lvm_devices(contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Turn LVM's list of devices off, lvmdevices(8): it names them by the old hardware.

    A file cannot be taken out of an image, and an empty list would allow no device at all.
    """
    local = contents.files.get(_LVM_LOCAL, b"")
    if contents.files.get(_LVM_DEVICES) and b"use_devicesfile" not in local:
        yield _LVM_LOCAL, local + _NO_LVM_DEVICES


def _edited(path: str, data: bytes, names: DiskNames) -> bytes:
    timeout = _TIMEOUT.fullmatch(path)
    if timeout is not None:
        return _AT_ONCE if names.depends(unescaped(timeout["unit"])) else data
    editor = next((editor for pattern, editor in _EDITORS if pattern.fullmatch(path)), None)
    if editor is None:
        return data
    edited = editor(data.decode(errors="surrogateescape"), names)
    if edited.unknown and _WAITS.fullmatch(path):
        raise InitramfsError(f"waits for {edited.unknown[0]}, which is none of the guest's disks")
    return edited.text.encode(errors="surrogateescape")


def _rename(pattern: re.Pattern[str], text: str, new: Callable[[str], str | None]) -> Edited:
    """Rename where the pattern finds a name: in its group of that name, or as a whole."""
    unknown = []

    def rename(match: re.Match[str]) -> str:
        old = match.groupdict().get("name", match[0])
        name = new(old)
        if name is None:
            unknown.append(old)
        return match[0] if name is None else match[0].removesuffix(old) + name

    return Edited(pattern.sub(rename, text), tuple(unknown))


def _paths(text: str, names: DiskNames) -> Edited:
    """Rename in a script, which needs paths: /dev/disk/by-uuid/ID for UUID=ID."""
    return _rename(_DEVICE, text, lambda old: names.path(old) if names.depends(old) else old)


def _nash(text: str, names: DiskNames) -> Edited:
    """Rename in nash's /init, which makes the nodes of disks and no other names of theirs."""
    return _rename(_NASH, text, lambda old: names.on_target(old) if names.depends(old) else old)


_EDITORS: tuple[tuple[re.Pattern[str], Callable[[str, DiskNames], Edited]], ...] = (
    (re.compile(r"conf/conf\.d/cryptroot"), partial(rename_disks, by_uuid=True)),
    (re.compile(r"conf/(initramfs\.conf|conf\.d/.+)"), disk_tables.assignments),
    (re.compile(r"etc/cmdline\.d/.+"), partial(rename_disks, by_uuid=True)),
    (re.compile(r"(cryptroot|etc)/crypttab"), disk_tables.crypttab),
    (re.compile(r"etc/fstab"), disk_tables.fstab),
    (re.compile(r"etc/lvm/lvm\.conf"), disk_tables.lvm_filter),
    (_WAITS, _paths),
    (re.compile(r"config/.+\.sh"), _paths),  # SUSE's mkinitrd
    (re.compile(r"init"), _nash),
)
