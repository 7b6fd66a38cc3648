# SPDX-License-Identifier: LGPL-2.1-or-later
"""XenServer and XCP-ng by their management API, XML-RPC over TLS (xapi-project.github.io)."""

from __future__ import annotations

import http.client
import ssl
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias, cast
from urllib.parse import urlencode

from v2v.errors import SourceError
from v2v.hosts import tls

Record: TypeAlias = "Mapping[str, object]"

_VERSION = "1.0"  # of the API that is asked for
_CLASSES = ("VM", "VBD", "VDI", "VIF", "network")
_PORT = 443


class Session:
    """A login that stands. Failures of the API are SourceError."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self.host = host
        self._port = port
        self._context = context
        self._proxy = xmlrpc.client.ServerProxy(
            f"https://{_bracketed(host)}:{port}/", context=context
        )
        self._reference = ""

    def login(self, user: str, password: str) -> None:
        self._reference = str(
            self._call("session.login_with_password", user, password, _VERSION, "v2v")
        )

    def logout(self) -> None:
        self._call("session.logout", self._reference)

    def records(self) -> dict[str, Mapping[str, Record]]:
        """Return all objects that make guests, by class and reference."""
        found: dict[str, Mapping[str, Record]] = {}
        for kind in _CLASSES:
            value = self._call(f"{kind}.get_all_records", self._reference)
            if not isinstance(value, dict):
                raise self._refused(f"{kind}.get_all_records", "no records in the answer")
            found[kind] = value
        return found

    @contextmanager
    def export(self, uuid: str) -> Iterator[BinaryIO]:
        """Open the export of a guest, which is an XVA, for as long as the block lasts."""
        query = urlencode({"session_id": self._reference, "uuid": uuid})
        connection = http.client.HTTPSConnection(
            self.host, self._port, timeout=tls.SECONDS, context=self._context
        )
        try:
            connection.request("GET", f"/export?{query}")
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                raise self._refused("export", f"{answer.status} {answer.reason}")
            yield cast("BinaryIO", answer)
        except (OSError, http.client.HTTPException) as error:
            raise self._refused("export", str(error)) from error
        finally:
            connection.close()

    def _call(self, method: str, *arguments: str) -> object:
        try:
            answer = getattr(self._proxy, method)(*arguments)
        except ssl.SSLCertVerificationError as error:
            raise tls.untrusted(self.host, error) from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise self._refused(method, str(error)) from error
        if isinstance(answer, dict) and answer.get("Status") == "Success":
            return answer.get("Value")
        said = answer.get("ErrorDescription") if isinstance(answer, dict) else None
        words = [str(word) for word in said] if isinstance(said, list) and said else ["no answer"]
        if words[0] == "SESSION_AUTHENTICATION_FAILED":
            raise SourceError(
                "E-XAPI-LOGIN",
                f"{self.host}: user and password are not accepted",
                hint="the user is in the address (xapi://root@host/NAME), the password in -ip FILE",
            )
        if words[0] == "HOST_IS_SLAVE" and len(words) > 1:
            raise SourceError(
                "E-XAPI",
                f"{self.host}: is not the master of its pool",
                hint=f"the master is {words[1]}: use its address",
            )
        raise self._refused(method, ", ".join(words))

    def _refused(self, method: str, fact: str) -> SourceError:
        return SourceError("E-XAPI", f"{self.host}: {method}: {fact}")


@contextmanager
def logged_in(
    host: str, port: int | None, user: str, password: str, trust: tls.Trust
) -> Iterator[Session]:
    """Log in for as long as the block lasts. Raises SourceError."""
    port = port or _PORT
    session = Session(host, port, tls.context(host, port, trust))
    session.login(user, password)
    try:
        yield session
    finally:
        session.logout()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
