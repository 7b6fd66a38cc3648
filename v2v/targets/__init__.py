# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a converted guest goes. A target names its images, is checked before work, and is written.

target = open_target(options)
name = target.named(wanted)
disks = target.disks(name, sizes)            # says what would be; touches nothing
target.check(name, disks, estimates)         # TargetError, before any work is done
with target.writing(name, disks) as writing:
    for disk, partial in writing.images:     # fill the image at the path ``partial``
        ...
    writing.commit(domain, report)           # all of it appears; left without it, nothing does
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from v2v.errors import ConfigError
from v2v.model import DiskFormat
from v2v.options import Options
from v2v.targets.local import LocalTarget
from v2v.targets.null import NullTarget
from v2v.targets.qemu import QemuTarget
from v2v.targets.target import Target, Writing

__all__ = ["TARGETS", "Target", "Writing", "open_target"]


def _libvirt(options: Options) -> Target:
    """Return libvirt's target; its library is loaded by those alone who use it."""
    opened: Target = import_module("v2v.targets.libvirt").LibvirtTarget(options)
    return opened


TARGETS: Mapping[str, Callable[[Options], Target]] = {
    "local": LocalTarget,
    "libvirt": _libvirt,
    "qemu": QemuTarget,
    "null": NullTarget,
}


def open_target(options: Options) -> Target:
    """Return the target that the options name. Raises ConfigError."""
    if options.output not in TARGETS:
        raise ConfigError(
            "E-OUTPUT",
            f"-o {options.output}: no such output",
            hint=f"choose one of {', '.join(TARGETS)}",
        )
    if options.format not in (DiskFormat.qcow2, DiskFormat.raw):
        raise ConfigError(
            "E-OUTPUT",
            f"-of {options.format}: not a format for the result",
            hint="choose qcow2 or raw",
        )
    return TARGETS[options.output](options)
