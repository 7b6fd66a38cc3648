# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading what a guest is: one reader for each kind of source, chosen by content, not by name.

A reader's ``parse`` takes text; its ``read`` adds the file access. Disk images are not opened here
and need not exist: a guest can be reported on from its configuration alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeAlias

from v2v.access import TRANSPORTS, Access
from v2v.disks.imagefile import LOCAL
from v2v.disks.xva_stream import XvaStream, compressed
from v2v.errors import ConfigError, Finding, SourceError
from v2v.model import DiskFormat, Machine, Remote
from v2v.sources import (
    config_file,
    disk,
    disk_uri,
    hyperv,
    libvirt_xml,
    ova,
    ovf,
    parallels,
    ssh_host,
    sxp,
    vbox,
    vmx,
    vsphere_host,
    xapi_host,
    xen_host,
    xl,
    xl_json,
    xm,
    xva,
)
from v2v.sources.address import Address, is_address, parse
from v2v.sources.locks import with_locks
from v2v.sources.ova_stream import OvaStream, archive_stream
from v2v.sources.vsphere_export import NfcExport, Warn

Stream: TypeAlias = XvaStream | OvaStream | NfcExport
_SSH, _XEN_SSH, _XAPI = "ssh", "xen+ssh", "xapi"
_ADDRESSES = (
    "there are xen+ssh://root@host/NAME, a Xen host by SSH, xapi://root@host/NAME,"
    " vpx://user@vcenter/PATH, esx://root@host/NAME and ssh://root@host/PATH"
)
_DESCRIPTIONS = ("config.pvs", "DiskDescriptor.xml", "ova.xml")


class Source(Protocol):
    """A kind of source. The modules of this package are such."""

    name: str  # of the kind, as in -i
    about: str  # for people who look for the right kind

    def matches(self, head: bytes) -> bool:
        """Tell by a file's first bytes whether it is of this kind; no two kinds say yes."""

    def read(self, paths: Sequence[Path]) -> Machine:
        """Return the guest. Raises SourceError."""


class SourceOfMany(Source, Protocol):
    """A kind of source of which one file can hold several guests."""

    def read(self, paths: Sequence[Path], system: str | None = None) -> Machine:
        """Return the guest, the one of a name where there are several. Raises SourceError."""


OF_MANY: tuple[SourceOfMany, ...] = (sxp, xl_json, xva, ovf, ova)
SOURCES: tuple[Source, ...] = (
    xl, xm, sxp, xl_json, xva, vmx, ovf, ova, vbox, hyperv, parallels, libvirt_xml, disk,
)  # fmt: skip


def read(
    given: Sequence[str | Path],
    kind: str | None = None,
    disk_format: DiskFormat | None = None,
    access: Access | None = None,
    system: str | None = None,
) -> Machine:
    """Return the guest that is given. Raises SourceError, or ConfigError for a kind or an address.

    There is one address of a guest on a host, one configuration file, or one or more disk images.
    ``kind`` forces a reader; ``disk_format`` is the format of all images, whatever the source says;
    ``system`` is the guest's name where a file has several.
    """
    machine = _guest(given, kind, access or Access(), system)
    if disk_format is None:
        return machine
    return replace(
        machine, disks=tuple(replace(image, format=disk_format) for image in machine.disks)
    )


def listed(
    text: str, access: Access | None = None
) -> tuple[tuple[xen_host.Listed, ...], tuple[Finding, ...]]:
    """Return the guests of a host, by its address, and what could not be read of them.

    Raises SourceError, ConfigError.
    """
    if not is_address(text):
        raise ConfigError(
            "E-ADDRESS",
            f"{text}: is no address of a host",
            hint=f"{_ADDRESSES}; a host alone has all of its guests",
        )
    address = _known(text)
    access = access or Access()
    if address.scheme == _XAPI:
        found, findings = xapi_host.guests(address, access)
    elif address.scheme in vsphere_host.SCHEMES:
        return vsphere_host.guests(address, access)
    elif address.scheme == _SSH:
        folder = f"/{address.name}" if address.name else ""
        return ssh_host.guests(_remote(address, access), folder)
    else:
        found, findings = xen_host.guests(_remote(address, access), access.xen_configs)
    return tuple(each for each in found if address.name in ("", each.machine.name)), findings


