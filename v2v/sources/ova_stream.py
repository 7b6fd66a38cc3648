# SPDX-License-Identifier: LGPL-2.1-or-later
"""An OVA that passes by once, compressed as a whole or on standard input.

Its OVF comes first. Its disks, raw or stream-optimized VMDKs, are written as they come, and their
checksums made of the same bytes; the manifest is in front of them or behind.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import posixpath
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from v2v.disks.archive import damaged
from v2v.disks.image_writer import Write
from v2v.disks.sums import wrong
from v2v.disks.tar import Member, TarStream
from v2v.disks.vmdk_grains import SPARSE_MAGIC
from v2v.disks.vmdk_stream import unpack
from v2v.disks.xva_stream import XvaStream, expanded
from v2v.errors import SourceError
from v2v.model import Disk, Machine
from v2v.sources import config_file, ovf, ovf_manifest, xva
from v2v.sources.ovf_disks import File

_ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
_CHUNK = 1 << 20


@dataclass(slots=True)
class _Hashed:
    """A member that is hashed as it is read."""

    member: Member
    hashes: Mapping[str, Callable[[bytes], None]]
    first: bytes = b""  # what was looked at, and is to be read again

    def read(self, size: int) -> bytes:
        data, self.first = self.first[:size], self.first[size:]
        more = self.member.read(size - len(data)) if len(data) < size else b""
        for update in self.hashes.values():
            update(more)
        return data + more

    def rest(self) -> None:
        while self.read(_CHUNK):
            pass


@dataclass(slots=True)
class OvaStream:
    """An archive, and what was seen of it so far."""

    file: BinaryIO
    where: Path
    _members: Iterator[Member] = field(init=False)
    _told: dict[str, ovf_manifest.Entry] = field(default_factory=dict)
    _made: dict[str, dict[str, str]] = field(default_factory=dict)  # name, algorithm: digest

    def __post_init__(self) -> None:
        self._members = TarStream(self.file, self.where).members()

    def machine(self, system: str | None = None) -> Machine:
        """Return the guest of the OVF that comes first. Raises SourceError."""
        first = next(self._members, None)
        if first is None or not first.path.lower().endswith(".ovf"):
            raise self._refused("does not begin with its OVF")
        data = self._content(first)
        self._made[first.path] = {each: hashlib.new(each, data).hexdigest() for each in _ALGORITHMS}
        described = ovf.parse(data, self.where / first.path, system)
        disks = tuple(
            self._disk(first.path, number, disk, file)
            for number, (disk, file) in enumerate(
                zip(described.machine.disks, described.files, strict=True)
            )
        )
        return replace(described.machine, kind="ova", disks=disks, folder=self.where.parent)

    def _disk(self, descriptor: str, number: int, disk: Disk, file: File | None) -> Disk:
        if disk.virtual_bytes is None:
            raise self._refused("does not say how large a disk is")
        if file is None:
            return replace(disk, path="(blank)", member=f"blank disk {number}")
        if file.compressed or file.chunked:
            raise self._refused(f"{file.href} is in parts, or compressed twice")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(descriptor), file.href))
        return replace(disk, path=str(self.where / name), member=name)

    def unpack(self, disks: Mapping[str, tuple[int, Write]]) -> None:
        """Write disks, given by name with their size in bytes. Raises SourceError."""
        missing = {name for name in disks if not name.startswith("blank disk ")}
        for member in self._members:
            if member.link:
                continue
            if member.path in missing:
                missing.discard(member.path)
                self._write(member, *disks[member.path])
            elif member.path in disks:
                raise self._refused(f"{member.path} is there twice")
            elif member.path.lower().endswith(".mf"):
                self._remember(member)
        if missing:
            raise SourceError(
                "E-OVA-MEMBER",
                f"{self.where}: has no file {min(missing)!r}, which its OVF names",
                hint="copy the archive again, or export it once more",
            )
        self._compare()

    def _write(self, member: Member, size: int, write: Write) -> None:
        entry = self._told.get(member.path)
        algorithms = _ALGORITHMS if not self._told else () if entry is None else (entry.algorithm,)
        hashes = {each: hashlib.new(each) for each in algorithms}
        hashed = _Hashed(member, {each: made.update for each, made in hashes.items()})
        hashed.first = hashed.read(len(SPARSE_MAGIC))
        if hashed.first == SPARSE_MAGIC:
            stream = cast("BinaryIO", hashed)
            where = self.where / member.path
            unpack(stream, member.size, size, write, where, lambda at: None)
        elif member.size == size:
            for at in range(0, size, _CHUNK):
                write(hashed.read(_CHUNK), at)
        else:
            raise self._refused(f"{member.path} is neither raw nor a stream-optimized VMDK")
        hashed.rest()
        self._made[member.path] = {each: made.hexdigest() for each, made in hashes.items()}

    def _remember(self, member: Member) -> None:
        base = posixpath.dirname(member.path)
        for entry in ovf_manifest.entries(self._content(member)):
            if not isinstance(entry, str):
                self._told[posixpath.normpath(posixpath.join(base, entry.name))] = entry

    def _compare(self) -> None:
        for name, entry in self._told.items():
            if name in self._made and self._made[name].get(entry.algorithm) != entry.digest:
                raise wrong(f"{self.where}: {name}")

    def _content(self, member: Member) -> bytes:
        if member.size > config_file.LIMIT:
            raise SourceError(
                "E-SOURCE-SIZE",
                f"{self.where}: {member.path}: larger than any configuration file",
            )
        return member.read()

    def _refused(self, fact: str) -> SourceError:
        return SourceError(
            "E-OVA-STREAM",
            f"{self.where}: {fact}",
            hint="expand the archive first (gunzip, unxz), and give the .ova file",
        )


def archive_stream(file: BinaryIO, where: Path) -> XvaStream | OvaStream:
    """Return the stream of an archive, by the name of its first member. Raises SourceError."""
    stream = io.BufferedReader(cast("io.RawIOBase", expanded(file)))
    try:
        first = stream.peek(512)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise damaged(where, f"it cannot be expanded: {error}") from error
    plain = cast("BinaryIO", stream)
    return XvaStream(plain, where) if first.startswith(xva.FIRST) else OvaStream(plain, where)
