# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools of all types, in libvirt's test driver."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.v2v.targets.libvirt_world import (
    GIB,
    SIZES,
    World,
    domain,
    names,
    target,
    write,
)
from v2v.errors import TargetError
from v2v.model import Allocation, DiskFormat, TargetDisk
from v2v.output_options import OutputOptions


@pytest.mark.parametrize("kind", ["dir", "fs", "netfs", "vstorage"])
def test_pools_of_files_get_images(world: World, tmp_path: Path, kind: str) -> None:
    world.pool(tmp_path, kind)
    opened = target(format=DiskFormat.raw, allocation=Allocation.preallocated)
    (found,) = opened.disks("web", (GIB,))
    assert found == TargetDisk(
        tmp_path / "web-sda.raw", DiskFormat.raw, GIB, Allocation.preallocated
    )
    write(target())
    assert world.domains() == ["web"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [("logical", "/dev/vg/a_b-sda"), ("zfs", "/dev/zvol/zp/a_b-sda"), ("disk", "/dev/sdz1")],
)
def test_pools_of_devices_get_raw_volumes(world: World, kind: str, path: str) -> None:
    world.pool(Path("/dev/zvol/zp" if kind == "zfs" else "/dev"), kind)
    (found,) = target().disks("a b", (GIB,))
    assert found == TargetDisk(Path(path), DiskFormat.raw, GIB, block=True)


def test_a_partition_gets_the_next_number(world: World) -> None:
    world.pool(Path("/dev"), "disk")
    world.volume("sdz1", GIB)
    assert [str(disk.path) for disk in target().disks("web", SIZES)] == ["/dev/sdz2", "/dev/sdz3"]


@pytest.mark.parametrize("kind", ["logical", "disk"])
def test_volumes_that_were_made_are_removed_again(world: World, kind: str) -> None:
    world.pool(Path("/dev"), kind)
    opened = target()
    disks = opened.disks("web", SIZES)
    with ExitStack() as stack:
        writing = stack.enter_context(opened.writing("web", disks))
        assert [place for _, place in writing.images] == [disk.path for disk in disks]
        assert world.volumes() == [disk.path.name for disk in disks]
    assert world.volumes() == []


@pytest.mark.parametrize("kind", ["iscsi", "scsi", "mpath"])
def test_luns_are_found_by_their_size(world: World, tmp_path: Path, kind: str) -> None:
    world.pool(tmp_path, kind)
    for name, size in (("unit:0:0:1", GIB), ("unit:0:0:2", 2 * GIB), ("unit:0:0:3", 3 * GIB)):
        world.volume(name, size).write_bytes(bytes(4096))
    found = target().disks("web", (3 * GIB, GIB))
    assert [disk.path.name for disk in found] == ["unit:0:0:3", "unit:0:0:1"]
    assert all(disk.block and disk.format is DiskFormat.raw for disk in found)


def test_a_lun_with_data_is_taken_only_if_the_user_names_it(world: World, tmp_path: Path) -> None:
    world.pool(tmp_path, "iscsi")
    world.volume("a", GIB).write_bytes(bytes(4096) + b"LABELONE")
    with pytest.raises(TargetError, match="volume a has the size of a disk, but it holds data"):
        target().disks("web", (GIB,))
    (found,) = target(output_options=OutputOptions(volumes=("a",))).disks("web", (GIB,))
    assert found.path == tmp_path / "a"


def test_a_volume_of_a_domain_is_known_by_its_name_too(world: World, tmp_path: Path) -> None:
    world.pool(tmp_path, "logical")
    world.volume("a", GIB)
    disk = "<disk type='volume'><source pool='default' volume='a'/><target dev='vda'/></disk>"
    world.connection.defineXMLFlags(domain("other", disk).xml)
    with pytest.raises(TargetError, match="a: no unused volume of this name"):
        target(output_options=OutputOptions(volumes=("a",))).disks("web", (GIB,))


def test_luns_that_could_be_meant_are_named_by_the_user(world: World, tmp_path: Path) -> None:
    world.pool(tmp_path, "iscsi")
    world.volume("a", GIB)
    world.volume("b", GIB)
    with pytest.raises(TargetError, match="2 unused volumes have the size of a disk") as caught:
        target().disks("web", (GIB,))
    assert caught.value.finding.hint is not None
    assert "a (1.0 GiB), b (1.0 GiB)" in caught.value.finding.hint
    (found,) = target(output_options=OutputOptions(volumes=("b",))).disks("web", (GIB,))
    assert found.path == tmp_path / "b"


