# SPDX-License-Identifier: LGPL-2.1-or-later
"""Boot code is what GRUB's own grub-mkimage makes of the same files, and placed by its rules."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest

from drivers.grub_image import (
    NEEDED,
    GrubImageError,
    Platform,
    boot_sector,
    core_image,
    with_dependencies,
)
from tests.drivers.grub_files import HOST, KERNEL, platform, unpacked
from v2v.run import run

MODULES = ("biosdisk", "part_msdos", "part_gpt", "search_fs_uuid", "lvm", "mdraid1x", "ext2")
CONFIG = "search.fs_uuid 1111 root\nset prefix=($root)'/boot/grub'\n"


def test_a_core_image_holds_what_grub_mkimage_puts_there(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in HOST.iterdir()}
    (tmp_path / "load.cfg").write_text(CONFIG)
    made = tmp_path / "core.img"
    run("grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", tmp_path / "load.cfg",
        "-o", made, *MODULES)  # fmt: skip
    theirs = made.read_bytes()
    ours = core_image(files, MODULES, CONFIG, "/boot/grub", 1)
    head = len(files["lzma_decompress.img"])
    assert ours[:500] == theirs[:500]
    assert ours[512 + 16 : 512 + head] == theirs[512 + 16 : 512 + head]
    assert sorted(_objects(unpacked(ours, files), files)) == sorted(
        _objects(unpacked(theirs, files), files)
    )
    assert len(unpacked(ours, files)) == len(unpacked(theirs, files))


def _objects(whole: bytes, files: Platform) -> list[tuple[int, bytes]]:
    """The kernel and what stands behind it."""
    at = struct.unpack_from("<I", files["kernel.img"], 52 + 16)[0]
    magic, offset, size = struct.unpack_from("<4sII", whole, at)
    assert (magic, size) == (b"mimg", len(whole) - at)
    found = [(-1, whole[:at])]
    at += offset
    while at < len(whole):
        kind, length = struct.unpack_from("<II", whole, at)
        found.append((kind, whole[at + 8 : at + length]))
        at += length
    return found


def test_each_piece_says_where_the_next_one_is() -> None:
    files = platform()
    core = core_image(files, MODULES, CONFIG, "/boot/grub", 34)
    assert len(core) % 512 == 0
    assert struct.unpack_from("<QHH", core, 500) == (35, len(core) // 512 - 1, 0x820)
    assert core[488:500] == bytes(12)  # the end of the list of sectors
    sector = boot_sector(files, 34)
    assert struct.unpack_from("<Q", sector, 0x5C) == (34,)
    assert sector[0x66:0x68] == b"\x90\x90"
    assert unpacked(core, files).startswith(KERNEL + b"mimg")


def test_a_module_comes_after_what_it_needs() -> None:
    assert with_dependencies(platform(), ("ext2", "lvm", "mdraid09")) == (
        "fshelp", "ext2", "diskfilter", "lvm", "mdraid09",
    )  # fmt: skip
    assert with_dependencies({"moddep.lst": b"a: b\nb: a\n"}, ("a",)) == ("b", "a")


@pytest.mark.parametrize("absent", [*NEEDED, "fshelp.mod"])
def test_a_file_that_is_absent_is_named(absent: str) -> None:
    files = {name: data for name, data in platform().items() if name != absent}
    with pytest.raises(GrubImageError, match=f"there is no {absent}"):
        boot_sector(files, 1) + core_image(files, ("ext2",), CONFIG, "/", 1)


@pytest.mark.parametrize("kernel", [b"", b"\x7fELF\2" + bytes(200), b"\x7fELF\1" + bytes(200)])
def test_a_kernel_that_is_none_is_told(kernel: bytes) -> None:
    with pytest.raises(GrubImageError, match="no ELF program"):
        core_image(platform() | {"kernel.img": kernel}, (), CONFIG, "/", 1)


def test_what_grub_cannot_load_is_told() -> None:
    noise = Random(1).randbytes(600_000)
    with pytest.raises(GrubImageError, match="more than GRUB can load"):
        core_image(platform() | {"ext2.mod": noise}, ("ext2",), CONFIG, "/", 1)
    with pytest.raises(GrubImageError, match=r"boot\.img has 3 bytes"):
        boot_sector({"boot.img": b"abc"}, 1)
