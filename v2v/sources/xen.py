# SPDX-License-Identifier: LGPL-2.1-or-later
"""What xl.cfg(5) and libvirt's Xen domains share: guest types, virtual devices, ways to boot."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum, auto
from pathlib import PurePosixPath

from v2v.devices import drive_index, drive_letters
from v2v.model import Boot, BootMethod, Bus

VDEV = re.compile(r"(?:xvd|hd|sd)[a-z]{1,3}[0-9]*|d[0-9]+(?:p[0-9]+)?|0x[0-9a-f]+|[0-9]+")
"""Virtual device names, xen-vbd-interface(7)."""

_OF_16 = {202: "xvd", 8: "sd"}  # majors of Linux, with room for 15 partitions of a disk
_OF_64 = {3: 0, 22: 2}  # those of IDE: two disks each, the first of them
_OUI = "00:16:3e"  # Xen's own; generated addresses stay below 00:16:3e:80:00:00
_PVGRUB = re.compile(r"pv-?grub|grub-(?:x86_64|i386|arm64)-xen|pvh-grub")


class GuestType(StrEnum):
    """Kinds of Xen guests, xl.cfg(5) ``type``."""

    pv = auto()
    pvh = auto()
    hvm = auto()


def named(vdev: str) -> str:
    """Return a virtual device by the name that the guest has for it: 51714 and d0p2 are xvda2.

    What is no number of xen-vbd-interface(7) stays as it is.
    """
    if short := re.fullmatch(r"d([0-9]{1,5})(?:p([0-9]{1,3}))?", vdev):
        return _named("xvd", int(short[1]), int(short[2] or 0))
    if not re.fullmatch(r"0x[0-9a-f]{1,8}|[0-9]{1,10}", vdev):
        return vdev
    number = int(vdev, 0) if vdev.startswith("0x") else int(vdev)
    major, minor = number >> 8, number & 0xFF
    if number >> 28 == 1:
        return _named("xvd", number >> 8 & 0xFFFFF, minor)
    if major in _OF_16:
        return _named(_OF_16[major], minor >> 4, minor & 15)
    if major in _OF_64:
        return _named("hd", _OF_64[major] + (minor >> 6), minor & 63)
    return vdev


def _named(kind: str, disk: int, partition: int) -> str:
    return f"{kind}{drive_letters(disk)}{partition or ''}"


def disk_bus(guest: GuestType, vdev: str, *, ahci: bool = False) -> Bus:
    """Return where a disk hangs: only HVM guests have emulated controllers beside Xen's own."""
    if guest is not GuestType.hvm:
        return Bus.xen
    if vdev.startswith("hd"):
        return Bus.sata if ahci else Bus.ide
    return Bus.scsi if vdev.startswith("sd") else Bus.xen


def slot(vdev: str) -> int | None:
    """Return a device name's position, from 0: hdc is 2, xvdaa is 26, sr1 is 1."""
    if optical := re.fullmatch(r"sr([0-9]{1,3})", vdev):
        return int(optical[1])
    found = re.fullmatch(r"(?:xvd|hd|sd|vd|fd)([a-z]{1,3})[0-9]*", vdev)
    return None if found is None else drive_index(found[1])


def derived_mac(seed: str, index: int) -> str:
    """Return a MAC address that is the same at each run for one guest and one of its NICs.

    Xen makes up a new one at each start where none is configured; a guest that pins names by MAC
    needs one that stays.
    """
    digest = hashlib.sha256(f"{seed}/{index}".encode(errors="surrogatepass")).digest()
    return f"{_OUI}:{digest[0] & 0x7F:02x}:{digest[1]:02x}:{digest[2]:02x}"


def is_pvgrub(kernel: str) -> bool:
    """Tell whether a kernel= is really GRUB built for Xen, which reads the guest's own disk."""
    return _PVGRUB.search(PurePosixPath(kernel).name) is not None


def boot(
    guest: GuestType,
    *,
    bootloader: str | None = None,
    kernel: str | None = None,
    ramdisk: str | None = None,
    cmdline: str | None = None,
) -> Boot | None:
    """Return how Xen starts a guest, None where nothing tells.

    A boot loader wins over a kernel, as in libxl. HVM and PVH guests have a kernel here only if the
    host's own kernel is booted in place of what is on the disk.
    """
    if guest is GuestType.hvm:
        direct = kernel is not None and PurePosixPath(kernel).name != "hvmloader"
        return Boot(BootMethod.hvm, kernel, ramdisk, cmdline) if direct else Boot(BootMethod.hvm)
    if guest is GuestType.pvh:
        if bootloader is not None or kernel is None or is_pvgrub(kernel):
            return Boot(BootMethod.pvh, cmdline=cmdline)
        return Boot(BootMethod.pvh, kernel, ramdisk, cmdline)
    if bootloader is not None:
        return Boot(BootMethod.pygrub, cmdline=cmdline)
    if kernel is None:
        return None
    method = BootMethod.pvgrub if is_pvgrub(kernel) else BootMethod.direct
    return Boot(method, kernel, ramdisk, cmdline)
