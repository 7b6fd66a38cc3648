# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which of the appliance's devices a name in the guest's files means.

The guest knew its disks by the source hypervisor's names (xvda1, hdb, nvme0n1p2), the appliance
calls the same disks /dev/sda, /dev/sdb, ... in the source's order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from v2v.model import Filesystem, Firmware, Guest

_LETTERED = re.compile(r"(?P<prefix>xvd|sd|hd|vd)(?P<letters>[a-z]{1,3})(?P<part>\d*)\Z")
_NVME = re.compile(r"nvme(?P<index>\d+)n1(?:p(?P<part>\d+))?\Z")
_CCISS = re.compile(r"cciss/c0d(?P<index>\d+)(?:p(?P<part>\d+))?\Z")
_TAGS = ("UUID", "LABEL", "PARTUUID", "PARTLABEL")
_BY = re.compile(r"/dev/disk/by-(?P<tag>uuid|label)/(?P<value>.+)")
# Names of a disk and its partitions that udev and multipathd give by the hardware. What comes from
# the content (dm-, md- and lvm- names of by-id) is not among them.
_BY_HARDWARE = (
    re.compile(r"(?P<disk>/dev/disk/by-(?:path|id)/(?!dm-|md-|lvm-).+?)(?:-part(?P<part>\d+))?"),
    re.compile(
        r"(?:/dev/mapper/|/dev/disk/by-id/dm-name-)"
        r"(?P<disk>mpath[a-z]+?|[0-9a-f]{17,33}(?=-part|_part|p\d|\Z))(?:(?:-part|_part|p)?(?P<part>\d+))?"
    ),
    re.compile(r"/dev/disk/by-id/dm-uuid-(?:part(?P<part>\d+)-)?mpath-(?P<disk>[0-9a-f]{17,33})"),
)
_QUOTES = "\"'"
_PLAIN = re.compile(r"[0-9A-Za-z#+.:=@_-]|[^\x00-\x7f]")  # what udev puts into a name as it is


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


def volume_name(path: str) -> str:
    """Return a logical volume's name: /dev/mapper/my--vg-root is /dev/my-vg/root, lvm(8)."""
    mapped = re.fullmatch(r"/dev/mapper/((?:[^-]|--)+)-((?:[^-]|--)+)", path)
    if mapped is None:
        return path
    group, volume = (part.replace("--", "-") for part in mapped.groups())
    return f"/dev/{group}/{volume}"


def by_hardware(name: str) -> tuple[str, str] | None:
    """Return disk and partition of a name that udev or multipathd gave by the hardware.

    udev.rules of systemd (60-persistent-storage) and kpartx; /dev/mapper/mpatha-part1 is partition
    1 of mpatha, multipath.conf(5).
    """
    for pattern in _BY_HARDWARE:
        match = pattern.fullmatch(name)
        if match is not None:
            return match["disk"], match["part"] or ""
    return None


def _encoded(value: str) -> str:
    """Return a label as udev writes it in the name of a link: ``my data`` is my\\x20data."""
    return "".join(
        char if _PLAIN.match(char) else "".join(f"\\x{byte:02x}" for byte in char.encode())
        for char in value
    )


@dataclass(frozen=True, slots=True)
class DeviceNames:
    """The guest's disks: ``known[i]`` is the name the guest knew ``appliance[i]`` by, if any.

    ``links`` are names that follow from content, as udev makes them: /dev/disk/by-label/root.
    """

    known: tuple[str | None, ...]
    appliance: tuple[str, ...]
    filesystems: tuple[Filesystem, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    def find(self, spec: str) -> str | None:
        """Return the appliance's device for a device as fstab(5) writes it, None if unknown."""
        tag, equals, value = spec.partition("=")
        if equals and tag in _TAGS:
            spec = f"/dev/disk/by-{tag.lower()}/{_encoded(value.strip(_QUOTES))}"
        if not spec.startswith("/dev/"):
            return None
        return (
            self.links.get(spec)
            or self._tagged(spec)
            or self._part(spec)
            or self._disk(spec.removeprefix("/dev/"))
            or self._volume(spec)
        )

    def _tagged(self, spec: str) -> str | None:
        match = _BY.fullmatch(spec)
        if match is None:
            return None
        for found in self.filesystems:
            mine = found.uuid if match["tag"] == "uuid" else found.label
            if mine is not None and _encoded(mine).lower() == match["value"].lower():
                return found.device
        return None

    def _part(self, spec: str) -> str | None:
        """Disks that are named by their hardware: the only one, or one that was found out."""
        named = by_hardware(spec)
        if named is None:
            return None
        only = self.appliance[0] if len(self.appliance) == 1 else None
        disk = self.links.get(named[0], only)
        return None if disk is None else disk + named[1]

    def _volume(self, spec: str) -> str | None:
        spec = volume_name(spec)
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
    """Return the number of the disk that a file system is on, the first one of an array's."""
    device = guest.mountpoints.get(mountpoint, "")
    found = guest.filesystem(device)
    on = found.disks[:1] if found is not None else ()
    for number, disk in enumerate(guest.disks):
        if disk in on or re.fullmatch(re.escape(disk) + r"(p?\d+)?", device):
            return number
    return None
