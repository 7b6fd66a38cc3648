# SPDX-License-Identifier: LGPL-2.1-or-later
"""Systems on LVM, arrays, encrypted volumes and btrfs are found and mounted as their guests do.

One appliance makes all disks, and one looks at them: they are one guest with seven systems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.guests.storage_disks import KEY_FILE, NAMES, PASSPHRASE, make
from v2v.devices import boot_disk
from v2v.errors import GuestError
from v2v.guest.inspect import Inspection, enter
from v2v.guest.roots import Systems, choose, find_roots
from v2v.guest.session import Drive, Session
from v2v.guest.unlock import locked, unlock
from v2v.guest.volumes import Volumes, look
from v2v.keys import Key
from v2v.model import Disk, DiskFormat, Hypervisor, Machine

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("appliance")]
KEYS = (
    Key("/dev/mapper/vg0-my--data", b"wrong"),
    Key("all", KEY_FILE),
    Key("all", PASSPHRASE + b"\n"),
)
UNNAMED = (None,) * len(NAMES)


@dataclass(frozen=True, slots=True)
class Zoo:
    """The appliance, the disks, and what was seen of them."""

    session: Session
    drives: Mapping[str, Drive]
    closed: Volumes  # before any key was tried
    opened: Volumes
    systems: Systems

    def enter(self, root: str) -> Inspection:
        """Mount one of the systems."""
        self.session.umount_all()
        disks = tuple(Disk(str(drive.path), DiskFormat.raw) for drive in self.drives.values())
        machine = Machine("disk", Hypervisor.vmware, "zoo", 1 << 30, 1, disks, Path("/"))
        chosen = choose(self.systems.roots, root)
        return enter(self.session, machine, self.opened, self.systems, chosen)

    def disk(self, name: str) -> str:
        """The appliance's name of a disk."""
        return self.session.devices()[NAMES.index(name)]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    drives = make(tmp_path_factory.mktemp("storage"))
    before = [drive.path.stat().st_mtime_ns for drive in drives.values()]
    with Session(tuple(drives.values()), writable=False) as session:
        closed = look(session)
        opened = unlock(session, closed, UNNAMED, KEYS)
        yield Zoo(session, drives, closed, opened, find_roots(session, opened))
        session.finish()
    assert [drive.path.stat().st_mtime_ns for drive in drives.values()] == before


def codes(inspection: Inspection) -> set[str]:
    return {found.code for found in (*inspection.blockers, *inspection.warnings)}


def test_every_system_is_found_once_and_snapshots_are_none(zoo: Zoo) -> None:
    assert [str(root) for root in zoo.systems.roots] == [
        "Thin on /dev/vg0/root",
        "Array on /dev/md127",
        f"Subvolumes on btrfsvol:{zoo.disk('btrfs')}/@",
        f"Unclean on {zoo.disk('xfs')}",
        f"Damaged on {zoo.disk('two_roots')}1",
        f"Hibernated on {zoo.disk('two_roots')}2",
        "Encrypted on /dev/ubuntu-vg/ubuntu-lv",
    ]
    assert zoo.systems.failed == {}


def test_journals_are_replayed_and_that_is_said(zoo: Zoo) -> None:
    assert zoo.systems.unclean == (zoo.disk("xfs"),)


def test_encrypted_volumes_are_named_with_the_options_that_open_them(zoo: Zoo) -> None:
    (finding,) = locked(zoo.closed, needed=True)
    luks1 = f"{zoo.disk('encrypted')}2"
    assert finding.code == "E-GUEST-LOCKED"
    assert finding.message.endswith(f"/dev/vg0/my-data (LUKS), {luks1} (LUKS)")
    assert finding.hint is not None
    assert f"--key /dev/vg0/my-data:file:PATH --key {luks1}:file:PATH" in finding.hint
    assert list(locked(zoo.opened, needed=True)) == []


def test_an_array_that_lacks_a_disk_is_named(zoo: Zoo) -> None:
    (finding,) = zoo.opened.warnings
    assert finding.code == "W-RAID-DEGRADED"
    assert "1 of its 2 parts are there" in finding.message
    assert finding.message.endswith(f"on {zoo.disk('half')}")


def test_thin_volumes_and_the_names_of_crypttab(zoo: Zoo) -> None:
    found = zoo.enter("/dev/vg0/root")
    assert found.guest.mountpoints == {
        "/": "/dev/vg0/root",
        "/boot": f"{zoo.disk('thin')}1",
        "/srv/my data": "/dev/mapper/data",
    }
    assert {"E-FILESYSTEM", "W-FILESYSTEM", "W-MOUNT", "W-GUEST-LOCKED"} & codes(found) == set()
    assert boot_disk(found.guest) == NAMES.index("thin")
    assert "lost+found" in zoo.session.names("/srv/my data")


def test_an_array_is_what_mdadm_conf_calls_it(zoo: Zoo) -> None:
    found = zoo.enter("/dev/md127")
    assert found.guest.device_names["/dev/md0"] == "/dev/md127"
    assert boot_disk(found.guest) == NAMES.index("one")
    assert "E-FILESYSTEM" not in codes(found)


def test_subvolumes_are_mounted_as_fstab_says(zoo: Zoo) -> None:
    device = zoo.disk("btrfs")
    found = zoo.enter(device)
    assert found.guest.mountpoints == {"/": device, "/home": device}
    assert "bin" in zoo.session.names("/")
    assert zoo.session.names("/home") == []
    assert "E-FILESYSTEM" not in codes(found)


def test_a_system_within_lvm_within_luks(zoo: Zoo) -> None:
    found = zoo.enter("/dev/ubuntu-vg/ubuntu-lv")
    assert found.guest.mountpoints == {
        "/": "/dev/ubuntu-vg/ubuntu-lv",
        "/boot": f"{zoo.disk('encrypted')}1",
    }
    assert (
        found.guest.device_names["/dev/disk/by-id/dm-name-dm_crypt-0"] == "/dev/mapper/dm_crypt-0"
    )


def test_damage_and_hibernation_are_blockers(zoo: Zoo) -> None:
    found = zoo.enter(f"{zoo.disk('two_roots')}1")
    said = {finding.code: finding.message for finding in found.blockers}
    assert said["E-FILESYSTEM"].startswith(
        f"the ext4 file system on {zoo.disk('two_roots')}1 (/) is damaged: Entry 'sh' in /bin"
    )
    assert f"its memory is in {zoo.disk('two_roots')}3" in said["E-GUEST-HIBERNATED"]


def test_a_system_that_there_is_not_gets_the_list(zoo: Zoo) -> None:
    with pytest.raises(GuestError, match="/dev/sdz: no operating system there") as caught:
        zoo.enter("/dev/sdz")
    assert "Thin on /dev/vg0/root, Array on /dev/md127" in (caught.value.finding.hint or "")
