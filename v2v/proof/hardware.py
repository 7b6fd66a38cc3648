# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hardware of a domain, as far as booting depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from v2v.errors import Finding
from v2v.model import Bus, Topology


class Variant(StrEnum):
    """libvirt's kinds of virtio devices; the value is what QEMU's device names end with."""

    any = ""
    transitional = "-transitional"
    modern = "-non-transitional"


@dataclass(frozen=True, slots=True)
class Address:
    """A PCI address that the XML asks for; names of NICs such as enp1s0 come from it."""

    bus: int
    slot: int
    function: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """What is said of every PCI device: libvirt's model name, the kind of virtio, the place."""

    model: str = "virtio"
    variant: Variant = Variant.any
    address: Address | None = None  # None: the next free one


@dataclass(frozen=True, slots=True)
class Place:
    """Where a drive hangs; each kind of controller uses what it knows of."""

    controller: int = 0
    bus: int = 0  # ide: primary or secondary
    target: int = 0  # scsi
    unit: int = 0


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk or CD-ROM drive."""

    target: str  # vda, sdb, ...
    bus: Bus
    place: Place
    path: Path | None  # None: a drive without a medium
    format: str = "raw"
    cdrom: bool = False
    boot: int | None = None  # place in the boot order, from 1
    serial: str | None = None  # names links in /dev/disk/by-id
    block_size: tuple[int, int] | None = None  # logical, physical
    device: Device = Device()  # of a virtio disk
    discard: bool = False  # blocks that the guest gives up are given back


@dataclass(frozen=True, slots=True)
class Card:
    """A network card."""

    mac: str
    device: Device
    bridge: str | None = None  # what it is plugged into, if that is a bridge of the host


@dataclass(frozen=True, slots=True)
class Cpu:
    """``model`` in QEMU's words; None: all that the accelerator can give."""

    model: str | None = "qemu64"
    features: tuple[str, ...] = ()  # +aes, -svm


@dataclass(frozen=True, slots=True)
class Uefi:
    """UEFI firmware, by what it must be able to do or by its files."""

    secure: bool = False
    enrolled: bool = False  # knows Microsoft's keys
    code: Path | None = None  # None: look for one
    variables: Path | None = None  # the guest's own, or a template for them


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """A kernel that the host hands to the guest."""

    kernel: Path
    initrd: Path | None
    cmdline: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """A domain's hardware. Devices are in the order of the XML."""

    name: str
    q35: bool
    memory_kib: int
    vcpus: int
    cpu: Cpu = Cpu()
    topology: Topology | None = None
    acpi: bool = True
    vmport: bool = True  # VMware's backdoor
    hpet: bool = True
    localtime: bool = False
    uuid: str | None = None
    bios: Path | None = None  # a BIOS image in place of QEMU's
    uefi: Uefi | None = None
    kernel: DirectBoot | None = None
    drives: tuple[Drive, ...] = ()
    cards: tuple[Card, ...] = ()
    scsi: tuple[tuple[int, Device], ...] = ()  # controllers by libvirt's index
    video: Device | None = None
    serials: int = 0
    channels: Device | None = None  # the virtio-serial controller
    virtio_consoles: int = 0
    agent: bool = False  # a channel for the guest agent
    balloon: Device | None = None
    rng: Device | None = None
    usb: Device | None = None  # model "machine": the controller of the machine type itself
    panic: bool = False
    warnings: tuple[Finding, ...] = ()

    def pci_devices(self) -> Iterator[Device]:
        """Return all that sits on the PCI bus."""
        singles = (self.video, self.channels, self.balloon, self.rng, self.usb)
        yield from (device for device in singles if device is not None)
        yield from (card.device for card in self.cards)
        yield from (device for _, device in self.scsi)
        yield from (drive.device for drive in self.drives)
