# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a Linux guest mounts what: fstab(5) and systemd's mount units.

Everything is worked out before anything is mounted, from the files that were read on the way.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from v2v.devices import DeviceNames, by_hardware
from v2v.errors import Finding
from v2v.files import Files
from v2v.guest.volumes import Volume, Volumes
from v2v.model import Disk

# What a conversion reads and writes; what is mounted elsewhere is the guest's own data.
SYSTEM = frozenset(
    {"/", "/boot", "/boot/efi", "/efi", "/etc", "/usr", "/usr/lib", "/usr/local", "/opt", "/var",
     "/var/lib"}
)  # fmt: skip
_NEEDED = SYSTEM - {"/boot/efi", "/efi", "/opt", "/usr/local"}
_NO_FILESYSTEM = frozenset(
    {"swap", "none", "ignore", "tmpfs", "proc", "sysfs", "devpts", "auto.none"}
)
_ESCAPED = re.compile(r"\\([0-7]{3})")
_UNIT_LINE = re.compile(
    r"^\s*(?P<key>What|Where|Type|Options)\s*=\s*(?P<value>.*?)\s*$", re.MULTILINE
)
_ARRAY = re.compile(r"^\s*array\s+(?P<name>\S+)(?P<rest>.*)", re.IGNORECASE | re.MULTILINE)
_ARRAY_UUID = re.compile(r"\buuid=([0-9a-f:]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of fstab(5), or a mount unit."""

    spec: str
    mountpoint: str
    type: str
    options: tuple[str, ...]

    @property
    def subvolume(self) -> str | None:
        """The option that chooses a subvolume of btrfs."""
        return next(
            (each for each in self.options if each.startswith(("subvol=", "subvolid="))), None
        )


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system to mount."""

    device: str
    mountpoint: str
    options: str = ""
    optional: bool = False  # the guest comes up without it

    @property
    def system(self) -> bool:
        """Tell whether a conversion writes there."""
        return self.mountpoint in SYSTEM

    @property
    def needed(self) -> bool:
        """Tell whether a conversion without it would go wrong."""
        return self.mountpoint in _NEEDED and not self.optional


def entries(files: Files) -> tuple[Entry, ...]:
    """Return what the guest mounts, by its own files."""
    text = _text(files, "/etc/fstab")
    found = [
        Entry(_unescaped(fields[0]), _unescaped(fields[1]), fields[2], tuple(options.split(",")))
        for line in text.splitlines()
        if len(fields := line.split()) >= 3 and not line.lstrip().startswith("#")
        for options in [fields[3] if len(fields) > 3 else "defaults"]
    ]
    for name in files.listdir("/etc/systemd/system"):
        if name.endswith(".mount"):
            said = {
                match["key"]: match["value"]
                for match in _UNIT_LINE.finditer(_text(files, f"/etc/systemd/system/{name}"))
            }
            options = tuple(said.get("Options", "").split(","))
            entry = Entry(
                said.get("What", ""), said.get("Where", ""), said.get("Type", ""), options
            )
            found.append(entry)
    return tuple(
        replace(entry, mountpoint=posixpath.normpath(entry.mountpoint))
        if entry.mountpoint.startswith("/")
        else entry
        for entry in found
    )


def swap_files(listed: Iterable[Entry]) -> tuple[str, ...]:
    """Return the files that the guest swaps to."""
    return tuple(
        entry.spec
        for entry in listed
        if entry.type == "swap"
        and entry.spec.startswith("/")
        and not entry.spec.startswith("/dev/")
    )


def identified(disks: Iterable[tuple[Disk, str]]) -> dict[str, str]:
    """Return names that udev and multipathd make of what a disk tells of itself."""
    return {
        name: device
        for disk, device in disks
        if disk.wwid is not None
        for name in (
            f"/dev/disk/by-id/scsi-{disk.wwid}",
            f"/dev/disk/by-id/wwn-0x{disk.wwid[1:]}",
            disk.wwid,
        )
    }


def wrapped(disks: Iterable[tuple[Disk, str]]) -> dict[str, str]:
    """Return what the guest calls disks whose content has come into a partition since.

    Of Xen's disks the guest's kernel decides which kind of name they have.
    """
    found = {}
    for disk, device in disks:
        letters = re.sub("^(?:xvd|sd|hd|vd)", "", disk.device or "")
        for prefix in ("xvd", "sd", "hd", "vd") if disk.wrapped else ():
            found[f"/dev/{prefix}{letters}"] = f"{device}1"
    return found


def learned(files: Files, listed: Iterable[Entry], root: str, volumes: Volumes) -> dict[str, str]:
    """Return more names of devices, which only the guest's own files explain.

    mdadm.conf(5) says which array is /dev/md0. A name that goes by the hardware, such as
    /dev/disk/by-path/...-part2, is explained by what it was found to be: the root.
    """
    names = {"/dev/root": root}
    for path in ("/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"):
        for match in _ARRAY.finditer(_text(files, path)):
            uuid = _ARRAY_UUID.search(match["rest"])
            device = volumes.names.get(f"/dev/disk/by-id/md-uuid-{uuid[1].lower()}" if uuid else "")
            if device is not None:
                names[match["name"]] = device
                names[re.sub(r"/md/(\d+)$", r"/md\1", match["name"])] = device
    part = re.search(r"\d+$", root)
    for entry in listed:
        named = by_hardware(entry.spec)
        if entry.mountpoint == "/" and named and part and named[1] == part[0]:
            names[named[0]] = root[: part.start()]
    return names


def mounts(listed: Iterable[Entry], names: DeviceNames, volumes: Volumes) -> Iterator[Mount]:
    """Yield what to mount beside the root, parents first.

    What the guest mounts only when asked (noauto) is left alone unless it belongs to the system.
    """
    wanted = {}
    for entry in listed:
        known = entry.mountpoint in SYSTEM
        if entry.type in _NO_FILESYSTEM or entry.mountpoint in ("/", "none", "swap"):
            continue
        if not entry.mountpoint.startswith("/") or {"bind", "rbind"} & set(entry.options):
            continue
        if "noauto" in entry.options and not known:
            continue
        device = names.find(entry.spec)
        if device is not None:
            optional = bool({"nofail", "noauto"} & set(entry.options))
            options = _options(entry, volumes.get(device))
            wanted[entry.mountpoint] = Mount(device, entry.mountpoint, options, optional)
    yield from (wanted[mountpoint] for mountpoint in sorted(wanted))


def missing(listed: Iterable[Entry], names: DeviceNames) -> Iterator[Finding]:
    """Yield a blocker for each part of the system that lies on none of the disks."""
    for entry in listed:
        device = entry.spec.startswith(("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="))
        needed = entry.mountpoint in _NEEDED - {"/"} and not {"nofail", "noauto"} & set(
            entry.options
        )
        if needed and device and names.find(entry.spec) is None:
            yield Finding(
                "E-GUEST-MOUNT",
                f"{entry.mountpoint} is on {entry.spec}, which is on none of the disks",
                "give all of the guest's disks, and the keys of encrypted ones (--key)",
            )


def _options(entry: Entry, volume: Volume | None) -> str:
    if volume is not None and volume.type == "xfs":
        return "nouuid"  # a clone with the same UUID may be mounted already
    return entry.subvolume or ""


def _unescaped(field: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), field)


def _text(files: Files, path: str) -> str:
    try:
        return files.read(path).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""
