# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU command line for a domain's hardware; pure, nothing is looked up or started.

The hardware is the XML's. What stands around it, images, networks and consoles, is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from v2v.accel import QEMU
from v2v.model import Bus
from v2v.proof.devices import AGENT_CHANNEL
from v2v.proof.domxml import choice
from v2v.proof.hardware import Card, Device, Drive, Hardware, Variant
from v2v.proof.slots import Options, Slots
from v2v.proof.words import Pair, blockdev, device, join, on

#: libvirt's model name -> QEMU's device, and whether it is PCI Express on an Express bus
_NICS = {
    "virtio": ("virtio-net-pci", True),
    "e1000": ("e1000", False),
    "e1000e": ("e1000e", True),
    "rtl8139": ("rtl8139", False),
    "vmxnet3": ("vmxnet3", True),
    "pcnet": ("pcnet", False),
    "ne2k_pci": ("ne2k_pci", False),
}
_SCSI = {
    "virtio-scsi": ("virtio-scsi-pci", True),
    "auto": ("lsi53c895a", False),
    "lsilogic": ("lsi53c895a", False),
    "lsisas1068": ("mptsas1068", False),
    "lsisas1078": ("megasas", False),
    "vmpvscsi": ("pvscsi", True),
}
_VIDEO = {
    "vga": "VGA",
    "virtio": "virtio-vga",
    "qxl": "qxl-vga",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "bochs": "bochs-display",
}


class Surroundings(Protocol):
    """What stands around the hardware; options come in the order of the command line."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The options without a value."""

    @property
    def accelerator(self) -> str: ...

    @property
    def host_cpu(self) -> str:
        """What stands for all that the accelerator can give."""

    @property
    def code(self) -> Path | None:
        """The firmware's image, of UEFI."""

    @property
    def variables(self) -> Path | None: ...

    def board(self) -> Iterator[Pair]:
        """Display, monitor, and what happens to the process itself."""

    def firmware(self) -> Iterator[Pair]:
        """Where the firmware's messages go."""

    def network(self, at: int, card: Card) -> Iterator[Pair]:
        """The back end ``net{at}`` of a card."""

    def text_console(self, name: str) -> Pair:
        """The character device of this name."""

    def agent_channel(self) -> Pair:
        """The character device ``agent``."""

    def disk(self, at: int, drive: Drive) -> Pair | None:
        """The block node ``drive{at}``; None: the drive has no medium."""


def console_names(hardware: Hardware) -> tuple[str, ...]:
    """Return the guest's names of its text consoles: ttyS0, hvc0, ..."""
    serials = (f"ttyS{port}" for port in range(hardware.serials))
    return *serials, *(f"hvc{port}" for port in range(hardware.virtio_consoles))


def command_line(hardware: Hardware, around: Surroundings) -> tuple[str, ...]:
    """Return the command line."""
    slots = Slots(hardware.pci_devices(), q35=hardware.q35)
    # In libvirt's order, which decides the places on the PCI bus.
    devices = [
        *_video(hardware, slots),
        *_nics(hardware, around, slots),
        *_controllers(hardware, slots),
        *_consoles(hardware, around),
        *_drives(hardware, around, slots),
        *_small_devices(hardware, slots),
    ]
    ports = [device(driver, **options) for driver, options in slots.ports()]
    pairs = (*_board(hardware, around), *_firmware(hardware, around), *ports, *devices)
    return QEMU, *around.flags, *(word for pair in pairs for word in pair)


def _board(hardware: Hardware, around: Surroundings) -> Iterator[Pair]:
    machine = {
        "usb": on(hardware.usb is not None and hardware.usb.model == "machine"),
        "acpi": on(hardware.acpi),
        "vmport": None if hardware.vmport else "off",
        "hpet": on(hardware.hpet),
        "smm": "on" if hardware.uefi and hardware.uefi.secure else None,
        "pflash0": "code" if around.code else None,
        "pflash1": "variables" if around.variables else None,
    }
    yield "-name", join(guest=hardware.name)
    yield "-machine", join("q35" if hardware.q35 else "pc", **machine)
    yield "-accel", around.accelerator
    yield "-cpu", ",".join((hardware.cpu.model or around.host_cpu, *hardware.cpu.features))
    yield "-m", f"size={hardware.memory_kib}k"
    yield "-smp", _smp(hardware)
    yield "-rtc", f"base={'localtime' if hardware.localtime else 'utc'}"
    if hardware.uuid:
        yield "-uuid", hardware.uuid
    yield from around.board()


def _smp(hardware: Hardware) -> str:
    found = hardware.topology
    if found is None or found.sockets * found.cores * found.threads != hardware.vcpus:
        return str(hardware.vcpus)
    return join(hardware.vcpus, sockets=found.sockets, cores=found.cores, threads=found.threads)


def _firmware(hardware: Hardware, around: Surroundings) -> Iterator[Pair]:
    yield from around.firmware()
    if hardware.bios:
        yield "-bios", str(hardware.bios)
    for name, path in (("code", around.code), ("variables", around.variables)):
        if path is not None:
            yield blockdev("raw", name, path, **{"read-only": on(name == "code")})
    if hardware.uefi and hardware.uefi.secure:
        yield "-global", "driver=cfi.pflash01,property=secure,value=on"
    if hardware.uefi:
        # A network boot would put frames with the guest's MAC on the wire before the guest runs.
        yield "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"
        yield "-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"
    if hardware.kernel:
        yield "-kernel", str(hardware.kernel.kernel)
        yield "-append", hardware.kernel.cmdline
        if hardware.kernel.initrd:
            yield "-initrd", str(hardware.kernel.initrd)


