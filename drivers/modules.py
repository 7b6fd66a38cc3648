# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel's modules as its index in /lib/modules/VERSION tells, and what is built in.

modules.dep(5) has a line for each module: its path, a colon, and the paths of all that it needs;
they are loaded from the last to the first. modules.builtin (Linux 2.6.33 and later) names what
would be a module if it were not built in. The kernel's configuration tells of older ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.virtio import COMPRESSED, DEVICES, Device, module_name
from v2v.files import Files, realpath
from v2v.model import Driver

_BUILT_IN = re.compile(r"^CONFIG_(\w+)=y$", re.MULTILINE)
_XENLINUX = frozenset({"X86_XEN", "X86_64_XEN"})
# Where virtio's modules are, for a kernel whose index is missing.
_FOLDERS = ("virtio", "block", "net", "scsi", "char", "char/hw_random")


@dataclass(frozen=True, slots=True)
class Modules:
    """What one kernel has as modules and what it has built in. Names are normal ones."""

    version: str
    folder: str  # without symbolic links: /usr/lib/modules/VERSION
    paths: Mapping[str, str]  # module to its path below the folder
    needs: Mapping[str, tuple[str, ...]]  # module to all that it needs, in the order of loading
    builtin: frozenset[str]
    options: frozenset[str]  # of the kernel's configuration, those that are y
    indexed: bool  # paths and needs are from modules.dep

    @property
    def xen_only(self) -> bool:
        """Tell whether this is a xenlinux kernel, which runs on nothing but Xen.

        Kernels with paravirt_ops, which run everywhere, have CONFIG_XEN instead.
        """
        return bool(_XENLINUX & self.options)

    def driver(self, key: str) -> Driver:
        """Return how the kernel has the driver of a virtio device, by its key in DEVICES."""
        return self.has(DEVICES[key])

    def has(self, device: Device) -> Driver:
        """Return how the kernel has the driver of a device."""
        if device.module in self.builtin or device.option in self.options:
            return Driver.builtin
        return Driver.module if device.module in self.paths else Driver.missing

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the names that are modules, each after all that it needs."""
        wanted = [name for name in names if name in self.paths and name not in self.builtin]
        ordered = [needed for name in wanted for needed in (*self.needs.get(name, ()), name)]
        return tuple(dict.fromkeys(ordered))


def read_modules(files: Files, version: str) -> Modules:
    """Return the modules of a kernel; a kernel without any has only what is built in."""
    folder = realpath(files, f"/lib/modules/{version}")
    config = _text(files, f"/boot/config-{version}") or _text(files, f"{folder}/config")
    index = _text(files, f"{folder}/modules.dep")
    paths, needs = _parse_dep(index, version) if index else (_found(files, folder), {})
    builtin = _text(files, f"{folder}/modules.builtin")
    return Modules(
        version=version,
        folder=folder,
        paths=paths,
        needs=needs,
        builtin=frozenset(module_name(line) for line in builtin.splitlines()),
        options=frozenset(_BUILT_IN.findall(config)),
        indexed=bool(index),
    )


def _text(files: Files, path: str) -> str:
    try:
        return files.read(path).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _parse_dep(text: str, version: str) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    # module-init-tools before 3.9 wrote absolute paths.
    below = f"/lib/modules/{version}/"
    paths = {}
    needs = {}
    for line in text.replace(below, "").splitlines():
        path, colon, needed = line.partition(":")
        if colon:
            paths[module_name(path)] = path
            needs[module_name(path)] = tuple(map(module_name, reversed(needed.split())))
    return paths, needs


def _found(files: Files, folder: str) -> dict[str, str]:
    endings = tuple(f".ko{suffix}" for suffix in ("", *COMPRESSED))
    return {
        module_name(name): f"kernel/drivers/{place}/{name}"
        for place in _FOLDERS
        for name in files.listdir(f"{folder}/kernel/drivers/{place}")
        if name.endswith(endings)
    }
