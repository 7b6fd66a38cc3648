# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that stands in for a Xen host: OpenSSH's own server on loopback, xl and LVM of ours.

The tools answer recorded output, from files in their folder. ``lvcreate`` copies the volume, so
that what is read is the snapshot and not the volume.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

_SSHD = "/usr/sbin/sshd"  # by its whole name, as it starts itself again
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH={folder}/bin:/usr/bin:/bin BASH_ENV=/dev/null
"""
_SFTP = "Subsystem sftp internal-sftp\n"
_CLIENT = """\
Host *
  IdentityFile {folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""
_TOOL = """\
#!/bin/sh
cd "{folder}/answers" || exit 1
echo "$(basename "$0") $*" >> calls
case "$(basename "$0") $*" in
  "xl list") cat table ;;
  "xl list -l "*) cat "guest-$3" 2> /dev/null || exit 1 ;;
  "xm list") cat xm-table 2> /dev/null || exit 1 ;;
  "xm list -l "*) cat "guest-$3" 2> /dev/null || exit 1 ;;
  lvs\\ *) for last; do :; done; [ -e volume ] && [ "$(cat volume)" = "$last" ] && cat lvs ;;
  lvcreate\\ *) mkdir -p "/dev/{group}" && cp "$(cat volume)" "/dev/{group}/$7" ;;
  lvremove\\ *) rm "/dev/$2" && rmdir "/dev/{group}" ;;
  *) echo "not recorded: $0 $*" >&2; exit 64 ;;
esac
"""
HEAD = "Name                                        ID   Mem VCPUs\tState\tTime(s)\n"
DOM0 = "Domain-0                                     0  2048     4     r-----     312.4\n"


@dataclass(frozen=True, slots=True)
class Dom0:
    """A server that is running, and what its tools answer."""

    port: int
    folder: Path
    group: str  # of volumes, with the part of its name that makes it a folder of memory

    @property
    def config(self) -> Path:
        """A configuration of ssh, with key and known host."""
        return self.folder / "ssh_config"

    @property
    def address(self) -> str:
        return f"xen+ssh://{getuser()}@127.0.0.1:{self.port}"

    def answer(self, name: str, text: str) -> None:
        (self.folder / "answers" / name).write_text(text)

    def runs(self, name: str, state: str, json: str) -> None:
        """Let xl list a guest in a state such as -b----."""
        self.answer("table", f"{HEAD}{DOM0}{name:44} 7  1024     1     {state}      12.1\n")
        self.answer(f"guest-{name}", json)

    def has_volume(self, path: Path, size: int, free: int) -> None:
        """Let a file be a logical volume."""
        self.answer("volume", f"{path}\n")
        self.answer("lvs", f"  {self.group}:root::{size}:{free}\n")

    def calls(self) -> list[str]:
        """Return the commands that ran there, in their order."""
        return (self.folder / "answers" / "calls").read_text().splitlines()


@contextmanager
def dom0(folder: Path, *, sftp: bool = True) -> Iterator[Dom0]:
    """Start a server on a port of loopback that ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for key in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True
        )
    public = (folder / "host.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    config = _CONFIG.format(port=port, folder=folder) + (_SFTP if sftp else "")
    (folder / "sshd_config").write_text(config)
    (folder / "ssh_config").write_text(_CLIENT.format(folder=folder))
    group = f"shm/v2v-{os.getpid()}-{port}"
    (folder / "bin").mkdir()
    (folder / "answers").mkdir()
    for name in ("xl", "xm", "lvs", "lvcreate", "lvremove"):
        tool = folder / "bin" / name
        tool.write_text(_TOOL.format(folder=folder, group=group))
        tool.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where its separated half is locked in
    argv = [_SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with (folder / "sshd.log").open("w") as log, subprocess.Popen(argv, stderr=log) as server:
        try:
            _wait(server, port, folder)
            found = Dom0(port, folder, group)
            found.answer("table", HEAD + DOM0)
            yield found
        finally:
            server.terminate()
            shutil.rmtree(f"/dev/{group}", ignore_errors=True)


def _wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert server.poll() is None, (folder / "sshd.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
