# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest whose name is taken, in libvirt's test driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.v2v.targets.libvirt_world import (
    UUID,
    World,
    names,
    target,
    write,
)
from v2v.errors import TargetError
from v2v.output_options import Conflict


def test_a_name_that_is_taken_is_refused(world: World, images: Path) -> None:
    world.domain("web")
    with pytest.raises(TargetError, match="domain web: libvirt has one of this name"):
        write(target())
    assert names(images) == []


def test_a_volume_that_is_in_the_way_is_refused(world: World, images: Path) -> None:
    (images / "web-sdb.qcow2").write_bytes(b"precious")
    with pytest.raises(TargetError, match=r"pool default: web-sdb\.qcow2: there are volumes"):
        write(target())
    assert (images / "web-sdb.qcow2").read_bytes() == b"precious"


def test_rename_takes_the_first_free_name(world: World, images: Path) -> None:
    world.domain("web")
    (images / "web-2-sda.qcow2").touch()
    assert write(target(on_conflict=Conflict.rename))[0] == Path("web-3")
    assert world.domains() == ["web", "web-3"]
    assert write(target(on_conflict=Conflict.rename), "new")[0] == Path("new")


def old_guest(world: World, images: Path) -> Path:
    """Make a domain web with a volume; return its path."""
    path = world.volume("web-sda.qcow2", 4096)
    path.write_bytes(b"old")
    world.domain("web", path)
    return path


def test_replace_removes_the_old_guest_at_the_end(world: World, images: Path) -> None:
    old = old_guest(world, images)
    before = world.connection.lookupByName("web").UUIDString()
    opened = target(on_conflict=Conflict.replaced)
    (finding,) = opened.findings("web", ())
    assert finding.code == "W-REPLACED"
    assert "with it web-sda.qcow2" in finding.message

    def still_there() -> None:
        assert world.connection.lookupByName("web").UUIDString() == before
        assert old.read_bytes() == b"old"

    written = write(opened, before=still_there, uuid=UUID)
    assert written[1:] == (images / "web-2-sda.qcow2", images / "web-2-sdb.qcow2")
    assert world.connection.lookupByName("web").UUIDString() == UUID
    assert world.domains() == ["web"]
    assert world.volumes() == []  # the driver does not see files that appear by themselves


def test_replace_keeps_the_old_guest_if_the_new_one_is_refused(world: World, images: Path) -> None:
    old = old_guest(world, images)
    world.connection.lookupByName("web").setAutostart(1)
    uuid = world.connection.lookupByName("web").UUIDString()
    other = world.domain("other").UUIDString()
    with pytest.raises(TargetError, match="libvirt refuses the domain"):
        write(target(on_conflict=Conflict.replaced), uuid=other)
    found = world.connection.lookupByName("web")
    assert (found.UUIDString(), found.autostart()) == (uuid, 1)
    assert old.read_bytes() == b"old"
    assert names(images) == ["web-sda.qcow2"]


def test_replace_leaves_what_others_have_or_is_elsewhere(
    world: World, images: Path, tmp_path: Path
) -> None:
    shared = old_guest(world, images)
    world.domain("other", shared)
    opened = target(on_conflict=Conflict.replaced)
    (finding,) = opened.findings("web", ())
    assert f"no volume; {shared} stay" in finding.message
    write(opened)
    assert world.volumes() == ["web-sda.qcow2"]


def test_replace_does_not_touch_a_running_guest(world: World, images: Path) -> None:
    world.domain("web", running=True)
    with pytest.raises(TargetError, match="domain web: it is running") as caught:
        write(target(on_conflict=Conflict.replaced))
    assert caught.value.finding.code == "E-DOMAIN-RUNNING"


def test_replace_does_not_take_a_guest_that_starts_meanwhile(world: World, images: Path) -> None:
    world.domain("web")
    start = world.connection.lookupByName("web").create
    with pytest.raises(TargetError, match="domain web: it is running"):
        write(target(on_conflict=Conflict.replaced), before=start)
    assert world.connection.lookupByName("web").isActive() == 1
    assert names(images) == []


def test_replace_does_not_take_a_guest_with_snapshots(world: World, images: Path) -> None:
    world.domain("web").snapshotCreateXML("<domainsnapshot><name>s</name></domainsnapshot>")
    with pytest.raises(TargetError, match="it has snapshots or a saved state"):
        write(target(on_conflict=Conflict.replaced))
    snapshot = world.connection.lookupByName("web").snapshotLookupByName("s")
    snapshot.delete()


def test_a_domain_that_appears_meanwhile_stays(world: World, images: Path) -> None:
    with pytest.raises(TargetError, match="domain web: it was made in the meantime"):
        write(target(), before=lambda: world.domain("web"))
    assert world.domains() == ["web"]
    assert names(images) == []


def test_uuids_of_other_domains_are_known(world: World, images: Path) -> None:
    web = world.domain("web").UUIDString()
    other = world.domain("other").UUIDString()
    assert {web, other} <= target().support("new").uuids
    found = target(on_conflict=Conflict.replaced).support("web").uuids
    assert other in found
    assert web not in found
