# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types that travel between the stages.

    path or URI - sources -> Machine - disks -> overlays - guest -> Guest
      Machine + Guest - converters, drivers -> Plan (changes, findings, Capabilities)
      Machine + Capabilities - targets -> images + libvirt domain XML - proof -> evidence

All are frozen. ``None`` means "the source does not say". Sizes are bytes. Paths on the host are
``str`` where a URI may stand, else ``Path``; paths in the guest are ``str`` with ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from pathlib import Path

from v2v.datastore import Datastore, Login
from v2v.errors import Finding
from v2v.nic_address import NicAddress
from v2v.packed import Packed, Sum
from v2v.windows_guest import Windows


class Hypervisor(StrEnum):
    """Who runs the guest today."""

    xen = auto()
    vmware = auto()
    kvm = auto()
    hyperv = auto()
    virtualbox = auto()
    parallels = auto()
    unknown = auto()


class Firmware(StrEnum):
    """What starts the guest; ``unknown``: the disks tell."""

    bios = auto()
    efi = auto()
    unknown = auto()


class BootMethod(StrEnum):
    """How a Xen guest is started (xl.cfg(5)); other hypervisors have none."""

    pygrub = auto()
    pvgrub = auto()
    direct = auto()  # kernel= and ramdisk= of the host
    hvm = auto()
    pvh = auto()


class DiskFormat(StrEnum):
    """Image formats under the names QEMU gives them."""

    raw = auto()
    qcow2 = auto()
    qcow = auto()
    qed = auto()
    vmdk = auto()
    vpc = auto()  # VHD
    vhdx = auto()
    vdi = auto()
    parallels = auto()


class Allocation(StrEnum):
    """Whether an image takes its space as it is filled or at once."""

    sparse = auto()
    preallocated = auto()


class InitramfsMode(StrEnum):
    """How drivers get into an initramfs: auto splices where that is exact and else rebuilds."""

    splice = auto()
    rebuild = auto()
    auto = "auto"  # last, as it hides the function of that name


class BlockDriver(StrEnum):
    """Which kind of virtio disk a Windows guest gets."""

    virtio_blk = "virtio-blk"
    virtio_scsi = "virtio-scsi"


class Bus(StrEnum):
    """Where a disk hangs, in the source and in the target."""

    virtio = auto()
    scsi = auto()
    ide = auto()
    sata = auto()
    nvme = auto()
    xen = auto()
    usb = auto()
    fdc = auto()


class RemovableKind(StrEnum):
    """Drives whose medium can be taken out."""

    cdrom = auto()
    floppy = auto()


class NetworkKind(StrEnum):
    """libvirt's ways to plug in a NIC."""

    bridge = auto()  # of the host's kernel
    network = auto()  # of libvirt's
    ovs = auto()  # a bridge of Open vSwitch
    macvtap = auto()  # a device of the host, shared


@dataclass(frozen=True, slots=True)
class Topology:
    """CPU topology; sockets * cores * threads is the number of vCPUs."""

    sockets: int
    cores: int
    threads: int


@dataclass(frozen=True, slots=True)
class Remote:
    """A host that OpenSSH reaches. The user's own ssh_config(5) counts, unless ``config`` is."""

    host: str
    user: str | None = None
    port: int | None = None
    config: str | None = None  # a file

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


@dataclass(frozen=True, slots=True)
class Boot:
    """How the source hypervisor starts the guest when no firmware of the guest's own does."""

    method: BootMethod
    kernel: str | None = None  # path on the source host
    ramdisk: str | None = None
    cmdline: str | None = None  # root= and extra= joined, as the guest's kernel sees it
    host: Remote | None = None  # where kernel and ramdisk are; None: on this host


@dataclass(frozen=True, slots=True)
class Disk:
    """A fixed disk of the source."""

    path: str
    format: DiskFormat | None  # None: the source does not say, the image's own header decides
    controller: Bus | None = None
    device: str | None = None  # the name the guest knew it by, such as xvda, xvda1 or sdb
    virtual_bytes: int | None = None
    parents: tuple[str, ...] = ()  # what ``path`` is a snapshot of, the nearest first, if told
    member: str | None = None  # which of the disks in the archive ``path``
    wwid: str | None = None  # what it told the guest of itself, as in /dev/disk/by-id/scsi-WWID
    host: Remote | None = None  # where ``path`` is; None: on this host
    site: Login | None = None  # ``path`` is a URI: the account there, and how it is trusted
    datastore: Datastore | None = None  # where ``path`` is, if that is none of a file system
    packed: Packed | None = None  # where it is in a package; ``path`` is for people then
    wrapped: bool = False  # the guest knew what is in its partition 1 as the whole disk
    loader: bool = False  # it was composed with a loader for UEFI, which the guest knows nothing of


@dataclass(frozen=True, slots=True)
class Removable:
    """A CD-ROM or floppy drive; its medium is not carried over."""

    kind: RemovableKind
    controller: Bus | None = None
    slot: int | None = None  # position on its controller, from 0


