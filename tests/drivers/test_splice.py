# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is appended to an initramfs makes it boot from virtio and changes nothing else."""

from __future__ import annotations

import re

import pytest
import zstandard

from drivers.compression import Compression
from drivers.initramfs import Initramfs, InitramfsError, look
from drivers.modules import Modules, read_modules
from drivers.splice import boot_modules, has_virtio, lacking, splice
from tests.drivers.images import (
    CORE,
    FOLDER,
    VERSION,
    Members,
    compressed,
    debian,
    kernel_files,
    newc,
)
from v2v.files import DictFiles, Link

RESUME = {"conf/conf.d/resume": b"RESUME=UUID=77\n"}
DRACUT: Members = {
    "lib": "usr/lib",
    "usr/lib/dracut": None,
    "usr/lib/systemd/systemd-udevd": b"",
    f"{FOLDER}/kernel/drivers/block/xen-blkfront.ko": b"front",
}


def guest(**changed: bytes | None) -> DictFiles:
    files: dict[str, bytes | str | Link] = {"/lib": Link("usr/lib"), **kernel_files()}
    for name, content in changed.items():
        path = f"{CORE}/modules.{name}"
        if content is None:
            del files[path]
        else:
            files[path] = content
    return DictFiles(files)


def kernel(files: DictFiles) -> Modules:
    return read_modules(files, VERSION)


def image(members: Members, kind: Compression = Compression.zstd, front: bytes = b"") -> Initramfs:
    data = front + compressed(newc(members), kind)
    return Initramfs("/boot/initrd", data, look(data))


def spliced(before: Initramfs, files: DictFiles) -> Initramfs:
    data = splice(before, kernel(files), files)
    return Initramfs(before.path, data, look(data))


EXACT = [kind for kind in Compression if kind is not Compression.lzma]


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_a_spliced_image_has_virtio_in_every_compression(kind: Compression, padding: int) -> None:
    before = image(debian({"etc/x": b"x" * padding}), kind)
    assert not has_virtio(before.contents, kernel(guest()))
    after = spliced(before, guest())
    assert has_virtio(after.contents, kernel(guest()))
    assert after.data.startswith(before.data)
    assert before.contents.paths.items() <= after.contents.paths.items()
    assert after.contents.links == before.contents.links


@pytest.mark.parametrize("kind", EXACT)
def test_a_second_splice_adds_nothing(kind: Compression) -> None:
    after = spliced(image(debian(), kind), guest())
    assert splice(after, kernel(guest()), guest()) is after.data


def test_the_appended_archive_starts_at_a_multiple_of_four() -> None:
    for padding in range(8):
        before = image(debian({"etc/x": b"x" * padding}), Compression.lzop, bytes(padding))
        assert spliced(before, guest()).data.index(b"070701", len(before.data)) % 4 == 0


def test_zeros_behind_an_lz4_stream_do_not_end_it_before_the_splice() -> None:
    before = image(debian(), Compression.lz4)
    padded = Initramfs(before.path, before.data + bytes(8), look(before.data + bytes(8)))
    after = spliced(padded, guest())
    assert has_virtio(after.contents, kernel(guest()))
    assert after.data == spliced(before, guest()).data


def test_an_lz4_stream_whose_content_is_not_aligned_is_continued_aligned() -> None:
    data = compressed(newc(debian()) + b"\0", Compression.lz4)
    after = spliced(Initramfs("/boot/initrd", data, look(data)), guest())
    assert has_virtio(after.contents, kernel(guest()))


def test_modules_come_with_what_they_need_and_with_the_index() -> None:
    before = image(debian())
    after = spliced(before, guest()).contents
    new = sorted(set(after.paths) - set(before.contents.paths))
    modules = f"{FOLDER}/kernel/drivers"
    assert [path for path in new if "." in path.removeprefix(FOLDER)] == [
        f"{modules}/block/virtio_blk.ko",
        f"{modules}/scsi/scsi_mod.ko",
        f"{modules}/scsi/sd_mod.ko",
        f"{modules}/scsi/virtio_scsi.ko",
        f"{modules}/virtio/virtio.ko",
        f"{modules}/virtio/virtio_pci.ko",
        f"{modules}/virtio/virtio_ring.ko",
        f"{FOLDER}/kernel/lib/crc-t10dif.ko",
        f"{FOLDER}/modules.alias",
        f"{FOLDER}/modules.alias.bin",
        f"{FOLDER}/modules.builtin",
        f"{FOLDER}/modules.dep.bin",
    ]
    assert f"{modules}/virtio" in new
    assert f"{modules}/block" not in new


def test_initramfs_tools_is_told_to_load_the_drivers() -> None:
    after = spliced(image(debian()), guest()).contents
    names = after.files["conf/modules"].decode().splitlines()
    assert names[:2] == ["xen-blkfront", "ext4"]
    assert names[3:] == list(boot_modules(kernel(guest())))
    assert names[3:] == ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod"]


def test_dracut_leaves_loading_to_udev() -> None:
    after = spliced(image(DRACUT), guest()).contents
    assert has_virtio(after, kernel(guest()))
    assert "conf/modules" not in after.paths


def test_an_image_without_any_module_gets_the_folder_too() -> None:
    members: Members = {"conf/initramfs.conf": b"", "lib": None}
    after = spliced(image(members), guest()).contents
    assert f"lib/modules/{VERSION}" in after.paths
    assert has_virtio(after, kernel(guest()))


