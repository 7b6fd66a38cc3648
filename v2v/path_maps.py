# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the source host's files are on this host, as --map-path FROM=TO says."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from v2v.errors import ConfigError, Finding
from v2v.model import Machine, Remote


@dataclass(frozen=True, slots=True)
class PathMap:
    """A folder or file of the source's host, and where it is here; both without a slash behind."""

    old: str
    new: str

    def covers(self, path: str) -> bool:
        """Tell whether a path is the old one or lies below it."""
        return path == self.old or path.startswith(self.old.rstrip("/") + "/")


def parse_maps(texts: Iterable[str]) -> tuple[PathMap, ...]:
    """Return what options give. Raises ConfigError."""
    return tuple(map(_parse, texts))


def _parse(text: str) -> PathMap:
    old, equals, new = text.partition("=")
    if not (equals and old.startswith("/") and new):
        raise ConfigError(
            "E-USAGE",
            f"--map-path {text}: not understood",
            hint="write FROM=TO, an absolute path of the source's host and one of this host:"
            " --map-path /dev/vg=/mnt/images",
        )
    return PathMap(posixpath.normpath(old), posixpath.abspath(new))


def mapped(machine: Machine, maps: Sequence[PathMap]) -> Machine:
    """Return the machine with its disks, kernel and initramfs where they are on this host.

    The longest map wins; parts of names are never replaced. A map that fits nothing is warned of.
    """
    used: set[PathMap] = set()

    def moved(path: str) -> str:
        fitting = [each for each in maps if each.covers(posixpath.normpath(path))]
        if not fitting:
            return path
        longest = max(fitting, key=lambda each: len(each.old))
        used.add(longest)
        rest = posixpath.normpath(path)[len(longest.old.rstrip("/")) :]
        return longest.new.rstrip("/") + rest

    def here(path: str | None, host: Remote | None) -> Remote | None:
        return host if path is None or moved(path) == path else None

    disks = tuple(
        replace(disk, path=moved(disk.path), host=here(disk.path, disk.host))
        for disk in machine.disks
    )
    boot = machine.boot
    if boot is not None:
        kernel, ramdisk = (path and moved(path) for path in (boot.kernel, boot.ramdisk))
        host = here(boot.kernel, boot.host)
        boot = replace(boot, kernel=kernel, ramdisk=ramdisk, host=host)
    return replace(
        machine, disks=disks, boot=boot, warnings=(*machine.warnings, *_unused(maps, used))
    )


def _unused(maps: Sequence[PathMap], used: set[PathMap]) -> Iterator[Finding]:
    for each in maps:
        if each not in used:
            yield Finding(
                "W-MAP-PATH",
                f"--map-path {each.old}={each.new}: nothing of the guest is below {each.old}",
                "compare it with the paths that the report shows: --source-only",
            )
