# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import pytest

from v2v.model import Firmware, Guest, OsType
from v2v.osinfo import osinfo_id

DATABASE = Path("/usr/share/osinfo/os")


def guest(distro: str, version: str, product: str = "") -> Guest:
    return Guest(OsType.linux, distro, version, product, "x86_64", Firmware.bios, "/dev/sda1", {})


@pytest.mark.parametrize(
    ("distro", "version", "expected"),
    [
        ("debian", "12.5", "http://debian.org/debian/12"),
        ("ubuntu", "24.04", "http://ubuntu.com/ubuntu/24.04"),
        ("ubuntu", "22.04.3", "http://ubuntu.com/ubuntu/22.04"),
        ("rhel", "9.4", "http://redhat.com/rhel/9.4"),
        ("rhel", "7", "http://redhat.com/rhel/7.0"),
        ("centos", "10", "http://centos.org/centos-stream/10"),
        ("sles", "15.6", "http://suse.com/sle/15.6"),
    ],
)
def test_ids_follow_their_patterns(distro: str, version: str, expected: str) -> None:
    assert osinfo_id(guest(distro, version)) == expected


@pytest.mark.parametrize(
    ("distro", "version", "product", "file"),
    [
        ("almalinux", "9.1", "", "almalinux.org/almalinux-9.xml"),
        ("alpine", "3.17.1", "", "alpinelinux.org/alpinelinux-3.17.xml"),
        ("arch", "", "", "archlinux.org/archlinux-rolling.xml"),
        ("centos", "9", "CentOS Stream 9", "centos.org/centos-stream-9.xml"),
        ("centos", "8", "CentOS Stream 8", "centos.org/centos-stream-8.xml"),
        ("centos", "8", "CentOS Linux 8", "centos.org/centos-8.xml"),
        ("centos", "7", "CentOS Linux 7 (Core)", "centos.org/centos-7.0.xml"),
        ("centos", "6.10", "CentOS release 6.10 (Final)", "centos.org/centos-6.10.xml"),
        ("debian", "11.6", "", "debian.org/debian-11.xml"),
        ("fedora", "37", "", "fedoraproject.org/fedora-37.xml"),
        ("gentoo", "2.9", "", "gentoo.org/gentoo-rolling.xml"),
        ("mageia", "8", "", "mageia.org/mageia-8.xml"),
        ("manjaro", "", "", "manjaro.org/manjaro-rolling.xml"),
        ("nixos", "22.05", "", "nixos.org/nixos-22.05.xml"),
        ("ol", "8.5", "", "oracle.com/ol-8.5.xml"),
        ("opensuse-leap", "15.4", "", "opensuse.org/opensuse-15.4.xml"),
        ("opensuse-tumbleweed", "20240101", "", "opensuse.org/opensuse-tumbleweed.xml"),
        ("pureos", "10.0", "", "pureos.net/pureos-10.xml"),
        ("rhel", "8.6", "", "redhat.com/rhel-8.6.xml"),
        ("rocky", "9.1", "", "rockylinux.org/rocky-9.xml"),
        ("scientificlinux", "7.6", "", "scientificlinux.org/scientificlinux-7.6.xml"),
        ("slackware", "14.2", "", "slackware.com/slackware-14.2.xml"),
        ("sled", "12.5", "", "suse.com/sled-12.5.xml"),
        ("sles", "11.4", "", "suse.com/sles-11.4.xml"),
        ("sles", "15.4", "", "suse.com/sle-15.4.xml"),
        ("ubuntu", "22.04", "", "ubuntu.com/ubuntu-22.04.xml"),
        ("void", "", "", "voidlinux.org/voidlinux-rolling.xml"),
    ],
)
def test_ids_are_those_of_the_database(distro: str, version: str, product: str, file: str) -> None:
    found = osinfo_id(guest(distro, version, product))
    assert f'<os id="{found}">' in (DATABASE / file).read_text()


@pytest.mark.parametrize(("distro", "version"), [("linuxfromscratch", "12"), ("debian", "")])
def test_what_has_no_pattern_has_no_id(distro: str, version: str) -> None:
    assert osinfo_id(guest(distro, version)) is None
