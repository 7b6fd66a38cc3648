# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finding the files of an OVF's disks in its package, and the checksums that they must have."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from v2v.disks.archive import Members
from v2v.disks.packed_image import in_place
from v2v.disks.sums import wrong
from v2v.errors import Finding, SourceError
from v2v.model import Disk, Machine
from v2v.packed import Packed, Packing, Piece, Sum
from v2v.sources import config_file, ovf_manifest
from v2v.sources.ovf_disks import File

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_CHUNK = "{name}.{number:09}"  # DSP0243, 7.1


class Package(Protocol):
    """Where the files are: a folder or an archive. Names have ``/`` between their parts."""

    where: Path

    def find(self, name: str) -> Packed | None:
        """Return where a file is, None if it is not there. Raises SourceError for a link."""

    def names(self, folder: str) -> Iterable[str]:
        """Return the names of the files in a folder."""

    def everything(self) -> Iterable[str]:
        """Return the names among which the descriptor is."""


class Archive:
    """An archive whose members are known."""

    def __init__(self, where: Path, members: Members) -> None:
        self.where = where
        self._members = members

    def find(self, name: str) -> Packed | None:
        found = self._members.get(name)
        if found is None and name in self._members:
            raise escapes(self.where, name, "is a link, which is not followed")
        return found

    def names(self, folder: str) -> Iterable[str]:
        return [name for name in self._members if posixpath.dirname(name) == folder]

    def everything(self) -> Iterable[str]:
        return self._members


