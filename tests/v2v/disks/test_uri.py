# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks behind URIs: an NBD server and a web server of our own on loopback."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.v2v.disks.making import content, made, raw, shown
from v2v.access import Access
from v2v.disks.opening import open_image
from v2v.errors import ConfigError, SourceError
from v2v.model import DiskFormat
from v2v.run import listens, running
from v2v.sources import guests, read

HOST = "127.0.0.2"


class Pieces(http.server.SimpleHTTPRequestHandler):
    """A web server that sends pieces, to those who have the password."""

    ranges = True
    wanted: str | None = None

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        if self.wanted is not None and self.headers.get("Authorization") != self.wanted:
            self._send(401, b"", body=body)
        elif not path.is_file():
            self._send(404, b"", body=body)
        elif self.ranges and "Range" in self.headers:
            start, end = self.headers["Range"].removeprefix("bytes=").split("-")
            self._send(206, path.read_bytes()[int(start) : int(end) + 1], body=body)
        else:
            self._send(200, path.read_bytes(), body=body)

    def _send(self, status: int, data: bytes, *, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web(
    folder: Path, *, certificate: Path | None = None, handler: type[Pieces] = Pieces
) -> Iterator[str]:
    """Serve a folder; yield host:port."""
    server = http.server.ThreadingHTTPServer((HOST, 0), partial(handler, directory=str(folder)))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path) -> Path:
    path = folder / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=web", "-addext", f"subjectAltName=IP:{HOST}", "-keyout",
         path.with_suffix(".key"), "-out", path], check=True, capture_output=True,
    )  # fmt: skip
    return path


def disk_of(uri: str, folder: Path, access: Access | None = None) -> bytes:
    machine = read([uri], access=access)
    (disk,) = machine.disks
    with open_image(disk, machine.folder, trust=False) as image:
        return shown(image, folder)


@pytest.mark.parametrize("format", ["raw", "qcow2", "vmdk", "vhdx"])
def test_an_image_of_a_web_server_is_read_through_its_format(tmp_path: Path, format: str) -> None:
    served, work = tmp_path / "served", tmp_path / "work"
    served.mkdir()
    work.mkdir()
    raw(served / "web.img") if format == "raw" else made(served / "web.img", format)
    own = certificate(tmp_path)
    with web(served, certificate=own) as place:
        uri = f"https://{place}/web.img?signature=a%2Fb"
        assert disk_of(uri, work, Access(cacert=own)) == content()
        with pytest.raises(SourceError) as caught:
            disk_of(uri, work)
        assert caught.value.finding.code == "E-CERTIFICATE"
        with pytest.raises(SourceError, match="no such file"):
            disk_of(f"https://{place}/none.img", work, Access(cacert=own))


def test_a_web_server_without_pieces_is_refused(tmp_path: Path) -> None:
    class Whole(Pieces):
        ranges = False

    raw(tmp_path / "web.img")
    with web(tmp_path, handler=Whole) as place, pytest.raises(SourceError, match="no pieces"):
        disk_of(f"http://{place}/web.img", tmp_path)


def test_a_password_comes_from_its_file(tmp_path: Path) -> None:
    class Guarded(Pieces):
        wanted = "Basic bWU6c2VjcmV0"  # me:secret

    raw(tmp_path / "web.img")
    (tmp_path / "password").write_text("secret\n")
    with web(tmp_path, handler=Guarded) as place:
        uri = f"http://me@{place}/web.img"
        access = Access(password_file=tmp_path / "password")
        assert disk_of(uri, tmp_path, access) == content()
        assert "me@" not in read([uri], access=access).disks[0].path
        with pytest.raises(SourceError, match="may not read") as caught:
            disk_of(f"http://{place}/web.img", tmp_path)
        assert caught.value.finding.code == "E-DISK-LOGIN"
    with pytest.raises(ConfigError, match="can be read by everybody"):
        read([f"http://me:secret@{HOST}/web.img"])


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_an_export_of_an_nbd_server_is_read(tmp_path: Path, format: str) -> None:
    path = raw(tmp_path / "x.img") if format == "raw" else made(tmp_path / "x.img", format)
    socket = tmp_path / "socket"
    words = ("nbdkit", "--foreground", "--readonly", "--unix", socket, "file", path)
    with running(*words, stderr=tmp_path / "log") as server:
        assert listens(server, socket, 30)
        assert disk_of(f"nbd+unix:///web?socket={socket}", tmp_path) == content()
    with pytest.raises(SourceError) as caught:
        disk_of(f"nbd+unix:///web?socket={socket}", tmp_path)
    assert caught.value.finding.code == "E-DISK-REMOTE"


def test_what_an_image_draws_in_is_not_followed(tmp_path: Path) -> None:
    base = made(tmp_path / "base.qcow2", "qcow2")
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2",
         tmp_path / "top.qcow2"], check=True,
    )  # fmt: skip
    with web(tmp_path) as place, pytest.raises(SourceError, match="base") as caught:
        disk_of(f"http://{place}/top.qcow2", tmp_path)
    assert caught.value.finding.code in ("E-DISK-REMOTE", "E-IMAGE-ESCAPES")


def test_disks_of_many_places_make_one_guest(tmp_path: Path) -> None:
    local = raw(tmp_path / "data.img", bytes(1024))
    given = ["https://host/images/web.qcow2", str(local), "nbd://10.0.0.1:10810/data"]
    machine = read(given)
    assert (machine.name, machine.kind, len(machine.disks)) == ("web", "disk", 3)
    assert guests(given) == ((given[0], local, given[2]),)
    assert read(["nbd://host"], disk_format=DiskFormat.raw).disks[0].format is DiskFormat.raw
    for wrong in (["nbd://host/x", "xen+ssh://root@host/web"], ["https:///x"], ["nbd://host:x/"]):
        with pytest.raises(ConfigError):
            read(wrong)
    with pytest.raises(ConfigError, match="only disks"):
        read(["nbd://host/x"], kind="vmx")
