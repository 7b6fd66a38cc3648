# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which kernel the converted guest boots, and which hardware that one has drivers for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable

from converters.linux.disk_names import depends_on_hardware
from converters.linux.emulated import Emulated, emulated
from drivers.initramfs import InitramfsError
from drivers.kernels import Ramdisks
from drivers.modules import read_modules
from v2v.changes import Draft
from v2v.files import Files
from v2v.model import Bus, Capabilities, Driver, Guest, Kernel

Q35 = 2, 6, 32  # older kernels get the machine that they were made for, without AHCI
_BRING = (
    "give a package with a kernel: --kernel-package FILE.deb or FILE.rpm; or install one in the"
    " guest, such as linux-image-amd64, then convert"
)
_VIRTIO_1 = 4, 0  # virtio 1.0 came with Linux 4.0


def has_drivers(kernel: Kernel) -> bool:
    """Tell whether a kernel can run on KVM with a virtio disk, blk or scsi."""
    disk = {kernel.virtio["blk"], kernel.virtio["scsi"]} != {Driver.missing}
    return not kernel.xen_only and disk and kernel.virtio["pci"] is not Driver.missing


def old_root(kernel: Kernel) -> str | None:
    """Return the root that a unified image names by its old hardware; None if it does not."""
    roots = [word.removeprefix("root=") for word in (kernel.cmdline or "").split()
             if word.startswith("root=")]  # fmt: skip
    return next((root for root in roots if depends_on_hardware(root)), None)


def boots(kernel: Kernel) -> bool:
    """Tell whether a kernel reaches a virtio disk: modules have to come in an initramfs.

    That of a unified image is as it is, and so are its arguments.
    """
    if kernel.cmdline is not None:
        ready = bool(kernel.initramfs_has_virtio) and old_root(kernel) is None
        return ready and has_drivers(kernel)
    builtin = Driver.builtin in (kernel.virtio["blk"], kernel.virtio["scsi"])
    alone = builtin and kernel.virtio["pci"] is Driver.builtin
    return has_drivers(kernel) and (kernel.initramfs is not None or alone)


def choose(kernels: Iterable[Kernel], in_menu: Callable[[Kernel], bool]) -> Kernel | None:
    """Return the kernel to boot: with virtio before without, the default before the newest.

    ``kernels`` has the newest first. One that the boot menu does not have is the last resort.
    None: no kernel can run on KVM.
    """
    able = [kernel for kernel in kernels if not kernel.xen_only]
    reachable = [kernel for kernel in able if kernel.default or in_menu(kernel)]
    ranked = sorted(
        reachable or able, key=lambda kernel: (boots(kernel), kernel.default), reverse=True
    )
    return next(iter(ranked), None)


def without_virtio(files: Files, ramdisks: Ramdisks, kernel: Kernel | None) -> Emulated | None:
    """Return the emulated devices for a kernel, None if it needs none or nothing is known of it."""
    if kernel is None or (boots(kernel) and kernel.virtio["net"] is not Driver.missing):
        return None
    modules = read_modules(files, kernel.version)
    if not (modules.paths or modules.builtin or modules.options):
        return None
    loadable: Collection[str] = ()
    if kernel.initramfs is not None:
        try:
            loadable = ramdisks.get(kernel.initramfs).contents.modules(kernel.version)
        except InitramfsError:
            loadable = modules.paths  # nobody knows; they may be there
    addable = () if kernel.initramfs is None or boots(kernel) else modules.paths
    return emulated(modules, loadable, addable, ahci=release_of(kernel.version) >= Q35)


def capabilities(kernel: Kernel | None, without: Emulated | None = None) -> Capabilities:
    """Return the hardware for a kernel; what it has no virtio driver for is emulated.

    ``without`` tells which emulated devices it has drivers for, where it is known.
    """
    if kernel is None:
        return Capabilities()
    release = release_of(kernel.version)
    there = {key: driver is not Driver.missing for key, driver in kernel.virtio.items()}
    virtio = boots(kernel)
    bus = Bus.virtio if there["blk"] else Bus.scsi
    if not virtio:
        bus = (without and without.bus) or (Bus.sata if release >= Q35 else Bus.ide)
    nic = "virtio" if virtio and there["net"] else (without and without.nic) or "e1000"
    return Capabilities(
        block_bus=bus,
        net_model=nic,
        machine="q35" if release >= Q35 and bus is not Bus.ide else "pc",
        rng=virtio and there["rng"],
        balloon=virtio and there["balloon"],
        agent=virtio and there["console"] and release >= Q35,  # several ports on one device
        virtio_transitional=release < _VIRTIO_1,
    )


def release_of(version: str) -> tuple[int, ...]:
    """Return the numbers that a kernel's version starts with: 6, 1, 0 of 6.1.0-50-amd64.

    A version without numbers counts as a new one: such names are given to kernels built today.
    """
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else (99,)


def check_kernel(
    draft: Draft, guest: Guest, kernel: Kernel | None, without: Emulated | None = None
) -> None:
    """Say what a guest without a fitting kernel lacks, before anything is changed."""
    if kernel is not None:
        if not boots(kernel):
            draft.warn(
                "W-NO-VIRTIO",
                f"kernel {kernel.version}: it has no virtio drivers, or nowhere to load them from;"
                " the guest gets emulated disks and network cards",
                hint="they are slower; install a newer kernel in the guest, then convert again",
            )
        if without is not None:
            _check_emulated(draft, kernel, without)
        return
    if guest.kernels:
        versions = ", ".join(kernel.version for kernel in guest.kernels)
        draft.block(
            "E-KERNEL-XEN",
            f"{guest.product}: its kernels run on Xen only: {versions}",
            hint=_BRING,
        )
    else:
        draft.block(
            "E-KERNEL-NONE",
            f"{guest.product}: there is no kernel in /boot; Xen's host may have started it with "
            "one of its own",
            hint=_BRING,
        )


def _check_emulated(draft: Draft, kernel: Kernel, without: Emulated) -> None:
    if not boots(kernel) and without.bus is None:
        draft.warn(
            "W-DISK-DRIVER",
            f"kernel {kernel.version}: no driver for SATA or IDE disks is built in or in its "
            "initramfs; it may not find its root",
            hint="add the module ahci to the guest's initramfs, then convert again",
        )
    if without.nic is None and Driver.missing in (kernel.virtio["net"], kernel.virtio["pci"]):
        draft.warn(
            "W-NIC-DRIVER",
            f"kernel {kernel.version}: it has no driver for any network card that KVM has",
            hint="install a kernel with virtio_net or e1000 in the guest, then convert again",
        )