@contextmanager
def streamed(
    given: Sequence[str | Path],
    kind: str | None = None,
    access: Access | None = None,
    warn: Warn = lambda finding: None,
) -> Iterator[Stream | None]:
    """Open a source that passes by once, for as long as the block lasts; None if it is another.

    That is ``-`` for standard input, an export by XAPI or NFC, a compressed XVA or OVA. ``warn``
    hears what comes up while it passes. Raises SourceError, ConfigError.
    """
    only = given[0] if len(given) == 1 and kind in (None, xva.name, ova.name) else ""
    if only == "-":
        yield archive_stream(sys.stdin.buffer, Path("standard input"))
    elif isinstance(only, str) and only.startswith(f"{_XAPI}://"):
        with xapi_host.exported(_named(only), access or Access()) as stream:
            yield stream
    elif access is not None and access.transport == "nfc" and is_address(str(only)):
        yield _exported(str(only), access, warn)
    elif only and not is_address(str(only)) and _is_compressed(Path(only)):
        with Path(only).open("rb") as file:
            yield archive_stream(file, Path(only))
    else:
        yield None


def _is_compressed(path: Path) -> bool:
    """Tell whether a file is one that passes by, expanded as it is read. Raises SourceError."""
    return not path.is_dir() and compressed(config_file.head(path))


def _exported(text: str, access: Access, warn: Warn) -> NfcExport:
    """Return the export of a guest by NFC. Raises SourceError, ConfigError."""
    address = _named(text)
    if address.scheme not in vsphere_host.SCHEMES:
        raise ConfigError("E-USAGE", f"{text}: -it is for guests of vCenter and ESXi")
    return vsphere_host.export(address, access, warn)


def described(stream: Stream, system: str | None = None) -> Machine:
    """Return the guest of a stream, by name where there are several. Raises SourceError."""
    if isinstance(stream, NfcExport):
        return stream.machine
    if isinstance(stream, OvaStream):
        return stream.machine(system)
    return xva.parse(stream.description(), stream.where, system)


def _known(text: str) -> Address:
    """Return an address of a kind that there is. Raises ConfigError."""
    address = parse(text)
    if address.scheme not in (_SSH, _XEN_SSH, _XAPI, *vsphere_host.SCHEMES):
        raise ConfigError(
            "E-ADDRESS",
            f"{text}: nothing is known of {address.scheme}://",
            hint=_ADDRESSES,
        )
    return address


def _named(text: str) -> Address:
    """Return the address of a guest. Raises ConfigError."""
    address = _known(text)
    if not address.name:
        raise ConfigError(
            "E-ADDRESS",
            f"{text}: no guest is named",
            hint=f"see which there are: v2v list {text}",
        )
    return address


def _remote(address: Address, access: Access) -> Remote:
    config = None if access.ssh_config is None else str(access.ssh_config)
    return Remote(address.host, address.user, address.port, config)


def _guest(
    given: Sequence[str | Path], kind: str | None, access: Access, system: str | None
) -> Machine:
    """Return the guest of an address or of files."""
    if any(map(disk_uri.is_uri, given)):
        return _of_uris(given, kind, access, system)
    addresses = [each for each in given if isinstance(each, str) and is_address(each)]
    _refuse_transport(addresses, access)
    if addresses:
        address = _named(addresses[0])
        forced = address.scheme != _SSH and (kind is not None or system is not None)
        if len(given) != 1 or forced:
            raise ConfigError(
                "E-USAGE", f"{addresses[0]}: an address goes alone, without -i and --system"
            )
        if address.scheme == _SSH:
            return _over_ssh(address, access, kind, system)
        if address.scheme in vsphere_host.SCHEMES:
            return vsphere_host.read(address, access)
        return xen_host.read(_remote(address, access), address.name, access.xen_configs)
    paths = tuple(map(Path, given))
    absolute = tuple(_inside(path.absolute()) for path in paths)
    source = _forced(kind) if kind is not None else _detected(absolute)
    if source is not disk and len(absolute) != 1:
        raise SourceError(
            "E-SOURCE-MANY",
            f"{paths[0]}: one guest is one {source.name} file, {len(paths)} are given",
            hint="only disk images can be several; v2v batch converts several guests",
        )
    many = next((each for each in OF_MANY if each is source), None)
    if many is not None:
        return many.read(absolute, system)
    if system is not None:
        raise ConfigError("E-USAGE", f"--system: a source of the kind {source.name} is one guest")
    machine = source.read(absolute)
    return with_locks(machine, absolute[0], LOCAL) if source is vmx else machine


