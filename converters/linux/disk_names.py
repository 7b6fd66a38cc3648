# SPDX-License-Identifier: LGPL-2.1-or-later
"""What to call a disk instead of by the source hypervisor's name for it.

A name such as /dev/xvda1 or /dev/disk/by-path/... depends on the virtual hardware, and that
changes. The UUID of what is on the disk does not; where there is none, or several have the same,
the label does it, and at last the name that the disk will have on KVM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2v.devices import DeviceNames, by_hardware, drive_letters
from v2v.model import Bus, Filesystem, Guest, Machine

_HARDWARE = re.compile(
    r"/dev/((xvd|sd|hd|vd)[a-z]{1,3}\d*|nvme\d+n\d+(p\d+)?|cciss/c\d+d\d+(p\d+)?)"
)
_PLAIN = re.compile(r"[\w.+-]+", re.ASCII)  # needs no quoting in any file


@dataclass(frozen=True, slots=True)
class Edited:
    """A text with its disks renamed; ``unknown`` are names that stand for none of them."""

    text: str
    unknown: tuple[str, ...] = ()


def depends_on_hardware(name: str) -> bool:
    """Tell whether a name depends on the virtual hardware."""
    return _HARDWARE.fullmatch(name) is not None or by_hardware(name) is not None


@dataclass(frozen=True, slots=True)
class DiskNames:
    """Translates the guest's names of disks into names that hold on KVM."""

    guest: Guest
    old: DeviceNames
    prefix: str  # of the disks' names on the target's bus: vd or sd

    def depends(self, name: str) -> bool:
        """Tell whether a name depends on the virtual hardware."""
        return depends_on_hardware(name)

    def stable(self, name: str, mountpoint: str | None = None) -> str | None:
        """Return what to write instead of a name that depends on hardware; None if unknown."""
        device = self._device(name, mountpoint)
        if device is None:
            return None
        found = self.guest.filesystem(device)
        if found is not None and found.uuid and self._alone(found, found.uuid):
            return f"UUID={found.uuid}"
        if found is not None and found.label and self._alone(found, found.label):
            return f"LABEL={found.label}"
        return self._target(device)

    def path(self, name: str) -> str | None:
        """Return what stable does as a path, for files that take no tags."""
        found = self.stable(name) or ""
        tag, equals, value = found.partition("=")
        return f"/dev/disk/by-{tag.lower()}/{value}" if equals else found or None

    def on_target(self, name: str) -> str | None:
        """Return the name on KVM of a disk or partition, for where UUIDs are not understood."""
        device = self._device(name, None)
        return None if device is None else self._target(device)

    def _device(self, name: str, mountpoint: str | None) -> str | None:
        """Return the appliance's name.

        A by-path or by-id name tells nothing but the partition, so that it is known only where
        there is one disk, or where the mount point was found by other means.
        """
        mounted = self.guest.mountpoints.get(mountpoint or "")
        if mounted is not None and by_hardware(name) is not None:
            return mounted
        return self.old.find(name)

    def _alone(self, found: Filesystem, value: str) -> bool:
        """Tell whether a UUID or label means this file system only; clones share theirs.

        The devices of one btrfs share its UUID, and any of them will do, btrfs(5).
        """
        same = [other for other in self.guest.filesystems if value in (other.uuid, other.label)]
        one = len(same) == 1 or all(other.type == found.type == "btrfs" for other in same)
        return one and _PLAIN.fullmatch(value) is not None

    def _target(self, device: str) -> str | None:
        for index, disk in enumerate(self.guest.disks):
            part = re.fullmatch(rf"{re.escape(disk)}(\d*)", device)
            if part:
                return self.of_disk(index) + part[1]
        return None

    def of_disk(self, index: int) -> str:
        """Return the name on KVM of a disk, by its position in the source."""
        return f"/dev/{self.prefix}{drive_letters(index)}"


def disk_names(machine: Machine, guest: Guest, bus: Bus) -> DiskNames:
    """Return the translation for a guest whose disks will hang on the bus."""
    known = tuple(disk.device for disk in machine.disks)
    old = DeviceNames(known, guest.disks, guest.filesystems, guest.device_names)
    return DiskNames(guest, old, "vd" if bus is Bus.virtio else "sd")
