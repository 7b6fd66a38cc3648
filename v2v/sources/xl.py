# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Xen as xl.cfg(5) describes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from v2v.errors import Finding, SourceError
from v2v.model import Boot, Bus, Disk, Firmware, Hypervisor, Machine, Removable, RemovableKind
from v2v.sources import config_file, xl_disks, xl_syntax, xm_syntax
from v2v.sources.identity import image_path, name_from_file, uuid_text
from v2v.sources.xen import GuestType, boot, disk_bus, slot
from v2v.sources.xl_devices import display, nics, sound
from v2v.sources.xl_syntax import Config

name = "xl"
about = "xl.cfg(5), a Xen guest"

_MIB = 1024 * 1024
_DEFAULT_MEMORY = 32  # MiB, where neither memory nor maxmem is given (libxl)
_EVIDENCE = re.compile(
    r"""^[ \t]*(?:disk|vif|vfb|memory|maxmem|vcpus|bootloader|builder|kernel|ramdisk)
        [ \t]*\+?=[ \t]*[^=\s]""",
    re.MULTILINE | re.VERBOSE,
)

_UNNEEDED = {
    "what happens on events": "on_poweroff on_reboot on_watchdog on_crash on_soft_reset "
    "on_xend_start on_xend_stop",
    "the Xen host": "cpus cpus_soft cpu_weight cap pool shadow_memory hap oos nomigrate seclabel "
    "init_seclabel max_grant_frames max_maptrack_frames max_grant_version max_event_channels "
    "passthrough xend_suspend_evtchn_compat vmtrace_buf_kb claim_mode description",
    "its device model": "device_model device_model_version device_model_override "
    "device_model_user dm_restrict stubdomain_kernel stubdomain_ramdisk stubdomain_cmdline "
    "stubdomain_memory device_model_stubdomain_override device_model_stubdomain_seclabel",
    "its way to boot": "bootloader_args bootloader_restrict bootloader_user bootargs bootentry "
    "pvshim pvshim_path pvshim_cmdline pvshim_extra boot firmware_override",
    "Xen's own hardware": "xen_platform_pci vendor_device tsc_mode timer_mode vpt_align hpet "
    "hvm_pirq mmio_hole",
    "devices that the target has anyway": "vga stdvga videoram serial console vkb vkb_device usb "
    "usbversion parallel keymap",
    "xend's arguments for the kernel's network, which xl ignores": "dhcp hostname netmask gateway "
    "broadcast",
    "the viewer": "vncviewer vncconsole spicetls_port spiceagent_mouse spicevdagent "
    "spice_clipboard_sharing spiceusbredirection spice_image_compression spice_streaming_video "
    "opengl display xauthority",
}
"""Keys that say nothing the target needs; every other key that is not read is reported."""


def matches(head: bytes) -> bool:
    """Tell by a file's first bytes whether it is an xl.cfg, or at least meant to be one."""
    return looks_like_xen(head) and not xm_syntax.is_python_only(config_file.decode(head))


def looks_like_xen(head: bytes) -> bool:
    """Tell whether a file has settings of a Xen guest, whoever is to read it."""
    if b"\0" in head:
        return False
    text = config_file.decode(head)
    return not text.lstrip().startswith(("<", "(", "[", "{")) and _EVIDENCE.search(text) is not None


def read(paths: Sequence[Path]) -> Machine:
    """Return the guest of one configuration file. Raises SourceError."""
    (path,) = paths
    return parse(config_file.decode(config_file.content(path)), path)


def parse(text: str, path: Path) -> Machine:
    """Return the guest that an xl.cfg describes; ``path`` says where it lies and is not opened."""
    return machine(xl_syntax.parse(text, str(path)), path, name)


def machine(config: Config, path: Path, kind: str) -> Machine:
    """Return the guest of settings in xl's words, whatever kind of file they come from."""
    warnings: list[Finding] = []
    guest = _guest_type(config)
    uuid = _uuid(config, warnings)
    guest_name = _name(config, path, warnings)
    disks, removables = _drives(config, guest, path.parent, warnings)
    return Machine(
        kind=kind,
        hypervisor=Hypervisor.xen,
        name=guest_name,
        memory_bytes=_memory(config, warnings) * _MIB,
        vcpus=_vcpus(config, warnings),
        disks=disks,
        folder=path.parent,
        features=_features(config, guest),
        firmware=_firmware(config, guest, warnings),
        uuid=uuid,
        boot=_boot(config, guest, warnings),
        removables=removables,
        nics=nics(config, guest, uuid or guest_name, warnings),
        display=display(config, guest),
        sound=sound(config, warnings),
        localtime=config.flag("localtime"),
        warnings=(*warnings, *_left_behind(config)),  # the last: it names what nobody asked for
    )


