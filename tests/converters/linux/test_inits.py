# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.inits import Init, disable, find_init, known, udev_version
from converters.linux.packages import Packages
from tests.converters.linux.databases import sqlite_database
from tests.converters.linux.drafting import Content, described
from v2v.changes import Draft
from v2v.files import DictFiles, Link

WANTED = "/etc/systemd/system/multi-user.target.wants/vmtoolsd.service"


def dpkg(name: str, version: str = "1") -> str:
    return f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n"


@pytest.mark.parametrize(
    ("content", "init"),
    [
        ({"/sbin/init": Link("../lib/systemd/systemd"), "/lib/systemd/systemd": ""}, "systemd"),
        ({"/sbin": Link("usr/bin"), "/usr/bin/init": Link("../lib/systemd/systemd"),
          "/usr/lib/systemd/systemd": ""}, "systemd"),
        ({"/var/lib/dpkg/status": dpkg("systemd-sysv")}, "systemd"),
        ({"/sbin/init": Link("/bin/busybox"), "/bin/busybox": "",
          "/etc/runlevels/boot/modules": Link("/etc/init.d/modules")}, "openrc"),
        ({"/sbin/init": Link("runit-init"), "/sbin/runit-init": ""}, "runit"),
        ({"/sbin/init": "ELF", "/etc/init/rc.conf": "start on runlevel [0123456]\n"}, "upstart"),
        ({"/sbin/init": "ELF", "/etc/init/network-interface.conf": ""}, "sysvinit"),
        ({"/sbin/init": Link("init")}, "sysvinit"),
        ({}, "sysvinit"),
    ],
)  # fmt: skip
def test_the_init_is_told_by_what_process_1_is(content: Content, init: str) -> None:
    draft = Draft(DictFiles(content))
    packages = Packages(draft)
    assert find_init(draft, packages, packages.database) == init


def rpm(**packages: str) -> bytes:
    return sqlite_database({name.replace("_", "-"): text for name, text in packages.items()})


@pytest.mark.parametrize(
    ("content", "version"),
    [
        ({"/var/lib/dpkg/status": dpkg("udev", "1:204-5ubuntu20.31")}, 204),
        ({"/usr/lib/systemd/libsystemd-shared-255.4-1.fc40.so": ""}, 255),
        ({"/usr/lib/systemd/libsystemd-shared-252.so": "", "/var/lib/rpm/Packages": "bad"}, 252),
        ({"/lib/systemd/libsystemd-shared-239.so": ""}, 239),
        ({"/var/lib/rpm/Packages": rpm(systemd="219-78.el7")}, 219),
        ({"/var/lib/rpm/Packages": rpm(udev="147-2.73.el6", bash="4.1.2-48.el6")}, 147),
        ({"/var/db/pkg/sys-apps/systemd-utils-254.10/CONTENTS": ""}, 254),
        ({"/lib/apk/db/installed": "P:eudev\nV:3.2.14-r0\n"}, 0),
        ({}, 0),
    ],
)
def test_udevs_version_is_found_for_each_family(content: Content, version: int) -> None:
    draft = Draft(DictFiles(content))
    packages = Packages(draft)
    assert udev_version(draft, packages, packages.database) == version
    assert draft.warnings == []


def test_a_unit_of_systemd_is_masked_if_it_starts() -> None:
    draft = Draft(DictFiles({WANTED: Link("/usr/lib/systemd/system/vmtoolsd.service")}))
    disable(draft, Init.systemd, "vmtoolsd", "why")
    disable(draft, Init.systemd, "vgauthd", "why")
    assert described(draft) == ["link /etc/systemd/system/vmtoolsd.service -> /dev/null"]


def test_a_script_that_systemd_makes_a_unit_of_is_masked() -> None:
    draft = Draft(DictFiles({"/etc/rc.d/rc3.d/S03vmware-tools": Link("../init.d/vmware-tools")}))
    disable(draft, Init.systemd, "vmware-tools", "why")
    assert described(draft) == ["link /etc/systemd/system/vmware-tools.service -> /dev/null"]


@pytest.mark.parametrize(
    "path",
    ["/etc/rc3.d/S20xe-daemon", "/etc/rc.d/rc3.d/S20xe-daemon", "/etc/init.d/rc5.d/S20xe-daemon",
     "/etc/init.d/boot.d/S01xe-daemon", "/etc/runlevels/default/xe-daemon",
     "/etc/runit/runsvdir/default/xe-daemon"],
)  # fmt: skip
def test_the_link_that_starts_a_service_goes_and_others_stay(path: str) -> None:
    other = path.replace("xe-daemon", "sshd")
    draft = Draft(DictFiles({path: Link("/x"), other: Link("/y")}))
    assert known(draft, "xe-daemon")
    disable(draft, Init.sysvinit, "xe-daemon", "why")
    assert described(draft) == [f"remove {path}"]


def test_a_job_of_upstart_is_overridden_or_told_to_start_on_nothing() -> None:
    job = "description 'tools'\nstart on runlevel [2345]\nexec /usr/sbin/tools\n"
    ubuntu = Draft(DictFiles({"/etc/init/rc-sysinit.conf": "", "/etc/init/vmware-tools.conf": job}))
    disable(ubuntu, Init.upstart, "vmware-tools", "why")
    assert ubuntu.text("/etc/init/vmware-tools.override") == "manual\n"
    redhat = Draft(DictFiles({"/etc/init/rcS.conf": "", "/etc/init/vmware-tools.conf": job}))
    for _ in range(2):
        disable(redhat, Init.upstart, "vmware-tools", "why")
    assert redhat.text("/etc/init/vmware-tools.conf").splitlines()[1] == (
        "#start on runlevel [2345]"
    )
