# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libvirt output in libvirt's test driver; tests/guests/test_libvirt.py has a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.v2v.targets.libvirt_world import (
    SIZES,
    World,
    names,
    target,
    write,
)
from v2v.errors import TargetError
from v2v.model import Network, NetworkKind, Nic
from v2v.options import Options
from v2v.targets import open_target


def test_images_and_domain_appear(world: World, images: Path) -> None:
    written = write(target())
    assert written == (Path("web"), images / "web-sda.qcow2", images / "web-sdb.qcow2")
    assert names(images) == ["web-sda.qcow2", "web-sdb.qcow2"]
    assert world.domains() == ["web"]
    assert world.connection.lookupByName("web").isActive() == 0


def test_the_guest_starts_where_the_user_wants_it(world: World, images: Path) -> None:
    write(target(start=True, autostart=True))
    found = world.connection.lookupByName("web")
    assert (found.isActive(), found.autostart()) == (1, 1)


def test_a_domain_that_libvirt_refuses_leaves_nothing(world: World, images: Path) -> None:
    with pytest.raises(TargetError, match="libvirt refuses the domain") as caught:
        write(target(), devices="<nonsense/>")
    assert caught.value.finding.code == "E-LIBVIRT"
    assert (names(images), world.domains()) == ([], [])


def test_an_interruption_leaves_nothing(world: World, images: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(target(), before=interrupt)
    assert (names(images), world.domains()) == ([], [])


def test_a_dry_run_touches_nothing(world: World, images: Path) -> None:
    opened = target()
    opened.check("web", opened.disks("web", SIZES), SIZES)
    opened.findings("web", ())
    opened.support("web")
    assert (names(images), world.volumes(), world.domains()) == ([], [], [])


def nic(kind: NetworkKind, name: str) -> Nic:
    return Nic(None, None, Network(kind, name))


@pytest.mark.parametrize(
    "found",
    [
        nic(NetworkKind.network, "default"),
        nic(NetworkKind.bridge, "eth1"),
        nic(NetworkKind.ovs, "eth1"),
        nic(NetworkKind.macvtap, "eth1"),
    ],
)
def test_networks_that_are_there_are_no_finding(world: World, images: Path, found: Nic) -> None:
    assert target().findings("web", (found,)) == ()


@pytest.mark.parametrize("kind", NetworkKind)
def test_a_network_that_is_not_there_is_a_blocker(
    world: World, images: Path, kind: NetworkKind
) -> None:
    (finding,) = target().findings("web", (nic(kind, "absent"), nic(kind, "absent")))
    assert finding.code == "E-NETWORK"
    assert finding.message.startswith(f"{kind} absent: the target has no network")
    assert finding.hint is not None
    assert ("default" if kind is NetworkKind.network else "eth1") in finding.hint


def test_a_name_that_is_no_bridges_is_a_networks(world: World, images: Path) -> None:
    (finding,) = target().findings("web", (nic(NetworkKind.bridge, "VM Network"),))
    assert finding.message.startswith("network VM Network: ")


def test_a_network_that_is_not_started_is_a_warning_or_a_blocker(
    world: World, images: Path
) -> None:
    network = world.connection.networkLookupByName("default")
    network.destroy()
    plugged = (nic(NetworkKind.network, "default"),)
    (warning,) = target().findings("web", plugged)
    (blocker,) = target(start=True).findings("web", plugged)
    network.create()
    assert (warning.code, blocker.code) == ("W-NETWORK-INACTIVE", "E-NETWORK-INACTIVE")


def test_a_libvirt_that_does_not_answer_is_an_error() -> None:
    opened = open_target(Options(output="libvirt", output_connection="test:///absent.xml"))
    with pytest.raises(TargetError, match=r"test:///absent\.xml: cannot be connected to"):
        opened.disks("web", SIZES)


def test_an_address_with_a_password_is_refused_and_not_repeated() -> None:
    address = "qemu+tcp://root:secret@127.0.0.1/system"
    opened = open_target(Options(output="libvirt", output_connection=address))
    with pytest.raises(TargetError, match="the address holds a password") as caught:
        opened.disks("web", SIZES)
    assert "secret" not in str(caught.value.finding)
