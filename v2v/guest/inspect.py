# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks into the guest's disks: which systems there are, and what the chosen one is.

It mounts the chosen system's file systems as its fstab says and leaves them mounted. Everything is
read from files that each Linux has, so that an unknown distribution is still understood.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from v2v.devices import DeviceNames
from v2v.errors import Finding, GuestError
from v2v.files import Files, realpath
from v2v.guest.boot_partitions import mount_unlisted
from v2v.guest.checks import check, hibernated, space
from v2v.guest.files import GuestFiles
from v2v.guest.layout import boot_area, firmware, has_code, has_grub
from v2v.guest.mounts import (
    Mount,
    entries,
    identified,
    learned,
    missing,
    mounts,
    swap_files,
    wrapped,
)
from v2v.guest.roots import Root, Systems, choose, find_roots, nothing_found
from v2v.guest.session import Session
from v2v.guest.unlock import locked, name_as_crypttab, unlock
from v2v.guest.volumes import Volumes, look
from v2v.guest.windows import obstacles, windows_guest
from v2v.keys import Key
from v2v.model import Guest, Machine, OsType
from v2v.osrelease import Release, read_release

_ELF_MACHINES = {3: "i686", 21: "ppc64", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64",
                 243: "riscv64"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Inspection:
    """The guest, mounted, and what is to be said of its disks."""

    guest: Guest
    files: GuestFiles
    volumes: Volumes
    mounts: tuple[Mount, ...]
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.code.startswith("W-"))

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.code.startswith("E-"))


def inspect(
    session: Session,
    machine: Machine,
    root: str | None,
    keys: Sequence[Key] = (),
    *,
    fsck: bool = True,
) -> Inspection:
    """Find the guest's operating system, mount it and say what it is.

    ``root`` names the device to take where there are several systems, or is ``first``; ``keys``
    open encrypted volumes; with ``fsck`` file systems are checked before they are mounted. Raises
    GuestError: no system, several without ``root``, a root that does not mount.
    """
    known = tuple(disk.device for disk in machine.disks)
    volumes = unlock(session, look(session), known, keys)
    systems = find_roots(session, volumes)
    if not systems.roots:
        finding = next(locked(volumes, needed=True), None) or nothing_found(volumes, systems)
        raise GuestError(finding.code, finding.message, hint=finding.hint)
    chosen = choose(systems.roots, root)
    return enter(session, machine, volumes, systems, chosen, fsck=fsck)


def enter(
    session: Session,
    machine: Machine,
    volumes: Volumes,
    systems: Systems,
    chosen: Root,
    *,
    fsck: bool = True,
) -> Inspection:
    """Mount one of the systems that were found, and say what it is. Raises GuestError."""
    known = tuple(disk.device for disk in machine.disks)
    names = DeviceNames(known, session.devices(), volumes.filesystems, volumes.names)
    volumes = name_as_crypttab(session, volumes, chosen.files, names)
    chosen = replace(chosen, device=volumes.moved.get(chosen.device, chosen.device))
    listed = entries(chosen.files)
    links = {
        **volumes.names,
        **identified(zip(machine.disks, session.devices(), strict=True)),
        **wrapped(zip(machine.disks, session.devices(), strict=True)),
        **learned(chosen.files, listed, chosen.device, volumes),
    }
    names = DeviceNames(known, session.devices(), volumes.filesystems, links)
    wanted = (chosen.mount, *mounts(listed, names, volumes))
    findings = [*volumes.warnings, *_unclean(systems), *missing(listed, names)]
    findings += check(session, volumes, wanted) if fsck else ()
    mounted = [*_mount(session, wanted, findings)]
    files = GuestFiles(session)
    if chosen.type is OsType.windows:
        guest = windows_guest(session, volumes, systems, chosen.device, files)
        findings += obstacles(session, volumes, chosen.device)
    else:
        unlisted = mount_unlisted(session, _own_heads(session, machine, volumes), _devices(mounted))
        mounted += [Mount(unlisted[place], place, optional=True) for place in unlisted]
        guest = _guest(session, volumes, systems, chosen, mounted, files, links)
    findings += hibernated(session, volumes, swap_files(listed))
    findings += space(session, mounted)
    needed = any(finding.code == "E-GUEST-MOUNT" for finding in findings)
    findings += locked(volumes, needed=needed)
    return Inspection(guest, files, volumes, tuple(mounted), tuple(findings))


def _own_heads(session: Session, machine: Machine, volumes: Volumes) -> Mapping[str, bytes]:
    """Return the first sectors of disks without a boot partition that the guest does not know."""
    made = {
        name for disk, name in zip(machine.disks, session.devices(), strict=True) if disk.loader
    }
    return {name: head for name, head in volumes.heads.items() if name not in made}


def _guest(
    session: Session,
    volumes: Volumes,
    systems: Systems,
    chosen: Root,
    mounted: Sequence[Mount],
    files: GuestFiles,
    links: Mapping[str, str],
) -> Guest:
    release = read_release(files) or Release(chosen.type, "", chosen.type)
    disks = session.devices()
    return Guest(
        type=chosen.type,
        distro=release.id,
        version=release.version,
        product=release.product,
        like=release.like,
        arch=_arch(files),
        firmware=firmware(volumes.heads.values()),
        root=chosen.device,
        mountpoints=_devices(mounted),
        filesystems=volumes.filesystems,
        disks=disks,
        grub_disks=tuple(disk for disk in disks if has_grub(volumes.heads[disk])),
        boot_areas=tuple(boot_area(volumes.heads[disk]) for disk in disks),
        code_disks=tuple(disk for disk in disks if has_code(volumes.heads[disk])),
        device_names=links,
        roots=tuple(map(str, systems.roots)),
        locked=tuple(volume.device for volume in volumes if volume.locked),
    )


def _mount(session: Session, wanted: Iterable[Mount], findings: list[Finding]) -> Iterator[Mount]:
    """Mount what there is to mount; what does not is a blocker if the conversion needs it."""
    for mount in wanted:
        try:
            session.mount(mount.device, mount.mountpoint, mount.options)
        except GuestError as error:
            if mount.mountpoint == "/":
                raise
            code = error.finding.code if mount.needed else "W-MOUNT"
            findings.append(replace(error.finding, code=code))
        else:
            yield mount


def _devices(mounted: Iterable[Mount]) -> dict[str, str]:
    return {mount.mountpoint: mount.device for mount in mounted}


def _unclean(systems: Systems) -> Iterator[Finding]:
    if systems.unclean:
        yield Finding(
            "W-UNCLEAN",
            f"not unmounted cleanly: {', '.join(systems.unclean)}; the journal was replayed",
            "shut the guest down before it is converted, or what it had not written yet is lost",
        )


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