@dataclass(frozen=True, slots=True)
class Network:
    """What a NIC is plugged into."""

    kind: NetworkKind
    name: str


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card. ``mac`` is lower case with colons."""

    mac: str | None
    model: str | None  # the source's own word: e1000, vmxnet3, netfront, ...
    network: Network
    slot: int | None = None  # the PCI slot that its guest sees: VMware's 192 makes it ens192
    addresses: tuple[NicAddress, ...] = ()  # none: the guest keeps what it has
    connected: bool = True  # else its cable is unplugged when the guest starts


@dataclass(frozen=True, slots=True)
class Display:
    """The console screen: ``kind`` is vnc, spice or window."""

    kind: str
    listen: str | None = None  # address
    port: int | None = None  # None: chosen at each start
    password: str | None = field(default=None, repr=False)
    keymap: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A virtual machine as its source describes it; nothing here comes from inside its disks."""

    kind: str  # the source reader's name: xl, vmx, libvirt, disk, ...
    hypervisor: Hypervisor
    name: str
    memory_bytes: int
    vcpus: int
    disks: tuple[Disk, ...]  # in an order that has meaning: the i-th becomes the i-th target disk
    folder: Path  # the guest's own folder: images may not refer to files outside of it
    topology: Topology | None = None
    cpu_vendor: str | None = None
    cpu_model: str | None = None
    features: tuple[str, ...] = ()  # libvirt's names: acpi, apic, pae, ...
    firmware: Firmware = Firmware.unknown
    secure_boot: bool = False
    uuid: str | None = None
    genid: str | None = None
    boot: Boot | None = None
    removables: tuple[Removable, ...] = ()
    nics: tuple[Nic, ...] = ()
    display: Display | None = None
    sound: str | None = None  # libvirt's model name
    localtime: bool | None = None  # the RTC runs in local time
    description: str | None = None  # what people wrote of it
    os: str | None = None  # what is installed, in the source's own word; nothing depends on it
    tpm: bool = False
    first_disk: int | None = None  # that its firmware is told to start, by its number
    running: bool = False  # or paused: its disks do not hold still
    sums: tuple[Sum, ...] = ()  # of its files, which are compared before the result appears
    warnings: tuple[Finding, ...] = ()  # what the reader could not carry over


class OsType(StrEnum):
    """Kinds of operating system that there is a converter for."""

    linux = auto()
    windows = auto()


class Bootloader(StrEnum):
    """What loads the kernel from inside the guest's disks."""

    grub2 = auto()
    grub2_bls = "grub2-bls"  # with entries of the Boot Loader Specification
    grub_legacy = "grub-legacy"
    systemd_boot = "systemd-boot"
    extlinux = auto()
    uki = auto()  # a unified kernel image that the firmware starts by itself
    none = auto()


class Driver(StrEnum):
    """How a kernel has a driver."""

    builtin = auto()
    module = auto()
    missing = auto()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A Linux kernel that the guest can boot."""

    version: str  # as uname -r prints it
    image: str  # path in the guest
    initramfs: str | None
    default: bool
    virtio: Mapping[str, Driver]  # keys: pci, blk, scsi, net, rng, balloon, console
    initramfs_has_virtio: bool | None  # None: there is no initramfs, or it could not be read
    xen_only: bool = False  # a xenlinux kernel, which runs on nothing but Xen
    cmdline: str | None = None  # inside of a unified image, which is signed; None: it is none


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A file system (or swap area) found on the guest's disks."""

    device: str  # in the appliance's words: /dev/sda1, /dev/vg/lv
    type: str
    uuid: str | None
    label: str | None
    disks: tuple[str, ...] = ()  # those that it lies on, several for an array or a volume group


@dataclass(frozen=True, slots=True)
class BootArea:
    """Where a disk has room for a boot loader beside its first sector, in sectors of 512 bytes."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Guest:
    """What is installed on the disks."""

    type: OsType
    distro: str  # os-release's ID
    version: str  # os-release's VERSION_ID; Debian and CentOS with their point release
    product: str  # the name that it gives itself
    arch: str  # x86_64, i686, aarch64, ...
    firmware: Firmware  # what the disks are made for: bios or efi
    root: str  # device of the root file system, in the appliance's words
    mountpoints: Mapping[str, str]  # mount point to device
    like: tuple[str, ...] = ()  # os-release's ID_LIKE
    filesystems: tuple[Filesystem, ...] = ()
    disks: tuple[str, ...] = ()  # the appliance's names of the disks, in the source's order
    grub_disks: tuple[str, ...] = ()  # those with GRUB's boot code in their first sector
    boot_areas: tuple[BootArea | None, ...] = ()  # of each disk, None: it has no partition table
    code_disks: tuple[str, ...] = ()  # the ones with any boot code there
    bootloader: Bootloader = Bootloader.none  # it and its menu are found by the converter
    bootloader_config: str | None = None
    kernels: tuple[Kernel, ...] = ()
    # Names that follow from what is on a device (/dev/disk/by-uuid/..., /dev/mapper/...): which.
    device_names: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()  # all systems that there are, for people
    locked: tuple[str, ...] = ()  # encrypted volumes that stayed closed
    windows: Windows | None = None

    def filesystem(self, device: str) -> Filesystem | None:
        """Return the file system on a device, or None."""
        return next((found for found in self.filesystems if found.device == device), None)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the converted guest has drivers for; decides the target's hardware."""

    block_bus: Bus = Bus.virtio
    net_model: str = "virtio"  # libvirt's model name: virtio, e1000e, ...
    machine: str = "q35"  # or pc
    rng: bool = True
    balloon: bool = True
    agent: bool = True  # a virtio-serial channel for the QEMU guest agent
    panic: bool = False  # it tells its hypervisor of a crash
    virtio_transitional: bool = False  # the guest's drivers know only virtio 0.9
    localtime: bool | None = None  # the guest takes its clock for local time; None: as its source
    cpu_level: int = 1  # of x86-64: its programs run on CPUs of x86-64-v2 or v3 only


@dataclass(frozen=True, slots=True)
class TargetDisk:
    """An image of the result; ``path`` is where it stands when all is done."""

    path: Path
    format: DiskFormat
    virtual_bytes: int
    allocation: Allocation = Allocation.sparse
    block: bool = False  # ``path`` is a device, not a file
