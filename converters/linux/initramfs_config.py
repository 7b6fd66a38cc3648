# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts virtio into the guest's own configuration of its initramfs tool.

A tool that looks at the hardware finds virtio by itself when it next runs, on KVM: dracut,
mkinitcpio with its block hook, make-initrd, booster. What is edited is a list that says exactly
what goes in, or what stays out.
"""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from converters.linux.kernel_choice import has_drivers
from drivers import registration
from drivers.virtio import BLK_BOOT, DEVICES, NET_BOOT, SCSI_BOOT
from v2v.changes import Draft
from v2v.model import Driver, Kernel

_INITRAMFS_TOOLS = ("/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/*")
_MODULES = re.compile(r"^[ \t]*MODULES=[\"']?(\w+)", re.MULTILINE)
_DRACUT = ("/etc/dracut.conf", "/etc/dracut.conf.d/*.conf")
_DRACUT_OURS = "/etc/dracut.conf.d/50-v2v-virtio.conf"
_MKINITCPIO = ("/etc/mkinitcpio.conf", "/etc/mkinitcpio.conf.d/*.conf")
_SUSE = "/etc/sysconfig/kernel"
_SUSE_LISTS = ("INITRD_MODULES", "DOMU_INITRD_MODULES")
_MKINITFS = "/etc/mkinitfs/mkinitfs.conf"
_VIRTIO = re.compile(r"virtio(_\w+)?")
_XEN = re.compile(r"xennet|xen_vnif|xenblk|xen_vbd|xen:vbd|xen:vif")
_KEEPS = "the next initramfs that the guest makes has the virtio drivers"


def register_virtio(draft: Draft, conversion: Conversion) -> None:
    """Keep virtio in the initramfs when the guest makes the next one, after a kernel's update."""
    if conversion.kernel is None or not has_drivers(conversion.kernel):
        return
    _initramfs_tools(draft)
    _dracut(draft, conversion.kernel)
    _mkinitcpio(draft, conversion.kernel)
    _suse(draft, conversion.kernel)
    if draft.is_file(_MKINITFS):
        text = draft.text(_MKINITFS)
        draft.write(_MKINITFS, registration.with_words(text, "features", ("virtio",)), why=_KEEPS)


def _initramfs_tools(draft: Draft) -> None:
    """With MODULES=most it takes virtio anyway; with list or dep it would not, or could not."""
    modes = [mode for path in _files(draft, *_INITRAMFS_TOOLS)
             for mode in _MODULES.findall(draft.text(path))]  # fmt: skip
    if not modes or modes[-1] not in ("list", "dep"):
        return
    path = registration.INITRAMFS_TOOLS
    old = draft.text(path) if draft.is_file(path) else ""
    wanted = dict.fromkeys((*BLK_BOOT, *SCSI_BOOT, *NET_BOOT))
    draft.write(path, registration.initramfs_tools(old, wanted), why=_KEEPS)


def _dracut(draft: Draft, kernel: Kernel) -> None:
    """With drivers= nothing else goes in; omit_drivers= keeps out even what runs."""
    listed = False
    for path in _files(draft, *_DRACUT):
        text = draft.text(path)
        listed |= bool(registration.words(text, "drivers"))
        draft.write(path, registration.without_words(text, "omit_drivers", _VIRTIO), why=_KEEPS)
    if listed:
        draft.write(_DRACUT_OURS, registration.dracut_drivers(_modules(kernel)), why=_KEEPS)


def _mkinitcpio(draft: Draft, kernel: Kernel) -> None:
    """The block hook brings virtio; who leaves it out lists modules by hand."""
    texts = {path: draft.text(path) for path in _files(draft, *_MKINITCPIO)}
    hooks = [found for text in texts.values() if (found := registration.words(text, "HOOKS"))]
    if not hooks or "block" in hooks[-1]:
        return
    lists = [path for path, text in texts.items() if registration.words(text, "MODULES")]
    path = [*texts, *lists][-1]
    new = registration.with_words(texts[path], "MODULES", _modules(kernel), array=True)
    draft.write(path, new, why=_KEEPS)


def _suse(draft: Draft, kernel: Kernel) -> None:
    """SUSE's mkinitrd puts in what INITRD_MODULES lists; Xen's drivers are in no other kernel."""
    if not draft.is_file(_SUSE):
        return
    text = draft.text(_SUSE)
    for key in _SUSE_LISTS:
        text = registration.without_words(text, key, _XEN)
    if registration.words(text, "INITRD_MODULES") is not None:
        text = registration.with_words(text, "INITRD_MODULES", _modules(kernel))
    draft.write(_SUSE, text, why=_KEEPS)


def _modules(kernel: Kernel) -> tuple[str, ...]:
    """Return the drivers of disks that the kernel has as modules."""
    keys = ("pci", "blk", "scsi")
    return tuple(DEVICES[key].module for key in keys if kernel.virtio[key] is Driver.module)


def _files(draft: Draft, *patterns: str) -> list[str]:
    return [path for pattern in patterns for path in draft.glob(pattern) if draft.is_file(path)]
