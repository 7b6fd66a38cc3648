# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which operating systems are on the guest's disks, and which of them is meant.

Every file system is mounted once, in one script, for reading. That replays its journal, into the
overlay: checks and listings of a file system that was not unmounted are wrong before that.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from v2v.errors import Finding, GuestError
from v2v.files import DictFiles
from v2v.guest.mounts import Mount
from v2v.guest.session import Session
from v2v.guest.volumes import Volume, Volumes
from v2v.model import OsType
from v2v.osrelease import read_release

# What is there beside, and is no file system of a system.
_NOT_MOUNTED = frozenset(
    {"", "swap", "swsuspend", "crypto_LUKS", "BitLocker", "LVM1_member", "LVM2_member",
     "linux_raid_member", "ddf_raid_member", "isw_raid_member", "zfs_member", "bcache", "vfat",
     "iso9660", "udf", "squashfs", "VMFS_volume_member", "ceph_bluestore", "drbd"}
)  # fmt: skip
_MEDIA = frozenset({"iso9660", "squashfs", "udf"})
# Copies that tools keep: snapper's, Timeshift's, those of container engines.
_COPIES = re.compile(
    r"(^|/)(\.snapshots|timeshift-btrfs|timeshift|\.timeshift|\.btrfs|btrbk_snapshots|machines"
    r"|docker|containers|lxc|portables)(/|$)"
)
# $1 is where the results go, the working directory a root or not.
_EXAMINE = """\
at=/tmp/v2v-look
mkdir -p "$at"
dmesg -C
examine() {
    for name in */[Ss][Yy][Ss][Tt][Ee][Mm]32/[Cc][Oo][Nn][Ff][Ii][Gg]; do
        [ -d "$name" ] && mkdir -p "$1" && : > "$1/windows"
    done
    [ -d etc ] || return
    [ -d bin ] || [ -L bin ] || [ -d usr/bin ] || return
    [ -f etc/fstab ] || [ -f etc/hosts ] || [ -e etc/os-release ] || [ -L etc/os-release ] || return
    mkdir -p "$1/root"
    : > "$1/linux"
    find etc etc/mdadm etc/systemd/system usr/lib/os-release -maxdepth 1 -type f -size -128 '(' \
        -name '*release*' -o -name '*version*' -o -name 'fstab' -o -name 'crypttab' \
        -o -name 'mdadm.conf' -o -name '*.mount' ')' \
        -exec cp --parents -t "$1/root" {} +
}
"""
_PLAIN = """\
if mount -o {options} {node} "$at" 2> {number}.error; then
    (out=$PWD; cd "$at" && examine "$out/{number}")
    umount "$at"
else
    dmesg -t | grep -F "{kernel})" | head -n 1 > {number}.kernel
fi
"""
# Subvolumes are directories of the top level, so that one mount shows all of them.
_BTRFS = """\
if mount -o ro,subvolid=5 {node} "$at" 2> {number}.error; then
    mkdir {number}.btrfs
    btrfs subvolume list "$at" > {number}.btrfs/list
    btrfs subvolume list -s "$at" > {number}.btrfs/snapshots
    btrfs subvolume get-default "$at" > {number}.btrfs/default
    (out=$PWD; cd "$at" && examine "$out/{number}.btrfs/5")
    while read -r _ id _ _ _ _ _ _ path; do
        (out=$PWD; cd "$at/$path" && examine "$out/{number}.btrfs/$id")
    done < {number}.btrfs/list
    umount "$at"
else
    dmesg -t | grep -F "{kernel})" | head -n 1 > {number}.kernel
fi
"""
_MESSAGES = "dmesg > dmesg"
_SUBVOLUME = re.compile(r"^ID (?P<id>\d+) gen \d+ .*?\bpath (?P<path>.+)$", re.MULTILINE)
_REPLAYED = re.compile(
    r"\b(?:EXT4-fs|XFS|BTRFS info|BTRFS|F2FS-fs|JFS)[ :]*\((?:device )?(?P<node>[\w!-]+)[^)]*\).*?"
    r"(?:recovery complete|Ending recovery|start tree-log replay|Recovered)"
)


