# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens the guest's encrypted volumes with the keys that the user gave.

LUKS may lie on a partition, a disk, an array or a volume of LVM, and any of these on it again; so
what was opened is looked at anew until no key opens anything more. BitLocker is opened by a
password, a recovery key of 48 digits or a startup key's file, cryptsetup-open(8).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from v2v.devices import DeviceNames
from v2v.errors import Finding
from v2v.files import Files
from v2v.guest.session import Session
from v2v.guest.volumes import Volume, Volumes, look
from v2v.keys import ALL, Key

# Types of content: for people, and what cryptsetup calls it.
_KINDS = {"crypto_LUKS": ("LUKS", "luks"), "BitLocker": ("BitLocker", "bitlk")}
_NAME = re.compile(r"[\w.+-]+", re.ASCII)  # needs no escaping in device-mapper's names
# What lies on an opened volume: physical volumes, parts of arrays.
_ASSEMBLE = "udevadm settle\nmdadm -As --auto=yes --run\nvgchange -aay --sysinit"


def unlock(
    session: Session, volumes: Volumes, known: tuple[str | None, ...], keys: Sequence[Key]
) -> Volumes:
    """Return the volumes as they are when all keys were tried; ``known`` are the guest's names
    of its disks.

    A volume of LUKS is called luks-UUID, as libguestfs's other tools do.
    """
    tried: set[tuple[str, int]] = set()
    while True:
        names = DeviceNames(known, session.devices(), volumes.filesystems, volumes.names)
        opened = False
        for index, key in enumerate(keys):
            fitting = [
                volume
                for volume in volumes
                if volume.locked
                and (volume.device, index) not in tried
                and _fits(key, volume, names)
            ]
            tried |= {(volume.device, index) for volume in fitting}
            for secret in key.secrets if fitting else ():
                opened |= _open(session, fitting, secret)
        if not opened:
            return volumes
        volumes = look(session)


def name_as_crypttab(
    session: Session, volumes: Volumes, files: Files, names: DeviceNames
) -> Volumes:
    """Return the volumes with the opened ones named as the guest's crypttab(5) names them.

    Its fstab has those names, and an initramfs that is made here takes in the lines of crypttab
    whose names it sees in use (RHEL-137121).
    """
    try:
        text = files.read("/etc/crypttab").decode(errors="replace")
    except FileNotFoundError:
        return volumes
    moved = {}
    for line in text.splitlines():
        fields = line.split("#")[0].split()
        volume = volumes.get(names.find(fields[1]) or "") if len(fields) > 1 else None
        if volume is None or not _NAME.fullmatch(fields[0]):
            continue
        if volume.holds == (f"/dev/mapper/{_mapping(volume)}",):
            moved[volume.holds[0]] = f"/dev/mapper/{fields[0]}"
    if not moved:
        return volumes
    lines = [f"dmsetup rename {old} {new.rpartition('/')[2]}" for old, new in moved.items()]
    session.gather("\n".join(lines))
    return replace(look(session), moved=moved)


def locked(volumes: Volumes, *, needed: bool) -> Iterator[Finding]:
    """Yield what is to be said of the encrypted volumes that no key opened, of all at once."""
    closed = [volume for volume in volumes if volume.locked]
    if not closed:
        return
    listed = ", ".join(f"{volume.device} ({_KINDS[volume.type][0]})" for volume in closed)
    options = " ".join(f"--key {volume.device}:file:PATH" for volume in closed)
    hints = [f"give {options}, or --key all:file:PATH"]
    if any(volume.type == "BitLocker" for volume in closed):
        hints.append(
            "BitLocker's recovery key is one (manage-bde -protectors -get C:); none opens a volume"
            " that is encrypted in part: wait until manage-bde -off C: is done"
        )
    yield Finding(
        "E-GUEST-LOCKED" if needed else "W-GUEST-LOCKED",
        f"encrypted, and no key that was given opens them: {listed}"
        + ("" if needed else "; the system is elsewhere, so they are copied as they are"),
        "; ".join(hints) if needed else None,
    )


def _mapping(volume: Volume) -> str:
    """Return what an opened volume is called; blkid(8) knows no UUID of BitLocker's."""
    kind = _KINDS[volume.type][1]
    return f"{kind}-{volume.uuid or posixpath.basename(volume.device)}"


def _fits(key: Key, volume: Volume, names: DeviceNames) -> bool:
    if key.selector in (ALL, volume.device):
        return True
    if volume.uuid is not None and key.selector.lower() == volume.uuid.lower():
        return True
    return names.find(key.selector) == volume.device


def _open(session: Session, volumes: Sequence[Volume], secret: bytes) -> bool:
    """Try a key on several volumes; tell whether it opened any."""
    with session.lent(secret) as path:
        lines = [
            f"[ -e /dev/mapper/{name} ] || "
            f"cryptsetup open --type {_KINDS[volume.type][1]} --key-file {path}"
            f" {shlex.quote(volume.node)} {name} && touch opened"
            for volume in volumes
            for name in [shlex.quote(_mapping(volume))]
        ]
        script = "\n".join((*lines, f"rm -f {path}", "[ -e opened ] || exit", _ASSEMBLE))
        return "/opened" in session.gather(script)
