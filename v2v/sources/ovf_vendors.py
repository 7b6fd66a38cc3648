# SPDX-License-Identifier: LGPL-2.1-or-later
"""What hypervisors add to an OVF of their own: firmware, Secure Boot, how a Xen guest starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from v2v.errors import Finding
from v2v.model import Boot, Display, Firmware, Hypervisor, Machine, Nic
from v2v.sources import vbox, xen
from v2v.sources.identity import uuid_text
from v2v.sources.ovf_items import OTHER, PARALLEL, SERIAL, SOUND, VIDEO, System, is_paravirtual
from v2v.sources.ovf_xml import attribute, child, text
from v2v.sources.vbox_devices import Settings
from v2v.sources.vmx import SOUND as VMWARE_SOUND

_TYPES = {  # how VirtualSystemType begins
    "vmx-": Hypervisor.vmware,
    "virtualbox": Hypervisor.virtualbox,
    "xen-": Hypervisor.xen,
    "hvm-": Hypervisor.xen,
    "dmtf:xen": Hypervisor.xen,
    "301": Hypervisor.hyperv,
    "microsoft": Hypervisor.hyperv,
    "engine": Hypervisor.kvm,  # oVirt
    "kvm": Hypervisor.kvm,
    "qemu": Hypervisor.kvm,
    "pve": Hypervisor.kvm,  # Proxmox
    "nutanix": Hypervisor.kvm,
    "ahv": Hypervisor.kvm,
}
_NAMESPACES = {  # oVirt's own, and the one of OVF with a slash more
    "vmware.com": Hypervisor.vmware,
    "ovirt.org": Hypervisor.kvm,
    "/ovf/envelope/1/": Hypervisor.kvm,
}
_OVIRT_EFI, _OVIRT_SECURE, _OVIRT_BIOS = ("3", "4"), "4", ("1", "2")  # its BiosType
_SOUND = {**vbox.SOUND, "ensoniq1371": "es1370", **VMWARE_SOUND}
_LEFT = {
    SERIAL: "serial ports",
    PARALLEL: "parallel ports",
}
_LEFT_SUBTYPES = {
    "vmware.vtpm": "TPM",
    "vmware.pci": "PCI devices of the host",
    "vmware.nvdimm": "NVDIMMs",
    "vmware.serialport": "serial ports",
    "vmware.parallelport": "parallel ports",
}
_LEFT_SETTINGS = {
    "nestedHVEnabled": "nested virtualization",
    "cpuHotAddEnabled": "hot-plugged CPUs",
    "memoryHotAddEnabled": "hot-plugged memory",
}
_LEFT_LINES = {
    "vhv.enable": "nested virtualization",
    "nvram": "the firmware's own settings (nvram)",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Firmware, and whether it checks signatures."""

    firmware: Firmware = Firmware.unknown
    secure_boot: bool = False


def hypervisor(system: System) -> Hypervisor:
    """Return whose export it is, by the type of the system, else by the namespaces in use."""
    for start, found in _TYPES.items():
        if system.type.startswith(start):
            return found
    spaces = " ".join(str(uri) for uri in system.root.nsmap.values())
    named = (found for word, found in _NAMESPACES.items() if word in spaces)
    return next(named, Hypervisor.unknown)


def firmware(system: System) -> Chosen:
    """Return what VMware, oVirt or XenServer note of it; ``unknown`` where nothing does."""
    given = system.config.get("firmware", "").lower()
    secure = system.config.get("bootOptions.efiSecureBootEnabled", "").lower() == "true"
    bios_type = text(system.element, "BiosType")
    if bios_type in _OVIRT_EFI:
        return Chosen(Firmware.efi, bios_type == _OVIRT_SECURE)
    if bios_type in _OVIRT_BIOS:
        return Chosen(Firmware.bios)
    if "firmware=uefi" in xen_setting(system, "HVM_boot_params").replace(" ", "").lower():
        return Chosen(Firmware.efi, xen_setting(system, "platform").find("secureboot=true") >= 0)
    if given in ("efi", "uefi"):
        return Chosen(Firmware.efi, secure)
    if given and given != "bios":
        message = f"{system.where}: unknown firmware {given!r}, the disks will tell"
        system.warnings.append(Finding("W-SOURCE-FIRMWARE", message))
    return Chosen(Firmware.bios if given == "bios" else Firmware.unknown)


