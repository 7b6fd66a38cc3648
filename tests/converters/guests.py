# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests made of text: fixtures/guests/NAME has tree.txt, guest.json and the expected plan.txt.

tree.txt holds the guest's files one after another, each behind a line `==> PATH <==`, or
`==> PATH -> TARGET <==` for a symbolic link. What is binary in a guest (kernels, modules and
initramfs images) is made here from what guest.json says under "kernels".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import converters
from drivers.compression import Compression
from drivers.virtio import module_name
from tests.converters.linux.databases import sqlite_database
from tests.converters.ramdisks import image, maker
from tests.drivers import grub_files
from tests.drivers.images import unified
from v2v.changes import Plan, RunCommand, WriteBootCode
from v2v.files import DictFiles, Link
from v2v.model import (
    Boot,
    BootArea,
    BootMethod,
    Disk,
    Filesystem,
    Firmware,
    Guest,
    Hypervisor,
    InitramfsMode,
    Machine,
    Network,
    NetworkKind,
    Nic,
    OsType,
)

FOLDER = Path(__file__).parents[2] / "fixtures" / "guests"
NAMES = tuple(sorted(path.parent.name for path in FOLDER.glob("*/guest.json")))

_HEAD = re.compile(r"^==> (?P<path>/.*?)(?: -> (?P<target>\S+))? <==\n", re.MULTILINE)
_INSTALL = ("grub-install", "grub2-install")
_V = "kernel/drivers/virtio"
_S = "kernel/drivers/scsi"
_GROUPS = {
    "virtio": f"""\
{_V}/virtio.ko:
{_V}/virtio_ring.ko: {_V}/virtio.ko
{_V}/virtio_pci.ko: {_V}/virtio_ring.ko {_V}/virtio.ko
{_V}/virtio_balloon.ko: {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/drivers/block/virtio_blk.ko: {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/drivers/scsi/virtio_scsi.ko: {_S}/scsi_mod.ko {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/drivers/char/hw_random/virtio-rng.ko: {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/drivers/char/virtio_console.ko: {_V}/virtio_ring.ko {_V}/virtio.ko
kernel/net/core/failover.ko:
kernel/drivers/scsi/scsi_mod.ko:
kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko
""",
    "xen": "kernel/drivers/block/xen-blkfront.ko:\nkernel/drivers/net/xen-netfront.ko:\n",
    "vmware": "kernel/drivers/message/fusion/mptspi.ko:\nkernel/drivers/net/vmxnet3/vmxnet3.ko:\n",
    "ahci": "kernel/drivers/ata/ahci.ko: kernel/drivers/scsi/scsi_mod.ko\n",
    "ext4": "kernel/fs/ext4/ext4.ko:\n",
}  # fmt: skip


class KernelText(TypedDict, total=False):
    """A kernel in guest.json."""

    modules: Sequence[str]  # of _GROUPS
    options: Sequence[str]  # CONFIG_...=y
    initramfs: Sequence[str] | None  # modules in it; null: there is none
    initramfs_files: Mapping[str, str]
    compression: str
    tool: str  # of ramdisks.py
    image: str  # paths, where the names are not Debian's
    initramfs_path: str
    cmdline: str  # image is a unified one with these arguments, and the initramfs in it
    os_release: str  # of such an image


@dataclass(frozen=True, slots=True)
class Case:
    """A guest to convert."""

    machine: Machine
    guest: Guest
    files: DictFiles

    def plan(
        self, mode: InitramfsMode = InitramfsMode.auto, *, guest_code: bool = True
    ) -> tuple[Guest, Plan]:
        """Plan the conversion."""
        return converters.plan(self.machine, self.guest, self.files, mode, guest_code=guest_code)

    def applied(self, plan: Plan) -> Case:
        """Apply a plan and look again, as if the commands had had their effects."""
        for change in plan.changes:
            change.apply(self.files)
        guest = self.guest
        for change in plan.changes:
            if isinstance(change, WriteBootCode):
                guest = replace(guest, grub_disks=(change.disk,))
            elif isinstance(change, RunCommand):
                assert change.makes is not None
                self.files.content[change.makes] = self._made(change.argv)
        return replace(self, guest=guest)

    def _made(self, argv: Sequence[str]) -> bytes:
        version = next(
            name for name in self.files.listdir("/lib/modules") if any(name in w for w in argv)
        )
        modules = [line.partition(":")[0] for line in _GROUPS["virtio"].splitlines()]
        links = {
            f"lib{path.removeprefix('/etc')}": content.decode()
            for path, content in self.files.content.items()
            if path.endswith(".link") and isinstance(content, bytes)
        }
        return image(version, modules, links, Compression.gzip, maker(argv))


def load(name: str) -> Case:
    """Return a guest of fixtures/guests."""
    said = json.loads((FOLDER / name / "guest.json").read_text(encoding="utf-8"))
    content = tree((FOLDER / name / "tree.txt").read_text(encoding="utf-8"))
    for version, kernel in said.get("kernels", {}).items():
        content |= kernel_files(version, kernel)
    for path, sections in said.get("programs", {}).items():
        content[path] = unified({name: text.encode() for name, text in sections.items()})
    if f"{grub_files.FOLDER}/boot.img" in content:
        content |= {
            f"{grub_files.FOLDER}/{name}": data for name, data in grub_files.platform().items()
        }
    for path, packages in said.get("rpm", {}).items():
        content[path] = sqlite_database(packages)  # what it is, no name of a file tells
    return Case(_machine(said["machine"]), _guest(said["guest"]), DictFiles(content))


