# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks into an initramfs: what it holds, what made it, and how it ends.

An initramfs is any number of cpio archives, one after another, each plain or compressed, with
zeros between them; a plain archive starts at a multiple of four. Later members replace earlier
ones. This is read here as init/initramfs.c of the kernel reads it: what the kernel would stop at
is an error, since the kernel would not see what is appended behind it either. GRUB hands over the
file as it is (grub-core/loader/linux.c; only further files are aligned to four).
"""

from __future__ import annotations

import posixpath
import re
import stat as modes
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from drivers.compression import Compression, CompressionError, detect, expand
from drivers.cpio import CpioError, Entry, Stream, entries
from drivers.virtio import module_name
from v2v.files import Files, realpath

_FILE_LIMIT = 1 << 30
_EXPANDED_LIMIT = 1 << 30  # the largest real ones have some hundred MiB
_ENTRIES_LIMIT = 100_000
_STEPS_LIMIT = 64  # parts of one path with the links that it goes through
_KEPT_FILE = 64 << 10
_KEPT_LIMIT = 64 << 20
_KEPT = re.compile(r"(conf|config|etc|cryptroot|(usr/|var/)?lib/dracut/hooks)/|(init|config)$")
_ZEROS = re.compile(rb"\0*")
_PLAIN_PIECE = 1 << 20
_HOTPLUG = ("udevd", "systemd-udevd", "nlplug-findfs")
_MODULE = re.compile(r"\.ko(\.gz|\.xz|\.zst)?$")


class InitramfsError(ValueError):
    """An initramfs cannot be read or spliced; the message says why."""


class Tool(StrEnum):
    """What makes initramfs images."""

    initramfs_tools = "initramfs-tools"
    dracut = "dracut"
    mkinitcpio = "mkinitcpio"
    suse = "SUSE's mkinitrd"
    nash = "Red Hat's mkinitrd"
    make_initrd = "make-initrd"
    mkinitfs = "mkinitfs"
    booster = "booster"
    genkernel = "genkernel"
    unknown = "unknown"


# A path that the images of a tool have: dracut's is older than /usr/lib/dracut in RHEL 6, and
# mkinitcpio's buildconfig is there without the first, with systemd as init.
_MARKS = (
    (Tool.initramfs_tools, "conf/initramfs.conf"),
    (Tool.dracut, "usr/lib/dracut"),
    (Tool.dracut, "lib/dracut"),
    (Tool.dracut, "lib/dracut-lib.sh"),
    (Tool.mkinitcpio, "init_functions"),
    (Tool.mkinitcpio, "buildconfig"),
    (Tool.suse, "run_all.sh"),
    (Tool.nash, "bin/nash"),
    (Tool.make_initrd, "bin/initrd-sh-functions"),
    (Tool.mkinitfs, "sbin/nlplug-findfs"),
    (Tool.booster, "etc/booster.init.yaml"),
    (Tool.genkernel, "etc/initrd.defaults"),
)


@dataclass(frozen=True, slots=True)
class Tail:
    """How the last archive of an image ends."""

    compression: Compression
    end: int  # offset in the image just behind it
    expanded: int  # size of what it expands to; of a plain archive, its own


@dataclass(frozen=True, slots=True)
class Contents:
    """What the kernel finds in an initramfs. Paths are relative and hold no symbolic link."""

    paths: Mapping[str, int]  # to the mode with its type bits
    links: Mapping[str, str]  # symbolic links to their targets
    files: Mapping[str, bytes]  # small ones that configure, see _KEPT
    tail: Tail

    @property
    def tool(self) -> Tool:
        return next(
            (tool for tool, mark in _MARKS if self.resolve(mark) in self.paths), Tool.unknown
        )

    @property
    def has_hotplug(self) -> bool:
        """Tell whether it loads modules for the hardware that it finds."""
        return any(posixpath.basename(path) in _HOTPLUG for path in self.paths)

    def resolve(self, path: str) -> str:
        """Return a path with the symbolic links of the image followed."""
        return _resolve(self.links, path)

    def module_folder(self, version: str) -> str:
        """Return the folder that has a kernel's modules."""
        return self.resolve("lib" if self.tool is Tool.nash else f"lib/modules/{version}")

    def modules(self, version: str) -> dict[str, str]:
        """Return the modules for a kernel: normal name to path below its module folder."""
        folder = self.module_folder(version) + "/"
        return {
            module_name(path): path.removeprefix(folder)
            for path in self.paths
            if path.startswith(folder) and _MODULE.search(path)
        }


