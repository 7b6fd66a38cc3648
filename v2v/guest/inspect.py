# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks into the guest's disks: which systems there are, and what the chosen one is.

It mounts the chosen system's file systems as its fstab says and leaves them mounted. Everything is
read from files that each Linux has, so that an unknown distribution is still understood.
"""

from __future__ import annotations

import logging
import posixpath
import struct
from dataclasses import dataclass

from v2v.devices import DeviceNames
from v2v.errors import Finding, GuestError
from v2v.files import Files, realpath
from v2v.guest.boot_partitions import mount_unlisted
from v2v.guest.files import GuestFiles
from v2v.guest.layout import HEAD_BYTES, boot_area, firmware, has_code, has_grub
from v2v.guest.session import Session
from v2v.model import Filesystem, Guest, Machine, OsType
from v2v.osrelease import Release, read_release
from v2v.units import iec

log = logging.getLogger(__name__)

_NOT_MOUNTABLE = frozenset(
    {"swap", "unknown", "crypto_LUKS", "BitLocker", "LVM2_member", "linux_raid_member"}
)
_ELF_MACHINES = {3: "i686", 21: "ppc64", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64",
                 243: "riscv64"}  # fmt: skip
_MIB = 1 << 20
MIN_FREE_INODES = 100


@dataclass(frozen=True, slots=True)
class Root:
    """A file system that holds an operating system."""

    device: str
    type: OsType


def inspect(session: Session, machine: Machine, root: str | None) -> tuple[Guest, GuestFiles]:
    """Find the guest's operating system, mount it and say what it is.

    ``root`` names the device to take where there are several systems, or is ``first``.
    Raises GuestError: no system, several without ``root``, a root that does not mount.
    """
    disks = session.devices()
    heads = {disk: session.head(disk, HEAD_BYTES) for disk in disks}
    filesystems = session.filesystems()
    chosen = _choose(*_roots(session, filesystems), root)
    session.mount(chosen.device, "/")
    files = GuestFiles(session)
    names = DeviceNames(tuple(disk.device for disk in machine.disks), disks, filesystems)
    mountpoints = {"/": chosen.device}
    if chosen.type is OsType.linux:
        mountpoints |= _mount_others(session, files, names)
        mountpoints |= mount_unlisted(session, heads, mountpoints)
    release = read_release(files) or Release(chosen.type, "", chosen.type)
    guest = Guest(
        type=chosen.type,
        distro=release.id,
        version=release.version,
        product=release.product,
        like=release.like,
        arch=_arch(files),
        firmware=firmware(heads.values()),
        root=chosen.device,
        mountpoints=mountpoints,
        filesystems=filesystems,
        disks=disks,
        grub_disks=tuple(disk for disk in disks if has_grub(heads[disk])),
        boot_areas=tuple(boot_area(heads[disk]) for disk in disks),
        code_disks=tuple(disk for disk in disks if has_code(heads[disk])),
    )
    return guest, files


def _roots(
    session: Session, filesystems: tuple[Filesystem, ...]
) -> tuple[tuple[Root, ...], tuple[GuestError, ...]]:
    """Return the systems found, and why other file systems did not mount."""
    found, failed = [], []
    for filesystem in filesystems:
        if filesystem.type in _NOT_MOUNTABLE:
            continue
        try:
            session.mount(filesystem.device, "/")
        except GuestError as error:
            failed.append(error)
            continue
        names = set(session.names("/"))
        if "etc" in names and names & {"bin", "usr"}:
            if {"fstab", "hosts", "os-release"} & set(session.names("/etc")):
                found.append(Root(filesystem.device, OsType.linux))
        elif {"windows", "winnt"} & {name.lower() for name in names}:
            found.append(Root(filesystem.device, OsType.windows))
        session.umount_all()
    return tuple(found), tuple(failed)


def _choose(roots: tuple[Root, ...], failed: tuple[GuestError, ...], wanted: str | None) -> Root:
    listed = ", ".join(root.device for root in roots)
    if not roots and failed:
        raise GuestError(
            "E-NO-OS",
            f"no operating system was found on the disks; {'; '.join(map(str, failed))}",
            hint="let the guest check its file systems on its old host, or run fsck on a copy",
        )
    if not roots:
        raise GuestError(
            "E-NO-OS",
            "no operating system was found on the disks",
            hint="is this the guest's system disk, and is it not encrypted?",
        )
    if wanted is None or wanted == "first":
        if len(roots) > 1 and wanted is None:
            raise GuestError(
                "E-MULTIPLE-ROOTS",
                f"several operating systems were found: {listed}",
                hint="choose one with --root DEVICE or --root first",
            )
        return roots[0]
    for root in roots:
        if root.device == wanted:
            return root
    raise GuestError(
        "E-NO-SUCH-ROOT", f"{wanted}: no operating system there", hint=f"there is one on: {listed}"
    )


def _mount_others(session: Session, files: Files, names: DeviceNames) -> dict[str, str]:
    """Mount what /etc/fstab names, parents first; what does not mount is left out."""
    wanted = []
    try:
        text = files.read("/etc/fstab").decode(errors="surrogateescape")
    except FileNotFoundError:
        text = ""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 3 or line.lstrip().startswith("#"):
            continue
        spec, mountpoint, kind = fields[:3]
        device = names.find(spec)
        if device and mountpoint.startswith("/") and mountpoint != "/" and kind != "swap":
            wanted.append((posixpath.normpath(mountpoint), device))
    mounted = {}
    for mountpoint, device in sorted(wanted):
        try:
            session.mount(device, mountpoint)
        except GuestError as error:
            log.debug("%s", error)
        else:
            mounted[mountpoint] = device
    return mounted


def _arch(files: Files) -> str:
    """Read the architecture off the ELF header of the shell (System V ABI, e_machine)."""
    try:
        header = files.read(realpath(files, "/bin/sh"))[:20]
    except FileNotFoundError:
        return "unknown"
    if len(header) < 20 or header[:4] != b"\x7fELF":
        return "unknown"
    order = ">" if header[5] == 2 else "<"
    return _ELF_MACHINES.get(struct.unpack_from(f"{order}H", header, 18)[0], "unknown")


def space_findings(session: Session, guest: Guest) -> tuple[Finding, ...]:
    """Return a blocker for each file system without the room that a conversion needs.

    The figures are those of the virt-v2v manual: 50 MB for a /boot of its own, 100 MB for the root,
    10 MB for others, and 100 inodes.
    """
    found = []
    for mountpoint in guest.mountpoints:
        need = {"/": 100, "/boot": 50}.get(mountpoint, 10) * _MIB
        free, inodes = session.space(mountpoint)
        if free < need:
            found.append(
                Finding(
                    "E-GUEST-SPACE",
                    f"{mountpoint} in the guest: {iec(free)} are free, {iec(need)} are needed",
                    "free some space in the guest before it is shut down",
                )
            )
        if inodes is not None and inodes < MIN_FREE_INODES:
            found.append(
                Finding(
                    "E-GUEST-SPACE",
                    f"{mountpoint} in the guest: {inodes} inodes are free, "
                    f"{MIN_FREE_INODES} are needed",
                    "remove some files in the guest before it is shut down",
                )
            )
    return tuple(found)
