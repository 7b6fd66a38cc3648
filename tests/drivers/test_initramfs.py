# SPDX-License-Identifier: LGPL-2.1-or-later
"""An initramfs is seen as the kernel will see it, and nothing in it does harm."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers import initramfs
from drivers.compression import Compression
from drivers.initramfs import InitramfsError, Tool, look, read_initramfs
from tests.drivers.images import FOLDER, VERSION, Members, compressed, debian, lzop, newc
from v2v.files import DictFiles, Link

MICROCODE = newc({"kernel": None, "kernel/x86/microcode/GenuineIntel.bin": b"\x01" * 999})


@pytest.mark.parametrize("kind", Compression)
def test_an_image_is_read_in_every_compression(kind: Compression) -> None:
    data = compressed(newc(debian()), kind)
    contents = look(data)
    assert contents.modules(VERSION) == {"xen_blkfront": "kernel/drivers/block/xen-blkfront.ko"}
    assert contents.files == {
        "conf/initramfs.conf": b"MODULES=list\n",
        "conf/modules": b"xen-blkfront\next4\n",
    }
    assert contents.tool is Tool.initramfs_tools
    assert contents.has_hotplug
    assert contents.tail.compression is kind
    assert contents.tail.end == len(data)
    assert contents.tail.expanded == len(newc(debian()))


@pytest.mark.parametrize("kind", Compression)
def test_early_microcode_and_padding_are_passed_over(kind: Compression) -> None:
    data = MICROCODE + bytes(1024) + compressed(newc(debian()), kind)
    contents = look(data + bytes(8))
    assert "kernel/x86/microcode/GenuineIntel.bin" in contents.paths
    assert "xen_blkfront" in contents.modules(VERSION)
    assert contents.tail.end - (8 if kind is Compression.none else 0) == len(data)


def test_later_archives_replace_files_of_earlier_ones() -> None:
    later = newc({"conf/modules": b"virtio_blk\n", "etc": "elsewhere"})
    contents = look(newc(debian({"etc": None})) + compressed(later, Compression.zstd))
    assert contents.files["conf/modules"] == b"virtio_blk\n"
    assert contents.links["etc"] == "elsewhere"


def test_members_below_a_symbolic_link_are_where_it_leads() -> None:
    new = {f"lib/modules/{VERSION}/kernel/virtio_blk.ko.xz": b"", "/./lib/firmware/x": b""}
    contents = look(newc(debian()) + newc(new))
    assert contents.modules(VERSION)["virtio_blk"] == "kernel/virtio_blk.ko.xz"
    assert "usr/lib/firmware/x" in contents.paths
    assert contents.resolve("/lib/../lib/modules") == "usr/lib/modules"
    assert contents.modules("6.2.0") == {}


def test_a_folder_in_place_of_a_link_hides_what_the_link_led_to() -> None:
    contents = look(newc(debian()) + newc({"lib": None}))
    assert contents.modules(VERSION) == {}


def test_a_folder_with_something_in_it_is_not_replaced() -> None:
    contents = look(newc(debian()) + newc({"usr/lib": b"no folder", "usr": "elsewhere"}))
    assert "xen_blkfront" in contents.modules(VERSION)
    assert "usr" not in contents.links


@pytest.mark.parametrize(
    ("members", "tool"),
    [
        ({"conf/initramfs.conf": b""}, Tool.initramfs_tools),
        ({"usr/lib/dracut": None}, Tool.dracut),
        ({"lib/dracut-lib.sh": b""}, Tool.dracut),
        ({"lib": "usr/lib", "lib/dracut": None}, Tool.dracut),
        ({"init_functions": b""}, Tool.mkinitcpio),
        ({"init": "usr/lib/systemd/systemd", "buildconfig": b""}, Tool.mkinitcpio),
        ({"run_all.sh": b"", "boot/03-block.sh": b""}, Tool.suse),
        ({"bin/nash": b"\x7fELF"}, Tool.nash),
        ({"bin": "usr/bin", "usr/bin/initrd-sh-functions": b""}, Tool.make_initrd),
        ({"etc/booster.init.yaml": b""}, Tool.booster),
        ({"etc/initrd.defaults": b""}, Tool.genkernel),
        ({"linuxrc": b""}, Tool.unknown),
    ],
)
def test_the_tool_is_known_by_what_it_leaves(members: Members, tool: Tool) -> None:
    contents = look(newc(members))
    assert contents.tool is tool
    assert not contents.has_hotplug


def test_only_small_files_that_configure_are_kept() -> None:
    members = {
        "etc/cmdline.d/95root-dev.conf": b"root=/dev/xvda1",
        "./usr/lib/dracut/hooks/initqueue/finished/devexists.sh": b"xvda1",
        "etc/large": bytes(70_000),
        "init": b"#!/bin/nash",
        "sbin/init": b"#!/bin/sh",
    }
    assert list(look(newc(members)).files) == [
        "etc/cmdline.d/95root-dev.conf",
        "usr/lib/dracut/hooks/initqueue/finished/devexists.sh",
        "init",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "image is empty"),
        (bytes(100), "image is empty"),
        (b"MZ\x90\x00" + bytes(64), "no archive starts at byte 0"),
        (b"\0\0" + newc({"a": b""}), "no archive starts at byte 2"),
        (newc({"a": b""}) + b"junk", "no archive starts at byte 512"),
        (newc({"a": b"content"})[:115], "archive ends early"),
        (compressed(newc({"a": b""}) + b"junk", Compression.xz), "xz stream holds more than arch"),
        (compressed(newc({"a": b""}), Compression.gzip)[:-9], "gzip stream ends early"),
        (compressed(newc({"a": b"1" * 999}), Compression.zstd)[:40], "zstd stream ends early"),
        (lzop(newc({"a": b""}))[:-300], "lzop stream ends early"),
        (newc({"a": "b", "b": "a", "a/x": b""}), "a path that leads too far"),
        (newc({"a/" * 1000 + "x": b""}), "a path that leads too far"),
    ],
)
def test_what_the_kernel_would_stop_at_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(InitramfsError, match=message):
        look(data)


@pytest.mark.parametrize("kind", [Compression.gzip, Compression.bzip2, Compression.zstd])
def test_an_image_that_expands_without_end_is_an_error(
    kind: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initramfs, "_EXPANDED_LIMIT", 10 << 20)
    bomb = compressed(newc({"a": b""}) + bytes(6 << 20), kind)
    assert look(bomb).tail.expanded > 6 << 20
    with pytest.raises(InitramfsError, match="archive is too large"):
        look(bomb + bomb)


def test_an_image_of_too_many_files_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "_ENTRIES_LIMIT", 10)
    with pytest.raises(InitramfsError, match="too many files"):
        look(newc({f"file{number}": b"" for number in range(11)}))


def test_an_image_of_too_much_configuration_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "_KEPT_LIMIT", 1000)
    with pytest.raises(InitramfsError, match="too much configuration"):
        look(newc({f"etc/{number}": bytes(300) for number in range(4)}))


_SOUND = MICROCODE + compressed(newc(debian()), Compression.gzip)


def read_to(data: bytes) -> int:
    """Where an image ends, 0 if it is none; any other exception is a fault."""
    try:
        return look(data).tail.end
    except InitramfsError:
        return 0


@given(st.binary(max_size=400))
@example(b"070701" + b"f" * 104)
@example(b"\x5d\x00\x00" + b"\xff" * 40)
@example(b"\x89LZO\x00\r\n\x1a\n" + b"\xff" * 300)
def test_any_bytes_are_an_image_or_an_error(data: bytes) -> None:
    for start in (b"", b"070701", b"\x1f\x8b\x08", b"\x02\x21\x4c\x18", b"\x28\xb5\x2f\xfd"):
        assert read_to(start + data) <= len(start + data)


@given(st.integers(0, 2**32))
def test_a_damaged_image_is_an_image_or_an_error(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(chance.choice([_SOUND, newc(debian())]))
    for _ in range(chance.randint(1, 5)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    assert read_to(bytes(data)) <= len(data)


def test_an_image_is_read_through_the_links_of_the_guest() -> None:
    files = DictFiles({"/initrd.img": Link("boot/initrd.img-6.1"), "/boot/initrd.img-6.1": _SOUND})
    image = read_initramfs(files, "/initrd.img")
    assert (image.path, image.data) == ("/initrd.img", _SOUND)
    assert f"{FOLDER}/modules.dep" in image.contents.paths


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "/boot/initrd: no archive starts at byte 0"),
        (Link("nowhere"), "/boot/initrd: no such file"),
        (Link("initrd"), "/boot/initrd: no such file"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(content: bytes | Link, message: str) -> None:
    with pytest.raises(InitramfsError, match=message):
        read_initramfs(DictFiles({"/boot/initrd": content}), "/boot/initrd")


def test_a_huge_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initramfs, "_FILE_LIMIT", 100)
    with pytest.raises(InitramfsError, match="/boot/initrd: more than 0 GiB is no initramfs"):
        read_initramfs(DictFiles({"/boot/initrd": bytes(101)}), "/boot/initrd")