@dataclass(frozen=True, slots=True)
class Root:
    """A file system, or a subvolume of one, that holds an operating system."""

    device: str
    type: OsType
    files: DictFiles  # a few of its files, to tell it from others
    subvolume: str | None = None  # path of one in btrfs
    options: str = ""  # to mount it with

    @property
    def name(self) -> str:
        """What --root takes; for subvolumes as libguestfs writes them."""
        return self.device if self.subvolume is None else f"btrfsvol:{self.device}/{self.subvolume}"

    @property
    def mount(self) -> Mount:
        return Mount(self.device, "/", self.options)

    @property
    def product(self) -> str:
        release = read_release(self.files)
        return str(self.type).capitalize() if release is None else release.product

    def __str__(self) -> str:
        return f"{self.product} on {self.name}"


@dataclass(frozen=True, slots=True)
class Systems:
    """What was found in the file systems."""

    roots: tuple[Root, ...]
    failed: Mapping[str, str]  # devices that do not mount, and why
    unclean: tuple[str, ...]  # devices whose journal had to be replayed


def find_roots(session: Session, volumes: Volumes) -> Systems:
    """Look into each file system once. Raises GuestError where the appliance fails."""
    looked = _mountable(volumes)
    if not looked:
        return Systems((), {}, ())
    script = [_EXAMINE]
    for number, volume in enumerate(looked):
        script.append(
            (_BTRFS if volume.type == "btrfs" else _PLAIN).format(
                options=",".join(filter(None, ("ro", _options(volume)))),
                node=shlex.quote(volume.node),
                number=number,
                kernel=posixpath.basename(volume.node),
            )
        )
    return read(session.gather("".join((*script, _MESSAGES))), looked)


def read(found: Mapping[str, bytes], looked: Sequence[Volume]) -> Systems:
    """Return what the script's files say of the file systems that it looked into."""
    roots: list[Root] = []
    failed = {}
    for number, volume in enumerate(looked):
        if f"/{number}.kernel" in found:
            said = found[f"/{number}.kernel"] + found[f"/{number}.error"]
            failed[volume.device] = _why(said, volume)
        elif volume.type == "btrfs":
            roots += _subvolumes(volume, f"/{number}.btrfs", found)
        else:
            roots += _root(volume, f"/{number}", found)
    return Systems(tuple(roots), failed, _unclean(found, looked))


def _mountable(volumes: Volumes) -> list[Volume]:
    """A btrfs over several devices is one file system; the first of them stands for all."""
    seen: set[str | None] = set()
    found = []
    for volume in volumes:
        if volume.type in _NOT_MOUNTED or volume.holds:
            continue
        if volume.type != "btrfs" or volume.uuid not in seen:
            found.append(volume)
        if volume.type == "btrfs":
            seen.add(volume.uuid)
    return found


def _options(volume: Volume) -> str:
    return "nouuid" if volume.type == "xfs" else ""  # clones share their UUID


def _why(said: bytes, volume: Volume) -> str:
    """Return the first line of what the kernel and mount(8) said, with the device's usual name."""
    line = said.decode(errors="replace").strip().splitlines()[0]
    kernel = posixpath.basename(volume.node)
    return re.sub(rf"\b(/dev/)?{re.escape(kernel)}\b", volume.device, line)


def _root(volume: Volume, folder: str, found: Mapping[str, bytes]) -> list[Root]:
    options = _options(volume)
    if f"{folder}/linux" in found:
        top = f"{folder}/root"
        files = {
            path.removeprefix(top): data
            for path, data in found.items()
            if path.startswith(f"{top}/")
        }
        return [Root(volume.device, OsType.linux, DictFiles(files), options=options)]
    if f"{folder}/windows" in found:
        return [Root(volume.device, OsType.windows, DictFiles({}), options=options)]
    return []