@pytest.mark.parametrize("nic", ["xen-netfront", "vmxnet3"])
def test_an_image_with_the_old_network_card_gets_the_new_one(nic: str) -> None:
    dep = kernel_files()[f"{CORE}/modules.dep"]
    assert isinstance(dep, str)
    dep += "kernel/drivers/net/vmxnet3.ko:\n"
    before = image(debian({f"{FOLDER}/kernel/drivers/net/{nic}.ko": b""}))
    assert lacking(before.contents, kernel(guest(dep=dep.encode())))[-2:] == (
        *("failover", "virtio_net"),
    )
    assert "virtio_net" not in lacking(image(debian()).contents, kernel(guest()))


def test_an_image_that_boots_from_virtio_gets_nothing_more() -> None:
    folder = f"{FOLDER}/kernel/drivers/virtio"
    names = ("virtio", "virtio_ring", "virtio_pci")
    members = {f"{folder}/{name}.ko": b"" for name in names}
    before = image(debian({**members, f"{FOLDER}/kernel/drivers/block/virtio_blk.ko": b""}))
    assert has_virtio(before.contents, kernel(guest()))
    assert splice(before, kernel(guest()), guest()) is before.data


def test_drivers_that_are_built_in_need_no_module() -> None:
    builtin = "".join(f"kernel/{name}.ko\n" for name in ("virtio_pci", "virtio_blk"))
    files = guest(builtin=builtin.encode())
    assert has_virtio(image(debian()).contents, kernel(files))


def test_a_kernel_without_virtio_blk_boots_through_scsi() -> None:
    dep = "kernel/virtio_pci.ko:\nkernel/virtio_scsi.ko:\nkernel/sd_mod.ko:\n"
    files = DictFiles(kernel_files(dep))
    modules = read_modules(DictFiles({"/lib": Link("usr/lib"), **files.content}), VERSION)
    before = image(debian())
    assert lacking(before.contents, modules) == ("virtio_pci", "virtio_scsi", "sd_mod")
    names = ("virtio_pci", "virtio_scsi", "sd_mod")
    there = image(debian({f"{FOLDER}/kernel/{name}.ko": b"" for name in names}))
    assert has_virtio(there.contents, modules)


def test_a_kernel_without_virtio_never_has_it() -> None:
    modules = read_modules(DictFiles({}), VERSION)
    assert not has_virtio(image(debian()).contents, modules)


def test_files_can_be_replaced() -> None:
    before = image(debian({"conf/conf.d/resume": b"RESUME=/dev/xvda2\n"}))
    data = splice(before, kernel(guest()), guest(), RESUME)
    after = Initramfs(before.path, data, look(data))
    assert after.contents.files["conf/conf.d/resume"] == b"RESUME=UUID=77\n"
    assert splice(after, kernel(guest()), guest(), RESUME) is data


def test_a_file_is_replaced_where_its_link_leads() -> None:
    before = image({"etc": "usr/etc", "usr/etc/crypttab": b"old", **RESUME})
    modules = read_modules(DictFiles({f"/boot/config-{VERSION}": "CONFIG_VIRTIO_PCI=y"}), VERSION)
    data = splice(before, modules, guest(), {"etc/crypttab": b"new"})
    contents = look(data)
    assert contents.links["etc"] == "usr/etc"
    assert "usr/etc/crypttab" in contents.paths


def test_modules_that_the_tool_has_expanded_are_found_where_they_are() -> None:
    dep = kernel_files()[f"{CORE}/modules.dep"]
    assert isinstance(dep, str)
    files = DictFiles({"/lib": Link("usr/lib"), **kernel_files(dep.replace(".ko", ".ko.zst"))})
    before = image(debian({f"{FOLDER}/kernel/drivers/virtio/virtio.ko": b"expanded"}))
    data = splice(before, kernel(files), files)
    index = re.findall(rb"\n(kernel/drivers/virtio/virtio_ring.*)\n", compressed_again(data))
    assert index == [b"kernel/drivers/virtio/virtio_ring.ko.zst: kernel/drivers/virtio/virtio.ko"]


def compressed_again(data: bytes) -> bytes:
    """What the last stream of an image holds."""
    return zstandard.decompress(data[data.rindex(b"\x28\xb5\x2f\xfd") :])


STRANGE = {f"{FOLDER}/kernel/drivers/block/removed.ko": b""}


@pytest.mark.parametrize(
    ("members", "files", "message"),
    [
        (debian(), guest(dep=None), "modules.dep: no such file"),
        (debian(STRANGE), guest(), "does not name removed"),
        ({"linuxrc": b""}, guest(), "made by an unknown tool"),
        ({"usr/lib/dracut": None}, guest(), "has no udev"),
        ({"conf/initramfs.conf": b""}, guest(dep=b"x/virtio_pci.ko:\n"), "virtio_pci.ko: no such"),
        (
            {"conf/initramfs.conf": b""},
            guest(dep=b"x/virtio_pci.ko: x/virtio.ko\n"),
            "modules.dep names no file for virtio",
        ),
    ],
)
def test_a_splice_that_would_not_be_exact_is_refused(
    members: Members, files: DictFiles, message: str
) -> None:
    modules = kernel(files)
    if not modules.indexed:
        modules = Modules(VERSION, CORE, kernel(guest()).paths, {}, frozenset(), frozenset(), False)
    with pytest.raises(InitramfsError, match=message):
        splice(image(members), modules, files)


def test_behind_an_lzma_stream_nothing_is_appended() -> None:
    with pytest.raises(InitramfsError, match="is an lzma stream"):
        spliced(image(debian(), Compression.lzma), guest())
