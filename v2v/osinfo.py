# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's identity in libosinfo's database, as management tools read it from domain metadata.

The ids follow a few patterns for each distribution, so they are made from those instead of being
looked up: the database of the host may be older than the guest, and the one that counts is that
of the machine where the domain will be managed. Source: the files of osinfo-db.
"""

from __future__ import annotations

import re

from v2v.model import Guest, OsType
from v2v.windows_guest import Windows

# By os-release's ID. ``major`` is 9 of 9.4, ``minor`` is 9.4 of 9.4.1 and 9.0 of 9, ``version`` is
# all of it.
_URLS = {
    "almalinux": "http://almalinux.org/almalinux/{major}",
    "alpine": "http://alpinelinux.org/alpinelinux/{minor}",
    "arch": "http://archlinux.org/archlinux/rolling",
    "asianux": "http://asianux.com/asianux/{minor}",
    "circle": "http://cclinux.org/circle/{minor}",
    "debian": "http://debian.org/debian/{major}",
    "fedora": "http://fedoraproject.org/fedora/{major}",
    "gentoo": "http://gentoo.org/gentoo/rolling",
    "mageia": "http://mageia.org/mageia/{major}",
    "manjaro": "http://manjaro.org/manjaro/rolling",
    "miraclelinux": "http://miraclelinux.com/miraclelinux/{minor}",
    "nixos": "http://nixos.org/nixos/{minor}",
    "ol": "http://oracle.com/ol/{minor}",
    "opensuse": "http://opensuse.org/opensuse/{version}",
    "opensuse-leap": "http://opensuse.org/opensuse/{version}",
    "opensuse-tumbleweed": "http://opensuse.org/opensuse/tumbleweed",
    "pop": "http://system76.com/popos/{minor}",
    "pureos": "http://pureos.net/pureos/{major}",
    "rhel": "http://redhat.com/rhel/{minor}",
    "rocky": "http://rockylinux.org/rocky/{major}",
    "scientific": "http://scientificlinux.org/scientificlinux/{minor}",
    "sled": "http://suse.com/sled/{version}",
    "sle-micro": "http://suse.com/slem/{minor}",
    "sles": "http://suse.com/sles/{version}",
    "slackware": "http://slackware.com/slackware/{version}",
    "ubuntu": "http://ubuntu.com/ubuntu/{minor}",
    "void": "http://voidlinux.org/voidlinux/rolling",
}
_ANY_LINUX = "http://libosinfo.org/linux/2022"  # libosinfo's word for a Linux that it has not


def osinfo_id(guest: Guest) -> str | None:
    """Return libosinfo's URL-shaped id of what is installed, or None if there is no pattern.

    A Linux without a pattern is a generic one, which management tools give virtio devices to.
    """
    parts = guest.version.split(".")
    pattern = _pattern(guest, int(parts[0]) if parts[0].isdecimal() else 0)
    if pattern is None or ("{" in pattern and not guest.version):
        return _ANY_LINUX if guest.type is OsType.linux else None
    minor = ".".join([*parts, "0"][:2])
    return pattern.format(major=parts[0], minor=minor, version=guest.version)


def short_id(guest: Guest) -> str:
    """Return the short id of the same, such as debian12 or sle15sp4; one is made up if need be.

    Of a URL these are the last two parts; what differs stands here.
    """
    url = osinfo_id(guest)
    if url is None or url == _ANY_LINUX:
        return f"{guest.distro}{guest.version}"
    name, version = url.split("/")[-2:]
    if version == "rolling":
        return name
    if name in ("sle", "sled", "sles"):
        version = re.sub(r"\.0$", "", version).replace(".", "sp")
    return f"{name}-{version}" if name == "nixos" else f"{name}{version}"


def _pattern(guest: Guest, major: int) -> str | None:
    if guest.windows is not None:
        return f"http://microsoft.com/win/{_windows(guest.product, guest.windows)}"
    if guest.distro == "altlinux":  # releases since 8 are alt, their repositories alt/p8, p9, ...
        return "http://altlinux.org/" + ("alt/{minor}" if major >= 8 else "altlinux/{minor}")
    if guest.distro == "centos" and (major > 8 or "Stream" in guest.product):
        return "http://centos.org/centos-stream/{major}"  # os-release's ID tells no difference
    if guest.distro == "centos" and major in (7, 8):  # their minor versions have no ids
        return "http://centos.org/centos/" + ("7.0" if major == 7 else "8")
    if guest.distro == "centos":
        return "http://centos.org/centos/{minor}"
    if guest.distro in ("sles", "sled", "sles_sap") and major >= 15:
        return "http://suse.com/sle/{version}"  # server and desktop are one product since 15
    return _URLS.get(guest.distro)


# By the version of NT: client and server.
_WINDOWS = {
    (5, 1): ("xp", "2k3"),
    (5, 2): ("xp", "2k3"),  # XP for x86_64 is a Server 2003 inside
    (6, 0): ("vista", "2k8"),
    (6, 1): ("7", "2k8r2"),
    (6, 2): ("8", "2k12"),
    (6, 3): ("8.1", "2k12r2"),
}
_SERVER_BUILDS = ((26100, "2k25"), (20348, "2k22"), (17763, "2k19"), (0, "2k16"))
_WINDOWS_11 = 22000  # the first build; its NT is still 10.0


def _windows(product: str, windows: Windows) -> str:
    if windows.nt == (5, 2):
        return "xp" if "XP" in product else "2k3r2" if "R2" in product else "2k3"
    if windows.nt in _WINDOWS:
        return _WINDOWS[windows.nt][windows.server]
    if windows.server:
        return next(name for build, name in _SERVER_BUILDS if windows.build >= build)
    return "11" if windows.build >= _WINDOWS_11 else "10"
