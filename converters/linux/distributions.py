# SPDX-License-Identifier: LGPL-2.1-or-later
"""The distributions that are known, and the little that is to be known of one by its name.

Nearly everything goes by what is found in a guest: its boot loader, initramfs tool, network
stack, package database and init. So a new distribution is a word in this table, or none at all if
it says in os-release(5) what it is like.
"""

from __future__ import annotations

from collections.abc import Mapping

from v2v.changes import Draft
from v2v.model import Guest

# By what they descend from. Words of os-release's ID and ID_LIKE.
FAMILIES: Mapping[str, str] = {
    "Debian": "debian raspbian devuan proxmox kali parrot astra deepin uos pureos univention",
    "Ubuntu": "ubuntu linuxmint pop elementary neon zorin trisquel",
    "Red Hat": "rhel centos almalinux rocky ol circle scientific eurolinux miraclelinux cloudlinux"
    " virtuozzo vzlinux asianux xenserver xcp-ng navix amzn",
    "Fedora": "fedora nobara ultramarine openeuler kylin neokylin anolis alinux opencloudos"
    " tencentos hce euleros bclinux uelinux photon mariner azurelinux",
    "SUSE": "suse sles sles_sap sled sle_hpc sle-micro sl-micro opensuse opensuse-leap"
    " opensuse-tumbleweed opensuse-microos opensuse-leap-micro",
    "Mandriva": "mageia openmandriva mandriva mandrivalinux rosa",
    "Arch": "arch manjaro endeavouros cachyos garuda",
    "of their own": "altlinux alpine postmarketos gentoo void slackware nixos solus",
}
# The microarchitecture level of x86-64 that a release is built for. libc stops at the first
# program on a CPU that has less. Sources: the release notes of each.
_CPU_LEVELS = (
    (("rhel", "centos", "rocky", "ol", "circle", "eurolinux", "miraclelinux", "almalinux"), 10, 3),
    (("rhel", "centos", "rocky", "ol", "circle", "eurolinux", "miraclelinux", "almalinux"), 9, 2),
    (("amzn",), 2023, 2),
    (("sles", "sles_sap", "opensuse-leap", "sl-micro"), 16, 2),
)  # fmt: skip


def check(draft: Draft, guest: Guest) -> None:
    """Warn where nothing is known of a distribution, nor of what it is made from."""
    known = {name for names in FAMILIES.values() for name in names.split()}
    if known.isdisjoint((guest.distro, *guest.like)):
        draft.warn(
            "W-DISTRIBUTION",
            f"{guest.product}: this distribution is not known; what its files show is done",
            hint="prove the result with v2v verify before the old guest is given up",
        )


def cpu_level(guest: Guest) -> int:
    """Return which level of x86-64 the guest's programs need: 2 is x86-64-v2, 1 runs anywhere."""
    major = guest.version.split(".")[0]
    return next(
        (
            level
            for names, since, level in _CPU_LEVELS
            if guest.distro in names and major.isdecimal() and int(major) >= since
        ),
        1,
    )
