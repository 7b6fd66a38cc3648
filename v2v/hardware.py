# SPDX-License-Identifier: LGPL-2.1-or-later
"""The target's hardware, as far as it is a choice: decided once, before any XML is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from v2v.buses import Layout, layout
from v2v.devices import boot_disk
from v2v.errors import Finding, TargetError
from v2v.host_support import USUAL, HostSupport
from v2v.model import Capabilities, Firmware, Guest, Machine, Network, NetworkKind, Nic, Topology
from v2v.osinfo import osinfo_id

_X86 = frozenset({"x86_64", "i386", "i486", "i586", "i686"})
# What QEMU has of libvirt's models (qemuValidateDomainDeviceDefSound).
_SOUND_MODELS = frozenset({"ac97", "es1370", "ich6", "ich9", "pcspk", "sb16", "usb"})
# A Linux interface name: at most 15 bytes, no blank, / or : (dev_valid_name in net/core/dev.c);
# of the rest, what libvirt's schema takes.
_VISTA, _WINDOWS_8, _WINDOWS_11 = (6, 0), (6, 2), 22000
_BRIDGE_NAME = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9_.\-]{1,15}")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the sections of the domain XML share."""

    machine: Machine
    guest: Guest | None
    capabilities: Capabilities
    uuid: str | None  # None: libvirt invents one
    efi: bool
    secure_boot: bool
    osinfo: str | None
    sound: str | None
    nics: tuple[Nic, ...]
    drives: Layout
    boot_order: tuple[int, ...]  # for each disk, from 1
    support: HostSupport

    @property
    def enlightened(self) -> bool:
        """Tell whether the guest knows Hyper-V's interfaces, as Windows does since Vista."""
        windows = self.guest.windows if self.guest else None
        return windows is not None and windows.nt >= _VISTA

    @property
    def old_windows(self) -> bool:
        """Tell whether the guest is a Windows that has no driver for xHCI."""
        windows = self.guest.windows if self.guest else None
        return windows is not None and windows.nt < _WINDOWS_8

    @property
    def tpm(self) -> bool:
        """Tell whether the guest gets a TPM 2.0."""
        return self.support.tpm and _wants_tpm(self.machine, self.guest, efi=self.efi)

    @property
    def topology(self) -> Topology | None:
        """One socket for Windows: its client editions use one or two, and leave CPUs of more."""
        if self.guest is None or self.guest.windows is None:
            return None
        return Topology(1, self.machine.vcpus, 1)

    @property
    def q35(self) -> bool:
        return self.capabilities.machine == "q35"

    @property
    def transitional(self) -> bool:
        """On q35 a plain virtio device speaks virtio 1.0 only, as it hangs on PCI Express."""
        return self.capabilities.virtio_transitional and self.q35

    @property
    def virtio(self) -> str:
        """The model of virtio devices."""
        return "virtio-transitional" if self.transitional else "virtio"


def _wants_tpm(machine: Machine, guest: Guest | None, *, efi: bool) -> bool:
    """Tell whether a guest had a TPM 2.0, or needs it as Windows 11 does; that takes UEFI."""
    windows = guest.windows if guest else None
    needed = windows is not None and not windows.server and windows.build >= _WINDOWS_11
    return efi and (machine.tpm or needed)


def decide(
    machine: Machine,
    guest: Guest | None,
    capabilities: Capabilities,
    disk_count: int,
    support: HostSupport = USUAL,
) -> tuple[Hardware, tuple[Finding, ...]]:
    """Return the choices, with a warning for each thing that cannot be as it was.

    Raises TargetError for what the target's hypervisor does not have.
    """
    if guest is not None and guest.arch not in _X86:
        raise TargetError("E-ARCH", f"{machine.name}: no target hardware for {guest.arch}")
    warnings: list[Finding] = []
    efi = target_firmware(machine, guest) is Firmware.efi
    hardware = Hardware(
        machine=machine,
        guest=guest,
        capabilities=capabilities,
        uuid=_uuid(machine, support, warnings),
        efi=efi,
        secure_boot=_secure_boot(machine, efi, capabilities, warnings),
        osinfo=_osinfo(guest, warnings),
        sound=_sound_model(machine.sound, warnings),
        nics=tuple(_plugged(nic, warnings) for nic in machine.nics),
        drives=layout(disk_count, machine.removables, capabilities),
        boot_order=_boot_order(guest, machine.first_disk, disk_count),
        support=support,
    )
    _require(hardware)
    warnings += _lost(hardware)
    return hardware, (*warnings, *hardware.drives.warnings)


def _require(hardware: Hardware) -> None:
    """Raise TargetError for hardware that the guest cannot do without."""
    support, name = hardware.support, hardware.machine.name
    buses = dict.fromkeys(slot.bus for slot in hardware.drives.disks)
    absent = [
        *(["UEFI firmware"] if hardware.efi and not support.efi else []),
        *(["Secure Boot"] if hardware.secure_boot and not support.secure_boot else []),
        *([f"disk bus {bus}" for bus in buses if bus not in support.buses]),
    ]
    if hardware.capabilities.machine not in support.machines:
        absent.append(f"machine type {hardware.capabilities.machine}")
    if absent:
        raise TargetError(
            "E-TARGET-HARDWARE",
            f"{name}: the target's hypervisor has no {', no '.join(absent)}",
            hint="install what it lacks there (ovmf or edk2-ovmf is the firmware), or choose "
            "another host",
        )


