# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU command line for a domain's hardware; pure, nothing is looked up or started.

The hardware is the XML's. What stands around it is ours: disks are overlays, NICs end in a
restricted user-mode network (DHCP answers, nothing leads out), consoles write to files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2v.accel import QEMU
from v2v.model import Bus
from v2v.proof.devices import AGENT_CHANNEL
from v2v.proof.domxml import choice
from v2v.proof.hardware import Device, Drive, Hardware, Variant
from v2v.proof.slots import Options, Slots

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


Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Setting:
    """What the hardware is put into: files in a private folder, and what runs the CPUs."""

    folder: Path
    kvm: bool
    overlays: tuple[Path | None, ...]  # one for each drive; None: no medium
    code: Path | None = None  # UEFI
    variables: Path | None = None  # a copy of our own

    @property
    def qmp(self) -> Path:
        return self.folder / "qmp"

    @property
    def agent(self) -> Path:
        return self.folder / "agent"

    @property
    def firmware_log(self) -> Path:
        return self.folder / "firmware"

    def console(self, name: str) -> Path:
        return self.folder / f"console-{name}"

    def dump(self, nic: int) -> Path:
        return self.folder / f"nic{nic}.pcap"


def console_names(hardware: Hardware) -> tuple[str, ...]:
    """Return the guest's names of its text consoles: ttyS0, hvc0, ..."""
    serials = (f"ttyS{port}" for port in range(hardware.serials))
    return *serials, *(f"hvc{port}" for port in range(hardware.virtio_consoles))


def command_line(hardware: Hardware, setting: Setting) -> tuple[str, ...]:
    """Return the command line; QEMU starts paused and outlives its guest."""
    slots = Slots(hardware.pci_devices(), q35=hardware.q35)
    # In libvirt's order, which decides the places on the PCI bus.
    devices = [
        *_video(hardware, slots),
        *_nics(hardware, setting, slots),
        *_controllers(hardware, slots),
        *_consoles(hardware, setting),
        *_drives(hardware, setting, slots),
        *_small_devices(hardware, slots),
    ]
    ports = [_device(driver, **options) for driver, options in slots.ports()]
    pairs = (*_board(hardware, setting), *_firmware(hardware, setting), *ports, *devices)
    flags = ("-nodefaults", "-no-user-config", "-S")
    return QEMU, *flags, *(word for pair in pairs for word in pair)


def _join(first: object = "", **values: object) -> str:
    """Return an option's value; a comma inside of one is written twice (qemu(1)), None is out."""
    named = [f"{name}={text}" for name, text in values.items() if text is not None]
    words = [str(first), *named] if first else named
    return ",".join(word.replace(",", ",,") for word in words)


def _device(driver: str, **values: object) -> Pair:
    return "-device", _join(driver, **values)


def _chardev(kind: str, name: str, path: Path, **values: object) -> Pair:
    return "-chardev", _join(kind, id=name, path=path, **values)


def _on(flag: bool) -> str:
    return "on" if flag else "off"


def _board(hardware: Hardware, setting: Setting) -> Iterator[Pair]:
    machine = {
        "usb": _on(hardware.usb is not None and hardware.usb.model == "machine"),
        "acpi": _on(hardware.acpi),
        "hpet": _on(hardware.hpet),
        "smm": "on" if hardware.uefi and hardware.uefi.secure else None,
        "pflash0": "code" if setting.code else None,
        "pflash1": "variables" if setting.variables else None,
    }
    yield "-name", _join(guest=hardware.name)
    yield "-machine", _join("q35" if hardware.q35 else "pc", **machine)
    yield "-accel", "kvm" if setting.kvm else "tcg"
    yield "-cpu", _cpu(hardware, setting)
    yield "-m", f"size={hardware.memory_kib}k"
    yield "-smp", _smp(hardware)
    yield "-rtc", f"base={'localtime' if hardware.localtime else 'utc'}"
    if hardware.uuid:
        yield "-uuid", hardware.uuid
    yield "-display", "none"
    yield "-boot", "strict=on"
    # After a power-off or a panic QEMU still has to say what it saw.
    yield "-action", "shutdown=pause,panic=pause"
    yield "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    yield _chardev("socket", "qmp", setting.qmp, server="on", wait="off")
    yield "-mon", "chardev=qmp,mode=control"


def _cpu(hardware: Hardware, setting: Setting) -> str:
    # Five levels of page tables cost an emulated guest a seventh of its speed, and buy nothing.
    everything = "host" if setting.kvm else "max,la57=off"
    features = hardware.cpu.features
    return ",".join((hardware.cpu.model or everything, *features))


