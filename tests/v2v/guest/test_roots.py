# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.v2v.guest.volumes import disk, node, volumes
from v2v.errors import GuestError
from v2v.files import DictFiles
from v2v.guest.roots import Root, Systems, choose, nothing_found, read
from v2v.guest.volumes import Volume
from v2v.model import OsType

EXT4 = Volume("/dev/sda1", "/dev/sdb1", "part", "ext4", "1", None, 1, None, "", ("/dev/sda",))
BTRFS = Volume("/dev/sda2", "/dev/sdb2", "part", "btrfs", "2", None, 1, None, "", ("/dev/sda",))


def btrfs(default: int, *subvolumes: str, snapshots: tuple[int, ...] = ()) -> list[str]:
    """Names and options of the roots; each of the subvolumes holds a system, all the same."""
    lines = [f"ID {number} gen 9 top level 5 path {path}\n" for number, path in
             enumerate(subvolumes, 256)]  # fmt: skip
    copies = "".join(lines[number - 256].replace(" top", " cgen 8 top") for number in snapshots)
    said = {"list": "".join(lines), "snapshots": copies, "default": f"ID {default} gen 9 x"}
    found = {f"/0.btrfs/{name}": text.encode() for name, text in said.items()}
    found |= {f"/0.btrfs/{number}/linux": b"" for number in range(256, 256 + len(subvolumes))}
    return [f"{root.name} {root.options}" for root in read(found, [BTRFS]).roots]


def test_snappers_copies_are_none_of_their_own_but_the_one_that_is_booted_is() -> None:
    first, second = "@/.snapshots/1/snapshot", "@/.snapshots/2/snapshot"
    assert btrfs(257, "@", first, second, snapshots=(258,)) == [
        f"btrfsvol:/dev/sda2/{first} subvol=/{first}",
    ]  # fmt: skip


def test_a_snapshot_beside_its_original_is_left_out() -> None:
    names = btrfs(5, "@", "@apt-snapshot-2026-01-01", snapshots=(257,))
    assert names == ["btrfsvol:/dev/sda2/@ subvol=/@"]


def test_a_snapshot_that_was_restored_is_the_system() -> None:
    names = btrfs(5, "@", "timeshift-btrfs/snapshots/1/@", snapshots=(256, 257))
    assert names == ["btrfsvol:/dev/sda2/@ subvol=/@"]


def found(**files: str) -> Mapping[str, bytes]:
    return {f"/{path.replace('__', '/')}": text.encode() for path, text in files.items()}


def test_a_root_is_called_by_what_it_says_of_itself() -> None:
    gathered = found(**{"0__linux": "", "0__root__etc__os-release": 'ID=x\nPRETTY_NAME="X 1"\n'})
    (root,) = read(gathered, [EXT4]).roots
    assert str(root) == "X 1 on /dev/sda1"
    assert root.files.read("/etc/os-release").startswith(b"ID=x")


def test_what_does_not_mount_is_named_as_the_source_has_it() -> None:
    gathered = found(
        **{
            "0.kernel": "EXT4-fs (sdb1): group descriptors corrupted!\n",
            "0.error": "mount: /tmp/x: special device\n",
        }
    )
    systems = read(gathered, [EXT4])
    assert systems.failed == {"/dev/sda1": "EXT4-fs (/dev/sda1): group descriptors corrupted!"}
    said = nothing_found(volumes(disk(0, "/dev/sdb", type="ext4")), systems)
    assert "/dev/sda1 does not mount: EXT4-fs" in said.message


@pytest.mark.parametrize(
    "line",
    [
        "EXT4-fs (sdb1): recovery complete",
        "XFS (sdb1): Ending recovery (logdev: internal)",
        "BTRFS info (device sdb1: state M): start tree-log replay",
        "BTRFS info (device sdb1): start tree-log replay",
    ],
)
def test_a_replayed_journal_tells_of_an_unclean_end(line: str) -> None:
    gathered = {"/dmesg": f"[  1.0] {line}\n[  2.0] EXT4-fs (sdz1): mounted\n".encode()}
    other = Volume("/dev/sdz1", "/dev/sdz1", "part", "ext4", "3", None, 1, None, "", ())
    assert read(gathered, [EXT4, other]).unclean == ("/dev/sda1",)


def root(device: str, name: str, subvolume: str | None = None) -> Root:
    files = DictFiles({"/etc/os-release": f'ID=x\nPRETTY_NAME="{name}"\n'})
    return Root(device, OsType.linux, files, subvolume)


ROOTS = (
    root("/dev/sda2", "Debian GNU/Linux 12"),
    root("/dev/vg/root", "AlmaLinux 9.3"),
    root("/dev/sdb1", "Ubuntu 24.04", "@"),
    root("/dev/sdb1", "Ubuntu 22.04", "@old"),
)


@pytest.mark.parametrize(
    ("wanted", "device"),
    [
        ("first", "/dev/sda2"),
        ("/dev/vg/root", "/dev/vg/root"),
        ("btrfsvol:/dev/sdb1/@", "/dev/sdb1"),
    ],
)
def test_a_root_is_chosen_by_name_or_order(wanted: str, device: str) -> None:
    assert choose(ROOTS, wanted).device == device


@pytest.mark.parametrize("wanted", [None, "single"])
def test_the_only_root_needs_no_choice_and_several_do(wanted: str | None) -> None:
    assert choose(ROOTS[:1], wanted) is ROOTS[0]
    with pytest.raises(
        GuestError, match=r"AlmaLinux 9\.3 on /dev/vg/root, Ubuntu 24.04 on"
    ) as caught:
        choose(ROOTS, wanted)
    assert caught.value.finding.code == "E-MULTIPLE-ROOTS"
    assert caught.value.finding.hint == "choose one: --root /dev/sda2, or --root first"


@pytest.mark.parametrize(
    ("wanted", "fact"),
    [
        ("/dev/sdc", "no operating system there"),
        ("/dev/sdb1", "several operating systems are there"),
    ],
)
def test_a_root_that_cannot_be_told_is_an_error(wanted: str, fact: str) -> None:
    with pytest.raises(GuestError, match=f"{wanted}: {fact}"):
        choose(ROOTS, wanted)


def test_what_the_disks_hold_instead_is_named() -> None:
    none = Systems((), {}, ())
    blank = nothing_found(volumes(disk(0, "/dev/sda"), heads={"/head-0:0": bytes(512)}), none)
    assert blank.message == "no operating system was found: the disks are blank"
    iso = nothing_found(volumes(disk(0, "/dev/sda", type="iso9660")), none)
    assert "/dev/sda is an installation or live medium (iso9660)" in iso.message
    part = node("/dev/sda1", "part", "LVM2_member")
    rest = nothing_found(volumes(disk(0, "/dev/sda", part), heads={"/head-0:0": b"x"}), none)
    assert rest.message.endswith("on the disks, only LVM2_member on /dev/sda1")
