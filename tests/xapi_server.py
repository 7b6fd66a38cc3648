# SPDX-License-Identifier: LGPL-2.1-or-later
"""A XenServer of our own on loopback: XML-RPC and /export over TLS, as its reference has them.

Answers are {"Status", "Value"} or {"Status", "ErrorDescription"}; numbers are strings, as XML-RPC
has no 64-bit ones (xapi-project.github.io, "Wire protocol").
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

SESSION = "OpaqueRef:session"
PASSWORD = "not-a-secret"


@dataclass
class Xapi:
    """A server that is running: what it has, and what it was asked."""

    address: str
    certificate: Path
    password: Path
    objects: dict[str, dict[str, Mapping[str, object]]]
    exports: dict[str, Path] = field(default_factory=dict)  # by UUID
    failure: list[str] = field(default_factory=list)  # that each call ends with
    calls: list[str] = field(default_factory=list)


def _answer(server: Xapi, method: str, arguments: tuple[Any, ...]) -> Any:
    server.calls.append(method)
    if server.failure:
        return {"Status": "Failure", "ErrorDescription": server.failure}
    if method == "session.login_with_password":
        if arguments[:2] != ("root", PASSWORD):
            return {"Status": "Failure", "ErrorDescription": ["SESSION_AUTHENTICATION_FAILED", "x"]}
        return {"Status": "Success", "Value": SESSION}
    assert arguments == (SESSION,), method
    kind, _, action = method.partition(".")
    if action == "get_all_records":
        return {"Status": "Success", "Value": server.objects.get(kind, {})}
    assert method == "session.logout"
    return {"Status": "Success", "Value": ""}


def _handler(server: Xapi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arguments, method = xmlrpc.client.loads(body)
            said = _answer(server, str(method), arguments)
            data = xmlrpc.client.dumps((said,), methodresponse=True).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            path = server.exports.get(query["uuid"][0])
            assert parts.path == "/export"
            assert query["session_id"] == [SESSION]
            self.send_response(404 if path is None else 200)
            self.end_headers()
            if path is not None:
                with path.open("rb") as file:
                    shutil.copyfileobj(file, self.wfile)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up: some tests are about that."""


@contextmanager
def xapi(folder: Path, objects: dict[str, dict[str, Mapping[str, object]]]) -> Iterator[Xapi]:
    """Start a server on a port of loopback that ends with the block."""
    certificate, key, password = (folder / name for name in ("cert.pem", "key.pem", "password"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=xenserver", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
         certificate], check=True, capture_output=True,
    )  # fmt: skip
    password.write_text(f"{PASSWORD}\n")
    found = Xapi("", certificate, password, objects)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _Server(("127.0.0.1", 0), _handler(found)) as server:
        # Each connection shakes hands in its own thread: one that never does holds up nobody else.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        found.address = f"xapi://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