def _video(hardware: Hardware, slots: Slots) -> Iterator[Pair]:
    if hardware.video is not None:
        driver = choice(hardware.video.model, _VIDEO, "video: model")
        yield device(driver, id="video", **slots.graphics(hardware.video))


def _nics(hardware: Hardware, around: Surroundings, slots: Slots) -> Iterator[Pair]:
    for at, card in enumerate(hardware.cards):
        driver, express = choice(card.device.model, _NICS, f"interface {card.mac}: model")
        yield from around.network(at, card)
        # Without its option ROM the card cannot boot from the network.
        options = {"id": f"nic{at}", "netdev": f"net{at}", "mac": card.mac, "romfile": ""}
        yield device(driver + card.device.variant, **options, **_place(slots, card.device, express))


def _place(slots: Slots, device: Device, express: bool = True) -> Options:
    return slots.place(device, express=express and device.variant is not Variant.transitional)


def _controllers(hardware: Hardware, slots: Slots) -> Iterator[Pair]:
    if hardware.usb is not None and hardware.usb.model != "machine":
        yield device("qemu-xhci", id="usb", **_place(slots, hardware.usb))
    for index, found in hardware.scsi:
        driver, express = choice(found.model, _SCSI, "scsi controller: model")
        options = _place(slots, found, express)
        yield device(driver + found.variant, id=f"scsi{index}", **options)
    sata = {one.place.controller for one in hardware.drives if one.bus is Bus.sata}
    for index in sorted(sata - {0} if hardware.q35 else sata):
        yield device("ich9-ahci", id=f"sata{index}", **_place(slots, Device(), express=False))
    if hardware.channels is not None:
        driver = f"virtio-serial-pci{hardware.channels.variant}"
        yield device(driver, id="channels", **_place(slots, hardware.channels))


def _consoles(hardware: Hardware, around: Surroundings) -> Iterator[Pair]:
    for name in console_names(hardware):
        yield around.text_console(name)
        if name.startswith("ttyS"):
            yield device("isa-serial", chardev=name, index=name.removeprefix("ttyS"))
        else:
            yield device("virtconsole", bus="channels.0", chardev=name)
    if hardware.agent:
        yield around.agent_channel()
        yield device("virtserialport", bus="channels.0", chardev="agent", name=AGENT_CHANNEL)


def _drives(hardware: Hardware, around: Surroundings, slots: Slots) -> Iterator[Pair]:
    for at, drive in enumerate(hardware.drives):
        node = around.disk(at, drive)
        if node is not None:
            yield node
        driver, place = _plug(drive, hardware, slots)
        yield device(
            driver,
            **place,
            id=f"disk{at}",
            drive=None if node is None else f"drive{at}",
            bootindex=drive.boot,
            serial=drive.serial,
            **_block_sizes(drive),
        )


def _block_sizes(drive: Drive) -> dict[str, object]:
    names = ("logical_block_size", "physical_block_size")
    return dict(zip(names, drive.block_size or (), strict=False))


def _plug(drive: Drive, hardware: Hardware, slots: Slots) -> tuple[str, Options]:
    """Return the driver of a drive and where it hangs."""
    kind, place = ("cd" if drive.cdrom else "hd"), drive.place
    if drive.bus is Bus.virtio:
        return f"virtio-blk-pci{drive.device.variant}", _place(slots, drive.device)
    if drive.bus is Bus.usb:
        machine = hardware.usb is None or hardware.usb.model == "machine"
        return "usb-storage", {"bus": "usb-bus.0" if machine else "usb.0"}
    if drive.bus is Bus.scsi:
        # libvirt has one LUN for a target of lsilogic, and many LUNs of one target for others.
        flat = dict(hardware.scsi)[place.controller].model in ("auto", "lsilogic")
        target, lun = (place.unit, 0) if flat else (place.target, place.unit)
        address = {"scsi-id": str(target), "lun": str(lun)}
        return f"scsi-{kind}", {"bus": f"scsi{place.controller}.0", **address}
    if drive.bus is Bus.sata:
        own = hardware.q35 and place.controller == 0
        return f"ide-{kind}", {"bus": f"{'ide' if own else f'sata{place.controller}'}.{place.unit}"}
    return f"ide-{kind}", {"bus": f"ide.{place.bus}", "unit": str(place.unit)}


def _small_devices(hardware: Hardware, slots: Slots) -> Iterator[Pair]:
    if hardware.balloon is not None:
        driver = f"virtio-balloon-pci{hardware.balloon.variant}"
        yield device(driver, id="balloon", **_place(slots, hardware.balloon))
    if hardware.rng is not None:
        yield "-object", "rng-random,id=random,filename=/dev/urandom"
        driver = f"virtio-rng-pci{hardware.rng.variant}"
        yield device(driver, id="rng", rng="random", **_place(slots, hardware.rng))
    if hardware.panic:
        yield device("pvpanic", ioport="0x505")
