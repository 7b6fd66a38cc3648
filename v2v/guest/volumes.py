# SPDX-License-Identifier: LGPL-2.1-or-later
"""What block devices the guest's disks hold: partitions, volumes of LVM, arrays, encrypted ones.

The appliance has put volume groups and arrays together when it is up. Its udev has looked at all
of it and made the names by which a guest's files call a device after its content; the guest's own
udev would make the same. So one look at both says everything. libguestfs's own list takes a call
for each device and ten seconds where there are volume groups, and leaves encrypted volumes out.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from v2v.devices import volume_name
from v2v.errors import Finding
from v2v.guest.layout import HEAD_BYTES
from v2v.guest.session import Session
from v2v.model import Filesystem

LOCKED = frozenset({"crypto_LUKS", "BitLocker"})  # types of content, as blkid(8) calls them
# udev's names that follow from what is on a device; by-path and the other names of by-id follow
# from the hardware, and that is the appliance's own here.
_CONTENT = re.compile(
    r"/dev/(?:disk/by-(?:uuid|label|partuuid|partlabel)/|disk/by-id/(?:dm|md|lvm)-|mapper/|md/)"
)
_ARRAY = re.compile(r"^ARRAY (?P<name>/dev/\S+).*?\bUUID=(?P<uuid>[0-9a-f:]+)", re.MULTILINE)
_STATE = re.compile(
    r"^(?P<name>md\S+) : active.*\n.*?\[(?P<want>\d+)/(?P<have>\d+)\]", re.MULTILINE
)
# An array that was not stopped cleanly would be copied from one half to the other at the first
# write, all of it; the guest does that better by itself.
_LOOK = f"""\
udevadm settle
for array in /sys/block/md*/md/sync_action; do [ -e "$array" ] && echo frozen > "$array"; done
lsblk -J -b -p -o NAME,KNAME,TYPE,HCTL,SIZE,PTTYPE,PARTTYPE,FSTYPE,UUID,LABEL > lsblk
find /dev -type l -printf '%p %l\\n' > links
[ -e /proc/mdstat ] && cat /proc/mdstat > mdstat && mdadm --examine --scan > arrays
for disk in /dev/disk/by-path/*-scsi-0:0:*:0; do
    head -c {HEAD_BYTES} "$disk" > "head-${{disk##*-scsi-0:0:}}"
done
"""


class _Node(TypedDict):
    """A block device as lsblk(8) prints it."""

    name: str
    kname: str
    type: str
    hctl: str | None
    size: int
    pttype: str | None
    parttype: str | None
    fstype: str | None
    uuid: str | None
    label: str | None
    children: NotRequired[list[_Node]]


@dataclass(frozen=True, slots=True)
class Volume:
    """A block device of the guest's. Several disks may hold one, and one disk many."""

    device: str  # libguestfs's name: /dev/sda1, /dev/VG/LV, /dev/mapper/NAME, /dev/md127
    node: str  # the kernel's, in the appliance
    kind: str  # disk, part, lvm, crypt, raid1, ...
    type: str  # of its content; empty if there is none that blkid(8) knows
    uuid: str | None
    label: str | None
    bytes: int
    table: str | None  # kind of its partition table: dos, gpt
    part_type: str  # of a partition: a GUID in a GPT, a number elsewhere
    disks: tuple[str, ...]  # where it lies
    holds: tuple[str, ...] = ()  # the devices made from it

    @property
    def locked(self) -> bool:
        """Tell whether it is encrypted and was not opened."""
        return self.type in LOCKED and not self.holds


@dataclass(frozen=True, slots=True)
class Volumes:
    """All of them, with the names that follow from their content."""

    volumes: tuple[Volume, ...]
    names: Mapping[str, str]  # /dev/disk/by-uuid/..., /dev/mapper/..., to the device
    heads: Mapping[str, bytes]  # the first sectors of each disk
    warnings: tuple[Finding, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)  # what was renamed since

    def __iter__(self) -> Iterator[Volume]:
        return iter(self.volumes)

    def get(self, device: str) -> Volume | None:
        """Return the volume that libguestfs calls so."""
        return next((volume for volume in self.volumes if volume.device == device), None)

    @property
    def filesystems(self) -> tuple[Filesystem, ...]:
        """Everything that may hold a file system, swap included; ``unknown`` is a type."""
        return tuple(
            Filesystem(found.device, found.type or "unknown", found.uuid, found.label, found.disks)
            for found in self.volumes
            if found.type or not (found.table or found.holds)
        )


def look(session: Session) -> Volumes:
    """Look at all devices; do it again when one was opened. Raises GuestError."""
    return read(session.gather(_LOOK), session.devices())


def read(gathered: Mapping[str, bytes], disks: tuple[str, ...]) -> Volumes:
    """Return what the appliance's files say; ``disks`` are libguestfs's names."""
    text = {path: data.decode(errors="replace") for path, data in gathered.items()}
    links = {
        path: posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        for line in text["/links"].splitlines()
        for path, _, target in [line.partition(" ")]
    }
    found: dict[str, Volume] = {}
    tops: list[_Node] = json.loads(text["/lsblk"])["blockdevices"]
    places = {_place(node): node for node in tops if node["type"] == "disk"}
    for index, disk in enumerate(disks):  # the kernel's order changes from run to run
        if index in places:
            _add(found, places[index], disk, (disk,), links)
    names = {
        path: found[node].device
        for path, node in links.items()
        if node in found and (_CONTENT.match(path) or path == found[node].device)
    }
    for match in _ARRAY.finditer(text.get("/arrays", "")):
        device = names.get(f"/dev/disk/by-id/md-uuid-{match['uuid']}")
        if device is not None:  # its own name for itself: md/0 is md0 too, mdadm(8)
            names[match["name"]] = device
            names[re.sub(r"/md/(\d+)$", r"/md\1", match["name"])] = device
    heads = {disk: gathered.get(f"/head-{index}:0", b"") for index, disk in enumerate(disks)}
    return Volumes(
        tuple(found.values()), names, heads, tuple(_degraded(text.get("/mdstat", ""), found))
    )


def _place(node: _Node) -> int:
    """Return which of the drives a disk is, by its SCSI target; the last is the appliance's own."""
    return int((node["hctl"] or "::-1:").split(":")[2])


def _add(
    found: dict[str, Volume],
    node: _Node,
    device: str,
    disks: tuple[str, ...],
    links: Mapping[str, str],
) -> None:
    below = tuple(_below(node, device, links))
    old = found.get(node["kname"])
    if old is not None:  # lsblk prints it below each of its parts
        disks = tuple(dict.fromkeys((*old.disks, *disks)))
    found[node["kname"]] = Volume(
        device=device,
        node=node["kname"],
        kind=node["type"],
        type=node["fstype"] or "",
        uuid=node["uuid"],
        label=node["label"],
        bytes=int(node["size"]),
        table=None if node["type"] == "part" else node["pttype"],
        part_type=(node["parttype"] or "").lower(),
        disks=disks,
        holds=tuple(dict.fromkeys(name for _, name in below)),
    )
    for child, name in below:
        _add(found, child, name, disks, links)


def _below(node: _Node, device: str, links: Mapping[str, str]) -> Iterator[tuple[_Node, str]]:
    """Yield what is made from a device, with libguestfs's names.

    LVM has hidden parts between a physical volume and what it makes of it; those have no name of
    their own below /dev/VG, and what is made from them counts.
    """
    for child in node.get("children", ()):
        name = child["name"]
        if child["type"] == "part" and child["kname"].startswith(node["kname"]):
            yield child, device + child["kname"].removeprefix(node["kname"])
        elif child["type"] != "lvm":
            yield child, name
        elif (volume := volume_name(name)) in links:
            yield child, volume
        else:
            yield from _below(child, device, links)


def _degraded(mdstat: str, found: Mapping[str, Volume]) -> Iterator[Finding]:
    """Name the arrays that lack a disk, and those that lack too many to run."""
    for name in re.findall(r"^(md\S+) : inactive", mdstat, re.MULTILINE):
        yield Finding(
            "W-RAID-DEGRADED",
            f"array {name}: it lacks too many of its parts to run",
            "was a disk of the guest left out?",
        )
    for match in _STATE.finditer(mdstat):
        volume = found.get(f"/dev/{match['name']}")
        if volume is not None and match["want"] != match["have"]:
            yield Finding(
                "W-RAID-DEGRADED",
                f"array {volume.device}: {match['have']} of its {match['want']} parts are there, "
                f"on {' and '.join(volume.disks)}",
                "was a disk of the guest left out? else let mdadm rebuild the array in the guest",
            )