def _guest_type(config: Config) -> GuestType:
    kind = config.filled("type")
    builder = config.filled("builder")
    if kind is None:  # xend and early xl: builder, whose default is a PV guest
        kind = {"hvm": "hvm", "generic": "pv", "linux": "pv", None: "pv"}.get(builder)
    if kind not in tuple(GuestType):
        raise SourceError(
            "E-XL-VALUE",
            f"{config.where}: unknown type of guest: {config.text('type') or builder!r}",
            hint="xl.cfg(5) has type pv, pvh and hvm",
        )
    return GuestType(kind)


def _uuid(config: Config, warnings: list[Finding]) -> str | None:
    text = config.filled("uuid")
    uuid = None if text is None else uuid_text(text)
    if text is not None and uuid is None:
        warnings.append(Finding("W-SOURCE-UUID", f"{config.where}: uuid {text!r} is none"))
    return uuid


def _name(config: Config, path: Path, warnings: list[Finding]) -> str:
    # Oracle VM has an id as the name, and what people call the guest beside it.
    ident, called = config.text("name"), config.text("OVM_simple_name")
    given = called or ident
    if given is not None:
        return given.strip()
    guest_name = name_from_file(path)
    warnings.append(
        Finding(
            "W-SOURCE-NAME",
            f"{config.where}: no name is given, the file name makes it {guest_name}",
        )
    )
    return guest_name


def _memory(config: Config, warnings: list[Finding]) -> int:
    memory, largest = config.number("memory"), config.number("maxmem")
    size = next((size for size in (memory, largest) if size is not None), _DEFAULT_MEMORY)
    if size <= 0:
        raise SourceError("E-XL-VALUE", f"{config.where}: memory is {size} MiB")
    if memory is None and largest is None:
        message = f"{config.where}: no memory is given, xl's default is {size} MiB"
        warnings.append(Finding("W-SOURCE-MEMORY", message))
    elif largest is not None and largest > size:
        message = f"{config.where}: the guest gets memory={size}, not maxmem={largest}"
        hint = "raise <memory> in the domain if the guest was ballooned up on Xen"
        warnings.append(Finding("W-SOURCE-MEMORY", message, hint))
    return size


def _vcpus(config: Config, warnings: list[Finding]) -> int:
    vcpus, largest = config.number("vcpus"), config.number("maxvcpus")
    count = next((count for count in (vcpus, largest) if count is not None), 1)
    if count <= 0:
        raise SourceError("E-XL-VALUE", f"{config.where}: vcpus is {count}")
    if largest is not None and largest > count:
        message = f"{config.where}: the guest gets vcpus={count}, not maxvcpus={largest}"
        warnings.append(Finding("W-SOURCE-VCPUS", message))
    return count


def _drives(
    config: Config, guest: GuestType, folder: Path, warnings: list[Finding]
) -> tuple[tuple[Disk, ...], tuple[Removable, ...]]:
    """Return the disks and CD-ROM drives in the file's order; pygrub boots from the first."""
    ahci = config.filled("hdtype") == "ahci"
    drives: dict[str, xl_disks.XlDisk] = {}
    for index, spec in enumerate(config.strings("disk")):
        drive = xl_disks.parse(spec, f"{config.where}: disk {index}")
        if drive.vdev in drives:
            message = f"{config.where}: {drive.vdev} is given twice, the last one counts"
            warnings.append(Finding("W-SOURCE-DUPLICATE", message))
        drives[drive.vdev] = drive
    disks = tuple(
        _disk(drive, config.where, guest, folder, ahci, warnings)
        for drive in drives.values()
        if not drive.cdrom
    )
    removables = tuple(
        Removable(RemovableKind.cdrom, disk_bus(guest, vdev, ahci=ahci), slot(vdev))
        for vdev, drive in drives.items()
        if drive.cdrom
    )
    return disks, removables


