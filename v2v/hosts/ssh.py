# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands on another host, by the system's OpenSSH: its keys, agent, known hosts, configuration.

Nobody is ever asked for a password (BatchMode of ssh_config(5)).
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from v2v.cancellation import unheeding
from v2v.errors import CommandError, SourceError
from v2v.model import Remote
from v2v.run import listens, run, running

_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",  # a host that is gone is noticed within a minute
    "ServerAliveCountMax=4",
    "ControlPersist=no",
)
_SECONDS = 60  # for a connection to stand, jump hosts and slow name servers included
FAILED = 255  # ssh's own exit status; others are those of the command
_PATH = "PATH=$PATH:/sbin:/usr/sbin; export PATH; "  # a login that is not interactive lacks these


def command(remote: Remote, *options: str | Path) -> tuple[str | Path, ...]:
    """Return the arguments up to and with the destination."""
    found: list[str | Path] = ["ssh", "-T"]
    for option in _OPTIONS:
        found += ["-o", option]
    if remote.config is not None:
        found += ["-F", remote.config]
    if remote.port is not None:
        found += ["-p", str(remote.port)]
    return (*found, *options, str(remote))


def script(text: str, *words: str) -> str:
    """Return a line for the host's shell that runs a script for sh with some arguments."""
    return shlex.join(("sh", "-c", _PATH + text, "sh", *words))


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that stands; all commands share it."""

    remote: Remote
    socket: Path

    def run(self, text: str, *words: str) -> str:
        """Run a script for sh with arguments and return what it printed.

        Raises CommandError if it fails, SourceError if the connection does.
        """
        try:
            return run(*command(self.remote, "-S", self.socket), script(text, *words))
        except CommandError as error:
            if error.status == FAILED:
                raise refusal(self.remote, error.stderr) from error
            raise


@contextmanager
def connected(remote: Remote) -> Iterator[Connection]:
    """Connect to a host for as long as the block lasts. Raises SourceError, MissingProgram."""
    # In /tmp: the name of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="v2v-ssh-") as folder:
        socket, log = Path(folder, "s"), Path(folder, "log")
        with running(*command(remote, "-M", "-N", "-S", socket), stderr=log) as master:
            if not listens(master, socket, _SECONDS):
                raise refusal(remote, log.read_text(errors="replace"))
            try:
                yield Connection(remote, socket)
            finally:
                # A signal alone is missed at times, and then ssh is there for seconds.
                with unheeding(), suppress(CommandError):  # it is gone already
                    run(*command(remote, "-S", socket, "-O", "exit"))


def refusal(remote: Remote, stderr: str) -> SourceError:
    """Return the error for what ssh said as it ended."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    fact = lines[-1] if lines else "no answer"
    if "Host key verification failed" in stderr:
        return SourceError(
            "E-SSH-HOST-KEY",
            f"{remote}: its host key is not known here, or is another than before",
            hint=f"compare the fingerprint once by hand: ssh {remote}",
        )
    if "Permission denied" in stderr:
        return SourceError(
            "E-SSH-AUTH",
            f"{remote}: no key of yours is accepted",
            hint=f"load one into the agent (ssh-add), or put one there: ssh-copy-id {remote}",
        )
    return SourceError(
        "E-SSH-CONNECT",
        f"{remote}: {fact.removeprefix('ssh: ')}",
        hint=f"does this work? ssh {remote} true",
    )
