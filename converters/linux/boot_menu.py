# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the boot loader start the right kernel with the right arguments on KVM.

The menu that the loader reads is edited in place, together with what it is made from, so that the
next update-grub (or its like) of the guest comes to the same result. Nothing is regenerated: that
takes seconds, and run in an appliance it would write the appliance's names of disks.
"""

from __future__ import annotations

import re

from converters.linux.bootloaders import assignments
from converters.linux.bootloaders.menu import entry_of
from converters.linux.conversion import Conversion
from converters.linux.disks import warn_unknown
from converters.linux.kernel_cmdline import (
    rename_disks,
    with_serial,
    without_xen,
    xen_console_to_serial,
)
from v2v.changes import Draft
from v2v.model import Kernel

_PACKAGE = "/etc/sysconfig/kernel"


def edit_menus(draft: Draft, conversion: Conversion) -> None:
    """Edit the kernels' arguments where the boot loader reads them.

    The kernel would wait for a root named by the old hypervisor, and talk to a console that KVM
    does not have.
    """
    unknown: dict[str, list[str]] = {}

    def edit(path: str, args: str, initrd: bool) -> str:
        return arguments(args, conversion, initrd=initrd, unknown=unknown.setdefault(path, []))

    for loader in conversion.loaders:
        loader.edit(draft, edit, "kernels find their root on KVM and talk to its serial console")
    for path, names in unknown.items():
        warn_unknown(draft, path, names)


def arguments(args: str, conversion: Conversion, *, initrd: bool, unknown: list[str]) -> str:
    """Return a kernel's arguments for KVM; those without a root are only a part of a line."""
    args = without_xen(args, xen_guest=conversion.xen)
    edited = rename_disks(args, conversion.names, by_uuid=initrd)
    unknown.extend(edited.unknown)
    args = xen_console_to_serial(edited.text)
    if re.search(r"(^|\s)root=", args):
        args = with_serial(args, screen_last=conversion.asks_passphrase)
    return args


def set_default_kernel(draft: Draft, conversion: Conversion) -> None:
    """Make the boot loader start the chosen kernel if that is not what it starts by itself.

    A default without virtio would not find its root.
    """
    kernel, guest = conversion.kernel, conversion.guest
    if kernel is None or kernel.default or not conversion.loaders:
        return
    known = [other.version for other in guest.kernels if other.default]
    current = f"the default, {known[0]}," if known else "the default"
    why = f"kernel {kernel.version} can run on KVM, {current} cannot"
    menus = [(loader, loader.entries(draft)) for loader in conversion.loaders]
    first, entries = menus[0]
    if not entries:
        draft.warn(
            "W-BOOT-MENU",
            f"{first.config}: no entry of this menu is understood, so its default stays as it is",
            hint=f"see to it that kernel {kernel.version} is started",
        )
        return
    if entry_of(draft, entries, kernel) is None:
        draft.block(
            "E-KERNEL-MENU",
            f"{first.config}: no entry of this menu starts kernel {kernel.version}, "
            "which can run on KVM",
            hint="run update-grub in the guest, then convert again",
        )
        return
    for loader, found in menus:
        entry = entry_of(draft, found, kernel)
        if entry is not None:
            loader.set_default(draft, entry, why)
    _name_default_package(draft, kernel, why)
    draft.warn(
        "W-DEFAULT-KERNEL",
        f"kernel {kernel.version} becomes the default, as {current} cannot run on KVM",
        hint="choose anew in the guest's boot menu configuration when a newer kernel is installed",
    )


def _name_default_package(draft: Draft, kernel: Kernel, why: str) -> None:
    """Have the next kernel of the chosen one's package become the default (RHBZ#1176801).

    Oracle Linux has kernels of two packages, and an update of the other would take it back.
    """
    if not draft.is_file(_PACKAGE):
        return
    text = draft.text(_PACKAGE)
    named = assignments.values(text, re.compile("DEFAULTKERNEL"))
    package = "kernel-uek" if "uek" in kernel.version else "kernel"
    if named and named[-1].removesuffix("-core") != package:
        core = "-core" if named[-1].endswith("-core") else ""
        new = assignments.set_value(text, "DEFAULTKERNEL", f"{package}{core}")
        draft.write(_PACKAGE, new, why=why)