def _subvolumes(volume: Volume, folder: str, found: Mapping[str, bytes]) -> list[Root]:
    """Return the systems in a btrfs; the copies that tools keep of one are none of their own.

    The default subvolume is one even if it is a snapshot, as after SUSE's rollbacks, and what it
    was made from is none any more. So is a snapshot where there is nothing else, which Timeshift
    leaves when it has restored one.
    """
    paths, snapshots = (_listed(found[f"{folder}/{name}"]) for name in ("list", "snapshots"))
    default = found[f"{folder}/default"].decode(errors="replace").split()[1:2]
    booted: list[Root] = []
    ranked: tuple[list[Root], ...] = ([], [], [])
    for number, path in (("5", None), *paths.items()):
        options = "subvolid=5" if path is None else f"subvol=/{path}"
        for root in _root(volume, f"{folder}/{number}", found):
            rank = (number in snapshots) + bool(_COPIES.search(path or ""))
            place = booted if [number] == default else ranked[rank]
            place.append(replace(root, subvolume=path, options=options))
    others = ranked[0] if booted else next((roots for roots in ranked if roots), [])
    names = {root.product for root in booted}
    return booted + [root for root in others if root.product not in names]


def _listed(text: bytes) -> dict[str, str]:
    """Return the subvolumes that btrfs-subvolume(8) lists: number to path."""
    said = text.decode(errors="surrogateescape")
    return {match["id"]: match["path"] for match in _SUBVOLUME.finditer(said)}


def _unclean(found: Mapping[str, bytes], volumes: Sequence[Volume]) -> tuple[str, ...]:
    said = found.get("/dmesg", b"").decode(errors="replace")
    nodes = {match["node"] for match in _REPLAYED.finditer(said)}
    return tuple(volume.device for volume in volumes if volume.node.removeprefix("/dev/") in nodes)


def choose(roots: tuple[Root, ...], wanted: str | None) -> Root:
    """Return the root that is meant: a name, ``first``, or None and ``single`` for the only one.

    Raises GuestError where there are several, or none of that name.
    """
    listed = ", ".join(map(str, roots))
    if wanted in (None, "single"):
        if len(roots) > 1:
            raise GuestError(
                "E-MULTIPLE-ROOTS",
                f"several operating systems were found: {listed}",
                hint=f"choose one: --root {roots[0].name}, or --root first",
            )
        return roots[0]
    if wanted == "first":
        return roots[0]
    named = [root for root in roots if root.name == wanted] or [
        root for root in roots if root.device == wanted
    ]
    if len(named) != 1:
        fact = "several operating systems are there" if named else "no operating system there"
        raise GuestError("E-NO-SUCH-ROOT", f"{wanted}: {fact}", hint=f"there are: {listed}")
    return named[0]


def nothing_found(volumes: Volumes, systems: Systems) -> Finding:
    """Say why no system was found: what the disks hold instead."""
    nothing = "no operating system was found"
    disks = tuple(volume for volume in volumes if volume.kind == "disk")
    media = tuple(volume for volume in volumes if volume.type in _MEDIA)
    if systems.failed:
        said = "; ".join(
            f"{device} does not mount: {why}" for device, why in systems.failed.items()
        )
        fact = f"{nothing} on the disks; {said}"
        hint = "let the guest check its file systems on its old host, or run fsck on a copy"
    elif all(not any(volumes.heads[disk.device]) and not disk.type for disk in disks):
        fact = f"{nothing}: the disks are blank"
        hint = "is this the guest's system disk, and the newest of its snapshots?"
    elif media:
        name = media[0].label or media[0].type
        fact = f"{nothing}; {media[0].device} is an installation or live medium ({name})"
        hint = "convert a guest that is installed on its disks"
    else:
        held = ", ".join(f"{found.type} on {found.device}" for found in volumes if found.type)
        fact = f"{nothing} on the disks" + (f", only {held}" if held else "")
        hint = "is this the guest's system disk, and are all of its disks given?"
    return Finding("E-NO-OS", fact, hint)