def _smp(hardware: Hardware) -> str:
    found = hardware.topology
    if found is None or found.sockets * found.cores * found.threads != hardware.vcpus:
        return str(hardware.vcpus)
    return _join(hardware.vcpus, sockets=found.sockets, cores=found.cores, threads=found.threads)


def _firmware(hardware: Hardware, setting: Setting) -> Iterator[Pair]:
    yield _chardev("file", "firmware", setting.firmware_log)
    yield _device("isa-debugcon", iobase="0x402", chardev="firmware")
    if hardware.bios:
        yield "-bios", str(hardware.bios)
    for name, path in (("code", setting.code), ("variables", setting.variables)):
        if path is not None:
            read_only = _on(name == "code")
            image = {"file.driver": "file", "file.filename": path}
            yield (
                "-blockdev",
                _join(**{"driver": "raw", "node-name": name, "read-only": read_only, **image}),
            )
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
        yield _device(driver, id="video", **slots.graphics(hardware.video))


def _nics(hardware: Hardware, setting: Setting, slots: Slots) -> Iterator[Pair]:
    for at, card in enumerate(hardware.cards):
        driver, express = choice(card.device.model, _NICS, f"interface {card.mac}: model")
        net = f"net{at}"
        yield "-netdev", _join("user", id=net, restrict="on", net=f"10.0.{at + 2}.0/24")
        yield (
            "-object",
            _join("filter-dump", id=f"dump{at}", netdev=net, file=setting.dump(at), maxlen=1024),
        )
        # Without its option ROM the card cannot boot from the network.
        options = {"id": f"nic{at}", "netdev": net, "mac": card.mac, "romfile": ""}
        yield _device(
            driver + card.device.variant, **options, **_place(slots, card.device, express)
        )


def _place(slots: Slots, device: Device, express: bool = True) -> Options:
    return slots.place(device, express=express and device.variant is not Variant.transitional)


def _controllers(hardware: Hardware, slots: Slots) -> Iterator[Pair]:
    if hardware.usb is not None and hardware.usb.model != "machine":
        yield _device("qemu-xhci", id="usb", **_place(slots, hardware.usb))
    for index, device in hardware.scsi:
        driver, express = choice(device.model, _SCSI, "scsi controller: model")
        options = _place(slots, device, express)
        yield _device(driver + device.variant, id=f"scsi{index}", **options)
    sata = {one.place.controller for one in hardware.drives if one.bus is Bus.sata}
    for index in sorted(sata - {0} if hardware.q35 else sata):
        yield _device("ich9-ahci", id=f"sata{index}", **_place(slots, Device(), express=False))
    if hardware.channels is not None:
        driver = f"virtio-serial-pci{hardware.channels.variant}"
        yield _device(driver, id="channels", **_place(slots, hardware.channels))


def _consoles(hardware: Hardware, setting: Setting) -> Iterator[Pair]:
    for name in console_names(hardware):
        yield _chardev("file", name, setting.console(name))
        if name.startswith("ttyS"):
            yield _device("isa-serial", chardev=name, index=name.removeprefix("ttyS"))
        else:
            yield _device("virtconsole", bus="channels.0", chardev=name)
    if hardware.agent:
        yield _chardev("socket", "agent", setting.agent, server="on", wait="off")
        yield _device("virtserialport", bus="channels.0", chardev="agent", name=AGENT_CHANNEL)


def _drives(hardware: Hardware, setting: Setting, slots: Slots) -> Iterator[Pair]:
    for at, (drive, overlay) in enumerate(zip(hardware.drives, setting.overlays, strict=True)):
        node = f"drive{at}"
        if overlay is not None:
            # Nobody will want this overlay after a power cut, so it need not reach the disk.
            yield (
                "-blockdev",
                _join(
                    **{"driver": "qcow2", "node-name": node, "read-only": _on(drive.cdrom)},
                    **{"cache.no-flush": "on", "discard": "unmap"},
                    **{"file.driver": "file", "file.filename": overlay},
                ),
            )
        driver, place = _plug(drive, hardware, slots)
        yield _device(
            driver,
            **place,
            id=f"disk{at}",
            drive=node if overlay is not None else None,
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
        yield _device(driver, id="balloon", **_place(slots, hardware.balloon))
    if hardware.rng is not None:
        yield "-object", "rng-random,id=random,filename=/dev/urandom"
        driver = f"virtio-rng-pci{hardware.rng.variant}"
        yield _device(driver, id="rng", rng="random", **_place(slots, hardware.rng))
    if hardware.panic:
        yield _device("pvpanic", ioport="0x505")
