# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux.hypervisor_tools import TOOLS, disable_services, leftover_packages
from tests.converters.guests import Case
from tests.converters.linux.databases import sqlite_database
from tests.converters.linux.drafting import Content, case, draft
from v2v.files import Link
from v2v.model import Hypervisor


@pytest.mark.parametrize(
    ("hypervisor", "names"),
    [
        ("VMware", ["open-vm-tools", "open-vm-tools-desktop", "open-vm-tools-sdmp", "VMwareTools",
                    "vmware-tools-esx-kmods-2.6.18-8.el5", "vmware-tools-libraries-nox",
                    "kmod-vmware-tools-vmxnet", "vmware-guest-kmp-default", "open-vm-toolbox"]),
        ("VirtualBox", ["virtualbox-guest-utils", "virtualbox-guest-additions",
                        "virtualbox-guest-tools", "virtualbox-guest-x11-hwe",
                        "virtualbox-ose-guest-dkms"]),
        ("Xen", ["xe-guest-utilities", "xe-guest-utilities-xenstore", "xen-guest-agent",
                 "xen-utils-guest", "kmod-xenpv", "xen-tools-domU"]),
        ("Hyper-V", ["hyperv-daemons", "hyperv-tools", "hypervkvpd", "hyper-v", "hvtools"]),
        ("Parallels", ["parallels-tools"]),
    ],
)  # fmt: skip
def test_the_tools_of_each_hypervisor_are_known(hypervisor: str, names: list[str]) -> None:
    tools = next(tools for tools in TOOLS if tools.name == hypervisor)
    assert [name for name in names if not tools.packages.fullmatch(name)] == []


@pytest.mark.parametrize(
    "name",
    ["ubuntu-server", "xserver-xorg-video-vmware", "xorg-x11-drv-vmware", "libvmtools0",
     "virtualbox", "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "hypervisor", "walinuxagent",
     "amazon-ssm-agent", "google-guest-agent", "qemu-guest-agent", "linux-cloud-tools-common"],
)  # fmt: skip
def test_what_is_no_tool_of_an_old_hypervisor_stays(name: str) -> None:
    assert not any(tools.packages.fullmatch(name) for tools in TOOLS)


def guest(hypervisor: Hypervisor, content: Content) -> Case:
    database = sqlite_database({"open-vm-tools": "11.0.5-3.el7"})
    shared = "/usr/lib/systemd/libsystemd-shared-239.so"
    found = case(
        "kvm-ready-debian12", {"/var/lib/rpm/rpmdb.sqlite": database, shared: "", **content},
        without=("/var/lib/dpkg/status",),
    )  # fmt: skip
    return replace(found, machine=replace(found.machine, hypervisor=hypervisor))


@pytest.mark.parametrize(
    ("hypervisor", "content", "expected"),
    [
        (Hypervisor.vmware, {}, ("open-vm-tools",)),
        (Hypervisor.kvm, {}, ()),
        (Hypervisor.kvm, {"/etc/init.d/vmtoolsd": "#!/bin/sh\n"}, ("open-vm-tools",)),
        (Hypervisor.xen, {"/etc/systemd/system/vmtoolsd.service": Link("/dev/null")},
         ("open-vm-tools",)),
    ],
)  # fmt: skip
def test_the_database_is_asked_of_tools_that_there_may_be(
    hypervisor: Hypervisor, content: Content, expected: tuple[str, ...]
) -> None:
    drafted, conversion = draft(disable_services, guest(hypervisor, content))
    assert leftover_packages(drafted, conversion) == expected


def test_a_category_of_gentoo_is_kept_for_the_removal() -> None:
    content = {"/var/db/pkg/app-emulation/open-vm-tools-12.4.0/CONTENTS": ""}
    old = case("vmware-debian8-sysvinit", content, without=("/var/lib/dpkg/status",))
    drafted, conversion = draft(disable_services, old)
    assert leftover_packages(drafted, conversion) == ("app-emulation/open-vm-tools",)
