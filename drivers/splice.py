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
import stat as modes
from collections.abc import Iterable, Iterator, Mapping

from drivers.compression import Compression, compressed, lz4_stream
from drivers.cpio import Entry, archive
from drivers.initramfs import Contents, Initramfs, InitramfsError, Tool
from drivers.loading import loading
from drivers.module_index import index
from drivers.modules import Modules
from drivers.virtio import BLK_BOOT, NET_BOOT, REPLACED_NICS, SCSI_BOOT
from v2v.files import Files
from v2v.model import Driver

# What is said of built-in modules stays as the image has it, or comes from the kernel's folder.
_BUILT_IN = ("modules.builtin", "modules.builtin.bin")


def has_virtio(contents: Contents, modules: Modules) -> bool:
    """Tell whether a kernel finds its root file system on a virtio disk with this initramfs."""
    boot = _disk(modules)
    keys = ("pci", "blk" if boot is BLK_BOOT else "scsi")
    if Driver.missing in map(modules.driver, keys):
        return False
    return set(modules.closure(boot)) <= contents.modules(modules.version).keys()


def splice(
    image: Initramfs,
    modules: Modules,
    files: Files,
    replace: Mapping[str, bytes] | None = None,
    boot: tuple[str, ...] = (),
) -> bytes:
    """Return the initramfs with what a virtio disk needs, and with some files replaced.

    The very same data is returned if nothing lacks. ``replace`` maps paths as in the image, such
    as conf/conf.d/resume, to new content. ``boot``: modules of another disk, in place of virtio.
    Raises InitramfsError where the result would not be exact: then the guest's own tool has to make
    a new one.
    """
    contents = image.contents
    changed = {contents.resolve(path): data for path, data in (replace or {}).items()}
    added = {path: data for path, data in changed.items() if contents.files.get(path) != data}
    names = lacking(contents, modules, boot)
    if names:
        added |= _modules(contents, modules, names, files)
        loaded = names if contents.tool is Tool.nash else boot_modules(modules, boot)
        added |= loading(contents, {**contents.files, **changed}, loaded)
    return _append(image, archive(_members(contents, added))) if added else image.data


def lacking(contents: Contents, modules: Modules, boot: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the modules that a splice adds, in the order of loading; none if it boots as it is."""
    if not boot and has_virtio(contents, modules):
        return ()
    there = contents.modules(modules.version)
    wanted = boot or [*BLK_BOOT, *SCSI_BOOT, *(NET_BOOT if REPLACED_NICS & there.keys() else ())]
    return tuple(name for name in modules.closure(wanted) if name not in there)


def boot_modules(modules: Modules, boot: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the drivers of virtio disks that a kernel has as modules, to register by name.

    ``boot``: those of another disk.
    """
    names = dict.fromkeys(boot or (*BLK_BOOT, *SCSI_BOOT))
    return tuple(name for name in names if name in modules.paths)


def _disk(modules: Modules) -> tuple[str, ...]:
    return SCSI_BOOT if modules.driver("blk") is Driver.missing else BLK_BOOT


def _modules(
    contents: Contents, modules: Modules, names: Iterable[str], files: Files
) -> dict[str, bytes]:
    """Return the modules as files of the image, and the index that finds them."""
    if not modules.indexed:
        raise InitramfsError(f"{modules.folder}/modules.dep: no such file")
    added = {}
    for name in names:
        if name not in modules.paths:
            raise InitramfsError(f"{modules.folder}/modules.dep names no file for {name}")
        path = modules.paths[name]
        data = _read(files, f"{modules.folder}/{path}")
        if contents.tool is Tool.nash:
            path = f"{name}.ko"  # its insmod takes a file
        added[path] = data
    if contents.tool is not Tool.nash:
        added |= _index(contents, modules, names, files)
    folder = contents.module_folder(modules.version)
    return {f"{folder}/{path}": data for path, data in added.items()}


def _index(
    contents: Contents, modules: Modules, names: Iterable[str], files: Files
) -> dict[str, bytes]:
    """Return the index of the modules in the image and of those that are added.

    The image's own is replaced by it, so the kernel's must know all that is there. It does not if
    a module was removed since.
    """
    paths = dict(contents.modules(modules.version))
    strange = paths.keys() - modules.paths.keys()
    if strange:
        raise InitramfsError(f"{modules.folder}/modules.dep does not name {min(strange)}")
    paths |= {name: modules.paths[name] for name in names}
    needs = {
        paths[name]: [paths[other] for other in reversed(modules.needs[name]) if other in paths]
        for name in modules.paths
        if name in paths
    }
    found = index(needs, _read(files, f"{modules.folder}/modules.alias"))
    folder = contents.module_folder(modules.version)
    for name in _BUILT_IN:
        if f"{folder}/{name}" not in contents.paths and name in files.listdir(modules.folder):
            found[name] = _read(files, f"{modules.folder}/{name}")
    return found


def _read(files: Files, path: str) -> bytes:
    try:
        return files.read(path)
    except FileNotFoundError as error:
        raise InitramfsError(f"{path}: no such file") from error


def _members(contents: Contents, added: Mapping[str, bytes]) -> Iterator[Entry]:
    """Yield the folders that the files need and the image has not, then the files.

    A file that is there keeps its mode: /init must stay executable.
    """
    parents = set()
    for path in added:
        while (path := posixpath.dirname(path)) and path not in contents.paths:
            parents.add(path)
    for path in sorted(parents):
        yield Entry(path, modes.S_IFDIR | 0o755, None)
    for path, data in added.items():
        mode = contents.paths.get(path, 0o644)
        yield Entry(path, modes.S_IFREG | modes.S_IMODE(mode), data)


def _append(image: Initramfs, appended: bytes) -> bytes:
    tail = image.contents.tail
    if tail.compression is Compression.lzma:
        raise InitramfsError("is an lzma stream, behind which some kernels read nothing")
    if tail.compression is Compression.lz4:
        return image.data[: tail.end] + lz4_stream(bytes(-tail.expanded % 4) + appended)
    kind = tail.compression  # one that this kernel surely knows
    return image.data[: tail.end] + bytes(-tail.end % 4) + compressed(appended, kind)