def _of_uris(
    given: Sequence[str | Path], kind: str | None, access: Access, system: str | None
) -> Machine:
    """Return the guest of disks some of which are behind URIs."""
    others = [each for each in given if not disk_uri.is_uri(each)]
    if (
        kind not in (None, disk.name)
        or system is not None
        or any(map(is_address, map(str, others)))
    ):
        raise ConfigError("E-USAGE", f"{given[0]}: is a disk, beside which only disks can be given")
    return disk_uri.read(given, access)


def _refuse_transport(addresses: Sequence[str], access: Access) -> None:
    """Raise ConfigError for a way that disks cannot come from such a source."""
    scheme = _known(addresses[0]).scheme if addresses else ""
    ways = TRANSPORTS[:-1] if scheme in vsphere_host.SCHEMES else (scheme,)
    if access.transport not in (None, *ways):
        raise ConfigError(
            "E-USAGE",
            f"-it {access.transport}: no way for disks of {addresses[0] if addresses else 'files'}",
            hint="https, nfc and vddk go with vpx:// and esx://, ssh with ssh://root@host/PATH",
        )


def _over_ssh(address: Address, access: Access, kind: str | None, system: str | None) -> Machine:
    """Return the guest of a file on a host."""
    known = None if kind is None else _forced(kind).name

    def kind_of_head(head: bytes, where: str) -> str:
        return known if known is not None else _of_head(head, where).name

    return ssh_host.read(_remote(address, access), f"/{address.name}", kind_of_head, system)


def guests(
    given: Sequence[str | Path], kind: str | None = None
) -> tuple[tuple[str | Path, ...], ...]:
    """Return what makes each guest: an address or a configuration does, all images do together.

    Raises SourceError, or ConfigError for a kind.
    """
    addresses = [
        (each,)
        for each in given
        if isinstance(each, str)
        and (each == "-" or (is_address(each) and not disk_uri.is_uri(each)))
    ]
    files = [
        each if disk_uri.is_uri(each) else Path(each) for each in given if (each,) not in addresses
    ]
    streams = [
        (each,)
        for each in files
        if kind is None and isinstance(each, Path) and _is_compressed(each)
    ]
    others = [each for each in files if (each,) not in streams]
    return (*addresses, *streams, *_of_files(others, kind))


def _of_files(paths: Sequence[str | Path], kind: str | None) -> tuple[tuple[str | Path, ...], ...]:
    sources = [
        disk if isinstance(path, str) else _forced(kind) if kind is not None else kind_of(path)
        for path in paths
    ]
    images = tuple(path for path, source in zip(paths, sources, strict=True) if source is disk)
    found: list[tuple[str | Path, ...]] = []
    for path, source in zip(paths, sources, strict=True):
        if source is not disk:
            found.append((path,))
        elif images not in found:
            found.append(images)
    return tuple(found)


def kind_of(path: Path) -> Source:
    """Return the reader for a file's content, or for a folder. Raises SourceError."""
    inside = _inside(path)
    return ova if inside.is_dir() else _of_head(config_file.head(inside), str(path))


def _inside(path: Path) -> Path:
    """Return the file that a folder is described by: those of Parallels and old XVAs are."""
    found = (path / name for name in _DESCRIPTIONS)
    return next((each for each in found if path.is_dir() and each.is_file()), path)


def _of_head(head: bytes, path: str) -> Source:
    found = [source for source in SOURCES if source.matches(head)]
    if len(found) == 1:
        return found[0]
    what = " and ".join(source.name for source in found)
    raise SourceError(
        "E-SOURCE-UNKNOWN",
        f"{path}: could be {what}" if found else f"{path}: {_unlike(head)}",
        hint=f"choose with -i KIND: {_kinds()}",
    )


def _unlike(head: bytes) -> str:
    return "no kind of source is known that looks like this" if head else "the file is empty"


def _kinds() -> str:
    return "; ".join(f"{source.name}: {source.about}" for source in SOURCES)


def _forced(kind: str) -> Source:
    for source in SOURCES:
        if source.name == kind:
            return source
    raise ConfigError("E-SOURCE-KIND", f"unknown kind of source {kind!r}", hint=_kinds())


def _detected(paths: Sequence[Path]) -> Source:
    if not paths:
        raise SourceError("E-SOURCE-MANY", "no source is given")
    kinds = [kind_of(path) for path in paths]
    return next((source for source in kinds if source is not disk), disk)
