# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts virtio modules into an initramfs by appending an archive to it; no guest code runs.

The kernel unpacks one archive after another into the same tree, so the appended one adds files
and replaces files (init/initramfs.c). It must start at a multiple of four, just where the kernel
looks on, which the stream before it decides (lib/decompress_*.c):
- gzip, xz, zstd, bzip2 and lzop know their own end;
- lz4's legacy frame goes on to the end of the file (only Linux 5.9 and later stop at zeros), so
  that the archive has to become a part of it: further blocks, which every kernel takes;
- lzma: the kernel's decoder may stop one byte before the end of the stream, so this is refused.

A folder in the archive must not meet a symbolic link in the image: the kernel would replace
/lib -> usr/lib by an empty folder, and nothing would run any more. All paths are therefore
resolved, and folders that are there are left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

from drivers.compression import Compression, lz4_stream
from drivers.cpio import archive
from drivers.initramfs import Contents, Initramfs, InitramfsError, Tool
from drivers.modules import Modules
from drivers.registration import initramfs_tools
from drivers.virtio import BLK_BOOT, NET_BOOT, REPLACED_NICS, SCSI_BOOT
from v2v.files import Files
from v2v.model import Driver

# What modprobe and udev look modules up in, as text (busybox) and as .bin (kmod).
_INDEX = tuple(
    f"modules.{part}"
    for part in ("dep", "alias", "symbols", "builtin", "softdep", "weakdep", "devname")
)
_FORCED = "conf/modules"  # initramfs-tools loads the modules that it names, initramfs-tools(7)


def has_virtio(contents: Contents, modules: Modules) -> bool:
    """Tell whether a kernel finds its root file system on a virtio disk with this initramfs."""
    boot = _disk(modules)
    keys = ("pci", "blk" if boot is BLK_BOOT else "scsi")
    if Driver.missing in map(modules.driver, keys):
        return False
    return set(modules.closure(boot)) <= contents.modules(modules.version).keys()


def splice(
    image: Initramfs, modules: Modules, files: Files, replace: Mapping[str, bytes] | None = None
) -> bytes:
    """Return the initramfs with what a virtio disk needs, and with some files replaced.

    The very same data is returned if nothing lacks. ``replace`` maps paths as in the image, such
    as conf/conf.d/resume, to new content. Raises InitramfsError where the result would not be
    exact: then the guest's own tool has to make a new one.
    """
    contents = image.contents
    added = _modules(contents, modules, files)
    for path, data in (replace or {}).items():
        if contents.files.get(contents.resolve(path)) != data:
            added[contents.resolve(path)] = data
    return _append(image, archive(_folders(contents, added), added)) if added else image.data


def lacking(contents: Contents, modules: Modules) -> tuple[str, ...]:
    """Return the modules that a splice adds, in the order of loading; none if it boots as it is."""
    if has_virtio(contents, modules):
        return ()
    there = contents.modules(modules.version)
    wanted = [*BLK_BOOT, *SCSI_BOOT, *(NET_BOOT if REPLACED_NICS & there.keys() else ())]
    return tuple(name for name in modules.closure(wanted) if name not in there)


def boot_modules(modules: Modules) -> tuple[str, ...]:
    """Return the drivers of virtio disks that a kernel has as modules, to register by name."""
    names = dict.fromkeys((*BLK_BOOT, *SCSI_BOOT))
    return tuple(name for name in names if name in modules.paths)


def _disk(modules: Modules) -> tuple[str, ...]:
    return SCSI_BOOT if modules.driver("blk") is Driver.missing else BLK_BOOT


def _modules(contents: Contents, modules: Modules, files: Files) -> dict[str, bytes]:
    """Return the files that make the image find and load the modules that it lacks."""
    names = lacking(contents, modules)
    if not names:
        return {}
    _refuse_strange(contents, modules)
    folder = contents.resolve(f"lib/modules/{modules.version}")
    index = [name for name in files.listdir(modules.folder) if name.startswith(_INDEX)]
    paths = [*_paths(modules, names), *index]
    added = {
        posixpath.join(folder, path): _read(files, posixpath.join(modules.folder, path))
        for path in paths
    }
    if contents.tool is Tool.initramfs_tools:
        path = contents.resolve(_FORCED)
        text = contents.files.get(path, b"").decode(errors="surrogateescape")
        text = initramfs_tools(text, boot_modules(modules))
        added[path] = text.encode(errors="surrogateescape")
    return added


def _refuse_strange(contents: Contents, modules: Modules) -> None:
    """The kernel's full index replaces the image's own, so it must know all that is there.

    It does not if a module was removed since, or if the tool has expanded the modules, as
    mkinitcpio can.
    """
    if not modules.indexed:
        raise InitramfsError(f"{modules.folder}/modules.dep: no such file")
    strange = set(contents.modules(modules.version).values()) - set(modules.paths.values())
    if strange:
        raise InitramfsError(f"{modules.folder}/modules.dep does not name {min(strange)}")
    if contents.tool is Tool.unknown:
        raise InitramfsError("made by an unknown tool, which may not load what is added")
    if contents.tool is not Tool.initramfs_tools and not contents.has_udev:
        raise InitramfsError("has no udev, so nothing would load what is added")


def _paths(modules: Modules, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name not in modules.paths:
            raise InitramfsError(f"{modules.folder}/modules.dep names no file for {name}")
        yield modules.paths[name]


def _read(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except FileNotFoundError as error:
        raise InitramfsError(f"{path}: no such file") from error


def _folders(contents: Contents, added: Iterable[str]) -> list[str]:
    """Return the folders that the files need and the image has not, each after its parent."""
    parents = set()
    for path in added:
        while (path := posixpath.dirname(path)) and path not in contents.paths:
            parents.add(path)
    return sorted(parents)


def _append(image: Initramfs, appended: bytes) -> bytes:
    tail = image.contents.tail
    if tail.compression is Compression.lzma:
        raise InitramfsError("is an lzma stream, behind which some kernels read nothing")
    if tail.compression is Compression.lz4:
        return image.data[: tail.end] + lz4_stream(bytes(-tail.expanded % 4) + appended)
    return image.data[: tail.end] + bytes(-tail.end % 4) + appended
