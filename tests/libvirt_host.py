# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host of libvirt in namespaces of its own: libvirtd, its folders, its network, its mounts.

A libvirt that runs on this machine is not seen and not touched. Needs root.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
TCP_PORT = 16509
# In the new namespaces. Folders of libvirt are empty ones of ours; loopback is up; /sys shows the
# network devices of the namespace.
_INIT = """\
set -e
cd "$1"
mount --make-rprivate /
mkdir -p etc lib cache log
cp -a /etc/libvirt/. etc/
printf '%s\\n' 'listen_tls = 0' 'listen_tcp = 1' 'auth_tcp = "none"' >> etc/libvirtd.conf
printf '%s\\n' 'cgroup_controllers = []' >> etc/qemu.conf
for pair in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt
do
    mkdir -p "${pair#*:}"
    mount --bind "${pair%:*}" "${pair#*:}"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/libvirt /run/lock
mount -t sysfs sysfs /sys
ip link set lo up
virtlogd -d -p "$1/virtlogd.pid"
exec libvirtd --listen -p "$1/libvirtd.pid"
"""
_START = 60  # seconds; QEMU is asked for all that it can do
_END = 20


class LibvirtHost:
    """A host that answers."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder = folder
        self._pid = pid

    def argv(self, *argv: str | Path) -> list[str]:
        """Return a command that runs on the host."""
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--net", f"--wd={ROOT}", "--"]
        return [*enter, *map(str, argv)]

    def run(self, *argv: str | Path, check: bool = True) -> str:
        """Run a command on the host; return what it says, errors too."""
        done = subprocess.run(
            self.argv(*argv),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def virsh(self, *argv: str | Path, check: bool = True) -> str:
        """Run virsh."""
        return self.run("virsh", "-q", "-c", "qemu:///system", *argv, check=check)

    def v2v(self, *argv: str | Path, check: bool = True) -> str:
        """Run v2v."""
        return self.run(sys.executable, "-m", "v2v", *argv, check=check)

    def write(self, *argv: str | Path, check: bool = True) -> str:
        """Take images that are complete into libvirt: see tests/libvirt_writer.py."""
        return self.run(sys.executable, "-m", "tests.libvirt_writer", *argv, check=check)

    def images(self, folder: str = "images") -> list[str]:
        """Return what is in a folder of libvirt."""
        where = self.folder / "lib" / folder
        return sorted(path.name for path in where.iterdir()) if where.exists() else []


@contextmanager
def libvirt_host(folder: Path) -> Iterator[LibvirtHost]:
    """Have a host for as long as the block lasts; its guests end with it."""
    for name in ("etc", "lib", "cache", "log"):
        (folder / name).mkdir()
    with (folder / "said").open("wb") as said:
        init = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", _INIT, "init", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    host = LibvirtHost(folder, init.pid)
    try:
        _wait(init, host)
        try:
            yield host
        finally:
            for name in host.virsh("list", "--name").split():
                host.virsh("destroy", name)
            for name in host.virsh("net-list", "--name").split():
                host.virsh("net-destroy", name)
    finally:
        pids = [init.pid]
        if (folder / "virtlogd.pid").exists():
            pids.append(int((folder / "virtlogd.pid").read_text()))
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        init.wait(_END)


def _wait(init: subprocess.Popen[bytes], host: LibvirtHost) -> None:
    deadline = time.monotonic() + _START
    argv = host.argv("virsh", "-q", "-c", "qemu:///system", "version")
    while subprocess.run(argv, check=False, capture_output=True, timeout=_START).returncode != 0:
        said = (host.folder / "said").read_text(errors="replace")
        assert init.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
