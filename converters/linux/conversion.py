# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the steps of a Linux conversion know, beside the draft that they write to."""

from __future__ import annotations

from dataclasses import dataclass

from converters.linux.bootloaders.menu import Loader
from converters.linux.disk_names import DiskNames
from converters.linux.emulated import Emulated
from converters.linux.inits import Init
from converters.linux.packages import Packages
from drivers.kernels import Ramdisks
from v2v.hardware import target_firmware
from v2v.model import Capabilities, Firmware, Guest, Hypervisor, InitramfsMode, Kernel, Machine


@dataclass(frozen=True, slots=True)
class Conversion:
    """One guest on its way to KVM."""

    machine: Machine
    guest: Guest  # with its kernels
    loaders: tuple[Loader, ...]  # the one that starts the guest first
    kernel: Kernel | None  # the one that the converted guest boots
    capabilities: Capabilities
    names: DiskNames
    packages: Packages
    init: Init
    udev: int  # its version; 0: another program names the devices, or it is not known
    ramdisks: Ramdisks  # as they are before the conversion
    initramfs: InitramfsMode
    emulated: Emulated | None  # the devices for what the kernel has no virtio driver for
    keeps_direct_boot: bool = False  # the domain starts its kernel, and no boot loader
    new_menu: bool = False  # whatever menu there is, it has no kernel that runs on KVM

    @property
    def xen(self) -> bool:
        return self.machine.hypervisor is Hypervisor.xen

    @property
    def efi(self) -> bool:
        """Tell whether the target starts with UEFI."""
        return target_firmware(self.machine, self.guest) is Firmware.efi

    @property
    def own_loader(self) -> bool:
        """Tell whether the disk was composed with a loader for UEFI, of this host's GRUB."""
        return any(disk.loader for disk in self.machine.disks)

    @property
    def asks_passphrase(self) -> bool:
        """Tell whether a passphrase may be asked for at boot, which is typed where it always was.

        initramfs-tools asks on /dev/console, the last of the consoles.
        """
        return any(found.type == "crypto_LUKS" for found in self.guest.filesystems)

    @property
    def systemd(self) -> bool:
        """Tell whether systemd is the init."""
        return self.init is Init.systemd
