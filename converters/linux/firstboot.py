# SPDX-License-Identifier: LGPL-2.1-or-later
"""Queues what only the running guest can do: a script that runs once and then removes itself.

It runs in the background, so that nothing waits for it, and gives up after some tries.
"""

from __future__ import annotations

from converters.linux.conversion import Conversion
from converters.linux.firstboot_script import SCRIPT, agent_package, installs, script
from converters.linux.hypervisor_tools import leftover_packages, masked, uninstallers
from converters.linux.inits import SYSTEMD, Init
from converters.linux.packages import Database
from v2v.changes import Draft

UNIT = f"{SYSTEMD}/v2v-firstboot.service"
_WANTED = f"{SYSTEMD}/multi-user.target.wants/v2v-firstboot.service"
_OPENRC = "/etc/init.d/v2v-firstboot"
_OPENRC_LINK = "/etc/runlevels/default/v2v-firstboot"
_SUSE_SYSV = "/etc/init.d/boot.d"
_RC_LINE = f"[ ! -x {SCRIPT} ] || {SCRIPT} & # v2v-firstboot\n"
_WHY_SCRIPT = "what only the running guest can do is done once, in the background"
_WHY_START = "the first boot script must be started; nothing waits for it"
_SOURCES = {
    Database.dpkg: ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*"),
    Database.rpm: ("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo", "/etc/urpmi/urpmi.cfg",
                   "/etc/apt/sources.list", "/etc/apt/sources.list.d/*",
                   "/etc/sysconfig/rhn/systemid"),
    Database.apk: ("/etc/apk/repositories",),
    Database.pacman: ("/etc/pacman.conf",),
    Database.xbps: ("/etc/xbps.d", "/usr/share/xbps.d"),
}  # fmt: skip

_UNIT_TEXT = f"""\
[Unit]
Description=First boot after the conversion to KVM by v2v
After=network.target

[Service]
ExecStart={SCRIPT}

[Install]
WantedBy=multi-user.target
"""
_OPENRC_TEXT = f"""\
{{interpreter}}
description="First boot after the conversion to KVM by v2v"

depend() {{{{
    after net
}}}}

start() {{{{
    {SCRIPT} &
}}}}
"""


def queue_first_boot(draft: Draft, conversion: Conversion) -> None:
    """Remove other hypervisors' tools and fetch QEMU's guest agent when the guest first runs.

    The agent lets the host shut the guest down and freeze its file systems for a backup.
    """
    packages = leftover_packages(draft, conversion)
    programs = uninstallers(draft)
    agent = _wants_agent(draft, conversion)
    if not (packages or programs or agent) or _read_only(draft):
        return
    text = script(
        conversion.packages.database,
        conversion.init,
        packages=packages,
        masks=masked(draft),
        uninstallers=programs,
        agent=agent,
        clean_up=_start(draft, conversion.init),
    )
    draft.write(SCRIPT, text, why=_WHY_SCRIPT, mode=0o755)


def _wants_agent(draft: Draft, conversion: Conversion) -> bool:
    """Tell whether the guest is to fetch the agent: it has a channel for it, a network, no agent.

    Where that is so but it cannot, the user is told.
    """
    if not conversion.capabilities.agent or not conversion.machine.nics:
        return False
    database = conversion.packages.database
    if database is Database.rpm:  # a file is found sooner than a package in a large database
        present = draft.exists("/usr/bin/qemu-ga")
    else:
        present = database is not None and agent_package(database) in conversion.packages
    if present:
        return False
    reason = _agent_obstacle(draft, conversion)
    if reason is not None:
        draft.warn(
            "W-AGENT",
            f"{conversion.guest.product}: QEMU's guest agent is not installed at first boot: "
            f"{reason}",
            hint="install it in the guest by hand; without it backups freeze no file systems",
        )
    return reason is None


def _agent_obstacle(draft: Draft, conversion: Conversion) -> str | None:
    database = conversion.packages.database
    if database is None:
        return "its package manager is not known"
    if not installs(database):
        return "its package manager builds from source, which takes long"
    if _read_only(draft):
        return "its root file system is mounted read-only"
    apt = database is not Database.dpkg or "apt" in conversion.packages
    if not apt or not any(draft.glob(place) for place in _SOURCES[database]):
        return "it has no package sources"
    return None


def _read_only(draft: Draft) -> bool:
    """Tell whether fstab(5) mounts the root to stay read-only, as SLE Micro does: no file goes."""
    if not draft.is_file("/etc/fstab"):
        return False
    rows = (line.split() for line in draft.text("/etc/fstab").splitlines())
    return any(row[1:2] == ["/"] and "ro" in "".join(row[3:4]).split(",") for row in rows)


def _start(draft: Draft, init: Init) -> str:
    """Have the script started in the way of the guest's init; return the commands that end that."""
    if init is Init.systemd:
        draft.write(UNIT, _UNIT_TEXT, why=_WHY_START)
        draft.link(_WANTED, UNIT, why=_WHY_START)
        return f"rm -f {SCRIPT} {UNIT} \\\n    {_WANTED}\nsystemctl daemon-reload\n"
    if init is Init.openrc:
        draft.write(_OPENRC, _openrc_service(draft), why=_WHY_START, mode=0o755)
        draft.link(_OPENRC_LINK, _OPENRC, why=_WHY_START)
        return f"rm -f {SCRIPT} {_OPENRC} {_OPENRC_LINK}\n"
    path = _rc_local(draft)
    new = "#!/bin/sh\n"
    old = draft.text(path) if draft.is_file(path) else new
    text = old if _RC_LINE in old else _before_exit(old)
    draft.write(path, text, why=_WHY_START, mode=0o755)
    if text == new + _RC_LINE:
        return f"rm -f {SCRIPT} {path}\n"
    return f"sed -i '/# v2v-firstboot$/d' {path}\nrm -f {SCRIPT}\n"


def _openrc_service(draft: Draft) -> str:
    """Return the service with the interpreter of the others: runscript before OpenRC 0.13."""
    old = draft.text("/etc/init.d/local") if draft.is_file("/etc/init.d/local") else ""
    interpreter = old.split("\n")[0] if old.startswith("#!") else "#!/sbin/openrc-run"
    return _OPENRC_TEXT.format(interpreter=interpreter)


def _rc_local(draft: Draft) -> str:
    """Return the script that runs after all services: of Red Hat and Slackware, of SUSE, of others.

    A script in /etc/rc2.d is not started before insserv has seen it, so that is no way.
    """
    if draft.is_file("/etc/rc.d/rc.local"):
        return "/etc/rc.d/rc.local"
    return "/etc/init.d/after.local" if draft.exists(_SUSE_SYSV) else "/etc/rc.local"


def _before_exit(text: str) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    end = next((i for i, line in enumerate(lines) if line.strip() == "exit 0"), len(lines))
    return "".join([*lines[:end], _RC_LINE, *lines[end:]])
