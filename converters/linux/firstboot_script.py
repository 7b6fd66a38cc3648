# SPDX-License-Identifier: LGPL-2.1-or-later
"""The text of the script that runs at first boot, put together of pieces for a guest's own tools.

It is for any POSIX shell, busybox's too. Only what is named is removed: a package that another one
needs stays, and no package manager is asked to tidy up, as it may take more than it should.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from converters.linux.inits import Init
from converters.linux.packages import Database

# In a folder whose label in each SELinux policy is bin_t, which init may run programs of.
SCRIPT = "/usr/sbin/v2v-firstboot"


@dataclass(frozen=True, slots=True)
class _Manager:
    """Shell commands on packages; $1 or "$@" are their names."""

    installed: str
    remove: str
    install: str  # "" where nothing is installed
    agent: str = "qemu-guest-agent"


# apt is told to fetch first, within some time, and then to install, which nothing cuts off. rpm -e
# is used where dnf or zypper could remove more; it needs no network and no repository. pacman gets
# no new list of packages, as it would then mix releases (its manual calls that unsupported).
_MANAGERS: Mapping[Database, _Manager] = {
    Database.dpkg: _Manager(
        installed="""dpkg -s "$1" 2> /dev/null | grep -q '^Status: .* installed$'""",
        remove='dpkg --purge "$@"',
        install="""\
quiet="-q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=0 -o Acquire::http::Timeout=20"
    dpkg --configure -a # does nothing unless the guest was switched off half-way
    timeout 300 apt-get $quiet update &&
        timeout 600 apt-get $quiet --download-only --no-install-recommends install "$1" &&
        apt-get $quiet --no-download --no-install-recommends install "$1\"""",
    ),
    Database.rpm: _Manager(
        installed='rpm -q "$1" > /dev/null 2>&1',
        remove='rpm -e --allmatches "$@"',
        install="""\
for manager in zypper tdnf dnf yum urpmi apt-get; do
        command -v $manager > /dev/null && break
    done
    case $manager in
    zypper) ZYPP_LOCK_TIMEOUT=300 zypper -n install -l "$1" ;;
    tdnf) tdnf -y install "$1" ;;
    dnf | yum) $manager -y --setopt=timeout=20 --setopt=retries=2 install "$1" ;;
    urpmi) urpmi --auto "$1" ;;
    apt-get) timeout 300 apt-get -q -y update && apt-get -q -y install "$1" ;;
    esac""",
    ),
    Database.apk: _Manager(
        installed='apk info -e "$1" > /dev/null 2>&1',
        remove='apk --wait 300 del "$@"',
        install='apk --wait 300 --update-cache add "$1"',
    ),
    Database.pacman: _Manager(
        installed='pacman -Q "$1" > /dev/null 2>&1',
        remove='pacman -R --noconfirm "$@"',
        install='pacman -S --noconfirm --needed "$1"',
    ),
    Database.portage: _Manager(
        installed='ls -d "/var/db/pkg/$1"-[0-9]* > /dev/null 2>&1',
        remove='CLEAN_DELAY=0 emerge --quiet --unmerge "$@"',
        install="",
        agent="app-emulation/qemu-guest-agent",
    ),
    Database.xbps: _Manager(
        installed='xbps-query "$1" > /dev/null 2>&1',
        remove='xbps-remove -y "$@"',
        install='xbps-install -S -y "$1"',
        agent="qemu-ga",
    ),
}

# The service is called qemu-ga by some.
_ENABLE: Mapping[Init, str] = {
    Init.systemd: """\
systemctl enable $name 2> /dev/null
    timeout 120 systemctl start $name && break""",
    Init.openrc: """\
[ -e /etc/init.d/$name ] || continue
    rc-update add $name default
    timeout 120 rc-service $name start""",
    Init.runit: """\
[ -e /etc/sv/$name ] || continue
    ln -sf /etc/sv/$name /etc/runit/runsvdir/default/$name""",
}
_ENABLE_SYSV = """\
[ -e /etc/init.d/$name ] || continue
    ! command -v chkconfig > /dev/null || chkconfig $name on
    timeout 120 /etc/init.d/$name start"""

_HEAD = """\
#!/bin/sh
# Written by v2v when it converted this guest to KVM. It runs once, in the background of the first
# boot, and then removes itself. What it says is in /var/log/v2v-firstboot.log.
exec >> /var/log/v2v-firstboot.log 2>&1 < /dev/null
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export PATH DEBIAN_FRONTEND
say() { echo "$(date '+%Y-%m-%d %H:%M:%S') $*"; }
timeout 1 true 2> /dev/null || timeout() { shift; "$@"; } # there is none in RHEL 5
"""
_INSTALLED = """
installed() {{
    {installed}
}}
"""
_REMOVE = """
# Tools of the old hypervisor; one that another package depends on stays.
remove() {{
    {remove}
}}
left() {{ for package in {packages}; do ! installed "$package" || echo "$package"; done; }}
for try in 1 2 3 4 5; do
    packages=$(left)
    [ -n "$packages" ] || break
    say "removing" $packages
    remove $packages || for package in $packages; do remove "$package"; done
    [ -z "$(left)" ] || sleep 20
done
"""
_UNMASK = """[ -n "$(left)" ] || rm -f {masks}
"""
_UNINSTALL = """
say {said}
timeout 300 {command} || say "it failed"
"""
_AGENT = """
install() {{
    {install}
}}
for try in 1 2 3 4 5 6 7 8 9 10; do
    ! installed {agent} || break
    say "installing {agent}, try $try of 10"
    install {agent} || sleep 60
done
# At boot its device starts it, but that was there before.
for name in qemu-guest-agent qemu-ga; do
    {enable}
done
"""
_TAIL = """
say "done"
"""


def installs(database: Database) -> bool:
    """Tell whether packages are installed at first boot, with the package manager of a guest."""
    return bool(_MANAGERS[database].install)


def agent_package(database: Database) -> str:
    """Return the name of the package of QEMU's guest agent."""
    return _MANAGERS[database].agent


def script(
    database: Database | None,
    init: Init,
    *,
    packages: Sequence[str],
    masks: Sequence[str],
    uninstallers: Iterable[Sequence[str]],
    agent: bool,
    clean_up: str,
) -> str:
    """Return the script: remove packages, run uninstallers, install the agent, clean up."""
    text = _HEAD
    manager = _MANAGERS[database] if database is not None else None
    if manager is not None and (packages or agent):
        text += _INSTALLED.format(installed=manager.installed)
    if manager is not None and packages:
        text += _REMOVE.format(remove=manager.remove, packages=shlex.join(packages))
        text += _UNMASK.format(masks=shlex.join(masks)) if masks else ""
    for command in uninstallers:
        said = shlex.quote(f"running {command[0]}")
        text += _UNINSTALL.format(said=said, command=shlex.join(command))
    if manager is not None and agent:
        enable = _ENABLE.get(init, _ENABLE_SYSV)
        text += _AGENT.format(install=manager.install, agent=manager.agent, enable=enable)
    return text + _TAIL + clean_up
