# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of the appliance's devices a name in the guest's files means.

The guest knew its disks by the source hypervisor's names (xvda1, hdb, nvme0n1p2), the appliance
calls the same disks /dev/sda, /dev/sdb, ... in the source's order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2v.model import Filesystem, Firmware, Guest

_LETTERED = re.compile(r"(?P<prefix>xvd|sd|hd|vd)(?P<letters>[a-z]{1,3})(?P<part>\d*)\Z")
_NVME = re.compile(r"nvme(?P<index>\d+)n1(?:p(?P<part>\d+))?\Z")
_CCISS = re.compile(r"cciss/c0d(?P<index>\d+)(?:p(?P<part>\d+))?\Z")
_TAGS = {"UUID": "uuid", "LABEL": "label"}
_BY = {"/dev/disk/by-uuid/": "uuid", "/dev/disk/by-label/": "label"}


def drive_index(letters: str) -> int:
    """Return the position that drive letters stand for: a is 0, z is 25, aa is 26."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("a") + 1
    return index - 1


def drive_letters(index: int) -> str:
    """Return the drive letters of a position: 0 is a, 25 is z, 26 is aa."""
    letters = ""
    index += 1
    while index > 0:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """The guest's disks: ``known[i]`` is the name the guest knew ``appliance[i]`` by, if any."""

    known: tuple[str | None, ...]
    appliance: tuple[str, ...]
    filesystems: tuple[Filesystem, ...] = ()

    def find(self, spec: str) -> str | None:
        """Return the appliance's device for a device as fstab(5) writes it, None if unknown."""
        tag, _, value = spec.partition("=")
        if tag in _TAGS:
            return self._tagged(_TAGS[tag], value.strip("\"'"))
        for prefix, field in _BY.items():
            if spec.startswith(prefix):
                return self._tagged(field, spec.removeprefix(prefix))
        if not spec.startswith("/dev/"):
            return None
        return self._disk(spec.removeprefix("/dev/")) or self._volume(spec)

    def _tagged(self, field: str, value: str) -> str | None:
        for found in self.filesystems:
            mine = found.uuid if field == "uuid" else found.label
            if mine is not None and mine.lower() == value.lower():
                return found.device
        return None

    def _volume(self, spec: str) -> str | None:
        """Logical volumes: /dev/mapper/my--vg-root is /dev/my-vg/root, lvm(8)."""
        mapped = re.fullmatch(r"/dev/mapper/((?:[^-]|--)+)-((?:[^-]|--)+)", spec)
        if mapped:
            group, volume = (part.replace("--", "-") for part in mapped.groups())
            spec = f"/dev/{group}/{volume}"
        return spec if any(found.device == spec for found in self.filesystems) else None

    def _disk(self, name: str) -> str | None:
        if name in self.known:  # a whole disk, or an image that is one partition (xvda1)
            return self.appliance[self.known.index(name)]
        lettered = _LETTERED.match(name)
        numbered = _NVME.match(name) or _CCISS.match(name)
        if lettered:
            index = self._lettered_index(lettered["prefix"], lettered["letters"])
            part = lettered["part"]
        elif numbered:
            index, part = int(numbered["index"]), numbered["part"]
        else:
            return None
        if index is None or index >= len(self.appliance):
            return None
        return f"{self.appliance[index]}{part or ''}"

    def _lettered_index(self, prefix: str, letters: str) -> int | None:
        """By the source's own name; else by its letters (Xen shows hda as xvda); else by order."""
        if f"{prefix}{letters}" in self.known:
            return self.known.index(f"{prefix}{letters}")
        for index, known in enumerate(self.known):
            match = _LETTERED.match(known or "")
            if match and match["letters"] == letters and not match["part"]:
                return index
        return None if any(self.known) else drive_index(letters)


def boot_disk(guest: Guest) -> int | None:
    """Return the number of the disk that the firmware must start, None if it cannot be told.

    GRUB's boot code need not be on the disk with its files: where the disk of /boot has none, a
    BIOS must start one that has (RHEL-108991).
    """
    for place in ("/boot/efi", "/efi") if guest.firmware is Firmware.efi else ():
        found = _disk_of(guest, place)
        if found is not None:
            return found
    boot = _disk_of(guest, "/boot")
    if boot is None and "/boot" not in guest.mountpoints:
        boot = _disk_of(guest, "/")
    with_grub = tuple(guest.disks.index(disk) for disk in guest.grub_disks)
    if guest.firmware is not Firmware.efi and with_grub and boot not in with_grub:
        return with_grub[0]
    return boot


def _disk_of(guest: Guest, mountpoint: str) -> int | None:
    """Return the number of the disk that a file system is on; volumes of LVM and md have none."""
    device = guest.mountpoints.get(mountpoint, "")
    for number, disk in enumerate(guest.disks):
        if re.fullmatch(re.escape(disk) + r"(p?\d+)?", device):
            return number
    return None
