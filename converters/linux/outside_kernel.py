# SPDX-License-Identifier: LGPL-2.1-or-later
"""Brings a kernel that the old host handed to the guest into the guest.

Xen starts paravirtual guests from a kernel and initramfs of dom0, so that many have none inside
(xen-tools makes them so). The same kernel runs on KVM if it is not one of Xen's own.
"""

from __future__ import annotations

import posixpath

from drivers import kernels
from v2v.changes import Draft
from v2v.model import Boot, Machine

_WHY = "the guest has no kernel of its own; the old host gave it this one"
_HINT = (
    "copy it here and say where it is: --map-path FROM=TO; or install a kernel in the guest"
    " (apt install linux-image-amd64), then convert again"
)


def bring(draft: Draft, machine: Machine) -> None:
    """Draft kernel and initramfs of the old host in /boot of a guest that has no kernel there."""
    boot = machine.boot
    if boot is None or boot.kernel is None or kernels.has_any(draft):
        return
    kernel = _read(draft, machine, boot.kernel, "kernel")
    ramdisk = None
    if boot.ramdisk is not None:
        ramdisk = _read(draft, machine, boot.ramdisk, "initramfs")
    if kernel is None or (boot.ramdisk is not None and ramdisk is None):
        return
    version = kernels.banner(kernel)
    if version is None:
        draft.block(
            "E-KERNEL-OUTSIDE",
            f"{boot.kernel}: it is no kernel that can be told the version of",
            hint=_HINT,
        )
        return
    if version not in draft.listdir("/lib/modules"):
        draft.warn(
            "W-KERNEL-MODULES",
            f"kernel {version}: /lib/modules has none of its modules, so only what is in its"
            " initramfs can be loaded",
            hint=f"copy /lib/modules/{version} of the old host into the guest before",
        )
    draft.upload(f"/boot/vmlinuz-{version}", kernel, why=_WHY)
    if ramdisk is not None:
        draft.upload(f"/boot/initrd.img-{version}", ramdisk, why=_WHY)
    draft.warn("W-KERNEL-OUTSIDE", _said(boot, version))


def _said(boot: Boot, version: str) -> str:
    name = posixpath.basename(boot.kernel or "")
    return (
        f"kernel {version} ({name} of the old host) is put into the guest's /boot; no package of"
        " the guest keeps it up to date"
    )


def _read(draft: Draft, machine: Machine, path: str, what: str) -> bytes | None:
    """Return a file of the old host, None if it is not on this one, which stands in the way."""
    try:
        return (machine.folder / path).read_bytes()
    except OSError as error:
        draft.block(
            "E-KERNEL-OUTSIDE",
            f"{path}: the guest starts from this {what} of the old host, and here:"
            f" {(error.strerror or str(error)).lower()}",
            hint=_HINT,
        )
        return None