@pytest.mark.parametrize(
    ("volumes", "problem"),
    [
        (("small",), "small: it has 512.0 MiB, the disk 1.0 GiB"),
        (("absent",), "absent: no unused volume of this name"),
        (("used",), "used: no unused volume of this name"),
        (("large", "large"), "1 different volumes are needed, not large, large"),
    ],
)
def test_volumes_that_do_not_fit_are_refused(
    world: World, tmp_path: Path, volumes: tuple[str, ...], problem: str
) -> None:
    world.pool(tmp_path, "logical")
    world.volume("small", GIB // 2)
    world.volume("large", 2 * GIB)
    world.domain("other", world.volume("used", GIB))
    with pytest.raises(TargetError, match=problem) as caught:
        target(output_options=OutputOptions(volumes=volumes)).disks("web", (GIB,))
    assert caught.value.finding.code == "E-VOLUME"


def test_a_volume_that_is_there_is_written_and_never_removed(world: World, tmp_path: Path) -> None:
    world.pool(tmp_path, "iscsi")
    for name, size in (("a", SIZES[0]), ("b", SIZES[1])):
        world.volume(name, size).write_bytes(b"old")
    chosen = {"output_options": OutputOptions(volumes=("a", "b"))}
    write(target(**chosen))
    assert (tmp_path / "a").read_bytes() == b"x" * SIZES[0]
    assert world.volumes() == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        write(target(**chosen), "other", before=lambda: 1 // 0)
    assert world.volumes() == ["a", "b"]


def test_names_of_volumes_mean_nothing_for_files(world: World, images: Path) -> None:
    with pytest.raises(TargetError, match="its volumes are files"):
        target(output_options=OutputOptions(volumes=("a",))).disks("web", (GIB,))


@pytest.mark.parametrize("kind", ["rbd", "gluster", "iscsi-direct"])
def test_pools_that_libvirt_cannot_write_are_refused(
    world: World, tmp_path: Path, kind: str
) -> None:
    world.pool(tmp_path, kind)
    with pytest.raises(TargetError, match=f"cannot write volumes of a pool of type {kind}"):
        target().disks("web", (GIB,))


def test_a_folder_that_only_libvirt_sees_gets_its_images_by_streams(
    world: World, tmp_path: Path
) -> None:
    world.pool(tmp_path / "elsewhere")
    opened = target()
    with opened.writing("web", opened.disks("web", SIZES)) as writing:
        assert not any(place.is_relative_to(tmp_path) for _, place in writing.images)


def test_a_pool_that_is_not_there_is_an_error(world: World, images: Path) -> None:
    with pytest.raises(TargetError, match="pool other: libvirt has none") as caught:
        target(storage=Path("other")).disks("web", (GIB,))
    assert caught.value.finding.hint is not None
    assert caught.value.finding.hint.endswith("default, default-pool")


def test_a_pool_that_is_not_started_is_an_error_or_started(world: World, images: Path) -> None:
    pool = world.connection.storagePoolLookupByName("default")
    pool.destroy()
    with pytest.raises(TargetError, match="pool default: it is not started"):
        target().disks("web", (GIB,))
    with pytest.raises(ZeroDivisionError):
        write(target(create_pool=True), before=lambda: 1 // 0)
    assert pool.isActive() == 0
    write(target(create_pool=True))
    assert pool.isActive() == 1


def test_a_pool_can_be_named_by_its_folder_or_uuid(world: World, images: Path) -> None:
    by_folder = target(storage=images).disks("web", (GIB,))
    uuid = world.connection.storagePoolLookupByName("default").UUIDString()
    assert by_folder == target(storage=Path(uuid)).disks("web", (GIB,))
    assert by_folder[0].path.parent == images


def test_a_pool_is_made_and_gone_again_after_a_failure(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "guests"
    folder.mkdir()
    with pytest.raises(ZeroDivisionError):
        write(target(storage=folder, create_pool=True), before=lambda: 1 // 0)
    assert (world.pools(), names(folder)) == ([], [])
    write(target(storage=folder, create_pool=True))
    assert world.pools() == ["guests"]
    assert names(folder) == ["web-sda.qcow2", "web-sdb.qcow2"]


def test_a_pool_that_would_be_made_shows_in_the_dry_run(world: World) -> None:
    (found,) = target(storage=Path("guests"), create_pool=True).disks("web", (GIB,))
    assert found.path == Path("/var/lib/libvirt/images/guests/web-sda.qcow2")
    assert world.pools() == []


def test_a_folder_whose_name_is_anothers_pool_is_refused(world: World, images: Path) -> None:
    with pytest.raises(TargetError, match="libvirt has one of this name in another folder"):
        target(storage=images / "default", create_pool=True).disks("web", (GIB,))


def test_too_little_room_is_known_before(world: World, images: Path) -> None:
    opened = target()
    disks = opened.disks("web", (1 << 50,))
    with pytest.raises(TargetError, match=r"pool default: 1\.0 PiB are needed"):
        opened.check("web", disks, (1 << 50,))


def test_a_kernel_needs_a_folder(world: World, tmp_path: Path) -> None:
    world.pool(tmp_path, "logical")
    opened = target(keep_direct_boot=True)
    with pytest.raises(TargetError, match="kernel and initramfs cannot be put into it"):
        opened.check("web", opened.disks("web", SIZES), SIZES)
