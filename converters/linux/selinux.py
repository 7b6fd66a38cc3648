# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives SELinux labels to what a conversion makes.

A file keeps its label when it is written over. A new one has none until the guest's policy is
asked for it; without it an enforcing guest denies most programs the access.
"""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from converters.linux.file_contexts import FileContexts, PolicyError
from v2v.changes import Draft, RunCommand

_CONFIG = "/etc/selinux/config"
_MODE = re.compile(r"^[ \t]*SELINUX=[ \t]*(\w+)", re.MULTILINE)
_TYPE = re.compile(r"^[ \t]*SELINUXTYPE=[ \t]*([\w.-]+)", re.MULTILINE)
_WITHOUT_LABELS = frozenset({"vfat", "msdos", "exfat", "ntfs", "iso9660"})
_ALL_LATER = "/.autorelabel"
_DEFAULT = "system_u:object_r:etc_runtime_t:s0"  # of that file, in the policies of distributions


def label_what_is_new(draft: Draft, conversion: Conversion) -> None:
    """Label new files as the guest's policy says, or have the guest relabel all that it has.

    This comes after all other steps. Permissive guests are treated as enforcing ones, which they
    may become; where SELinux is disabled files have no labels.
    """
    if not _enabled(draft):
        return
    try:
        labels = _labels(draft, conversion)
        reason = next(
            (f"{command.argv[0]} may change any file" for command in draft.changes
             if isinstance(command, RunCommand) and command.makes is None), None,
        )  # fmt: skip
    except (PolicyError, FileNotFoundError) as error:
        labels, reason = {}, f"the policy cannot be asked for labels: {error}"
    if reason:
        draft.write(_ALL_LATER, b"", why=f"the guest must relabel its files: {reason}")
        labels[_ALL_LATER] = labels.get(_ALL_LATER, _DEFAULT)
        draft.warn(
            "W-SELINUX-RELABEL",
            f"{_ALL_LATER}: {reason}, so the guest relabels all files at its first boot",
            hint="that boot takes minutes longer, and ends in another one",
        )
    draft.label(labels, why="without its label in SELinux's policy a file is denied to programs")


def _enabled(draft: Draft) -> bool:
    """Tell whether the guest has SELinux on; libselinux takes the first line that says so."""
    found = _MODE.search(draft.text(_CONFIG)) if draft.is_file(_CONFIG) else None
    return found is not None and found[1].lower() != "disabled"


def _labels(draft: Draft, conversion: Conversion) -> dict[str, str]:
    """Return the labels of new files. Raises PolicyError or FileNotFoundError."""
    new = {
        path: kind for path, kind in draft.created().items() if _can_have_label(conversion, path)
    }
    if not new:
        return {}
    policy = _policy(draft)
    labels = {path: policy.label(path, kind) for path, kind in new.items()}
    return {path: label for path, label in labels.items() if label is not None}


def _can_have_label(conversion: Conversion, path: str) -> bool:
    guest = conversion.guest
    above = [top for top in guest.mountpoints if f"{path}/".startswith(f"{top.rstrip('/')}/")]
    filesystem = guest.filesystem(guest.mountpoints[max(above, key=len)]) if above else None
    return filesystem is None or filesystem.type not in _WITHOUT_LABELS


def _policy(draft: Draft) -> FileContexts:
    named = _TYPE.findall(draft.text(_CONFIG))
    path = f"/etc/selinux/{named[-1] if named else 'targeted'}/contexts/files/file_contexts"

    def more(suffix: str) -> str:
        return draft.text(path + suffix) if draft.is_file(path + suffix) else ""

    return FileContexts(
        (draft.text(path), more(".homedirs"), more(".local")), (more(".subs"), more(".subs_dist"))
    )
