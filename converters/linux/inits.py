# SPDX-License-Identifier: LGPL-2.1-or-later
"""What starts a guest's services, where it keeps which ones, and how to keep one from starting."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from enum import StrEnum, auto

from converters.linux.packages import Database
from v2v.changes import Draft
from v2v.files import realpath

SYSTEMD = "/etc/systemd/system"
# Services that start at boot, by their links: System V of Debian, Red Hat and SUSE, OpenRC, runit.
_STARTS = (
    "/etc/rc[2345S].d/S[0-9][0-9]{}",
    "/etc/rc.d/rc[2345].d/S[0-9][0-9]{}",
    "/etc/init.d/rc[2345S].d/S[0-9][0-9]{}",
    "/etc/init.d/boot.d/S[0-9][0-9]{}",
    "/etc/runlevels/*/{}",
    "/etc/runit/runsvdir/*/{}",
)
_START_ON = re.compile(r"^start on\b[^()\n]*$", re.MULTILINE)
_SHARED = re.compile(r"libsystemd-shared-(\d+)\b.*\.so")
# Where udev's version stands, if no file's name has it: systemd has been its home since 183.
_UDEV = ("udev", "systemd-udev", "systemd", "sys-apps/systemd-utils", "sys-fs/udev")


class Init(StrEnum):
    """What runs as process 1, or what that leaves the services to."""

    systemd = auto()
    upstart = auto()
    openrc = auto()
    runit = auto()
    sysvinit = auto()


def find_init(draft: Draft, packages: Mapping[str, str], database: Database | None) -> Init:
    """Return what starts the services. dpkg's guests say so by a package, others by /sbin/init."""
    if database is Database.dpkg and "systemd-sysv" in packages:
        return Init.systemd
    try:
        program = posixpath.basename(realpath(draft, "/sbin/init"))
    except FileNotFoundError:
        program = ""
    if program == "systemd":
        return Init.systemd
    if draft.listdir("/etc/runlevels"):
        return Init.openrc
    if program.startswith("runit"):
        return Init.runit
    # Packages of Debian bring jobs for upstart that sysvinit does not look at.
    if any(draft.is_file(f"/etc/init/{name}.conf") for name in ("rc", "rcS", "rc-sysinit")):
        return Init.upstart
    return Init.sysvinit


def udev_version(draft: Draft, packages: Mapping[str, str], database: Database | None) -> int:
    """Return 252 for udev 252.39; 0 where another program names the devices: eudev, mdev.

    The name of a library tells it (since systemd 231); packages are asked for it where those are
    quickly read, or where there is no such library.
    """
    if database is not Database.dpkg:
        for name in draft.listdir("/usr/lib/systemd") or draft.listdir("/lib/systemd"):
            if found := _SHARED.fullmatch(name):
                return int(found[1])
    version = next((packages[name] for name in _UDEV if name in packages), "")
    number = re.match(r"\d+", version.rpartition(":")[2])
    return int(number[0]) if number else 0


def starts(draft: Draft, service: str) -> bool:
    """Tell whether a service starts at boot, whatever runs the services."""
    units = (f"{SYSTEMD}/*.{kind}/{service}.service" for kind in ("wants", "requires"))
    places = (place.format(service) for place in _STARTS)
    return any(draft.glob(pattern) for pattern in (*units, *places, f"/etc/init/{service}.conf"))


def known(draft: Draft, service: str) -> bool:
    """Tell whether a service starts at boot, or has a script, or is masked."""
    return (
        starts(draft, service)
        or draft.exists(f"/etc/init.d/{service}")
        or draft.exists(f"/etc/sv/{service}")
        or draft.stat(mask(service)) is not None
    )


def disable(draft: Draft, init: Init, service: str, why: str) -> None:
    """Keep a service from starting: a mask for systemd, systemd.unit(5), no link for the others.

    systemd makes units of System V's scripts, and a mask hides them. upstart has override files
    since 1.3; Red Hat's is 0.6.5, and there the job is told to start on nothing.
    """
    if init is Init.systemd:
        if starts(draft, service):
            draft.link(mask(service), "/dev/null", why=why)
        return
    for place in _STARTS:
        for link in draft.glob(place.format(service)):
            draft.remove(link, why=why)
    job = f"/etc/init/{service}.conf"
    if draft.is_file(job) and not draft.is_file("/etc/init/rc-sysinit.conf"):
        draft.write(job, _START_ON.sub(r"#\g<0>", draft.text(job)), why=why)
    elif draft.is_file(job):
        draft.write(f"/etc/init/{service}.override", "manual\n", why=why)


def mask(service: str) -> str:
    """Return where a link to /dev/null keeps a service from starting."""
    return f"{SYSTEMD}/{service}.service"
