# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.packages import Database, Packages
from tests.converters.linux.databases import BACKENDS, rpm_database
from v2v.changes import Draft
from v2v.files import DictFiles, Link

STATUS = """\
Package: udev
Status: install ok installed
Version: 252.39-1~deb12u2
Description: device manager
 Status: not a field

Package: open-vm-tools
Status: deinstall ok config-files
Version: 2:12

Package: held
Status: hold ok half-configured
Version: 1
"""
XBPS = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple Computer//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>open-vm-tools</key>
	<dict>
		<key>pkgver</key>
		<string>open-vm-tools-12.4.0_1</string>
		<key>installed_size</key>
		<integer>0x2328</integer>
	</dict>
	<key>runit</key>
	<dict>
		<key>pkgver</key>
		<string>runit-2.1.2_15</string>
	</dict>
</dict>
</plist>
"""


def installed(content: dict[str, bytes | str | Link]) -> Packages:
    return Packages(Draft(DictFiles(content)))


def test_packages_count_unless_only_their_configuration_is_left() -> None:
    found = installed({"/var/lib/dpkg/status": STATUS})
    assert found.database is Database.dpkg
    assert dict(found) == {"udev": "252.39-1~deb12u2", "held": "1"}


@pytest.mark.parametrize(
    ("content", "database", "expected"),
    [
        (
            {"/var/lib/dpkg/status.d/libc6": "Package: libc6\nVersion: 2.36-9\n"},
            "dpkg", {"libc6": "2.36-9"},
        ),
        (
            {"/lib/apk/db/installed": "C:Q1x=\nP:musl\nV:1.2.5-r0\n\nP:busybox\nV:1.36.1-r2\n"},
            "apk", {"musl": "1.2.5-r0", "busybox": "1.36.1-r2"},
        ),
        (
            {"/var/lib/pacman/local/ALPM_DB_VERSION": "9",
             "/var/lib/pacman/local/open-vm-tools-6:12.4.0-2/desc": "%NAME%\n"},
            "pacman", {"open-vm-tools": "6:12.4.0-2"},
        ),
        (
            {"/var/db/pkg/sys-fs/udev-init-scripts-35/CONTENTS": "",
             "/var/db/pkg/app-emulation/open-vm-tools-12.4.0-r1/CONTENTS": ""},
            "portage",
            {"app-emulation/open-vm-tools": "12.4.0-r1", "sys-fs/udev-init-scripts": "35"},
        ),
        (
            {"/var/db/xbps/pkgdb-0.38.plist": XBPS},
            "xbps", {"open-vm-tools": "12.4.0_1", "runit": "2.1.2_15"},
        ),
    ],
)  # fmt: skip
def test_each_text_database_is_read(
    content: dict[str, bytes | str | Link], database: str, expected: dict[str, str]
) -> None:
    found = installed(content)
    assert found.database == database
    assert dict(found) == expected


@pytest.mark.parametrize("folder", ["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm"])
@pytest.mark.parametrize("name", BACKENDS[:3])
def test_each_rpm_database_is_read_wherever_it_is(folder: str, name: str) -> None:
    found = installed({f"{folder}/{name}": rpm_database(name)})
    assert found.database is Database.rpm
    assert found["systemd"] == "1:219-78.el7"
    assert len(found) == 3


def test_a_database_behind_a_link_is_found() -> None:
    content: dict[str, bytes | str | Link] = {
        "/var/lib/rpm": Link("../../usr/lib/sysimage/rpm"),
        "/usr/lib/sysimage/rpm/rpmdb.sqlite": rpm_database("rpmdb.sqlite"),
    }
    assert "open-vm-tools" in installed(content)


def test_sqlites_log_counts() -> None:
    content: dict[str, bytes | str | Link] = {
        f"/var/lib/rpm/{name}": rpm_database(name) for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal")
    }
    assert installed(content)["late-vm-tools"] == "11.0.5-3.el7"


def test_an_empty_database_of_another_tool_does_not_count() -> None:
    content: dict[str, bytes | str | Link] = {
        "/var/lib/dpkg/status": "",
        "/var/lib/rpm/Packages": rpm_database("Packages"),
    }
    assert installed(content).database is Database.rpm


def test_a_damaged_database_is_warned_of_once() -> None:
    draft = Draft(DictFiles({"/var/lib/rpm/Packages": b"no database"}))
    found = Packages(draft)
    assert found.database is Database.rpm
    assert draft.warnings == []  # until somebody needs it
    assert len(found) == 0
    assert "open-vm-tools" not in found
    assert [warning.code for warning in draft.warnings] == ["W-PACKAGES"]


def test_a_guest_without_any_database_has_no_packages() -> None:
    found = installed({"/etc/fstab": ""})
    assert found.database is None
    assert dict(found) == {}
