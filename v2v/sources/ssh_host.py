# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of a host that SSH reaches, by the path of a configuration or image: ESXi, and any other.

A configuration is read as it would be here, and its disks are where it says, on that host.
"""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from v2v.disks.imagefile import ImageFile
from v2v.disks.remote import RemotePlace, remote_place
from v2v.disks.vmdk import virtual_bytes
from v2v.errors import CommandError, Finding, SourceError
from v2v.hosts.sftp import Sftp
from v2v.hosts.ssh import connected
from v2v.model import Machine, Remote
from v2v.sources import config_file, disk, libvirt_xml, sxp, vbox, vmx, xl, xl_json, xm
from v2v.sources.locks import with_locks
from v2v.sources.xen_host import Listed, there

VOLUMES = "/vmfs/volumes"  # of ESXi, where each datastore is under its UUID and its name
_DEPTH = 4  # of folders in which guests are looked for
_MOST = 20_000  # folders
_GUESTS = (".vmx", ".vmtx")
# getallvms: Vmid Name File Guest-OS Version Annotation, of which the last may have many lines.
_REGISTERED = re.compile(
    r"^(?P<id>\d+) +.*?\[(?P<datastore>[^\]]+)\] (?P<file>.+?\.vmt?x)\s", re.MULTILINE
)
_INVALID = re.compile(r"Skipping invalid VM '?(?P<id>\d+)'?")
_CONFIG_FILE = re.compile(r"^\s*Config File: (?P<file>.+?)\s*$", re.MULTILINE)
_ASK = r"""
command -v vim-cmd > /dev/null 2>&1 || exit 3
vim-cmd vmsvc/getallvms 2>&1 < /dev/null || exit 4
printf '\000'
esxcli vm process list < /dev/null || exit 4
"""
_FAILED = 4


_AS_BYTES: dict[str, Callable[[bytes, Path], Machine]] = {
    vmx.name: vmx.parse,
    vbox.name: vbox.parse,
    libvirt_xml.name: libvirt_xml.parse,
}
_AS_TEXT: dict[str, Callable[[str, Path], Machine]] = {xl.name: xl.parse, xm.name: xm.parse}
_OF_MANY: dict[str, Callable[[str, Path, str | None], Machine]] = {
    sxp.name: sxp.parse,
    xl_json.name: xl_json.parse,
}


@dataclass(frozen=True, slots=True)
class Registered:
    """What an ESXi host tells of its guests, nothing on another one: configurations' paths."""

    paths: tuple[str, ...] = ()
    running: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def active(self, session: Sftp) -> frozenset[str]:
        """Return the real paths of those that run, as a datastore has several names."""
        return frozenset(filter(None, map(session.real, self.running)))


def registered(remote: Remote) -> Registered:
    """Ask a host for its guests, by ESXi's own tools. Raises SourceError, CommandError."""
    with connected(remote) as connection:
        try:
            listed, _, processes = connection.run(_ASK).partition("\0")
        except CommandError as error:
            if error.status == _FAILED:
                raise
            return Registered()  # it has no such tools, or gives no shell
    return Registered(
        paths=tuple(
            f"{VOLUMES}/{match['datastore']}/{match['file']}"
            for match in _REGISTERED.finditer(listed)
        ),
        running=tuple(match["file"] for match in _CONFIG_FILE.finditer(processes)),
        findings=tuple(
            Finding(
                "W-HOST-GUEST",
                f"{remote}: guest {match['id']} is registered there, but its files are not found",
                "is its datastore there? look at it in the host's own client",
            )
            for match in _INVALID.finditer(listed)
        ),
    )


