# SPDX-License-Identifier: LGPL-2.1-or-later
"""Linux guests. STEPS is the table of contents: what is done to a guest, in order.

A step is a function of the draft and the conversion; its docstring says why the guest needs it.
Steps go by mechanism (boot loader, initramfs tool, network stack), not by distribution: each looks
for the files that it knows, and does nothing where they are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from converters.linux import (
    boot_code,
    boot_menu,
    boot_sources,
    bootloaders,
    consoles,
    disks,
    display,
    distributions,
    efi_fallback,
    firstboot,
    hypervisor_tools,
    initramfs,
    initramfs_config,
    kernel_choice,
    kernel_modules,
    menu_roots,
    network,
    outside_kernel,
    packaged_kernel,
    repositories,
    selinux,
    unified_images,
)
from converters.linux.bootloaders.menu import Entry, Loader, entry_of
from converters.linux.conversion import Conversion
from converters.linux.disk_names import disk_names
from converters.linux.inits import find_init, udev_version
from converters.linux.packages import Packages
from drivers.kernels import Ramdisks, Started, kernels
from v2v.changes import Draft
from v2v.hardware import target_firmware
from v2v.kernel_package import PackagedKernel
from v2v.model import Bootloader, Capabilities, Firmware, Guest, InitramfsMode, Kernel, Machine

Step = Callable[[Draft, Conversion], None]

STEPS: tuple[Step, ...] = (
    disks.rename_in_fstab,
    disks.drop_shared_folders,
    disks.rename_in_crypttab,
    disks.rename_resume_device,
    disks.rename_in_arrays,
    disks.rename_elsewhere,
    disks.rename_units,
    disks.widen_lvm_filters,
    disks.forget_old_devices,
    boot_menu.edit_menus,
    menu_roots.enter_partition,
    boot_sources.edit_variables,
    boot_sources.edit_lines,
    boot_sources.rename_boot_disk,
    boot_menu.set_default_kernel,
    consoles.restore_screens,
    consoles.move_inittab,
    consoles.allow_root_login,
    consoles.move_systemd_gettys,
    consoles.move_upstart_gettys,
    consoles.move_runit_gettys,
    display.use_any_graphics,
    hypervisor_tools.disable_services,
    hypervisor_tools.disable_kudzu,
    hypervisor_tools.spare_the_initramfs,
    repositories.disable_vendor_repositories,
    kernel_modules.unload_old_drivers,
    kernel_modules.rename_driver_aliases,
    kernel_modules.drop_driver_aliases,
    kernel_modules.drop_xen_clock,
    network.match_new_driver,
    network.replace_lost_mac,
    network.keep_nic_names,
    network.repair_udev_rules,
    network.keep_cloud_init_off,
    firstboot.queue_first_boot,
    initramfs_config.register_virtio,
    initramfs.add_virtio,  # it takes in what the steps before have edited
    efi_fallback.place_loader,
    boot_code.write_menu,
    boot_code.install_boot_code,
    boot_code.upgrade_boot_code_later,
    selinux.label_what_is_new,  # it must see all that the others make
)


def convert(
    draft: Draft,
    machine: Machine,
    guest: Guest,
    mode: InitramfsMode,
    *,
    keep_direct_boot: bool = False,
    packaged: PackagedKernel | None = None,
) -> tuple[Guest, Capabilities]:
    """Draft the conversion; return the guest with its kernels, and what it has drivers for."""
    conversion = prepare(
        draft, machine, guest, mode, keep_direct_boot=keep_direct_boot, packaged=packaged
    )
    kernel_choice.check_kernel(draft, conversion.guest, conversion.kernel, conversion.emulated)
    unified_images.check_images(draft, conversion)
    if not keep_direct_boot:
        boot_code.check_loader(draft, conversion)
    distributions.check(draft, guest)
    *steps, label_what_is_new = STEPS
    for step in steps:
        step(draft, conversion)
    if keep_direct_boot:
        outside_kernel.leave_outside(draft, conversion)  # before it gets a label
    label_what_is_new(draft, conversion)
    return conversion.guest, conversion.capabilities


def prepare(
    draft: Draft,
    machine: Machine,
    guest: Guest,
    mode: InitramfsMode,
    *,
    keep_direct_boot: bool = False,
    packaged: PackagedKernel | None = None,
) -> Conversion:
    """Return what the steps need to know: kernels, the one to boot, packages, names of disks.

    What the old host started the guest from, or the kernel of a package, is in the draft then, and
    a kernel like any other.
    """
    brought = None
    if packaged is None or keep_direct_boot:
        brought = outside_kernel.bring(draft, machine, keep=keep_direct_boot)
    ramdisks = Ramdisks(draft)
    loaders = bootloaders.find(draft, guest, efi=target_firmware(machine, guest) is Firmware.efi)
    entries, found = _kernels(draft, ramdisks, loaders)
    new_menu = packaged is not None and packaged_kernel.bring(draft, guest, packaged, found)
    if new_menu:
        loaders = ()
        entries, found = _kernels(draft, ramdisks, loaders)
    loader = next(iter(loaders), None)
    if keep_direct_boot:
        found = tuple(kernel for kernel in found if kernel.image == brought)
    guest = replace(
        guest,
        kernels=found,
        bootloader=Bootloader.none if loader is None else loader.kind,
        bootloader_config=None if loader is None else loader.config,
    )
    kernel = kernel_choice.choose(
        found, lambda kernel: entry_of(draft, entries, kernel) is not None
    )
    without = kernel_choice.without_virtio(draft, ramdisks, kernel)
    capabilities = replace(
        kernel_choice.capabilities(kernel, without),
        cpu_level=distributions.cpu_level(guest),
    )
    packages = Packages(draft)
    return Conversion(
        machine=machine,
        guest=guest,
        loaders=loaders,
        kernel=kernel,
        capabilities=capabilities,
        names=disk_names(machine, guest, capabilities.block_bus),
        packages=packages,
        init=find_init(draft, packages, packages.database),
        udev=udev_version(draft, packages, packages.database),
        ramdisks=ramdisks,
        initramfs=mode,
        emulated=without,
        keeps_direct_boot=keep_direct_boot,
        new_menu=new_menu,
    )


def _kernels(
    draft: Draft, ramdisks: Ramdisks, loaders: Sequence[Loader]
) -> tuple[Sequence[Entry], tuple[Kernel, ...]]:
    """Return the entries of the first loader's menu, and the kernels that there are."""
    entries: Sequence[Entry] = ()
    default = None
    for loader in loaders[:1]:
        entries, default = loader.entries(draft), loader.default(draft)
    found = kernels(
        draft,
        ramdisks,
        [Started(entry.image, entry.initramfs, entry.version) for entry in entries],
        default=None if default is None else default.image,
    )
    return entries, found
