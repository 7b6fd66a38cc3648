# SPDX-License-Identifier: LGPL-2.1-or-later
"""A vCenter or ESXi host of our own on loopback: govmomi's simulator with fixtures/vcsim/main.go.

Not on 127.0.0.1, of which pyVmomi by itself checks no certificate.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fixtures.cache import made_once

HOST = "127.0.0.2"
PASSWORD = "not-a-secret"
_SOURCE = Path(__file__).parent.parent / "fixtures/vcsim/main.go"


@dataclass(frozen=True)
class Vcenter:
    """A simulator that is running."""

    authority: str  # host:port
    certificate: Path
    password: Path
    datastores: dict[str, Path]

    def fails(self, what: str, kind: str, count: int) -> None:
        """Make the next requests of a kind fail: see fixtures/vcsim/main.go."""
        trusted = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(
            f"https://{self.authority}/faults", f"{what} {kind} {count}".encode()
        )
        urllib.request.urlopen(request, context=trusted, timeout=30).close()


def program() -> Path:
    """Return the simulator, built if it is not there."""

    def build(folder: Path) -> None:
        (folder / "main.go").write_bytes(_SOURCE.read_bytes())
        where = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOPROXY": "off"}
        env = {**os.environ, **where, "GOCACHE": str(folder / "cache")}
        subprocess.run(
            ["go", "build", "-o", "vcsim", "main.go"], cwd=folder, env=env, check=True,
            capture_output=True,
        )  # fmt: skip
        subprocess.run(["rm", "-rf", str(folder / "cache")], check=True)

    key = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]
    return made_once("vcsim", key, build) / "vcsim"


@contextmanager
def vcenter(folder: Path, *options: str) -> Iterator[Vcenter]:
    """Start a simulator that ends with the block."""
    certificate, key, password = (folder / name for name in ("cert.pem", "key.pem", "password"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=vcenter", "-addext", f"subjectAltName=IP:{HOST}", "-keyout", key, "-out",
         certificate], check=True, capture_output=True,
    )  # fmt: skip
    password.write_text(f"{PASSWORD}\n")
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    authority, log = f"{HOST}:{port}", folder / "vcsim.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            [program(), "-l", authority, "-username", "root", "-password", PASSWORD,
             "-tlscert", certificate, "-tlskey", key, *options],
            stdout=out, stderr=out, env={**os.environ, "TMPDIR": str(folder)},
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while "END" not in log.read_text():
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        lines = (line.split() for line in log.read_text().splitlines())
        stores = {line[1]: Path(line[2]) for line in lines if line[0] == "DS"}
        yield Vcenter(authority, certificate, password, stores)
    finally:
        child.terminate()
        child.wait()
