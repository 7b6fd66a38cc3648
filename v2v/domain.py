# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libvirt domain XML of a converted guest, one function for each section.

Reference: libvirt's "Domain XML format" (formatdomain). The functions stand in document order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from lxml import etree
from lxml.builder import E, ElementMaker

from v2v.changes import Direct
from v2v.errors import Finding, TargetError
from v2v.hardware import Hardware, decide
from v2v.host_support import USUAL, HostSupport
from v2v.model import (
    Allocation,
    Bus,
    Capabilities,
    Display,
    Guest,
    Machine,
    NetworkKind,
    Nic,
    RemovableKind,
    TargetDisk,
)
from v2v.version import VERSION

_OSINFO_NS = "http://libosinfo.org/xmlns/libvirt/domain/1.0"
_VNC_PASSWORD_LENGTH = 8  # RFC 6143 section 7.2.2: the rest is ignored; libvirt refuses more
Element = etree._Element


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes beside the images."""

    path: Path
    data: bytes
    mode: int = 0o600  # an initramfs may hold keys


@dataclass(frozen=True, slots=True)
class Domain:
    """A libvirt domain definition and what the user should know of it."""

    xml: str
    warnings: tuple[Finding, ...] = ()
    files: tuple[File, ...] = ()  # a kernel, an initramfs
    has_password: bool = False  # whoever can read the XML can read the screen's password


def define_domain(
    machine: Machine,
    guest: Guest | None,
    capabilities: Capabilities,
    name: str,
    disks: Sequence[TargetDisk],
    direct: Direct | None = None,
    support: HostSupport = USUAL,
) -> Domain:
    """Return the domain of a converted guest; the machine's NICs are mapped already.

    ``guest`` is None where nobody looked into the disks. What it is started from ``direct`` goes
    beside the images. Raises TargetError.
    """
    hardware, warnings = decide(machine, guest, capabilities, len(disks), support)
    try:
        root = _domain(hardware, name, disks)
        files = () if direct is None else _start(root, direct, disks[0].path.parent, name)
    except ValueError as error:  # lxml's word for a control character
        raise TargetError(
            "E-XML", f"{name}: a value of the source cannot stand in XML: {error}"
        ) from error
    comment = etree.Comment(f" converted by v2v {VERSION} from {machine.kind} ")
    root.addprevious(comment)
    return Domain(
        etree.tostring(root.getroottree(), pretty_print=True, encoding="unicode"),
        warnings,
        files,
        has_password=machine.display is not None and bool(machine.display.password),
    )


def _domain(hardware: Hardware, name: str, disks: Sequence[TargetDisk]) -> Element:
    machine = hardware.machine
    return E.domain(
        E.name(name),
        *([] if hardware.uuid is None else [E.uuid(hardware.uuid)]),
        *([] if machine.genid is None else [E.genid(machine.genid)]),
        *([] if machine.description is None else [E.description(machine.description)]),
        *_metadata(hardware.osinfo),
        *_memory(machine.memory_bytes),
        E.vcpu(str(machine.vcpus)),
        _os(hardware),
        _features(hardware),
        _cpu(hardware),
        _clock(hardware),
        E.on_poweroff("destroy"),
        E.on_reboot("restart"),
        E.on_crash("restart"),
        _power_management(),
        _devices(hardware, disks),
        type=hardware.support.virtualization,
    )


def _start(root: Element, direct: Direct, folder: Path, name: str) -> tuple[File, ...]:
    """Have a domain start from a kernel in a folder; return the files that this needs."""
    files = [File(folder / f"{name}-vmlinuz", direct.kernel)]
    told = [E.kernel(str(files[0].path))]
    if direct.initramfs is not None:
        files.append(File(folder / f"{name}-initrd.img", direct.initramfs))
        told.append(E.initrd(str(files[1].path)))
    found = root.find("os")
    assert found is not None  # _domain makes it
    found.extend([*told, E.cmdline(direct.cmdline)])
    return tuple(files)


def _metadata(osinfo: str | None) -> list[Element]:
    if osinfo is None:
        return []
    lib = ElementMaker(namespace=_OSINFO_NS, nsmap={"libosinfo": _OSINFO_NS})
    return [E.metadata(lib.libosinfo(lib.os(id=osinfo)))]


def _memory(size: int) -> list[Element]:
    kib = str(-(-size // 1024))
    return [E.memory(kib, unit="KiB"), E.currentMemory(kib, unit="KiB")]


def _os(hardware: Hardware) -> Element:
    kind = E.type("hvm", arch="x86_64", machine=hardware.capabilities.machine)
    if not hardware.efi:
        return E.os(kind)
    secure = "yes" if hardware.secure_boot else "no"
    return E.os(
        kind,
        E.firmware(
            E.feature(enabled=secure, name="enrolled-keys"),
            E.feature(enabled=secure, name="secure-boot"),
        ),
        *([E.loader(secure="yes")] if hardware.secure_boot else []),
        firmware="efi",
    )


def _features(hardware: Hardware) -> Element:
    narrow = hardware.guest is not None and hardware.guest.arch != "x86_64"
    return E.features(
        E.acpi(),
        E.apic(),
        *([E.pae()] if narrow or "pae" in hardware.machine.features else []),
        *([E.smm(state="on")] if hardware.secure_boot else []),
        *([_hyperv()] if hardware.enlightened else []),
        E.vmport(state="off"),  # VMware's backdoor: its tools must not find their host again
    )


def _hyperv() -> Element:
    """Return what Windows speeds up when it finds it (QEMU, docs/system/i386/hyperv.rst)."""
    names = ("relaxed", "vapic", "vpindex", "runtime", "synic", "stimer", "frequencies")
    made = E.hyperv(*(E(name, state="on") for name in names))
    made.insert(2, E.spinlocks(state="on", retries="8191"))
    return made


def _cpu(hardware: Hardware) -> Element:
    machine = hardware.machine
    topology: list[Element] = []
    shape = machine.topology or hardware.topology
    if shape is not None and shape.sockets * shape.cores * shape.threads == machine.vcpus:
        topology = [
            E.topology(
                sockets=str(shape.sockets), cores=str(shape.cores), threads=str(shape.threads)
            )
        ]
    if hardware.support.virtualization == "qemu":  # which has less than the source's CPU
        return E.cpu(*topology, mode="maximum")
    # QEMU's own defaults say nothing of what the guest needs, and do not run on every CPU.
    if machine.cpu_model in (None, "qemu32", "qemu64", "kvm32", "kvm64"):
        return E.cpu(*topology, mode="host-model")
    return E.cpu(
        E.model(machine.cpu_model, fallback="allow"),
        *([] if machine.cpu_vendor is None else [E.vendor(machine.cpu_vendor)]),
        *topology,
        mode="custom",
        match="minimum",
    )


def _clock(hardware: Hardware) -> Element:
    """Return the clock: as the guest takes it, which it says itself, else as its source had it."""
    localtime = hardware.capabilities.localtime
    if localtime is None:
        localtime = bool(hardware.machine.localtime)
    hyperv = [E.timer(name="hypervclock", present="yes")] if hardware.enlightened else []
    return E.clock(
        E.timer(name="rtc", tickpolicy="catchup"),
        E.timer(name="pit", tickpolicy="delay"),
        E.timer(name="hpet", present="no"),
        *hyperv,
        offset="localtime" if localtime else "utc",
    )


def _power_management() -> Element:
    return E.pm(E("suspend-to-mem", enabled="no"), E("suspend-to-disk", enabled="no"))


def _devices(hardware: Hardware, disks: Sequence[TargetDisk]) -> Element:
    machine, capabilities = hardware.machine, hardware.capabilities
    return E.devices(
        *_disks(hardware, disks),
        *_removables(hardware),
        *_controllers(hardware),
        *(_interface(nic, hardware) for nic in hardware.nics),
        E.serial(E.target(type="isa-serial", port="0"), type="pty"),
        E.console(E.target(type="serial", port="0"), type="pty"),
        *([_agent_channel()] if capabilities.agent else []),
        E.input(type="tablet", bus="usb"),  # its pointer is where the viewer's is
        E.input(type="mouse", bus="ps2"),
        E.input(type="keyboard", bus="ps2"),
        _graphics(machine.display or Display("vnc"), hardware.support.screens),
        *([] if hardware.sound is None else [E.sound(model=hardware.sound)]),
        # Every boot loader, kernel and Windows can draw on it; QXL is going (RHBZ#1961107).
        _video(hardware.support.video),
        E.memballoon(model=hardware.virtio if capabilities.balloon else "none"),
        *([_rng(hardware)] if capabilities.rng else []),
        *([_panic()] if capabilities.panic else []),
        *([_tpm()] if hardware.tpm else []),
    )


def _disks(hardware: Hardware, disks: Sequence[TargetDisk]) -> list[Element]:
    places = zip(disks, hardware.drives.disks, hardware.boot_order, strict=True)
    elements = []
    for disk, slot, order in places:
        driver = E.driver(name="qemu", type=disk.format)
        if disk.allocation is Allocation.sparse:  # else the guest would give its space away
            driver.set("discard", "unmap")
        element = E.disk(
            driver,
            E.source(dev=str(disk.path)) if disk.block else E.source(file=str(disk.path)),
            E.target(dev=slot.device, bus=slot.bus),
            E.boot(order=str(order)),
            type="block" if disk.block else "file",
            device="disk",
        )
        if hardware.transitional and slot.bus is Bus.virtio:
            element.set("model", hardware.virtio)
        elements.append(element)
    return elements


def _removables(hardware: Hardware) -> list[Element]:
    return [
        E.disk(
            E.driver(name="qemu", type="raw"),
            E.target(dev=slot.device, bus=slot.bus),
            *([E.readonly()] if drive.kind is RemovableKind.cdrom else []),
            type="file",
            device=drive.kind,
        )
        for drive, slot in hardware.drives.removables
    ]


def _controllers(hardware: Hardware) -> list[Element]:
    """Return the controllers whose model matters: libvirt's own choice varies with the host."""
    # Linux knows xHCI since 2.6.31 only, and Windows since 8.
    usb = "qemu-xhci" if hardware.q35 and not hardware.old_windows else "piix3-uhci"
    controllers = [E.controller(type="usb", index="0", model=usb)]
    if any(slot.bus is Bus.scsi for slot in hardware.drives.disks):
        model = hardware.virtio if hardware.transitional else "virtio-scsi"
        controllers.append(E.controller(type="scsi", index="0", model=model))
    if hardware.capabilities.agent:
        controllers.append(E.controller(type="virtio-serial", index="0", model=hardware.virtio))
    return controllers