class Folder:
    """A folder of this host; files are found in it and below, wherever links lead."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def find(self, name: str) -> Packed | None:
        path = self.where / name
        try:
            real = path.resolve()
            there = real.is_file()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long
            raise escapes(self.where, name, "is no file name") from error
        if not there:
            return None
        if not real.is_relative_to(self.where.resolve()):
            raise escapes(self.where, name, "leads out of the package's folder")
        return Packed((Piece(str(path), 0, real.stat().st_size),))

    def names(self, folder: str) -> Iterable[str]:
        path = self.where / folder
        if not path.is_dir():
            return []
        return [posixpath.join(folder, each.name) for each in path.iterdir()]

    def everything(self) -> Iterable[str]:
        return self.names("")


def in_folder(
    path: Path, descriptor: bytes, machine: Machine, files: Sequence[File | None]
) -> Machine:
    """Return the machine of an OVF with what lies beside it. Raises SourceError."""
    return located(Folder(path.parent), path.name, descriptor, machine, files)


def located(
    package: Package,
    name: str,
    descriptor: bytes,
    machine: Machine,
    files: Sequence[File | None],
) -> Machine:
    """Return the machine with its disks where the package has them, and their checksums.

    ``name`` is the descriptor's own. Raises SourceError.
    """
    base = posixpath.dirname(name)
    used: dict[str, Packed] = {}
    disks = tuple(
        _disk(package, base, disk, file, used)
        for disk, file in zip(machine.disks, files, strict=True)
    )
    warnings: list[Finding] = []
    sums = tuple(_sums(package, name, descriptor, used, warnings))
    temporary = [copied(disk) for disk in disks if disk.packed and not in_place(disk.packed)]
    return replace(
        machine, disks=disks, sums=sums, warnings=(*machine.warnings, *warnings, *temporary)
    )


def _disk(
    package: Package, base: str, disk: Disk, file: File | None, used: dict[str, Packed]
) -> Disk:
    if file is None:
        return replace(disk, path="(blank)", packed=Packed())
    wanted = _inside(package, base, file.href)
    found = _found(package, wanted, chunked=file.chunked)
    if not found:
        if isinstance(package, Folder):  # it may come later, or be mapped
            return disk
        raise SourceError(
            "E-OVA-MEMBER",
            f"{package.where}: has no file {wanted!r}, which its OVF names",
            hint="copy the archive again, or export it once more",
        )
    used.update(found)
    pieces = tuple(piece for packed in found.values() for piece in packed.pieces)
    packing = next(iter(found.values())).packing
    if file.compressed:
        _refuse_twice(package, wanted, packing)
        packing = Packing.gzip
    last = next(reversed(found))
    path = str(package.where / (last if len(found) == 1 else wanted))
    if isinstance(package, Folder) and len(pieces) == 1 and packing is Packing.plain:
        return replace(disk, path=path)
    return replace(disk, path=path, packed=Packed(pieces, packing))


def _refuse_twice(package: Package, name: str, packing: Packing) -> None:
    if packing is not Packing.plain:
        raise SourceError(
            "E-OVA-MEMBER",
            f"{package.where}: {name!r} is compressed twice, by gzip and in the archive",
            hint="unpack the archive, and give the .ovf file",
        )


def _inside(package: Package, base: str, href: str) -> str:
    """Return the name in the package that a reference means. Raises SourceError."""
    if _SCHEME.match(href) and not href.lower().startswith("file://"):
        raise SourceError(
            "E-OVF-REMOTE",
            f"{package.where}: the file {href!r} is on another host, and is not fetched",
            hint="download it beside the .ovf file, and write its name there",
        )
    for given in (href, unquote(href)):
        name = posixpath.normpath(posixpath.join(base, given))
        if given.startswith("/") or _SCHEME.match(given) or name.split("/")[0] == "..":
            raise escapes(package.where, href, "lies outside of the package")
        if "\0" not in name and package.find(name) is not None:
            return name
    return posixpath.normpath(posixpath.join(base, href))


def _found(package: Package, name: str, *, chunked: bool) -> dict[str, Packed]:
    """Return the files that hold a disk, in their order.

    Without the file itself it is the one with the highest number behind its name, which VMware
    leaves of a guest with snapshots.
    """
    if chunked:
        return dict(_chunks(package, name))
    found = package.find(name)
    if found is not None:
        return {name: found}
    suffixes = [
        each
        for each in package.names(posixpath.dirname(name))
        if re.fullmatch(r"\.[0-9]{1,18}", each.removeprefix(name), re.ASCII)
    ]
    if not suffixes:
        return {}
    last = max(suffixes, key=lambda each: int(each.rpartition(".")[2]))
    numbered = package.find(last)
    return {} if numbered is None else {last: numbered}


def _chunks(package: Package, name: str) -> Iterator[tuple[str, Packed]]:
    number = 0
    while (found := package.find(chunk := _CHUNK.format(name=name, number=number))) is not None:
        yield chunk, found
        number += 1


def copied(disk: Disk) -> Finding:
    """Return the warning for a disk that cannot be read where it is."""
    return Finding(
        "W-OVF-COPY",
        f"{disk.path}: is compressed or in parts, so a temporary copy of it is made",
        "TMPDIR chooses where, else it is in /var/tmp",
    )


def _sums(
    package: Package,
    descriptor: str,
    data: bytes,
    used: dict[str, Packed],
    warnings: list[Finding],
) -> Iterator[Sum]:
    """Yield the checksums of the files in use; the descriptor's own is compared at once."""
    for manifest in _manifests(package, descriptor, warnings):
        base = posixpath.dirname(manifest)
        for entry in ovf_manifest.entries(content(package, manifest)):
            if isinstance(entry, str):
                message = f"{package.where}: {manifest}: the line {entry!r} is not understood"
                warnings.append(Finding("W-OVF-MANIFEST", message))
                continue
            name = posixpath.normpath(posixpath.join(base, entry.name))
            if name == descriptor:
                if hashlib.new(entry.algorithm, data).hexdigest() != entry.digest:
                    raise wrong(f"{package.where}: {entry.name}")
            elif name in used:
                where = f"{package.where}: {name}"
                yield Sum(where, entry.algorithm, entry.digest, used[name])
            elif name.startswith(("/", "..")) or package.find(name) is None:
                message = f"{package.where}: {manifest}: there is no file {entry.name!r}"
                warnings.append(Finding("W-OVF-MANIFEST", message))


def _manifests(package: Package, descriptor: str, warnings: list[Finding]) -> Iterator[str]:
    """Yield the manifests: in a folder, which may have more guests, the one of the OVF's name."""
    stem = posixpath.splitext(descriptor)[0]
    for name in package.names(posixpath.dirname(descriptor)):
        own, suffix = posixpath.splitext(name)
        if posixpath.basename(name).startswith("._"):  # of macOS' tar
            continue
        if isinstance(package, Folder) and own != stem:
            continue
        if suffix.lower() == ".mf":
            yield name
        elif suffix.lower() == ".cert":
            message = f"{package.where}: {name}: the signature is not verified"
            warnings.append(Finding("W-OVF-CERTIFICATE", message))


def content(package: Package, name: str) -> bytes:
    """Return a small file of the package. Raises SourceError."""
    found = package.find(name)
    if found is None:
        raise SourceError("E-SOURCE-MISSING", f"{package.where}: no file {name!r}")
    return config_file.packed(found, f"{package.where}: {name}")


def escapes(where: Path, name: str, fact: str) -> SourceError:
    """Return the error for a reference that leads out of the package."""
    return SourceError(
        "E-OVF-ESCAPES",
        f"{where}: the file {name!r} {fact}",
        hint="if you trust the export, put the file beside the .ovf file and write its name there",
    )
