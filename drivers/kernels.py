# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the Linux kernels that a guest can boot: images with their modules and initramfs.

Files are looked at, not packages, so that kernels which somebody built count too. In /boot, names
tell which files belong together, as the distributions' tools and GRUB's 10_linux have it. Those in
other places are found by the boot menu's entries.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from drivers import uki
from drivers.initramfs import Initramfs, InitramfsError, look, read_initramfs
from drivers.modules import Modules, read_modules
from drivers.splice import has_virtio
from drivers.virtio import DEVICES
from v2v.files import Files, real_file
from v2v.model import Kernel

_IMAGE = re.compile(r"(?P<kind>vmlinuz|kernel|Image|vmlinux)-(?P<label>.+)")
_KINDS = ("vmlinuz", "kernel", "Image", "vmlinux")  # the best first, where one kernel has several
# Copies that packages and people leave behind, and kernels that only serve after a crash.
_NOT_BOOTED = re.compile(
    r"rescue|kdump"
    r"|\.(old|bak|orig|save|new|hmac|sig|gz|xz|efi\.signed|dpkg-\w+|rpm(save|new|orig))$|~$"
)
_UNIFIED = ".efi"
_TOKEN = re.compile(r"\d+|[A-Za-z]+")
_BZIMAGE = 0x202, b"HdrS"
_VERSION_POINTER = 0x20E


@dataclass(frozen=True, slots=True)
class Started:
    """What an entry of a boot menu starts: files of the guest."""

    image: str  # without symbolic links
    initramfs: str | None
    version: str | None  # if the entry tells it


class Ramdisks:
    """Reads and looks into each initramfs of a guest once, when it is first asked for."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._images: dict[str, Initramfs | InitramfsError] = {}

    def get(self, path: str) -> Initramfs:
        """Return the initramfs at a path. Raises InitramfsError."""
        if path not in self._images:
            try:
                self._images[path] = self._read(path)
            except InitramfsError as error:
                self._images[path] = error
        found = self._images[path]
        if isinstance(found, InitramfsError):
            raise found
        return found

    def _read(self, path: str) -> Initramfs:
        if not path.lower().endswith(_UNIFIED):
            return read_initramfs(self._files, path)
        try:
            data = uki.parse(self._files.read(path)).initrd
        except (FileNotFoundError, uki.UkiError) as error:
            raise InitramfsError(f"{path}: {error}") from error
        return Initramfs(path, data, look(data))


def kernels(
    files: Files, ramdisks: Ramdisks, started: Iterable[Started], *, default: str | None
) -> tuple[Kernel, ...]:
    """Return the kernels that the guest can boot, the newest first.

    ``started`` are the entries of the boot menu, ``default`` is the image of the one that starts
    by itself. An initramfs is read only for kernels that could run on KVM.
    """
    names = files.listdir("/boot")
    versions = files.listdir("/lib/modules")
    entries = {entry.image: entry for entry in reversed([*started])}
    wanted = None if default is None else real_file(files, default)
    found: dict[str, tuple[str, str, str | None]] = {}
    for label, image in _images(names).items():
        real = real_file(files, image)
        if real is not None:
            version = _version(files, versions, label, image)
            found[real] = image, version, _initramfs(names, label, version)
    for real, entry in entries.items():
        if real in found:
            found[real] = *found[real][:2], entry.initramfs or found[real][2]
        elif told := _version_of(files, versions, entry):
            found[real] = real, told, entry.initramfs
    made = [
        _kernel(files, ramdisks, image, version, initramfs, default=real == wanted)
        for real, (image, version, initramfs) in found.items()
    ]
    return tuple(sorted(made, key=lambda kernel: version_key(kernel.version), reverse=True))


def _kernel(
    files: Files, ramdisks: Ramdisks, image: str, version: str, initramfs: str | None,
    *, default: bool,
) -> Kernel:  # fmt: skip
    modules = read_modules(files, version)
    unified = _unified(files, image)
    return Kernel(
        version=version,
        image=image,
        initramfs=initramfs,
        default=default,
        virtio={key: modules.driver(key) for key in DEVICES},
        initramfs_has_virtio=_looked(ramdisks, image if unified else initramfs, modules),
        xen_only=modules.xen_only,
        cmdline=unified.cmdline if unified else None,
    )


def _unified(files: Files, image: str) -> uki.Uki | None:
    """Return what is in a unified kernel image, None if it is an ordinary kernel."""
    if not image.lower().endswith(_UNIFIED):
        return None
    try:
        return uki.parse(files.read(image))
    except uki.UkiError:
        return None


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts kernel versions: numbers as numbers, a release candidate before all."""
    key = []
    for token in _TOKEN.findall(version):
        if token.isdigit():
            key.append((2, int(token), ""))
        else:
            key.append((-1 if token == "rc" else 1, 0, token))
    return (*key, (0, 0, ""))


