# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels that a guest can boot are found in its files."""

from __future__ import annotations

import pytest

from drivers.compression import Compression
from drivers.initramfs import InitramfsError
from drivers.kernels import Ramdisks, Started, kernels, version_key
from tests.drivers.images import FOLDER, VERSION, compressed, debian, kernel_files, newc, unified
from v2v.files import DictFiles, Link
from v2v.model import Driver, Kernel

INITRD = compressed(newc(debian()), Compression.zstd)
VIRTIO = compressed(
    newc(
        debian(
            {
                f"{FOLDER}/kernel/{place}.ko": b""
                for place in (
                    "drivers/block/virtio_blk",
                    "drivers/virtio/virtio",
                    "drivers/virtio/virtio_ring",
                    "drivers/virtio/virtio_pci",
                )
            }
        )
    ),
    Compression.gzip,
)


def find(
    content: dict[str, bytes | str | Link], default: str | None = None, *started: Started
) -> tuple[Kernel, ...]:
    files = DictFiles(content)
    return kernels(files, Ramdisks(files), started, default=default)


def test_a_debian_kernel_is_found_with_its_drivers_and_initramfs() -> None:
    found = find(
        {
            "/lib": Link("usr/lib"),
            **kernel_files(),
            f"/boot/vmlinuz-{VERSION}": b"",
            f"/boot/initrd.img-{VERSION}": INITRD,
            f"/boot/System.map-{VERSION}": b"",
            "/vmlinuz": Link(f"boot/vmlinuz-{VERSION}"),
            "/boot/vmlinuz": Link(f"vmlinuz-{VERSION}"),
        },
        f"/boot/vmlinuz-{VERSION}",
    )
    virtio = dict.fromkeys(("pci", "blk", "scsi", "net", "rng"), Driver.module)
    assert found == (
        Kernel(
            version=VERSION,
            image=f"/boot/vmlinuz-{VERSION}",
            initramfs=f"/boot/initrd.img-{VERSION}",
            default=True,
            virtio={**virtio, "balloon": Driver.missing, "console": Driver.builtin},
            initramfs_has_virtio=False,
        ),
    )


@pytest.mark.parametrize(
    ("content", "has"),
    [(INITRD, False), (VIRTIO, True), (b"junk", None), (None, None)],
)
def test_the_initramfs_is_looked_into(content: bytes | None, has: bool | None) -> None:
    files = {"/lib": Link("usr/lib"), **kernel_files(), f"/boot/vmlinuz-{VERSION}": b""}
    initramfs = {f"/boot/initrd.img-{VERSION}": content} if content is not None else {}
    assert find({**files, **initramfs})[0].initramfs_has_virtio is has


@pytest.mark.parametrize(
    ("names", "initramfs"),
    [
        (["initrd.img-5.10"], "initrd.img-5.10"),
        (["initramfs-5.10.img", "initramfs-5.10kdump.img"], "initramfs-5.10.img"),
        (["initrd-5.10", "initrd-5.10-kdump"], "initrd-5.10"),
        (["initrd-5.10.img"], "initrd-5.10.img"),
        (["initramfs-genkernel-x86_64-5.10"], "initramfs-genkernel-x86_64-5.10"),
        (["initrd.img-5.10.1", "initrd.img-5.10.bak", "initramfs-5.10-fallback.img"], None),
    ],
)
def test_an_initramfs_belongs_to_the_kernel_of_its_name(
    names: list[str], initramfs: str | None
) -> None:
    found = find({"/boot/vmlinuz-5.10": b"", **{f"/boot/{name}": b"" for name in names}})
    assert found[0].initramfs == (f"/boot/{initramfs}" if initramfs else None)