def _lost(hardware: Hardware) -> Iterator[Finding]:
    display = hardware.machine.display
    lost = []
    if _wants_tpm(hardware.machine, hardware.guest, efi=hardware.efi) and not hardware.support.tpm:
        lost.append(("TPM 2.0", "swtpm is not installed there; Windows 11 wants it for updates"))
    if display is not None and display.kind == "spice" and "spice" not in hardware.support.screens:
        lost.append(("SPICE", "the screen is shown by VNC"))
    for what, then in lost:
        yield Finding(
            "W-TARGET-HARDWARE",
            f"{hardware.machine.name}: the target's hypervisor has no {what}",
            then,
        )


def target_firmware(machine: Machine, guest: Guest | None) -> Firmware:
    """Return what starts the guest: the source's word, else what the disks are made for."""
    if machine.firmware is Firmware.unknown and guest is not None:
        return guest.firmware
    return machine.firmware


def misfits(wanted: Firmware | None, guest: Guest) -> Iterator[Finding]:
    """Yield why a firmware that the user wants cannot start the guest from its disks."""
    if wanted is Firmware.efi and guest.firmware is not Firmware.efi:
        yield Finding(
            "E-FIRMWARE",
            f"{guest.product}: its disks have no EFI system partition that UEFI could start from",
            "leave --firmware efi out; only disks that are composed of partitions get one",
        )
    elif wanted is Firmware.efi and guest.arch != "x86_64":
        yield Finding(
            "E-FIRMWARE",
            f"{guest.product}: a system for {guest.arch} is not started by UEFI of 64 bits",
            "leave --firmware efi out",
        )
    if wanted is Firmware.bios and guest.firmware is Firmware.efi and not guest.grub_disks:
        yield Finding(
            "E-FIRMWARE",
            f"{guest.product}: its disks are made for UEFI, and a BIOS finds no boot code there",
            "leave --firmware bios out",
        )


def _uuid(machine: Machine, support: HostSupport, warnings: list[Finding]) -> str | None:
    if machine.uuid is None or machine.uuid.lower() not in support.uuids:
        return machine.uuid
    warnings.append(
        Finding(
            "W-UUID",
            f"{machine.name}: another domain of the target has its UUID {machine.uuid}, it gets"
            " a new one",
            "licences of the guest may be bound to it",
        )
    )
    return None


def _secure_boot(
    machine: Machine, efi: bool, capabilities: Capabilities, warnings: list[Finding]
) -> bool:
    """Tell whether the target has Secure Boot, which libvirt offers on q35 only (it needs SMM)."""
    if not machine.secure_boot:
        return False
    possible = efi and capabilities.machine == "q35"
    if not possible:
        warnings.append(
            Finding(
                "W-SECURE-BOOT",
                f"{machine.name}: Secure Boot is lost, it needs UEFI firmware and machine type q35",
            )
        )
    return possible


def _osinfo(guest: Guest | None, warnings: list[Finding]) -> str | None:
    if guest is None:
        return None
    found = osinfo_id(guest)
    if found is None:
        warnings.append(
            Finding(
                "W-OSINFO",
                f"{guest.product or guest.distro}: no libosinfo id is known for it",
                "the guest runs without; management tools will call it an unknown system",
            )
        )
    return found


def _sound_model(model: str | None, warnings: list[Finding]) -> str | None:
    if model is None or model in _SOUND_MODELS:
        return model
    warnings.append(
        Finding(
            "W-SOUND",
            f"sound card {model}: QEMU has none of this model, it is left out",
            "add another with virsh edit, such as ich9",
        )
    )
    return None


def plugged_into(nic: Nic) -> Network:
    """Return what a NIC is plugged into: what no bridge can be called is a network of libvirt."""
    network = nic.network
    if network.kind is NetworkKind.network or _BRIDGE_NAME.fullmatch(network.name):
        return network
    return Network(NetworkKind.network, network.name)


def _plugged(nic: Nic, warnings: list[Finding]) -> Nic:
    """Return the NIC on a network that libvirt can hold: no bridge can be called "VM Network"."""
    network = plugged_into(nic)
    if network == nic.network:
        return nic
    warnings.append(
        Finding(
            "W-BRIDGE-NAME",
            f"bridge {network.name}: no Linux bridge can have this name, the NIC is put on a "
            "libvirt network of this name",
            f"name a bridge of the target host: -b '{network.name}:br0'",
        )
    )
    return replace(nic, network=network)


def _boot_order(guest: Guest | None, told: int | None, disk_count: int) -> tuple[int, ...]:
    """Return each disk's turn. All have one: SeaBIOS does not set up a disk that has none.

    The first is the one that the guest starts from; if it cannot be told, that of the source.
    """
    found = None if guest is None else boot_disk(guest)
    first = told if found is None else found
    turns = sorted(range(disk_count), key=lambda number: number != first)
    return tuple(turns.index(number) + 1 for number in range(disk_count))
