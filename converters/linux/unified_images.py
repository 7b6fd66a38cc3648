# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unified kernel images: what they hold is signed, so it is looked at and never changed."""

from __future__ import annotations

import re

from converters.linux.conversion import Conversion
from converters.linux.kernel_choice import boots, old_root
from drivers.initramfs import InitramfsError
from drivers.kernels import Ramdisks
from v2v.changes import Draft
from v2v.model import Kernel

_AHCI_ROOT = re.compile(r"/dev/sd[a-z]+\d*")


def check_images(draft: Draft, conversion: Conversion) -> None:
    """Say which images cannot boot on virtio disks; without another way that is a blocker.

    The one to boot gets a SATA disk if that is what it can use: it is then sda, as it was.
    """
    for kernel in conversion.guest.kernels:
        if kernel.cmdline is None or boots(kernel):
            continue
        lacks = _lacks(kernel)
        hint = "build it anew in the guest with virtio_blk and a root by UUID; it is signed, so "
        hint += "v2v changes nothing in it"
        if kernel is not conversion.kernel or _boots_on_sata(conversion.ramdisks, kernel):
            draft.warn("W-UKI", f"{kernel.image}: {lacks}", hint=hint)
        else:
            draft.block(
                "E-UKI", f"{kernel.image}: {lacks}, and no other kernel can boot", hint=hint
            )


def _lacks(kernel: Kernel) -> str:
    root = old_root(kernel)
    if root is not None:
        return f"its command line names {root}, which is called otherwise on KVM"
    return "its initramfs has no virtio drivers"


def _boots_on_sata(ramdisks: Ramdisks, kernel: Kernel) -> bool:
    root = old_root(kernel)
    try:
        found = ramdisks.get(kernel.image).contents.modules(kernel.version)
    except InitramfsError:
        return False
    return {"ahci", "sd_mod"} <= found.keys() and (
        root is None or _AHCI_ROOT.fullmatch(root) is not None
    )
