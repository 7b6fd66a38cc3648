# SPDX-License-Identifier: LGPL-2.1-or-later
"""The knowledge of operating systems: which changes make a guest run on KVM.

`plan` is the way in. It reads and drafts; nothing in this package can write to a guest.
"""

from __future__ import annotations

from converters import linux, windows
from drivers.virtio_win import Media
from v2v.changes import Draft, Plan
from v2v.files import Files
from v2v.kernel_package import PackagedKernel
from v2v.model import BlockDriver, Guest, InitramfsMode, Machine


def plan(
    machine: Machine,
    guest: Guest,
    files: Files,
    initramfs: InitramfsMode,
    *,
    guest_code: bool = True,
    media: Media | None = None,
    block_driver: BlockDriver = BlockDriver.virtio_blk,
    keep_direct_boot: bool = False,
    packaged: PackagedKernel | None = None,
) -> tuple[Guest, Plan]:
    """Return the guest with its kernels filled in, and all that a conversion does to it.

    Without ``guest_code`` a step that needs a program of the guest is a blocker. ``media`` has the
    drivers for Windows, of which ``block_driver`` chooses that of its disks. With
    ``keep_direct_boot`` a kernel of the old host stays outside of the guest. ``packaged`` is for a
    Linux guest without a kernel that runs on KVM. Raises DriverError.
    """
    draft = Draft(files, guest_code=guest_code)
    if guest.windows is not None:
        found = (media or Media(None, "nowhere")).choose(guest.windows, guest.arch)
        guest, capabilities = windows.convert(
            draft, machine, guest, guest.windows, found, block_driver
        )
    else:
        _warn_addresses(draft, machine, guest)
        guest, capabilities = linux.convert(
            draft, machine, guest, initramfs, keep_direct_boot=keep_direct_boot, packaged=packaged
        )
    findings = tuple(draft.warnings), tuple(draft.blockers)
    return guest, Plan(tuple(draft.changes), *findings, capabilities, draft.direct)


def _warn_addresses(draft: Draft, machine: Machine, guest: Guest) -> None:
    for nic in machine.nics:
        if nic.addresses:
            draft.warn(
                "W-MAC-IP",
                f"--mac {nic.mac}:ip: {guest.product} keeps the addresses that it has",
                hint="addresses are set in Windows guests only; change them in the running guest",
            )