def read(
    remote: Remote, path: str, kind_of: Callable[[bytes, str], str], system: str | None = None
) -> Machine:
    """Return a guest by the path of its configuration, or of its disk.

    ``kind_of`` tells the kind from a file's first bytes, and its name. Raises SourceError.
    """
    with remote_place(remote) as place:
        with place.open(Path(path), devices=True) as file:
            head = file.start(config_file.HEAD)
            kind = kind_of(head, str(file.path))
            configured = kind in (*_AS_BYTES, *_AS_TEXT, *_OF_MANY)
            data = _content(file) if configured else b""
        machine = _parsed(kind, data, Path(path), system, str(file.path))
        if kind != vmx.name:
            return there(machine, remote)
        machine = with_locks(machine, Path(path), place)
        active = registered(remote).active(place.session)
        running = machine.running or place.session.real(path) in active
    return there(machine, remote, "running" if running else "shut off")


def _content(file: ImageFile) -> bytes:
    if file.size > config_file.LIMIT:
        raise config_file.too_large(file.path)
    return file.start(file.size)


def _parsed(kind: str, data: bytes, path: Path, system: str | None, where: str) -> Machine:
    """Return the guest of a configuration, which lies at a path of its host."""
    if kind in _AS_BYTES:
        return _AS_BYTES[kind](data, path)
    if kind in _AS_TEXT:
        return _AS_TEXT[kind](config_file.decode(data), path)
    if kind in _OF_MANY:
        return _OF_MANY[kind](config_file.decode(data), path, system)
    if kind == disk.name:
        return disk.read((path,))
    raise SourceError(
        "E-SOURCE-REMOTE",
        f"{where}: a source of the kind {kind} is not read over SSH",
        hint="copy it here; an XVA can come as a stream: ssh HOST cat FILE | v2v convert -",
    )


def guests(remote: Remote, folder: str) -> tuple[tuple[Listed, ...], tuple[Finding, ...]]:
    """Return the VMware guests that are registered on a host, or that lie below a folder.

    With the sizes of their disks, and with what could not be read. Raises SourceError.
    """
    known = registered(remote)
    findings = list(known.findings)
    found = []
    with remote_place(remote) as place:
        active = known.active(place.session)
        paths = known.paths if not folder else ()
        for path in paths or _below(place.session, folder or VOLUMES, findings):
            try:
                found.append(_listed(remote, path, place, active))
            except SourceError as error:
                findings.append(error.finding)
    return tuple(found), tuple(findings)


def _listed(
    remote: Remote, path: str, place: RemotePlace, active: Collection[str | None]
) -> Listed:
    with place.open(Path(path)) as file:
        machine = with_locks(vmx.parse(_content(file), Path(path)), Path(path), place)
    running = machine.running or place.session.real(path) in active
    blockers: list[Finding] = []
    disks = []
    for each in machine.disks:
        try:
            with place.open(machine.folder / each.path, devices=True) as image:
                disks.append(replace(each, virtual_bytes=virtual_bytes(image)))
        except SourceError as error:
            disks.append(each)
            blockers.append(error.finding)
    state = "running" if running else "shut off"
    machine = there(replace(machine, disks=tuple(disks)), remote, state)
    return Listed(machine, state, path.lstrip("/"), tuple(blockers))


def _below(session: Sftp, folder: str, findings: list[Finding]) -> Iterator[str]:
    """Yield the VMX files below a folder of any host; symbolic links below it are not followed."""
    if session.attributes(folder) is None:
        raise SourceError(
            "E-HOST-GUEST",
            f"{session.remote}: has no folder {folder}",
            hint="name the one with the guests: v2v list ssh://root@host/FOLDER",
        )
    folders = [(folder, 0)]
    for count, (place, depth) in enumerate(folders):
        if count == _MOST:
            message = f"{session.remote}: {folder}: only {_MOST:,} folders were looked into"
            findings.append(Finding("W-HOST-GUEST", message, "name one of those below it"))
            return
        for name, mode in session.entries(place):
            path = str(PurePosixPath(place, name))
            if modes.S_ISDIR(mode) and depth < _DEPTH:
                folders.append((path, depth + 1))
            elif modes.S_ISREG(mode) and name.lower().endswith(_GUESTS):
                yield path