@dataclass(frozen=True, slots=True)
class Initramfs:
    """An initramfs of a guest, read and looked into."""

    path: str
    data: bytes
    contents: Contents


def read_initramfs(files: Files, path: str) -> Initramfs:
    """Return a guest's initramfs. Raises InitramfsError."""
    try:
        found = files.stat(realpath(files, path))
        if found is not None and found.size > _FILE_LIMIT:
            raise InitramfsError(f"{path}: more than {_FILE_LIMIT >> 30} GiB is no initramfs")
        data = files.read(path)
    except FileNotFoundError as error:
        raise InitramfsError(f"{path}: no such file") from error
    try:
        return Initramfs(path, data, look(data))
    except InitramfsError as error:
        raise InitramfsError(f"{path}: {error}") from error


def look(data: bytes) -> Contents:
    """Return what an initramfs holds. Raises InitramfsError."""
    tree = _Tree()
    tail = None
    at = _after_zeros(data, 0)
    budget = _EXPANDED_LIMIT
    while at < len(data):
        try:
            tail = _archives(data, at, budget, tree)
        except (CompressionError, CpioError) as error:
            raise InitramfsError(str(error)) from error
        budget -= tail.expanded
        at = _after_zeros(data, tail.end)
    if tail is None:
        raise InitramfsError("image is empty")
    return Contents(tree.paths, tree.links, tree.files, tail)


def _after_zeros(data: bytes, at: int) -> int:
    zeros = _ZEROS.match(data, at)
    return at if zeros is None else zeros.end()


def _archives(data: bytes, at: int, budget: int, tree: _Tree) -> Tail:
    """Read the plain archives, or the one compressed stream, that start there."""
    if data.startswith(b"0", at) and at % 4 == 0:
        stream = Stream(_plain(data, at), budget)
        tree.take(stream)
        return Tail(Compression.none, at + stream.position, stream.position)
    kind = detect(data, at)
    if kind is None:
        raise InitramfsError(f"no archive starts at byte {at}")
    stream = Stream(expand(data, at, kind), budget)
    tree.take(stream)
    if stream.skip_zeros() or stream.end is None:
        raise InitramfsError(f"{kind} stream holds more than archives")
    return Tail(kind, stream.end, stream.position)


def _plain(data: bytes, at: int) -> Generator[bytes, None, int]:
    for start in range(at, len(data), _PLAIN_PIECE):
        yield data[start : start + _PLAIN_PIECE]
    return len(data)


def _resolve(links: Mapping[str, str], path: str) -> str:
    done = ""
    todo = path.split("/")
    steps = 0
    while todo:
        part = todo.pop(0)
        steps += 1
        if steps > _STEPS_LIMIT:
            raise InitramfsError("image has a path that leads too far")
        if part == "..":
            done = posixpath.dirname(done)
        elif part not in ("", "."):
            step = posixpath.join(done, part)
            target = links.get(step)
            if target is None:
                done = step
                continue
            done = "" if target.startswith("/") else done
            todo = target.split("/") + todo
    return done


class _Tree:
    """The root file system as the kernel fills it, one member after another."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self._parents: set[str] = set()
        self._kept = 0

    def take(self, stream: Stream) -> None:
        """Add the members of the archives that come next."""
        for entry in entries(stream, self._wanted):
            self._add(entry)
            if len(self.paths) > _ENTRIES_LIMIT:
                raise InitramfsError("image has too many files")

    def _wanted(self, name: str, size: int) -> bool:
        wanted = size <= _KEPT_FILE and _KEPT.match(posixpath.normpath(name).lstrip("/"))
        if not wanted:
            return False
        self._kept += size
        if self._kept > _KEPT_LIMIT:
            raise InitramfsError("image has too much configuration")
        return True

    def _add(self, entry: Entry) -> None:
        parent, name = posixpath.split(entry.name.rstrip("/"))
        if name in ("", ".", ".."):
            return
        folder = _resolve(self.links, parent)
        path = posixpath.join(folder, name)
        if path in self._parents and not modes.S_ISDIR(entry.mode):
            return  # the kernel does not put anything in place of a folder that is not empty
        self._parents.add(folder)
        self.links.pop(path, None)
        self.files.pop(path, None)
        self.paths[path] = entry.mode
        if entry.data is None:
            return
        if modes.S_ISLNK(entry.mode):
            self.links[path] = entry.data.rstrip(b"\0").decode(errors="surrogateescape")
        else:
            self.files[path] = entry.data
