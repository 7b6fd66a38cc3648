# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes each initramfs ready for KVM: virtio in it, and the same names of disks as outside of it.

Look, then splice, then rebuild. A splice appends exactly what is missing and runs no program of
the guest. The guest's own tool takes half a minute without KVM, and is the way out where a splice
would not be exact.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from converters.linux.conversion import Conversion
from converters.linux.initramfs_copies import copies
from converters.linux.kernel_choice import has_drivers
from converters.linux.unlocking import unlock_in_initramfs
from drivers.initramfs import Contents, InitramfsError, Tool
from drivers.modules import read_modules
from drivers.rebuild import rebuild
from drivers.splice import boot_modules, lacking, splice
from v2v.changes import Draft
from v2v.model import InitramfsMode, Kernel

_LINKS = "/etc/systemd/network/10-v2v-*.link"
# Before 240 udev gives no second name to a NIC that got one in the initramfs.
_UDEV_RENAMES_AGAIN = 240


def add_virtio(draft: Draft, conversion: Conversion) -> None:
    """Make the initramfs of each kernel that can run on KVM find its disks there.

    This comes after all other edits, as an initramfs has copies of what they change.
    """
    for kernel in conversion.guest.kernels:
        emulated = conversion.emulated if kernel is conversion.kernel else None
        boot = emulated.boot if emulated else ()
        if kernel.initramfs is not None and (boot or has_drivers(kernel)):
            _ready(draft, conversion, kernel, kernel.initramfs, boot)


def _ready(
    draft: Draft, conversion: Conversion, kernel: Kernel, path: str, boot: tuple[str, ...]
) -> None:
    """Make one ready; ``boot`` are the drivers of its disk, if that is no virtio one."""
    why = f"kernel {kernel.version} finds its disks on KVM"
    modules = read_modules(draft, kernel.version)
    contents = None
    try:
        image = conversion.ramdisks.get(path)
        contents = image.contents
        missing = lacking(contents, modules, boot)
        wanted = copies(draft, contents, conversion.names)
        if missing or conversion.udev < _UDEV_RENAMES_AGAIN:
            wanted |= _nic_names(draft, contents, kernel, missing)
        if not missing and not _differ(contents, wanted):
            return
        if conversion.initramfs is not InitramfsMode.rebuild:
            draft.upload(path, splice(image, modules, draft, wanted, boot), why=why)
            return
        reason = "it is asked for"
    except InitramfsError as error:
        reason = str(error)
    _rebuild(draft, conversion, kernel, contents, reason, boot)


def _differ(contents: Contents, copies: Mapping[str, bytes]) -> bool:
    return any(contents.files.get(contents.resolve(path)) != data for path, data in copies.items())


def _nic_names(
    draft: Draft, contents: Contents, kernel: Kernel, missing: tuple[str, ...]
) -> dict[str, bytes]:
    """Return the names that NICs are to get, for an image with a driver for them.

    They are put where initramfs-tools puts its copies of them.
    """
    if "virtio_net" not in (*contents.modules(kernel.version), *missing):
        return {}
    copies = {
        f"lib/systemd/network/{posixpath.basename(path)}": path for path in draft.glob(_LINKS)
    }
    return {
        copy: draft.read(path)
        for copy, path in copies.items()
        if contents.resolve(copy) not in contents.paths
    }


def _rebuild(
    draft: Draft,
    conversion: Conversion,
    kernel: Kernel,
    contents: Contents | None,
    reason: str,
    boot: tuple[str, ...],
) -> None:
    """Draft the command that makes the image anew; ``contents`` if the old one can be read."""
    path = kernel.initramfs or ""
    tool = rebuild(draft, Tool.unknown if contents is None else contents.tool)
    if conversion.initramfs is InitramfsMode.splice:
        fact, hint = "it cannot be spliced", "let it be rebuilt: --initramfs auto"
    elif tool is None:
        fact = f"it lacks {boot[0] if boot else 'virtio'} and cannot be spliced"
        hint = "the guest has no tool for it; make one with it before converting"
    else:
        if tool.tool is Tool.initramfs_tools:
            unlock_in_initramfs(draft, contents)
        modules = read_modules(draft, kernel.version)
        names = (*boot_modules(modules, boot), *modules.closure(("virtio_net",))[-1:])
        why = f"kernel {kernel.version} must find its disks on KVM; no splice, since: {reason}"
        draft.run(*tool.command(kernel.version, path, kernel.image, names), why=why, makes=path)
        return
    if kernel is conversion.kernel:
        draft.block("E-INITRAMFS", f"{path}: {fact}: {reason}", hint=hint)
    else:
        message = f"{path}: {fact}, so kernel {kernel.version} will not boot on KVM: {reason}"
        draft.warn("W-INITRAMFS", message, hint=hint)
