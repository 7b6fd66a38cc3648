# SPDX-License-Identifier: LGPL-2.1-or-later
"""Brings a kernel that the old host handed to the guest into the guest, or keeps it outside.

Xen starts paravirtual guests from a kernel and initramfs of dom0, so that many have none inside
(xen-tools makes them so). The same kernel runs on KVM if it is not one of Xen's own.
"""

from __future__ import annotations

import posixpath

from converters.linux.boot_code import source_arguments
from converters.linux.conversion import Conversion
from drivers import kernels
from v2v.changes import Direct, Draft, RunCommand
from v2v.model import Boot, BootMethod, Machine

_WHY = "the guest has no kernel of its own; the old host gave it this one"
_HINT = (
    "copy it here and say where it is: --map-path FROM=TO; or give a package with another kernel:"
    " --kernel-package FILE"
)


def bring(draft: Draft, machine: Machine, *, keep: bool = False) -> str | None:
    """Draft kernel and initramfs of the old host in /boot of a guest that has no kernel there.

    Return the kernel's path, if any. To ``keep`` it they are drafted whatever is there, and so are
    made ready like others, before ``leave_outside`` takes them out again.
    """
    boot = machine.boot
    if keep and (boot is None or boot.method is not BootMethod.direct):
        draft.block(
            "E-DIRECT-BOOT",
            f"{machine.name}: --keep-direct-boot: its source does not start it from a kernel of"
            " its own",
            hint="leave the option out",
        )
        return None
    if boot is None or boot.kernel is None or (kernels.has_any(draft) and not keep):
        return None
    kernel = _read(draft, machine, boot.kernel, "kernel")
    ramdisk = None
    if boot.ramdisk is not None:
        ramdisk = _read(draft, machine, boot.ramdisk, "initramfs")
    if kernel is None or (boot.ramdisk is not None and ramdisk is None):
        return None
    version = kernels.banner(kernel)
    if version is None:
        draft.block(
            "E-KERNEL-OUTSIDE",
            f"{boot.kernel}: it is no kernel that can be told the version of",
            hint=_HINT,
        )
        return None
    if version not in draft.listdir("/lib/modules"):
        draft.warn(
            "W-KERNEL-MODULES",
            f"kernel {version}: /lib/modules has none of its modules, so only what is in its"
            " initramfs can be loaded",
            hint=f"copy /lib/modules/{version} of the old host into the guest before",
        )
    image = f"/boot/vmlinuz-{version}"
    draft.upload(image, kernel, why=_WHY)
    if ramdisk is not None:
        draft.upload(f"/boot/initrd.img-{version}", ramdisk, why=_WHY)
    draft.warn("W-KERNEL-OUTSIDE", _said(boot, version, keep=keep))
    return image


def _said(boot: Boot, version: str, *, keep: bool) -> str:
    name = posixpath.basename(boot.kernel or "")
    where = "lies beside the images" if keep else "is put into the guest's /boot"
    return (
        f"kernel {version} ({name} of the old host) {where}; no package of the guest keeps it up"
        " to date"
    )


def leave_outside(draft: Draft, conversion: Conversion) -> None:
    """Take kernel and initramfs out of the guest again where the domain is to start from them.

    The initramfs has virtio by now, and the files that it has copies of are the edited ones.
    """
    kernel = conversion.kernel
    if kernel is None:
        return
    rebuilt = [change for change in draft.changes
               if isinstance(change, RunCommand) and change.makes == kernel.initramfs]  # fmt: skip
    if rebuilt:
        draft.block(
            "E-DIRECT-BOOT",
            f"{kernel.initramfs}: --keep-direct-boot: it lacks drivers, and can only be made anew"
            " in the guest",
            hint="leave the option out: the kernel then comes into the guest",
        )
        return
    draft.direct = Direct(
        draft.take_out(kernel.image),
        None if kernel.initramfs is None else draft.take_out(kernel.initramfs),
        source_arguments(draft, conversion),
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
