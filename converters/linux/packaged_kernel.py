# SPDX-License-Identifier: LGPL-2.1-or-later
"""Brings a kernel out of packages into a guest that has none which runs on KVM."""

from __future__ import annotations

import re
from collections.abc import Iterable

from drivers import own_initramfs
from drivers.initramfs import InitramfsError
from drivers.modules import read_modules
from v2v.changes import Draft
from v2v.files import realpath
from v2v.kernel_package import PackagedKernel
from v2v.model import Guest, Kernel

_WHY = "no kernel of the guest runs on KVM; this one is from the packages that were given"
_64_BIT = 0x236, 1  # xloadflags' XLF_KERNEL_64, Documentation/arch/x86/boot.rst


def bring(draft: Draft, guest: Guest, packaged: PackagedKernel, there: Iterable[Kernel]) -> bool:
    """Draft a kernel with its modules and an initramfs, unless one of those there runs on KVM.

    No script of the package runs: the guest's package manager does not know of it. Return whether
    it is drafted: then a menu of the guest has it not.
    """
    version, names = packaged.version, ", ".join(packaged.packages)
    if any(not kernel.xen_only for kernel in there):
        draft.warn(
            "W-KERNEL-PACKAGE",
            f"kernel {version} of {names} is left out: the guest has one that runs on KVM",
            hint="leave out --kernel-package",
        )
        return False
    folder = f"{realpath(draft, '/lib/modules')}/{version}"
    draft.upload_folder(folder, packaged.modules, why=_WHY)
    draft.upload(f"/boot/vmlinuz-{version}", packaged.image, why=_WHY)
    for name, data in packaged.boot.items():
        draft.upload(f"/boot/{name}", data, why=_WHY)
    _initramfs(draft, guest, packaged)
    draft.warn(
        "W-KERNEL-PACKAGE",
        f"kernel {version} of {names} is put into the guest as files: its package manager does not"
        " know of it and brings no updates for it",
        hint="install the distribution's kernel package in the converted guest",
    )
    return True


def _initramfs(draft: Draft, guest: Guest, kernel: PackagedKernel) -> None:
    """Have an initramfs, made on this host.

    Where it would not find the root, an empty one is put there, which the guest's own tool is to
    replace, as it is to each that lacks drivers and cannot be spliced.
    """
    version = kernel.version
    root = guest.filesystem(guest.root)
    try:
        _refuse_layers(guest, kernel)
        made = own_initramfs.make(draft, read_modules(draft, version), root.type if root else "")
        why = f"kernel {version} finds its root; made on this host, of busybox and modules"
    except InitramfsError as error:
        made, why = b"", f"the guest's own tool is to make it, since {error}"
    draft.upload(f"/boot/initrd.img-{version}", made, why=why)


def _refuse_layers(guest: Guest, kernel: PackagedKernel) -> None:
    """Raise InitramfsError where busybox alone does not get to the guest's programs."""
    at, flag = _64_BIT
    if not kernel.image[at : at + 1] or not kernel.image[at] & flag:
        raise InitramfsError("the kernel has 32 bits, and this host's busybox has 64")
    disks = "|".join(map(re.escape, guest.disks))
    if not re.fullmatch(rf"({disks})(p?\d+)?", guest.root):
        raise InitramfsError(f"the root is on {guest.root}, which is no plain partition")
    if "/usr" in guest.mountpoints:
        raise InitramfsError("/usr is a file system of its own")