def _disk(
    drive: xl_disks.XlDisk,
    where: str,
    guest: GuestType,
    folder: Path,
    ahci: bool,
    warnings: list[Finding],
) -> Disk:
    where = f"{where}: disk {drive.vdev}"
    if drive.script is not None:
        raise SourceError(
            "E-XL-DISK-SCRIPT",
            f"{where}: {drive.target!r} is made a disk by the script {drive.script}",
            hint="attach it to this host and name the device or a copy of it in target=",
        )
    if drive.backend not in (None, "0", "Domain-0"):
        message = f"{where}: the image is in the driver domain {drive.backend}"
        warnings.append(Finding("W-DISK-BACKEND", message, "copy the image to this host"))
    if drive.read_only:
        message = f"{where}: is read-only on Xen, will be writable"
        warnings.append(Finding("W-DISK-READ-ONLY", message))
    return Disk(
        path=image_path(where, folder, drive.target),
        format=drive.format,
        controller=Bus.virtio if drive.virtio else disk_bus(guest, drive.vdev, ahci=ahci),
        device=drive.vdev,
    )


def _features(config: Config, guest: GuestType) -> tuple[str, ...]:
    """Return libvirt's names of what an HVM guest sees; acpi, apic and pae are on by default."""
    features = [key for key in ("acpi", "apic", "pae") if config.flag(key) is not False]
    viridian = config.value("viridian")  # a boolean or a list of groups
    if viridian if isinstance(viridian, tuple) else config.flag("viridian"):
        features.append("viridian")
    return tuple(features) if guest is GuestType.hvm else ()


def _firmware(config: Config, guest: GuestType, warnings: list[Finding]) -> Firmware:
    """Return an HVM guest's firmware; PV and PVH guests have none, their disks tell."""
    keys = ("firmware", "bios", "bios_path_override")
    given = next(filter(None, [config.filled(key) for key in keys]), None)
    if guest is not GuestType.hvm:
        return Firmware.unknown
    if given in (None, "bios", "seabios", "rombios"):
        return Firmware.bios
    if given in ("uefi", "ovmf"):
        return Firmware.efi
    if "/" in given:
        efi = re.search("ovmf|uefi|edk2", PurePosixPath(given).name, re.IGNORECASE)
        return Firmware.efi if efi else Firmware.bios
    message = f"{config.where}: unknown firmware {given!r}, the disks will tell"
    warnings.append(Finding("W-SOURCE-FIRMWARE", message))
    return Firmware.unknown


def _boot(config: Config, guest: GuestType, warnings: list[Finding]) -> Boot | None:
    bootloader, kernel, ramdisk, cmdline, root, extra = (
        config.filled(key)
        for key in ("bootloader", "kernel", "ramdisk", "cmdline", "root", "extra")
    )
    if cmdline is None:  # cmdline= makes xl ignore the other two
        parts = (None if root is None else f"root={root}", extra)
        cmdline = " ".join(part for part in parts if part is not None) or None
    if guest is not GuestType.hvm and (config.filled("firmware") or "").startswith("pvgrub"):
        kernel = kernel or config.filled("firmware")
    found = boot(guest, bootloader=bootloader, kernel=kernel, ramdisk=ramdisk, cmdline=cmdline)
    if found is None:
        message = f"{config.where}: neither kernel nor bootloader is given, so xl cannot start it"
        warnings.append(Finding("W-SOURCE-BOOT", message))
    return found


def _left_behind(config: Config) -> tuple[Finding, ...]:
    findings = []
    usb = config.value("usbdevice") or ()  # one device or a list
    passed = [item for item in (usb if isinstance(usb, tuple) else (usb,)) if "host:" in item]
    if config.repeated:
        keys = ", ".join(config.repeated)
        message = f"{config.where}: assigned more than once, the last one counts: {keys}"
        findings.append(Finding("W-SOURCE-DUPLICATE", message))
    unneeded = {key for keys in _UNNEEDED.values() for key in keys.split()}
    left = [config.shown(key) for key in config.unasked if key not in unneeded]
    left += ["usbdevice"] if passed else []
    if left:
        message = f"{config.where}: not carried over: {', '.join(left)}"
        hint = "set on the target by hand what the guest needs of this"
        findings.append(Finding("W-SOURCE-KEY", message, hint))
    return tuple(findings)
