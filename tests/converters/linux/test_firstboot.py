# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux import firstboot, hypervisor_tools
from converters.linux.firstboot_script import SCRIPT
from tests.converters.linux.drafting import Content, case, described, draft
from v2v.changes import Draft
from v2v.files import Link

VMWARE, OLD, UBUNTU = "vmware-debian12", "vmware-debian8-sysvinit", "vmware-ubuntu2204-netplan"
RC_LINE = f"[ ! -x {SCRIPT} ] || {SCRIPT} & # v2v-firstboot"
DPKG = "/var/lib/dpkg/status"
ALPINE: Content = {
    "/lib/apk/db/installed": "P:musl\nV:1.2.5-r0\n",
    "/etc/apk/repositories": "https://dl-cdn.alpinelinux.org/alpine/v3.20/main\n",
    "/etc/runlevels/default/sshd": Link("/etc/init.d/sshd"),
    "/etc/init.d/local": "#!/sbin/openrc-run\n",
}


def test_the_agent_is_fetched() -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(VMWARE, {}))
    assert _fetches(drafted)


def test_the_script_may_be_run() -> None:
    guest = case(VMWARE, {})
    drafted, _ = draft(firstboot.queue_first_boot, guest)
    for change in drafted.changes:
        change.apply(guest.files)
    assert guest.files.mode[SCRIPT] == 0o755


@pytest.mark.parametrize(
    ("content", "absent", "reason"),
    [
        ({}, "/etc/apt/sources.list", "it has no package sources"),
        ({}, DPKG, "its package manager is not known"),
        ({"/etc/fstab": "LABEL=root / btrfs ro 0 0\n"}, "", "its root file system is mounted read"),
        (
            {"/var/db/pkg/sys-apps/openrc-0.54/CONTENTS": ""}, DPKG,
            "its package manager builds from source",
        ),
    ],
)  # fmt: skip
def test_the_user_is_told_why_the_agent_is_not_fetched(
    content: Content, absent: str, reason: str
) -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(VMWARE, content, without=(absent,)))
    assert not _fetches(drafted)
    warnings = [finding for finding in drafted.warnings if finding.code == "W-AGENT"]
    assert reason in warnings[0].message


def test_the_agent_is_not_missed_without_a_network_card() -> None:
    guest = case(VMWARE, {})
    lonely = replace(guest, machine=replace(guest.machine, nics=()))
    drafted, _ = draft(firstboot.queue_first_boot, lonely)
    assert not _fetches(drafted)
    assert drafted.warnings == []


def test_nothing_is_queued_that_a_read_only_root_would_not_let_go() -> None:
    content = {"/etc/fstab": "LABEL=root / btrfs subvol=@,ro 0 0\n"}
    drafted, _ = draft(firstboot.queue_first_boot, case(VMWARE, content))
    assert described(drafted) == []


def test_an_agent_that_is_there_is_not_fetched() -> None:
    content: Content = {
        "/var/lib/rpm/Packages": "rpm's",
        "/etc/yum.repos.d/a.repo": "",
        "/usr/bin/qemu-ga": "ELF",
        "/usr/lib/systemd/libsystemd-shared-252.so": "ELF",
    }
    guest = case("kvm-ready-debian12", content, without=(DPKG,))
    assert described(draft(firstboot.queue_first_boot, guest)[0]) == []
    del guest.files.content["/usr/bin/qemu-ga"]
    drafted, _ = draft(firstboot.queue_first_boot, guest)
    assert "dnf | yum" in drafted.text(SCRIPT)
    assert drafted.warnings == []  # the database was not even read


def _fetches(drafted: Draft) -> bool:
    return drafted.exists(SCRIPT) and "installing qemu-guest-agent" in drafted.text(SCRIPT)


def test_masks_go_when_the_packages_are_gone() -> None:
    guest = case(VMWARE, {})
    drafted, conversion = draft(hypervisor_tools.disable_services, guest)
    firstboot.queue_first_boot(drafted, conversion)
    assert (
        '[ -n "$(left)" ] || rm -f /etc/systemd/system/open-vm-tools.service '
        "/etc/systemd/system/vgauth.service\n"
    ) in drafted.text(SCRIPT)