def tree(text: str) -> dict[str, bytes | str | Link]:
    """Return the files in a tree.txt."""
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head["path"]: Link(head["target"]) if head["target"] else text[head.end() : end]
        for head, end in zip(heads, ends, strict=True)
    }


def kernel_files(version: str, kernel: KernelText) -> dict[str, bytes | str | Link]:
    """Return a kernel with its modules and its initramfs."""
    dep = "".join(_GROUPS[group] for group in kernel.get("modules", ()))
    paths = {
        module_name(line.partition(":")[0]): line.partition(":")[0] for line in dep.splitlines()
    }
    folder = f"/lib/modules/{version}"
    options = "".join(f"CONFIG_{option}=y\n" for option in kernel.get("options", ()))
    content: dict[str, bytes | str | Link] = {
        kernel.get("image", f"/boot/vmlinuz-{version}"): _kernel(version),
        f"/boot/config-{version}": options,
        f"{folder}/modules.dep": dep,
        f"{folder}/modules.alias": "alias virtio:d00000002v* virtio_blk\n",
        f"{folder}/modules.builtin": "",
        **{f"{folder}/{path}": path for path in paths.values()},
    }
    inside = kernel.get("initramfs")
    made = b""
    if inside is not None:
        made = image(
            version,
            [paths[module_name(name)] for name in inside],
            kernel.get("initramfs_files", {}),
            Compression(kernel.get("compression", "gzip")),
            kernel.get("tool", "initramfs-tools"),
        )
    if "cmdline" in kernel:
        said = {".cmdline": kernel["cmdline"], ".osrel": kernel["os_release"], ".uname": version}
        parts = {name: text.encode() for name, text in said.items()}
        content[kernel["image"]] = unified({**parts, ".linux": _kernel(version), ".initrd": made})
    elif made:
        content[kernel.get("initramfs_path", f"/boot/initrd.img-{version}")] = made
    return content


def _kernel(version: str) -> bytes:
    """A kernel's image that tells its version, as x86's boot header has it."""
    return (
        bytes(0x202)
        + b"HdrS"
        + bytes(8)
        + (0x100).to_bytes(2, "little")
        + bytes(0x300 - 0x210)
        + f"{version} (root@host) #1 SMP".encode()
    )


class NicText(TypedDict, total=False):
    mac: str | None
    model: str
    slot: int


class MachineText(TypedDict, total=False):
    hypervisor: str
    disks: Sequence[str | None]
    wrapped: Sequence[str]
    nics: Sequence[NicText]
    boot: str
    firmware: str


class GuestText(TypedDict, total=False):
    type: str
    distro: str
    version: str
    product: str
    like: Sequence[str]
    firmware: str
    root: str
    mountpoints: Mapping[str, str]
    filesystems: Sequence[Sequence[str | None]]
    disks: Sequence[str]
    device_names: Mapping[str, str]
    grub_disks: Sequence[str]
    code_disks: Sequence[str]


def _machine(said: MachineText) -> Machine:
    network = Network(NetworkKind.network, "default")
    return Machine(
        kind="test",
        hypervisor=Hypervisor(said["hypervisor"]),
        name="guest",
        memory_bytes=1 << 30,
        vcpus=1,
        disks=tuple(
            Disk(f"{i}.img", None, device=name, wrapped=name in said.get("wrapped", ()))
            for i, name in enumerate(said["disks"])
        ),
        folder=Path("/images"),
        firmware=Firmware(said.get("firmware", "unknown")),
        boot=Boot(BootMethod(said["boot"])) if "boot" in said else None,
        nics=tuple(
            Nic(nic.get("mac"), nic.get("model"), network, nic.get("slot"))
            for nic in said.get("nics", ())
        ),
    )


def _guest(said: GuestText) -> Guest:
    return Guest(
        type=OsType(said.get("type", "linux")),
        distro=said["distro"],
        version=said["version"],
        product=said["product"],
        arch="x86_64",
        firmware=Firmware(said.get("firmware", "bios")),
        root=said["root"],
        mountpoints=said.get("mountpoints", {"/": said["root"]}),
        like=tuple(said.get("like", ())),
        filesystems=tuple(
            Filesystem(device or "", kind or "", uuid, label)
            for device, kind, uuid, label in said.get("filesystems", ())
        ),
        disks=tuple(said["disks"]),
        device_names=said.get("device_names", {}),
        grub_disks=tuple(said.get("grub_disks", ())),
        boot_areas=tuple(BootArea(1, 2047) for _ in said["disks"]),
        code_disks=tuple(said.get("code_disks", said.get("grub_disks", ()))),
    )


def described(guest: Guest, plan: Plan) -> str:
    """Return a plan as the text that plan.txt holds."""
    lines = []
    for kernel in guest.kernels:
        default = ", default" if kernel.default else ""
        virtio = {True: "has virtio", False: "lacks virtio", None: "not looked into"}
        lines.append(
            f"kernel {kernel.version}{default}; initramfs {virtio[kernel.initramfs_has_virtio]}"
        )
    caps = plan.capabilities
    flags = [name for name in ("rng", "balloon", "agent", "panic", "virtio_transitional")
             if getattr(caps, name)]  # fmt: skip
    lines.append(f"target {caps.machine} {caps.block_bus} {caps.net_model} {' '.join(flags)}")
    for finding in (*plan.blockers, *plan.warnings):
        hint = f" ({finding.hint})" if finding.hint else ""
        lines.append(f"{finding.code}: {finding.message}{hint}")
    for change in plan.changes:
        lines += ["", f"* {change.describe()}", f"  because {change.why}"]
        if change.diff() is not None and not change.describe().startswith("link"):
            lines += (change.diff() or "").splitlines()
    return "".join(f"{line}\n" for line in lines)
