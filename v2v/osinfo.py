# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's identity in libosinfo's database, as management tools read it from domain metadata.

The ids follow a few patterns for each distribution, so they are made from those instead of being
looked up: the database of the host may be older than the guest, and the one that counts is that
of the machine where the domain will be managed. Source: the files of osinfo-db.
"""

from __future__ import annotations

from v2v.model import Guest

# By os-release's ID, or the name that libguestfs gives where there is no os-release. ``major`` is
# 9 of 9.4, ``minor`` is 9.4 of 9.4.1 and 9.0 of 9, ``version`` is all of it.
_URLS = {
    "almalinux": "http://almalinux.org/almalinux/{major}",
    "alpine": "http://alpinelinux.org/alpinelinux/{minor}",
    "alpinelinux": "http://alpinelinux.org/alpinelinux/{minor}",
    "arch": "http://archlinux.org/archlinux/rolling",
    "archlinux": "http://archlinux.org/archlinux/rolling",
    "debian": "http://debian.org/debian/{major}",
    "fedora": "http://fedoraproject.org/fedora/{major}",
    "gentoo": "http://gentoo.org/gentoo/rolling",
    "mageia": "http://mageia.org/mageia/{major}",
    "manjaro": "http://manjaro.org/manjaro/rolling",
    "nixos": "http://nixos.org/nixos/{minor}",
    "ol": "http://oracle.com/ol/{minor}",
    "opensuse": "http://opensuse.org/opensuse/{version}",
    "opensuse-leap": "http://opensuse.org/opensuse/{version}",
    "opensuse-tumbleweed": "http://opensuse.org/opensuse/tumbleweed",
    "oraclelinux": "http://oracle.com/ol/{minor}",
    "pureos": "http://pureos.net/pureos/{major}",
    "rhel": "http://redhat.com/rhel/{minor}",
    "rocky": "http://rockylinux.org/rocky/{major}",
    "scientificlinux": "http://scientificlinux.org/scientificlinux/{minor}",
    "sled": "http://suse.com/sled/{version}",
    "sles": "http://suse.com/sles/{version}",
    "slackware": "http://slackware.com/slackware/{version}",
    "ubuntu": "http://ubuntu.com/ubuntu/{minor}",
    "void": "http://voidlinux.org/voidlinux/rolling",
    "voidlinux": "http://voidlinux.org/voidlinux/rolling",
}


def osinfo_id(guest: Guest) -> str | None:
    """Return libosinfo's URL-shaped id of what is installed, or None if there is no pattern."""
    parts = guest.version.split(".")
    pattern = _pattern(guest, int(parts[0]) if parts[0].isdecimal() else 0)
    if pattern is None or ("{" in pattern and not guest.version):
        return None
    minor = ".".join([*parts, "0"][:2])
    return pattern.format(major=parts[0], minor=minor, version=guest.version)


def _pattern(guest: Guest, major: int) -> str | None:
    if guest.distro == "centos" and (major > 8 or "Stream" in guest.product):
        return "http://centos.org/centos-stream/{major}"  # os-release's ID tells no difference
    if guest.distro == "centos":
        return f"http://centos.org/centos/{'{major}' if major == 8 else '{minor}'}"
    if guest.distro in ("sles", "sled") and major >= 15:
        return "http://suse.com/sle/{version}"  # server and desktop are one product since 15
    return _URLS.get(guest.distro)