@pytest.mark.parametrize(
    "name",
    [
        "vmlinuz",
        "vmlinuz-0-rescue-0123456789abcdef",
        "vmlinuz-5.10.old",
        "vmlinuz-5.10.dpkg-bak",
        "vmlinuz-5.10.rpmsave",
        "vmlinuz-5.10.efi.signed",
        "vmlinuz-5.10~",
        ".vmlinuz-5.10.hmac",
        "vmlinux-5.10.gz",
        "initrd.img-5.10",
        "xen-4.17-amd64.gz",
        "memtest86+x64.bin",
        "config-5.10",
    ],
)
def test_what_is_no_kernel_to_boot_is_left_out(name: str) -> None:
    assert find({f"/boot/{name}": b""}) == ()


def test_an_image_that_leads_nowhere_is_left_out() -> None:
    links = {"/boot/vmlinuz-5.9": Link("gone"), "/boot/vmlinuz-5.8": Link("vmlinuz-5.8")}
    assert [kernel.version for kernel in find({**links, "/boot/vmlinuz-5.10": b""})] == ["5.10"]


@pytest.mark.parametrize("name", ["vmlinuz-5.10", "kernel-5.10", "Image-5.10", "vmlinux-5.10"])
def test_images_of_all_kinds_are_found(name: str) -> None:
    assert [kernel.image for kernel in find({f"/boot/{name}": b""})] == [f"/boot/{name}"]


def test_one_kernel_with_two_images_is_one_kernel() -> None:
    found = find({"/boot/vmlinux-5.10": b"", "/boot/vmlinuz-5.10": b""})
    assert [kernel.image for kernel in found] == ["/boot/vmlinuz-5.10"]


def test_the_newest_kernel_comes_first() -> None:
    names = ["6.1.0-9-amd64", "5.10.0-30-amd64", "6.1.0-21-amd64", "6.1.0-rc2", "6.1.0"]
    found = find({f"/boot/vmlinuz-{name}": b"" for name in names})
    assert [kernel.version for kernel in found] == [
        *("6.1.0-21-amd64", "6.1.0-9-amd64", "6.1.0", "6.1.0-rc2", "5.10.0-30-amd64")
    ]


def test_versions_compare_as_numbers() -> None:
    assert version_key("5.14.0-427.13.1.el9_4.x86_64") > version_key("5.14.0-70.el9.x86_64")
    assert version_key("4.18.0-80.el8") > version_key("4.18.0")


@pytest.mark.parametrize(
    ("default", "chosen"),
    [
        ("/boot/vmlinuz-6.1", ["6.1"]),
        # /boot is a file system of its own
        ("/vmlinuz.old", ["5.10"]),
        ("/boot/vmlinuz-4.19", []),
        (None, []),
    ],
)
def test_the_default_is_what_the_boot_loader_names(default: str | None, chosen: list[str]) -> None:
    found = find(
        {
            "/boot/vmlinuz-6.1": b"",
            "/boot/vmlinuz-5.10": b"",
            "/vmlinuz.old": Link("boot/vmlinuz-5.10"),
        },
        default,
    )
    assert [kernel.version for kernel in found if kernel.default] == chosen


def test_images_that_are_links_into_the_module_folder_are_told_apart() -> None:
    content: dict[str, bytes | str | Link] = {}
    for version in ("6.4.0-1-default", "6.4.0-2-default"):
        content[f"/boot/vmlinuz-{version}"] = Link(f"../usr/lib/modules/{version}/vmlinuz")
        content[f"/usr/lib/modules/{version}/vmlinuz"] = b""
    content["/boot/vmlinuz"] = Link("vmlinuz-6.4.0-1-default")
    found = find(content, "/boot/vmlinuz")
    assert [kernel.default for kernel in found] == [False, True]


def test_arch_linux_has_the_version_in_the_module_folder() -> None:
    found = find(
        {
            "/boot/vmlinuz-linux": b"",
            "/boot/initramfs-linux.img": b"",
            "/boot/initramfs-linux-fallback.img": b"",
            "/lib/modules/6.6.1-arch1-1/pkgbase": b"linux\n",
            "/lib/modules/6.6.1-arch1-1/modules.builtin": b"kernel/drivers/virtio/virtio_pci.ko\n",
            "/lib/modules/5.15.0-lts/pkgbase": b"linux-lts\n",
        }
    )
    assert (found[0].version, found[0].initramfs) == ("6.6.1-arch1-1", "/boot/initramfs-linux.img")
    assert found[0].virtio["pci"] is Driver.builtin


