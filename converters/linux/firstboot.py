# SPDX-License-Identifier: LGPL-2.1-or-later
"""Queues what only the running guest can do: a script that runs once and then removes itself.

It runs in the background, so that nothing waits for it, and gives up after some tries.
"""

from __future__ import annotations

import shlex

from converters.linux.conversion import Conversion
from converters.linux.hypervisor_tools import leftover_packages, masked, uninstallers
from v2v.changes import Draft

SCRIPT = "/usr/lib/v2v/firstboot"
UNIT = "/etc/systemd/system/v2v-firstboot.service"
_WANTED = "/etc/systemd/system/multi-user.target.wants/v2v-firstboot.service"
_RC_LOCAL = "/etc/rc.local"
_RC_LINE = f"[ ! -x {SCRIPT} ] || {SCRIPT} & # v2v-firstboot"
AGENT = "qemu-guest-agent"
_WHY_SCRIPT = "what only the running guest can do is done once, in the background"
_WHY_START = "the first boot script must be started; nothing waits for it"

_HEAD = """\
#!/bin/sh
# Written by v2v when it converted this guest to KVM. It runs once, in the background of the first
# boot, and then removes itself. What it says is in /var/log/v2v-firstboot.log.
exec >> /var/log/v2v-firstboot.log 2>&1 < /dev/null
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export PATH DEBIAN_FRONTEND
say() { echo "$(date '+%Y-%m-%d %H:%M:%S') $*"; }
"""

_PURGE = """
# Tools of the old hypervisor; dpkg keeps those that another package depends on.
for try in 1 2 3 4 5; do
    say "removing {packages}"
    dpkg --purge {packages}
    dpkg -s {packages} 2> /dev/null | grep -q '^Status: .* installed$' || break
    sleep 20
done
"""

_UNINSTALL = """
say "running {program}"
timeout 300 {program} || say "{program} failed"
"""

_UNMASK = """
dpkg -s {packages} 2> /dev/null | grep -q '^Status: .* installed$' || rm -f {masks}
"""

# Downloads are bounded in time; the installation itself is never cut off.
_AGENT = """
quiet="-q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=0 -o Acquire::http::Timeout=20"
for try in 1 2 3 4 5 6 7 8 9 10; do
    say "fetching qemu-guest-agent, try $try of 10"
    if timeout 300 apt-get $quiet update &&
        timeout 600 apt-get $quiet --download-only --no-install-recommends install qemu-guest-agent
    then
        apt-get $quiet --no-download --no-install-recommends install qemu-guest-agent && break
    fi
    dpkg --configure -a # does nothing unless the guest was switched off half-way
    sleep 60
done
# Its udev rule starts it when the device appears, and that has been there for long.
timeout 120 service qemu-guest-agent start
"""

_TAIL_SYSTEMD = f"""
say "done"
rm -f {SCRIPT} {UNIT} \\
    {_WANTED}
rmdir /usr/lib/v2v
systemctl daemon-reload
"""

_TAIL_RC_LOCAL = f"""
say "done"
sed -i '/# v2v-firstboot$/d' {_RC_LOCAL}
rm -f {SCRIPT}
rmdir /usr/lib/v2v
"""

_UNIT_TEXT = f"""\
[Unit]
Description=First boot after the conversion to KVM by v2v
After=network.target

[Service]
ExecStart={SCRIPT}

[Install]
WantedBy=multi-user.target
"""


def queue_first_boot(draft: Draft, conversion: Conversion) -> None:
    """Remove other hypervisors' tools and fetch QEMU's guest agent when the guest first runs.

    The agent lets the host shut the guest down and freeze its file systems for a backup.
    """
    tasks = _purge_tasks(draft, conversion) + _agent_task(draft, conversion)
    if not tasks:
        return
    tail = _TAIL_SYSTEMD if conversion.systemd else _TAIL_RC_LOCAL
    draft.write(SCRIPT, _HEAD + tasks + tail, why=_WHY_SCRIPT, mode=0o755)
    if conversion.systemd:
        draft.write(UNIT, _UNIT_TEXT, why=_WHY_START)
        draft.link(_WANTED, UNIT, why=_WHY_START)
    else:
        _start_from_rc_local(draft)


def _purge_tasks(draft: Draft, conversion: Conversion) -> str:
    packages = shlex.join(leftover_packages(conversion))
    tasks = _PURGE.format(packages=packages) if packages else ""
    for program in uninstallers(draft):
        tasks += _UNINSTALL.format(program=shlex.quote(program))
    masks = shlex.join(masked(draft))
    if packages and masks:
        tasks += _UNMASK.format(packages=packages, masks=masks)
    return tasks


def _agent_task(draft: Draft, conversion: Conversion) -> str:
    """Return the task where the guest can fetch the agent: it has apt, a network and a channel."""
    sources = draft.glob("/etc/apt/sources.list") + draft.glob("/etc/apt/sources.list.d/*")
    wanted = (
        conversion.capabilities.agent
        and AGENT not in conversion.packages
        and "apt" in conversion.packages
        and conversion.machine.nics
        and sources
    )
    return _AGENT if wanted else ""


def _start_from_rc_local(draft: Draft) -> None:
    """Start the script from /etc/rc.local, which Debian's sysvinit and Ubuntu's upstart run last.

    A script in /etc/rc2.d is not started before insserv has seen it, so that is no way.
    """
    old = draft.text(_RC_LOCAL) if draft.is_file(_RC_LOCAL) else "#!/bin/sh -e\nexit 0\n"
    if _RC_LINE in old:
        return
    lines = old.splitlines(keepends=True)
    end = next((i for i, line in enumerate(lines) if line.strip() == "exit 0"), len(lines))
    lines.insert(end, f"{_RC_LINE}\n")
    draft.write(_RC_LOCAL, "".join(lines), why=_WHY_START, mode=0o755)