def _interface(nic: Nic, hardware: Hardware) -> Element:
    model = hardware.capabilities.net_model
    kind, name = nic.network.kind, nic.network.name
    plugs = {
        NetworkKind.network: ("network", E.source(network=name)),
        NetworkKind.bridge: ("bridge", E.source(bridge=name)),
        NetworkKind.ovs: ("bridge", E.source(bridge=name)),
        NetworkKind.macvtap: ("direct", E.source(dev=name, mode="bridge")),
    }
    type, source = plugs[kind]
    return E.interface(
        *([] if nic.mac is None else [E.mac(address=nic.mac)]),
        source,
        *([E.virtualport(type="openvswitch")] if kind is NetworkKind.ovs else []),
        E.model(type=hardware.virtio if model == "virtio" else model),
        *([] if nic.connected else [E.link(state="down")]),
        type=type,
    )


def _agent_channel() -> Element:
    return E.channel(E.target(type="virtio", name="org.qemu.guest_agent.0"), type="unix")


def _graphics(display: Display, offered: Collection[str]) -> Element:
    """Return the screen; a window on the source's desktop becomes VNC, as servers have none."""
    kind = "spice" if display.kind == "spice" and "spice" in offered else "vnc"
    element = E.graphics(type=kind)
    if display.port is None:
        element.set("autoport", "yes")
    else:
        element.set("port", str(display.port))
        element.set("autoport", "no")
    if display.keymap is not None:
        element.set("keymap", display.keymap)
    if display.password:  # in xl.cfg an empty one means none, to libvirt that nobody may look
        limit = _VNC_PASSWORD_LENGTH if kind == "vnc" else None
        element.set("passwd", display.password[:limit])
    element.append(E.listen(type="address", address=display.listen or "127.0.0.1"))
    return element


def _video(offered: Collection[str]) -> Element:
    if "vga" in offered:
        return E.video(E.model(type="vga", vram="16384", heads="1", primary="yes"))
    return E.video(E.model(type="virtio", heads="1", primary="yes"))  # a PC's VGA as well


def _tpm() -> Element:
    return E.tpm(E.backend(type="emulator", version="2.0"), model="tpm-crb")


def _panic() -> Element:
    """Return pvpanic where its ACPI table says that it is (libvirt, "panic device")."""
    return E.panic(E.address(type="isa", iobase="0x505"), model="isa")


def _rng(hardware: Hardware) -> Element:
    return E.rng(E.backend("/dev/urandom", model="random"), model=hardware.virtio)