def test_the_version_is_read_from_an_image_without_a_telling_name() -> None:
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x100).to_bytes(2, "little")
    head[0x300:0x320] = b"5.4.0-mine (me@host) #1 SMP 2020"
    found = find({"/boot/vmlinuz-mine": bytes(head), "/boot/initrd.img-5.4.0-mine": b""})
    assert (found[0].version, found[0].initramfs) == ("5.4.0-mine", "/boot/initrd.img-5.4.0-mine")


def test_the_initramfs_of_a_xenlinux_kernel_is_not_read() -> None:
    content: dict[str, bytes | str | Link] = {
        "/boot/vmlinuz-2.6.18-8.el5xen": b"",
        "/boot/config-2.6.18-8.el5xen": "CONFIG_X86_64_XEN=y\n",
        "/boot/initrd-2.6.18-8.el5xen.img": VIRTIO,
    }
    found = find(content)
    assert found[0].xen_only
    assert found[0].initramfs_has_virtio is None


def test_an_initramfs_is_read_once() -> None:
    files = DictFiles({"/boot/initrd": VIRTIO, "/boot/junk": b"junk"})
    ramdisks = Ramdisks(files)
    first = ramdisks.get("/boot/initrd")
    for _ in range(2):
        with pytest.raises(InitramfsError, match="/boot/junk: no archive"):
            ramdisks.get("/boot/junk")
    files.content.clear()
    assert ramdisks.get("/boot/initrd") is first


TOKEN = f"/efi/0123456789abcdef/{VERSION}"


def test_kernels_in_other_places_are_found_by_the_entries_that_start_them() -> None:
    found = find(
        {
            "/lib": Link("usr/lib"),
            **kernel_files(),
            f"{TOKEN}/linux": b"",
            f"{TOKEN}/initrd": VIRTIO,
            "/boot/memtest86+.bin": b"",
            "/boot/vmlinuz-0-rescue-1": b"",
        },
        f"{TOKEN}/linux",
        Started(f"{TOKEN}/linux", f"{TOKEN}/initrd", None),
        Started("/boot/memtest86+.bin", None, None),
        Started("/boot/vmlinuz-0-rescue-1", None, VERSION),
        Started("/boot/vmlinuz-gone", None, VERSION),
    )
    assert [(kernel.version, kernel.image, kernel.initramfs) for kernel in found] == [
        (VERSION, f"{TOKEN}/linux", f"{TOKEN}/initrd")
    ]
    assert found[0].default
    assert found[0].initramfs_has_virtio
    assert found[0].cmdline is None


def test_the_initramfs_that_an_entry_names_is_the_one_that_counts() -> None:
    image = f"/boot/vmlinuz-{VERSION}"
    content: dict[str, bytes | str | Link] = {
        **kernel_files(), image: b"", f"/boot/initrd.img-{VERSION}": b"", "/boot/my.img": VIRTIO,
    }  # fmt: skip
    assert find(content, None, Started(image, "/boot/my.img", None))[0].initramfs == "/boot/my.img"
    named = find(content, None, Started(image, None, None))[0].initramfs
    assert named == f"/boot/initrd.img-{VERSION}"


def test_a_unified_image_is_looked_into() -> None:
    image = "/efi/EFI/Linux/debian.efi"
    content: dict[str, bytes | str | Link] = {
        "/lib": Link("usr/lib"),
        **kernel_files(),
        image: unified({".linux": b"", ".cmdline": b"root=/dev/sda2\0", ".initrd": VIRTIO}),
    }
    (kernel,) = find(content, image, Started(image, None, VERSION))
    assert (kernel.cmdline, kernel.initramfs) == ("root=/dev/sda2", None)
    assert kernel.initramfs_has_virtio
    (plain,) = find({**content, image: b"MZ"}, image, Started(image, None, VERSION))
    assert plain.cmdline is None
