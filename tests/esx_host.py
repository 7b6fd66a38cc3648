# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host that stands in for ESXi: OpenSSH's own server, its tools' recorded output, datastores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from tests.xen_dom0 import Dom0, dom0

UUID = "5f1b2c3d-4e5f6a7b-8c9d-005056010203"  # of a datastore
_HEAD = "Vmid     Name           File           Guest OS      Version   Annotation\n"
_PROCESS = """\
{name}
   World ID: 2099876
   Process ID: 0
   VMX Cartel ID: 2099875
   UUID: 56 4d 8a 3e 2b 91 4c 07-9e 65 d0 1f 7a c4 33 58
   Display Name: {name}
   Config File: {path}

"""


@dataclass(frozen=True, slots=True)
class Esx:
    """A server that is running; ``volumes`` is its /vmfs/volumes."""

    server: Dom0
    volumes: Path

    @property
    def address(self) -> str:
        return f"ssh://{getuser()}@127.0.0.1:{self.server.port}"

    @property
    def config(self) -> Path:
        return self.server.config

    def datastore(self, name: str) -> Path:
        """Make a datastore, and return its folder by its UUID; its name is a link to it."""
        folder = self.volumes / UUID
        folder.mkdir(exist_ok=True)
        (self.volumes / name).symlink_to(UUID)
        return folder

    def tells(self, listed: str, *running: Path) -> None:
        """Let vim-cmd and esxcli answer: lines of guests, and the configurations that run."""
        processes = "".join(_PROCESS.format(name=path.stem, path=path) for path in running)
        for tool, text in (("vim-cmd", _HEAD + listed), ("esxcli", processes)):
            (self.server.folder / f"{tool}.out").write_text(text)
            program = self.server.folder / "bin" / tool
            program.write_text(f'#!/bin/sh\ncat "{self.server.folder}/{tool}.out"\n')
            program.chmod(0o755)

    def forgets(self) -> None:
        """Let it be another host than ESXi."""
        for tool in ("vim-cmd", "esxcli"):
            (self.server.folder / "bin" / tool).unlink(missing_ok=True)


@contextmanager
def esx(folder: Path) -> Iterator[Esx]:
    """Start a server on a port of loopback that ends with the block."""
    for name in ("server", "volumes"):
        (folder / name).mkdir()
    with dom0(folder / "server") as server:
        yield Esx(server, folder / "volumes")
