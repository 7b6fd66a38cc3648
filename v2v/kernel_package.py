# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes a Linux kernel out of packages, for guests whose own kernels run on nothing but Xen.

A package of Debian's kind is an ar archive with a data.tar in it (deb(5)), one of Red Hat's kind
has a cpio archive behind its headers; libarchive's bsdtar(1) reads both, however they are
compressed. No script of a package is run. The index of the modules, which such scripts have made,
is made here by depmod(8).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from v2v.disks.scratch import scratch
from v2v.errors import CommandError, ConfigError
from v2v.run import run

_DEB, _RPM = b"!<arch>\ndebian-binary", b"\xed\xab\xee\xdb"
_MERGED = ("-s", r",^\(\./\)*usr/lib/,lib/,")  # /lib is a link to it today
_HINT = (
    "name packages with a kernel's image and its modules: Debian's linux-image-VERSION, Red Hat's"
    " kernel-core and kernel-modules, SUSE's kernel-default"
)


@dataclass(frozen=True, slots=True)
class PackagedKernel:
    """A kernel out of packages, in memory: no file of it is needed any more."""

    version: str
    image: bytes = field(repr=False)
    boot: Mapping[str, bytes] = field(repr=False)  # config-VERSION and System.map-VERSION
    modules: Mapping[str, bytes] = field(repr=False)  # by path below their folder, with the index
    packages: tuple[str, ...]  # names of the files


def unpacked(packages: Sequence[Path]) -> PackagedKernel | None:
    """Return the kernel that is in packages; None if none is given.

    Raises ConfigError for packages that are none, or are not of one kernel.
    """
    if not packages:
        return None
    with scratch("v2v-kernel-") as folder:
        tree = folder / "tree"
        tree.mkdir()
        for package in packages:
            _unpack(package, folder, tree)
        return _found(tree, packages)


def _unpack(package: Path, folder: Path, tree: Path) -> None:
    try:
        with package.open("rb") as file:
            head = file.read(len(_DEB))
    except OSError as error:
        raise _unfit(package, error.strerror or str(error)) from error
    if not head.startswith((_DEB, _RPM)):
        raise _unfit(package, "is neither a Debian package nor an RPM")
    try:
        if head.startswith(_DEB):
            inner = Path(tempfile.mkdtemp(dir=folder))
            run("bsdtar", "-x", "-f", package, "-C", inner, "--include=data.tar*")
            (content,) = inner.iterdir()
        else:
            content = package
        words = ("--no-same-owner", "--no-same-permissions", *_MERGED)
        run("bsdtar", "-x", "-f", content, "-C", tree, *words)
    except (CommandError, ValueError) as error:
        raise _unfit(package, f"cannot be unpacked: {error}") from error


def _found(tree: Path, packages: Sequence[Path]) -> PackagedKernel:
    where = packages[0]
    modules = tree / "lib/modules"
    versions = sorted(path.name for path in modules.glob("*") if (path / "kernel").is_dir())
    if len(versions) != 1:
        what = f"kernels {', '.join(versions)}" if versions else "no modules of a kernel"
        raise _unfit(where, f"{what} in the packages")
    (version,) = versions
    images = tree / f"boot/vmlinuz-{version}", modules / version / "vmlinuz"
    image = next((path for path in images if _is_plain(path)), None)
    if image is None:
        raise _unfit(where, f"no image of kernel {version} in the packages")
    run("depmod", "-b", tree, version)
    names = (f"config-{version}", f"System.map-{version}")
    return PackagedKernel(
        version,
        image.read_bytes(),
        {name: path.read_bytes() for name in names if _is_plain(path := tree / "boot" / name)},
        _files(modules / version),
        tuple(path.name for path in packages),
    )


def _files(folder: Path) -> dict[str, bytes]:
    """Return the regular files below a folder, by their paths there."""
    found = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if _is_plain(path)}


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _unfit(package: Path, fact: str) -> ConfigError:
    return ConfigError("E-KERNEL-PACKAGE", f"{package}: {fact}", hint=_HINT)