def test_a_metapackage_is_never_removed() -> None:
    drafted, conversion = draft(firstboot.queue_first_boot, case(UBUNTU, {}))
    assert hypervisor_tools.leftover_packages(drafted, conversion) == ("open-vm-tools",)
    assert "ubuntu-server" not in drafted.text(SCRIPT)


def test_rc_local_starts_the_script_before_it_exits() -> None:
    content = {"/etc/rc.local": "#!/bin/sh -e\necho 'exit 0'\nexit 0\n"}
    drafted, _ = draft(firstboot.queue_first_boot, case(OLD, content))
    assert drafted.text("/etc/rc.local").splitlines()[2:] == [RC_LINE, "exit 0"]
    assert drafted.text(SCRIPT).endswith(
        f"sed -i '/# v2v-firstboot$/d' /etc/rc.local\nrm -f {SCRIPT}\n"
    )


@pytest.mark.parametrize("old", ["#!/bin/sh\ntouch /run/x\n", "#!/bin/sh\ntouch /run/x"])
def test_rc_local_without_an_exit_is_extended(old: str) -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(OLD, {"/etc/rc.local": old}))
    assert drafted.text("/etc/rc.local") == f"#!/bin/sh\ntouch /run/x\n{RC_LINE}\n"


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"/etc/rc.d/rc.local": "#!/bin/sh\n", "/etc/rc.local": Link("rc.d/rc.local")},
         "/etc/rc.d/rc.local"),
        ({"/etc/init.d/boot.d/S01boot.udev": Link("../boot.udev")}, "/etc/init.d/after.local"),
        ({}, "/etc/rc.local"),
    ],
)  # fmt: skip
def test_system_v_starts_it_last_in_each_familys_way(content: Content, path: str) -> None:
    without = ("/etc/rc.local",) if "/etc/rc.local" not in content else ()
    guest = case(OLD, content, without=without)
    drafted, _ = draft(firstboot.queue_first_boot, guest)
    assert drafted.text(path) == f"#!/bin/sh\n{RC_LINE}\n"
    assert drafted.text(SCRIPT).endswith(f"rm -f {SCRIPT} {path}\n")


def test_openrc_starts_it_as_a_service() -> None:
    drafted, _ = draft(firstboot.queue_first_boot, case(OLD, ALPINE, without=(DPKG,)))
    service = drafted.text("/etc/init.d/v2v-firstboot")
    assert service.startswith("#!/sbin/openrc-run\n")
    assert f"start() {{\n    {SCRIPT} &\n}}\n" in service
    assert drafted.readlink("/etc/runlevels/default/v2v-firstboot") == "/etc/init.d/v2v-firstboot"
    assert "rc-service $name start" in drafted.text(SCRIPT)


def test_uninstallers_of_archives_are_run() -> None:
    content = {
        "/var/lib/VBoxGuestAdditions/config": "INSTALL_DIR='/opt/VBoxGuestAdditions-7.0.8'\n",
        "/opt/VBoxGuestAdditions-7.0.8/uninstall.sh": "#!/bin/sh\n",
        "/etc/vmware-tools/locations": "",
        "/usr/bin/vmware-uninstall-tools.pl": "#!/usr/bin/perl\n",
        "/usr/lib/parallels-tools/install": "#!/bin/sh\n",
        "/etc/init.d/prltoolsd": "#!/bin/sh\n",
    }
    drafted, _ = draft(firstboot.queue_first_boot, case("kvm-ready-debian12", content))
    script = drafted.text(SCRIPT)
    assert "timeout 300 /usr/bin/vmware-uninstall-tools.pl ||" in script
    assert "timeout 300 /opt/VBoxGuestAdditions-7.0.8/uninstall.sh ||" in script
    assert "timeout 300 /usr/lib/parallels-tools/install -r ||" in script


def test_vmwares_uninstaller_leaves_the_initramfs_alone() -> None:
    content = {"/etc/vmware-tools/locations": "answer BINDIR /usr/bin\n"}
    drafted, _ = draft(hypervisor_tools.spare_the_initramfs, case(VMWARE, content))
    assert drafted.text("/etc/vmware-tools/locations").splitlines()[1:] == [
        "remove_answer RESTORE_RAMDISK_CMD",
        "remove_answer RESTORE_RAMDISK_KERNELS",
        "remove_answer RESTORE_RAMDISK_ONECALL",
    ]
