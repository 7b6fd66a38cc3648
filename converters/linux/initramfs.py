# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes each initramfs ready for KVM: virtio in it, and the same names of disks as outside of it.

Look, then splice, then rebuild. A splice appends exactly what is missing and runs no program of
the guest. The guest's own tool takes half a minute without KVM, and is the way out where a splice
would not be exact.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from functools import partial

from converters.linux import disk_tables
from converters.linux.conversion import Conversion
from converters.linux.disk_names import DiskNames, Edited
from converters.linux.kernel_choice import has_drivers
from converters.linux.kernel_cmdline import rename_disks
from drivers import registration
from drivers.initramfs import Contents, InitramfsError
from drivers.modules import read_modules
from drivers.splice import lacking, splice
from drivers.virtio import BLK_BOOT, NET_BOOT, SCSI_BOOT
from v2v.changes import Draft
from v2v.model import InitramfsMode, Kernel

_CONFIG = ("/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/*")
_MODULES = re.compile(r"^[ \t]*MODULES=[\"']?(\w+)", re.MULTILINE)
_LINKS = "/etc/systemd/network/10-v2v-*.link"
# Copies that an image has of files which are edited in the guest, and their editors.
_COPIES: tuple[tuple[re.Pattern[str], Callable[[str, DiskNames], Edited]], ...] = (
    (re.compile(r"conf/conf\.d/cryptroot"), partial(rename_disks, by_uuid=True)),
    (re.compile(r"conf/(initramfs\.conf|conf\.d/.+)"), disk_tables.assignments),
    (re.compile(r"(cryptroot|etc)/crypttab"), disk_tables.crypttab),
    (re.compile(r"etc/fstab"), disk_tables.fstab),
    (re.compile(r"etc/lvm/lvm\.conf"), disk_tables.lvm_filter),
)
# Before 240 udev gives no second name to a NIC that got one in the initramfs.
_UDEV_RENAMES_AGAIN = 240


def register_virtio(draft: Draft, conversion: Conversion) -> None:
    """Put virtio into the guest's own initramfs configuration.

    With MODULES=most initramfs-tools takes it anyway, and dracut in its default mode what runs;
    with MODULES=list or dep the next update-initramfs would drop it, or could.
    """
    if conversion.kernel is None or not has_drivers(conversion.kernel):
        return
    if not draft.is_file("/etc/initramfs-tools/initramfs.conf"):
        return
    modes = [
        mode
        for pattern in _CONFIG
        for path in draft.glob(pattern)
        if draft.is_file(path)
        for mode in _MODULES.findall(draft.text(path))
    ]
    if not modes or modes[-1] not in ("list", "dep"):
        return
    old = (
        draft.text(registration.INITRAMFS_TOOLS)
        if draft.is_file(registration.INITRAMFS_TOOLS)
        else ""
    )
    wanted = dict.fromkeys((*BLK_BOOT, *SCSI_BOOT, *NET_BOOT))
    draft.write(
        registration.INITRAMFS_TOOLS,
        registration.initramfs_tools(old, wanted),
        why="the next update-initramfs keeps the virtio drivers",
    )


def add_virtio(draft: Draft, conversion: Conversion) -> None:
    """Make the initramfs of each kernel that can run on KVM find its disks there.

    This comes after all other edits, as an initramfs has copies of what they change.
    """
    for kernel in conversion.guest.kernels:
        if kernel.initramfs is not None and has_drivers(kernel):
            _ready(draft, conversion, kernel, kernel.initramfs)


def _ready(draft: Draft, conversion: Conversion, kernel: Kernel, path: str) -> None:
    why = f"kernel {kernel.version} finds its disks on KVM"
    modules = read_modules(draft, kernel.version)
    try:
        image = conversion.ramdisks.get(path)
        missing = lacking(image.contents, modules)
        copies = _copies(image.contents, conversion.names)
        if missing or conversion.udev < _UDEV_RENAMES_AGAIN:
            copies |= _nic_names(draft, image.contents, kernel, missing)
        if not missing and not _differ(image.contents, copies):
            return
        if conversion.initramfs is not InitramfsMode.rebuild:
            draft.upload(path, splice(image, modules, draft, copies), why=why)
            return
        reason = "it is asked for"
    except InitramfsError as error:
        reason = str(error)
    _rebuild(draft, conversion, kernel, path, reason)


def _differ(contents: Contents, copies: Mapping[str, bytes]) -> bool:
    return any(contents.files.get(contents.resolve(path)) != data for path, data in copies.items())


def _copies(contents: Contents, names: DiskNames) -> dict[str, bytes]:
    """Return the copies in the image, as they must be."""
    found = {}
    for path, data in contents.files.items():
        editor = next((editor for pattern, editor in _COPIES if pattern.fullmatch(path)), None)
        if editor is not None:
            old = data.decode(errors="surrogateescape")
            found[path] = editor(old, names).text.encode(errors="surrogateescape")
    return found


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


def _rebuild(draft: Draft, conversion: Conversion, kernel: Kernel, path: str, reason: str) -> None:
    why = f"kernel {kernel.version} must find its disks on KVM; no splice, since: {reason}"
    if conversion.initramfs is InitramfsMode.splice:
        draft.block(
            "E-INITRAMFS",
            f"{path}: it cannot be spliced: {reason}",
            hint="let it be rebuilt: --initramfs auto",
        )
    elif draft.is_file("/usr/sbin/update-initramfs"):
        draft.run("update-initramfs", "-u", "-k", kernel.version, why=why, makes=path)
    else:
        draft.block(
            "E-INITRAMFS",
            f"{path}: it lacks virtio and cannot be spliced: {reason}",
            hint="the guest has no update-initramfs; rebuild it with virtio_blk before converting",
        )
