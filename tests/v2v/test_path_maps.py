# SPDX-License-Identifier: LGPL-2.1-or-later
"""Paths of the source's host, on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.errors import ConfigError
from v2v.model import Boot, BootMethod, Disk, Hypervisor, Machine
from v2v.path_maps import mapped, parse_maps

MACHINE = Machine(
    kind="xl",
    hypervisor=Hypervisor.xen,
    name="web",
    memory_bytes=1 << 29,
    vcpus=1,
    disks=(Disk("/dev/vg/web-disk", None), Disk("/dev/vgother/data", None)),
    folder=Path("/etc/xen"),
    boot=Boot(BootMethod.direct, "/boot/vmlinuz", "/boot/initrd.img"),
)


def paths(*maps: str) -> list[str | None]:
    found = mapped(MACHINE, parse_maps(maps))
    assert found.boot is not None
    return [*(disk.path for disk in found.disks), found.boot.kernel, found.boot.ramdisk]


def test_folders_and_files_are_found_elsewhere() -> None:
    assert paths("/dev/vg=/mnt/images", "/boot/vmlinuz=/srv/kernel") == [
        "/mnt/images/web-disk", "/dev/vgother/data", "/srv/kernel", "/boot/initrd.img",
    ]  # fmt: skip


def test_the_longest_map_wins() -> None:
    assert paths("/=/mnt/dom0", "/dev/vg/=/lvs")[:2] == [
        "/lvs/web-disk",
        "/mnt/dom0/dev/vgother/data",
    ]


def test_a_relative_place_is_one_of_the_working_directory() -> None:
    assert paths("/dev/vg=images")[0] == str(Path.cwd() / "images/web-disk")


def test_a_map_that_fits_nothing_is_told() -> None:
    (warning,) = mapped(MACHINE, parse_maps(["/dev/v=/x"])).warnings
    assert warning.code == "W-MAP-PATH"


@pytest.mark.parametrize("text", ["/a", "=b", "a=b", "/a="])
def test_a_map_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_maps([text])
    assert caught.value.finding.code == "E-USAGE"
