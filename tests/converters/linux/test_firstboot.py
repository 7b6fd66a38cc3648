# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from converters.linux import firstboot, hypervisor_tools
from tests.converters.linux.drafting import case, draft
from v2v.changes import Draft
from v2v.run import run

VMWARE, OLD, UBUNTU = "vmware-debian12", "vmware-debian8-sysvinit", "vmware-ubuntu2204-netplan"


@pytest.mark.parametrize("name", [VMWARE, OLD, UBUNTU, "vmware-desktop-networkmanager"])
def test_the_script_is_shell(name: str, tmp_path: Path) -> None:
    drafted, conversion = draft(hypervisor_tools.disable_services, case(name, {}))
    firstboot.queue_first_boot(drafted, conversion)
    script = tmp_path / "firstboot"
    script.write_bytes(drafted.read(firstboot.SCRIPT))
    run("sh", "-n", script)


def test_the_agent_is_fetched() -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(VMWARE, {}))
    assert _fetches(drafted)


def test_the_script_may_be_run() -> None:
    guest = case(VMWARE, {})
    drafted, _ = draft(firstboot.queue_first_boot, guest)
    for change in drafted.changes:
        change.apply(guest.files)
    assert guest.files.mode[firstboot.SCRIPT] == 0o755


@pytest.mark.parametrize("absent", ["/etc/apt/sources.list", "/var/lib/dpkg/status"])
def test_the_agent_is_not_fetched_without_apt_or_its_sources(absent: str) -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(VMWARE, {}, without=(absent,)))
    assert not _fetches(drafted)


def test_the_agent_is_not_fetched_without_a_network_card() -> None:
    guest = case(VMWARE, {})
    lonely = replace(guest, machine=replace(guest.machine, nics=()))
    drafted, _ = draft(firstboot.queue_first_boot, lonely)
    assert not _fetches(drafted)


def _fetches(drafted: Draft) -> bool:
    return drafted.exists(firstboot.SCRIPT) and "apt-get" in drafted.text(firstboot.SCRIPT)


def test_masks_go_when_the_packages_are_gone() -> None:
    guest = case(VMWARE, {})
    drafted, conversion = draft(hypervisor_tools.disable_services, guest)
    firstboot.queue_first_boot(drafted, conversion)
    assert (
        "installed$' || rm -f /etc/systemd/system/open-vm-tools.service "
        "/etc/systemd/system/vgauth.service\n"
    ) in drafted.text(firstboot.SCRIPT)


def test_a_metapackage_is_never_removed() -> None:
    drafted, conversion = draft(firstboot.queue_first_boot, case(UBUNTU, {}))
    assert hypervisor_tools.leftover_packages(conversion) == ("open-vm-tools",)
    assert "ubuntu-server" not in drafted.text(firstboot.SCRIPT)


def test_rc_local_starts_the_script_before_it_exits() -> None:
    content = {"/etc/rc.local": "#!/bin/sh -e\necho 'exit 0'\nexit 0\n"}
    drafted, _ = draft(firstboot.queue_first_boot, case(OLD, content))
    assert drafted.text("/etc/rc.local").splitlines()[2:] == [
        "[ ! -x /usr/lib/v2v/firstboot ] || /usr/lib/v2v/firstboot & # v2v-firstboot",
        "exit 0",
    ]


def test_rc_local_without_an_exit_is_extended() -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(OLD, {"/etc/rc.local": "#!/bin/sh\n"}))
    assert drafted.text("/etc/rc.local").endswith("# v2v-firstboot\n")


def test_uninstallers_of_archives_are_run() -> None:
    content = {
        "/var/lib/VBoxGuestAdditions/config": "INSTALL_DIR='/opt/VBoxGuestAdditions-7.0.8'\n",
        "/opt/VBoxGuestAdditions-7.0.8/uninstall.sh": "#!/bin/sh\n",
        "/etc/vmware-tools/locations": "",
        "/usr/bin/vmware-uninstall-tools.pl": "#!/usr/bin/perl\n",
    }
    drafted, _ = draft(firstboot.queue_first_boot, case("kvm-ready-debian12", content))
    script = drafted.text(firstboot.SCRIPT)
    assert "timeout 300 /opt/VBoxGuestAdditions-7.0.8/uninstall.sh ||" in script
    assert "timeout 300 /usr/bin/vmware-uninstall-tools.pl ||" in script
