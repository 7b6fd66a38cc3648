# SPDX-License-Identifier: LGPL-2.1-or-later
from dataclasses import replace
from pathlib import Path

import pytest

from v2v.model import Firmware, Guest, OsType
from v2v.osinfo import osinfo_id, short_id
from v2v.windows_guest import Windows

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
        ("altlinux", "10.0", "", "altlinux.org/alt-10.0.xml"),
        ("altlinux", "7.0.5", "", "altlinux.org/altlinux-7.0.xml"),
        ("arch", "", "", "archlinux.org/archlinux-rolling.xml"),
        ("centos", "9", "CentOS Stream 9", "centos.org/centos-stream-9.xml"),
        ("centos", "8", "CentOS Stream 8", "centos.org/centos-stream-8.xml"),
        ("centos", "8", "CentOS Linux 8", "centos.org/centos-8.xml"),
        ("centos", "7.9", "CentOS Linux 7 (Core)", "centos.org/centos-7.0.xml"),
        ("centos", "6.10", "CentOS release 6.10 (Final)", "centos.org/centos-6.10.xml"),
        ("circle", "8.5", "", "cclinux.org/circle-8.5.xml"),
        ("debian", "11.6", "", "debian.org/debian-11.xml"),
        ("fedora", "37", "", "fedoraproject.org/fedora-37.xml"),
        ("gentoo", "2.9", "", "gentoo.org/gentoo-rolling.xml"),
        ("mageia", "8", "", "mageia.org/mageia-8.xml"),
        ("manjaro", "", "", "manjaro.org/manjaro-rolling.xml"),
        ("nixos", "22.05", "", "nixos.org/nixos-22.05.xml"),
        ("ol", "8.5", "", "oracle.com/ol-8.5.xml"),
        ("opensuse-leap", "15.4", "", "opensuse.org/opensuse-15.4.xml"),
        ("opensuse-tumbleweed", "20240101", "", "opensuse.org/opensuse-tumbleweed.xml"),
        ("pop", "20.10", "", "system76.com/popos-20.10.xml"),
        ("pureos", "10.0", "", "pureos.net/pureos-10.xml"),
        ("rhel", "8.6", "", "redhat.com/rhel-8.6.xml"),
        ("rocky", "9.1", "", "rockylinux.org/rocky-9.xml"),
        ("scientific", "7.6", "", "scientificlinux.org/scientificlinux-7.6.xml"),
        ("slackware", "14.2", "", "slackware.com/slackware-14.2.xml"),
        ("sled", "12.5", "", "suse.com/sled-12.5.xml"),
        ("sle-micro", "5.2", "", "suse.com/slem-5.2.xml"),
        ("sles", "11.4", "", "suse.com/sles-11.4.xml"),
        ("sles", "12", "", "suse.com/sles-12.xml"),
        ("sles", "15.4", "", "suse.com/sle-15.4.xml"),
        ("ubuntu", "22.04", "", "ubuntu.com/ubuntu-22.04.xml"),
        ("void", "", "", "voidlinux.org/voidlinux-rolling.xml"),
    ],
)
def test_ids_are_those_of_the_database(distro: str, version: str, product: str, file: str) -> None:
    one = guest(distro, version, product)
    entry = (DATABASE / file).read_text()
    assert f'<os id="{osinfo_id(one)}">' in entry
    assert f"<short-id>{short_id(one)}</short-id>" in entry


@pytest.mark.parametrize(("distro", "version"), [("linuxfromscratch", "12"), ("debian", "")])
def test_a_linux_without_a_pattern_is_a_generic_one(distro: str, version: str) -> None:
    found = guest(distro, version)
    assert (
        f'<os id="{osinfo_id(found)}">' in (DATABASE / "libosinfo.org/linux-2022.xml").read_text()
    )
    assert short_id(found) == f"{distro}{version}"


def test_another_system_without_a_pattern_has_no_id() -> None:
    assert osinfo_id(replace(guest("windows", "10"), type=OsType.windows)) is None


@pytest.mark.parametrize(
    ("nt", "build", "variant", "product", "file"),
    [
        ((5, 1), 2600, "", "Microsoft Windows XP", "win-xp"),
        ((5, 2), 3790, "", "Microsoft Windows XP", "win-xp"),
        ((5, 2), 3790, "", "Windows Server 2003 R2", "win-2k3r2"),
        ((6, 0), 6002, "Server", "Windows Server (R) 2008 Standard", "win-2k8"),
        ((6, 1), 7601, "Client", "Windows 7 Professional", "win-7"),
        ((6, 1), 7601, "Server", "Windows Server 2008 R2 Standard", "win-2k8r2"),
        ((6, 2), 9200, "Client", "Windows 8 Pro", "win-8"),
        ((6, 3), 9600, "Server Core", "Windows Server 2012 R2 Standard", "win-2k12r2"),
        ((10, 0), 19045, "Client", "Windows 10 Pro", "win-10"),
        ((10, 0), 22631, "Client", "Windows 11 Pro", "win-11"),
        ((10, 0), 14393, "Server", "Windows Server 2016 Standard", "win-2k16"),
        ((10, 0), 17763, "Server", "Windows Server 2019 Standard", "win-2k19"),
        ((10, 0), 20348, "Server", "Windows Server 2022 Standard", "win-2k22"),
    ],
)
def test_the_database_knows_each_windows(
    nt: tuple[int, int], build: int, variant: str, product: str, file: str
) -> None:
    windows = Windows("/Windows", "", "", "ControlSet001", nt, build, variant)
    found = replace(guest("windows", ".".join(map(str, nt)), product), windows=windows)
    text = (DATABASE / "microsoft.com" / f"{file}.xml").read_text()
    assert f'<os id="{osinfo_id(found)}">' in text
    assert f"<short-id>{short_id(found)}</short-id>" in text
