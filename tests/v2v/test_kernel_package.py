# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel out of packages that are made here, with real modules of this machine."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import zstandard

from drivers.modules import read_modules
from tests.drivers.images import newc
from v2v.errors import ConfigError
from v2v.files import DictFiles
from v2v.kernel_package import unpacked

VERSION = "6.1.0-99-amd64"
PCI = ("virtio_pci", "virtio_pci_legacy_dev", "virtio_pci_modern_dev")
DRIVERS = (*(f"virtio/{name}" for name in ("virtio", "virtio_ring", *PCI)), "block/virtio_blk")
Files = Mapping[str, bytes]


def real(name: str) -> bytes:
    """A module of a kernel that is installed on this machine."""
    found = sorted(Path("/lib/modules").glob(f"*/kernel/drivers/{name}.ko"))
    assert found, "linux-image-cloud-amd64 is not installed: make setup"
    return found[-1].read_bytes()


def modules(top: str = "lib/modules") -> Files:
    folder = f"{top}/{VERSION}"
    return {f"{folder}/kernel/drivers/{name}.ko": real(name) for name in DRIVERS}


def boot() -> Files:
    return {f"boot/vmlinuz-{VERSION}": b"kernel", f"boot/config-{VERSION}": b"CONFIG_PCI=y\n"}


def plain(data: bytes) -> bytes:
    return data


def zstd(data: bytes) -> bytes:
    return zstandard.compress(data)


def deb(path: Path, files: Files, pressed: Callable[[bytes], bytes] = lzma.compress) -> Path:
    """A package as deb(5) has it, with more in it than is wanted."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, data in {"usr/share/doc/copyright": b"-", **files}.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    members = {"debian-binary": b"2.0\n", "control.tar": b"", "data.tar": pressed(tar.getvalue())}
    out = b"!<arch>\n"
    for name, data in members.items():
        head = f"{name:16}{0:<12}{0:<6}{0:<6}{'100644':8}{len(data):<10}`\n"
        out += head.encode() + data + b"\n" * (len(data) % 2)
    path.write_bytes(out)
    return path


def rpm(path: Path, files: Files) -> Path:
    """A package with headers that are empty: lead, signature and header before a cpio archive."""
    empty = b"\x8e\xad\xe8\x01".ljust(16, b"\0")
    lead = b"\xed\xab\xee\xdb\3".ljust(96, b"\0")
    path.write_bytes(
        lead + empty + empty + gzip.compress(newc({f"./{k}": v for k, v in files.items()}))
    )
    return path


@pytest.mark.parametrize("pressed", [gzip.compress, lzma.compress, zstd, plain])
def test_a_package_of_debian(tmp_path: Path, pressed: Callable[[bytes], bytes]) -> None:
    package = deb(tmp_path / "linux-image.deb", {**boot(), **modules()}, pressed)
    kernel = unpacked([package])
    assert kernel is not None
    assert (kernel.version, kernel.image) == (VERSION, b"kernel")
    assert kernel.boot == {f"config-{VERSION}": b"CONFIG_PCI=y\n"}
    assert kernel.packages == ("linux-image.deb",)
    assert kernel.modules["kernel/drivers/block/virtio_blk.ko"] == real("block/virtio_blk")
    assert "modules.dep.bin" in kernel.modules
    tree = {f"/lib/modules/{VERSION}/{name}": data for name, data in kernel.modules.items()}
    needs = read_modules(DictFiles(tree), VERSION).closure(("virtio_blk", "virtio_pci"))
    assert needs[-1] == "virtio_pci"
    assert {"virtio", "virtio_ring", "virtio_blk"} < set(needs)


def test_packages_of_red_hat_have_image_and_modules_apart(tmp_path: Path) -> None:
    core = {f"lib/modules/{VERSION}/vmlinuz": b"kernel", f"lib/modules/{VERSION}/config": b"-"}
    packages = [
        rpm(tmp_path / "kernel-core.rpm", core),
        rpm(tmp_path / "kernel-modules.rpm", modules("usr/lib/modules")),
    ]
    kernel = unpacked(packages)
    assert kernel is not None
    assert (kernel.version, kernel.image) == (VERSION, b"kernel")
    assert "kernel/drivers/virtio/virtio_pci.ko" in kernel.modules


def test_without_a_package_there_is_no_kernel() -> None:
    assert unpacked([]) is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.parent / "absent.deb", "No such file"),
        (lambda path: deb(path, boot()), "no modules of a kernel"),
        (lambda path: deb(path, modules()), f"no image of kernel {VERSION}"),
        (
            lambda path: deb(path, {**modules(), "lib/modules/5.0/kernel/a.ko": b""}),
            f"kernels 5.0, {VERSION} in the packages",
        ),
        (lambda path: _cut(deb(path, {**boot(), **modules()})), "cannot be unpacked"),
        (lambda path: _text(path), "neither a Debian package nor an RPM"),
        (lambda path: deb(path, {"../../escaped": b"", **boot()}), "cannot be unpacked"),
    ],
    ids=["absent", "no-modules", "no-image", "two", "cut", "text", "escapes"],
)
def test_what_is_no_kernel_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    package = make(tmp_path / "some.deb")
    with pytest.raises(ConfigError, match=said) as caught:
        unpacked([package])
    assert caught.value.finding.code == "E-KERNEL-PACKAGE"


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-9000])
    return path


def _text(path: Path) -> Path:
    path.write_text("a package")
    return path