def uuid(system: System, found: Hypervisor) -> str | None:
    """Return the UUID that the guest's hardware tells, where the export has it."""
    vssd = child(system.hardware, "System")
    bios = None if vssd is None else text(vssd, "BIOSGUID")
    given = system.extra.get("uuid.bios") or bios
    own = [system.element, child(system.element, "OperatingSystemSection")]
    identifiers = [attribute(each, "id") for each in own if each is not None]
    if found is Hypervisor.vmware:  # its identifiers are names
        identifiers = []
    candidates = (uuid_text(each) for each in (given, *identifiers) if each)
    return next(filter(None, candidates), None)


def xen_setting(system: System, name: str) -> str:
    """Return one of XenServer's <OtherSystemSettingData>."""
    for each in system.element.iter("{*}OtherSystemSettingData"):
        if attribute(each, "Name") == name:
            return text(each, "Value") or ""
    return ""


def boot(system: System, found: Hypervisor) -> Boot | None:
    """Return how Xen starts the guest."""
    if found is not Hypervisor.xen:
        return None
    return xen.boot(
        xen.GuestType.pv if is_paravirtual(system) else xen.GuestType.hvm,
        bootloader=xen_setting(system, "PV_bootloader") or None,
        kernel=xen_setting(system, "PV_kernel") or None,
        ramdisk=xen_setting(system, "PV_ramdisk") or None,
        cmdline=xen_setting(system, "PV_args") or None,
    )


def display(system: System) -> Display | None:
    return Display("window") if any(system.of(VIDEO)) else None


def sound(system: System) -> str | None:
    """Return libvirt's name of the sound card; VMware has them as devices without a type."""
    for item in system.of(SOUND, OTHER):
        kind = item.subtype.removeprefix("vmware.soundcard.")
        if item.type == SOUND or kind != item.subtype:
            model = _SOUND.get(kind)
            if model is None:
                message = f"{system.where}: unknown sound card {kind!r}, the guest will have none"
                system.warnings.append(Finding("W-SOURCE-SOUND", message))
            return model
    return None


def left_behind(system: System) -> tuple[Finding, ...]:
    """Name the devices and settings that the target has nothing for."""
    left = dict.fromkeys(_left(system))
    if not left:
        return ()
    message = f"{system.where}: not carried over: {', '.join(left)}"
    return (Finding("W-SOURCE-KEY", message, "add to the domain what the guest needs of this"),)


def _left(system: System) -> Iterator[str]:
    for item in system.items:
        if item.type in _LEFT:
            yield _LEFT[item.type]
        for start, what in _LEFT_SUBTYPES.items():
            if item.subtype.startswith(start):
                yield what
    for key, what in _LEFT_SETTINGS.items():
        if system.config.get(key, "").lower() == "true":
            yield what
    for key, what in _LEFT_LINES.items():
        if system.extra.get(key, "").lower() not in ("", "false"):
            yield what


def with_virtualbox(system: System, machine: Machine, path: Path) -> Machine:
    """Return the machine with what VirtualBox has in its own <vbox:Machine> alone.

    That is firmware, MAC addresses and what the NICs are plugged into, clock and sound.
    """
    element = next((each for each in system.element.iter("{*}Machine")), None)
    if element is None:
        return machine
    settings = Settings(system.where, element, path.parent, [])
    hardware = vbox.hardware(settings)
    return replace(
        machine,
        features=hardware.features,
        firmware=hardware.firmware,
        uuid=hardware.uuid,
        nics=_merged(machine.nics, hardware.nics),
        display=hardware.display,
        sound=hardware.sound,
        localtime=hardware.localtime,
        warnings=(*machine.warnings, *hardware.warnings),
    )


def _merged(listed: tuple[Nic, ...], own: tuple[Nic, ...]) -> tuple[Nic, ...]:
    """Return the NICs of VirtualBox's own section, unless somebody edited the list since.

    What they are called is said better in the list: E1000, not 82540EM.
    """
    if len(own) != len(listed):
        return listed
    return tuple(
        replace(nic, model=named.model or nic.model) for nic, named in zip(own, listed, strict=True)
    )