def has_any(files: Files) -> bool:
    """Tell whether there is a kernel in /boot."""
    return bool(_images(files.listdir("/boot")))


def _images(names: Iterable[str]) -> dict[str, str]:
    """Return what follows the first hyphen of each kernel's name, and the path of its image."""
    matches = [match for name in names if (match := _IMAGE.fullmatch(name))]
    matches.sort(key=lambda match: _KINDS.index(match["kind"]))
    images: dict[str, str] = {}
    for match in matches:
        if not _NOT_BOOTED.search(match["label"]):
            images.setdefault(match["label"], f"/boot/{match[0]}")
    return images


def _version_of(files: Files, versions: Collection[str], entry: Started) -> str | None:
    """Return the version of a kernel that only the boot menu names; None if it is no kernel.

    Memory tests are started like kernels, and rescue kernels are for other times. kernel-install
    puts kernels into a folder that is called by the version.
    """
    name = posixpath.basename(entry.image)
    if _NOT_BOOTED.search(name) or real_file(files, entry.image) is None:
        return None
    folder = posixpath.basename(posixpath.dirname(entry.image))
    told = next((name for name in (entry.version, folder) if name in versions), None)
    read = told or _version(files, versions, name, entry.image)
    return read if read in versions else None


def _version(files: Files, versions: Collection[str], label: str, image: str) -> str:
    """Return what uname -r says of a kernel, which Arch Linux, for one, has not in the name."""
    if label in versions:
        return label
    for version in versions:
        try:
            base = files.read(f"/lib/modules/{version}/pkgbase").decode(errors="replace").strip()
        except FileNotFoundError:
            continue
        if base == label:
            return version
    try:
        return banner(files.read(image)) or label
    except FileNotFoundError:
        return label


def banner(image: bytes) -> str | None:
    """Return the version in an x86 boot header (Documentation/arch/x86/boot.rst), or None."""
    at, magic = _BZIMAGE
    if not image.startswith(magic, at):
        return None
    pointer = int.from_bytes(image[_VERSION_POINTER : _VERSION_POINTER + 2], "little")
    text = image[pointer + 0x200 : pointer + 0x200 + 256].split(b"\0")[0].split()
    return text[0].decode(errors="replace") if pointer and text else None


def _initramfs(names: Iterable[str], label: str, version: str) -> str | None:
    """Return the initramfs of a kernel: by its label, else by its version; no kdump's.

    Of several, the shortest name is the default one, and booster's stands beside another tool's.
    """
    for tag in dict.fromkeys((label, version)):
        pattern = re.compile(
            rf"(initrd\.img|initramfs|initrd|booster)-(genkernel-\w+-)?{re.escape(tag)}(\.img)?"
        )
        found = [name for name in names if pattern.fullmatch(name)]
        if found:
            best = min(found, key=lambda name: (name.startswith("booster"), len(name)))
            return f"/boot/{best}"
    return None


def _looked(ramdisks: Ramdisks, path: str | None, modules: Modules) -> bool | None:
    if path is None or modules.xen_only:
        return None
    try:
        return has_virtio(ramdisks.get(path).contents, modules)
    except InitramfsError:
        return None
