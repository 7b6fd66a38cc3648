# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks into a Windows guest: what it is, where its drive letters are, what stands in the way."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace

from v2v.errors import Finding, GuestError
from v2v.files import any_case
from v2v.guest.files import GuestFiles
from v2v.guest.layout import ESP, firmware, mbr_partitions, partitions, unique_ids
from v2v.guest.roots import Systems
from v2v.guest.session import Session
from v2v.guest.volumes import LOCKED, Volumes
from v2v.hive import Hive, Value
from v2v.model import Guest, OsType
from v2v.windows import identify

# ntfs-3g's words for a memory image that is to be resumed; zeros or "wake" are left of an old one.
_HIBERNATED = (b"hibr", b"HIBR")
_DYNAMIC = frozenset(
    {"0x42", "5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "af9b60a0-1431-4f62-bc68-3311714a69ad"}
)
_LETTER = "\\dosdevices\\"
_VISTA = 6, 0
_GPT_MARK = b"DMIO:ID:"


def windows_guest(
    session: Session, volumes: Volumes, systems: Systems, root: str, files: GuestFiles
) -> Guest:
    """Mount the EFI system partition, if there is one, and return what the guest is.

    Its root is mounted. The system partition comes into the folder for temporary files, which every
    Windows has and no conversion needs, as nothing can be mounted beside the root. Raises
    GuestError for what is no Windows after all.
    """
    found = identify(files)
    if found is None:
        raise GuestError(
            "E-NO-OS",
            f"{root}: it has the folders of Windows, but no registry",
            hint="choose another system: --root",
        )
    place = any_case(files, f"{found.windows.systemroot}/Temp")
    mounted = {"/": root, **_mount_esp(session, volumes.heads, place)}
    known = found.windows
    if known.nt < _VISTA:
        volume = volumes.get(root)
        on_partition = volume is not None and volume.kind == "part"
        known = replace(
            known, heads=disk_heads(session.read_device(root, 512)) if on_partition else None
        )
    mounted_devices = Hive(files.read(found.windows.system_hive), "SYSTEM").values("MountedDevices")
    return Guest(
        type=OsType.windows,
        distro="windows",
        version=found.version,
        product=found.product,
        arch=found.arch,
        firmware=firmware(volumes.heads.values()),
        root=root,
        mountpoints=mounted,
        filesystems=volumes.filesystems,
        disks=session.devices(),
        roots=tuple(map(str, systems.roots)),
        locked=tuple(volume.device for volume in volumes if volume.locked),
        windows=replace(known, drive_letters=_letters(mounted_devices, volumes)),
    )


def _mount_esp(session: Session, heads: Mapping[str, bytes], place: str) -> dict[str, str]:
    """Mount the first EFI system partition; none where there is no folder for it."""
    devices = [
        f"{disk}{number}"
        for disk, head in heads.items()
        for number, kind in partitions(head).items()
        if kind == ESP
    ]
    try:
        session.names(place)
    except FileNotFoundError:
        return {}
    if not devices:
        return {}
    session.mount(devices[0], place)
    return {place: devices[0]}


def disk_heads(sector: bytes) -> int | None:
    """Return the disk's heads by the first sector of an NTFS; None for what is none.

    "BIOS parameter block" of NTFS: 16 bits at 0x1A, which the boot code of Windows before Vista
    reads the disk by.
    """
    if sector[3:11] != b"NTFS    ":
        return None
    return int.from_bytes(sector[0x1A:0x1C], "little")


def _letters(mounted: Mapping[str, Value], volumes: Volumes) -> dict[str, str]:
    """Return the device of each drive letter; of an encrypted volume it is the opened one."""
    found = letters(mounted, volumes.heads)
    opened = {volume.device: volume.holds for volume in volumes if volume.type in LOCKED}
    return {letter: next(iter(opened.get(device, ())), device) for letter, device in found.items()}


def letters(mounted: Mapping[str, Value], heads: Mapping[str, bytes]) -> dict[str, str]:
    """Return the device of each drive letter in MountedDevices.

    A value there is the disk's signature in its MBR and the offset of the partition in bytes, or
    the GUID of a partition in a GPT. Others are drives for media.
    """
    known = {}
    for disk, head in heads.items():
        for number, guid in unique_ids(head).items():
            known[_GPT_MARK + guid.bytes_le] = f"{disk}{number}"
        for number, first in mbr_partitions(head).items():
            known[head[440:444] + struct.pack("<Q", first * 512)] = f"{disk}{number}"
    return {
        name[len(_LETTER)].upper(): known[value.data]
        for name, value in sorted(mounted.items())
        if name.lower().startswith(_LETTER) and name.endswith(":") and value.data in known
    }


def obstacles(session: Session, volumes: Volumes, root: str) -> Iterator[Finding]:
    """Yield what keeps a Windows from being converted; its root is mounted."""
    if _is_hibernated(session):
        yield Finding(
            "E-GUEST-HIBERNATED",
            "Windows is hibernated, as it is after each shutdown with Fast Startup on: its file"
            " system lacks what was not written yet, and must not be written to",
            "start it where it was, run there: powercfg /h off, then: shutdown /s /t 0",
        )
    if any(volume.type == "BitLocker" and root in volume.holds for volume in volumes):
        yield Finding(
            "W-BITLOCKER",
            f"{root}: BitLocker's key is sealed in the old machine's TPM, or bound to how it"
            " starts; Windows asks for the recovery key at the first boot",
            "have the key at hand, or turn BitLocker off before: manage-bde -off C:",
        )
    dynamic = [volume for volume in volumes if volume.part_type.lower() in _DYNAMIC]
    if not dynamic:
        return
    places = ", ".join(volume.device for volume in dynamic)
    on_it = root in {device for volume in dynamic for device in (volume.device, *volume.holds)}
    if on_it:
        yield Finding(
            "E-DYNAMIC-DISK",
            f"{root}: Windows lies on a dynamic disk ({places}), which it cannot be moved from",
            "convert its system disk to a basic disk in the guest, then shut it down",
        )
    else:
        yield Finding(
            "W-DYNAMIC-DISK",
            f"{places}: dynamic disks are carried over as they are, and not looked into",
            "see in Disk Management of the converted guest whether they are online",
        )


def _is_hibernated(session: Session) -> bool:
    for name in ("hiberfil.sys", "HIBERFIL.SYS"):
        try:
            return session.read(f"/{name}", 4) in _HIBERNATED
        except FileNotFoundError:
            continue
    return False
