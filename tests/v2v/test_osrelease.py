# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.files import DictFiles
from v2v.osrelease import Release, read_release

SLES = "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"os-release": 'ID="rocky"\nVERSION_ID="9.4"\nID_LIKE="rhel centos fedora"\n'
             'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n'},
            ("rocky", "9.4", "Rocky Linux 9.4 (Blue Onyx)"),
        ),
        (
            {"os-release": 'NAME="CentOS Linux"\nID="centos"\nVERSION_ID="7"\n',
             "centos-release": "CentOS Linux release 7.9.2009 (Core)\n"},
            ("centos", "7.9", "CentOS Linux 7"),
        ),
        (
            {"os-release": "NAME='CentOS Stream'\nID=centos\nVERSION_ID=9\n",
             "centos-release": "CentOS Stream release 9\n"},
            ("centos", "9", "CentOS Stream 9"),
        ),
        (
            {"os-release": "ID=debian\nVERSION_ID=12\nNAME=Debian\n", "debian_version": "12.5\n"},
            ("debian", "12.5", "Debian 12"),
        ),
        (
            {"os-release": "ID=raspbian\nVERSION_ID=12\nNAME=Raspbian\n", "debian_version": "12.5"},
            ("raspbian", "12", "Raspbian 12"),
        ),
        (
            {"os-release": 'ID="kylin"\nVERSION_ID="V10"\nPRETTY_NAME="Kylin V10 (Lance)"\n'},
            ("kylin", "10", "Kylin V10 (Lance)"),
        ),
        (
            {"os-release": 'ID="neokylin"\nVERSION_ID="V7Update6"\nNAME=NeoKylin\n'},
            ("neokylin", "7.6", "NeoKylin 7.6"),
        ),
        ({"os-release": "ID=arch\nNAME='Arch Linux'\n"}, ("arch", "", "Arch Linux")),
        (
            {"redhat-release": "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
             "lsb-release": "LSB_VERSION=base-4.0-amd64\n", "system-release": "Red Hat"},
            ("rhel", "6.10", "Red Hat Enterprise Linux Server release 6.10 (Santiago)"),
        ),
        (
            {"redhat-release": "Red Hat Enterprise Linux Server release 6.9 (Santiago)\n",
             "oracle-release": "Oracle Linux Server release 6.9\n"},
            ("ol", "6.9", "Oracle Linux Server release 6.9"),
        ),
        (
            {"redhat-release": "CentOS release 5.11 (Final)\n"},
            ("centos", "5.11", "CentOS release 5.11 (Final)"),
        ),
        (
            {"redhat-release": "Scientific Linux release 6.5 (Carbon)\n"},
            ("scientific", "6.5", "Scientific Linux release 6.5 (Carbon)"),
        ),
        (
            {"redhat-release": "XenServer release 6.5.0-90233c (xenenterprise)\n"},
            ("xenserver", "6.5.0", "XenServer release 6.5.0-90233c (xenenterprise)"),
        ),
        ({"SuSE-release": SLES}, ("sles", "11.4", "SUSE Linux Enterprise Server 11 (x86_64)")),
        (
            {"SuSE-release": "openSUSE 11.4 (x86_64)\nVERSION = 11.4\nCODENAME = Celadon\n"},
            ("opensuse", "11.4", "openSUSE 11.4 (x86_64)"),
        ),
        (
            {"lsb-release": 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\n'
             'DISTRIB_DESCRIPTION="Ubuntu 10.04.4 LTS"\n', "debian_version": "squeeze/sid\n"},
            ("ubuntu", "10.04", "Ubuntu 10.04.4 LTS"),
        ),
        ({"debian_version": "6.0.10\n"}, ("debian", "6.0.10", "Debian GNU/Linux 6.0.10")),
        ({"alpine-release": "2.7.9\n"}, ("alpine", "2.7.9", "alpine 2.7.9")),
        ({"altlinux-release": "ALT Linux 7.0.5 Centaurus\n"},
         ("altlinux", "7.0.5", "ALT Linux 7.0.5 Centaurus")),
        ({"photon-release": "VMware Photon Linux v1.0\n"},
         ("photon", "1.0", "VMware Photon Linux v1.0")),
        ({"gentoo-release": "Gentoo Base System release 2.2\n"},
         ("gentoo", "2.2", "Gentoo Base System release 2.2")),
        ({"arch-release": ""}, ("arch", "", "arch")),
    ],
)  # fmt: skip
def test_each_kind_of_release_file_is_understood(
    files: dict[str, str], expected: tuple[str, str, str]
) -> None:
    found = read_release(DictFiles({f"/etc/{name}": text for name, text in files.items()}))
    assert found is not None
    assert (found.id, found.version, found.product) == expected


def test_derivatives_name_what_they_are_made_from() -> None:
    text = "ID=rocky\nVERSION_ID=9.4\nID_LIKE='rhel centos fedora'\n"
    found = read_release(DictFiles({"/usr/lib/os-release": text}))
    assert found == Release("rocky", "9.4", "rocky 9.4", ("rhel", "centos", "fedora"))
    clone = read_release(DictFiles({"/etc/redhat-release": "Own Linux release 3\n"}))
    assert clone == Release("own", "3", "Own Linux release 3", ("rhel",))


def test_a_guest_without_any_file_is_not_known() -> None:
    assert read_release(DictFiles({"/etc/fstab": ""})) is None


@given(st.sampled_from(["os-release", "SuSE-release", "redhat-release", "lsb-release",
                        "debian_version", "alpine-release"]), st.binary(max_size=300))  # fmt: skip
def test_any_content_is_taken(name: str, data: bytes) -> None:
    found = read_release(DictFiles({f"/etc/{name}": data}))
    assert found is None or found.id
