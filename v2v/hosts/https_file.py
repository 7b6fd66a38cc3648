# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of a datastore, read in pieces over HTTPS (vSphere's /folder, "HTTP Access to Files").

Not by nbdkit's curl plugin: that cannot trust a certificate by its thumbprint, whose name is most
often another than the host's, and does not log in again. Of 256 MiB over loopback to qcow2, this
passed 350 MiB/s, the curl plugin 430.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import ssl
import threading
import time
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from queue import Empty, SimpleQueue
from urllib.parse import quote, unquote

from v2v.cancellation import check
from v2v.datastore import Login
from v2v.errors import SourceError
from v2v.hosts import tls

log = logging.getLogger(__name__)

_PORTS = {True: 443, False: 80}  # with TLS, without
# Hosts close connections that were idle, and are away for a while when their services restart.
_TRIES = 8
_FIRST_TRIES = 3  # until it was there once
_PAUSE = 0.2  # seconds before the second try; twice as long before each that follows, 25 s in all
_BUSY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def url_of(path: str, datacenter: str) -> str:
    """Return where a file of "[datastore] folder/name" is. Raises ValueError.

    Names of the API have %, / and \\ escaped; the parameters are decoded twice by the host, which
    so writes them in its own pages, too.
    """
    start, bracket, rest = path.partition("] ")
    if not start.startswith("[") or not bracket or not rest or ".." in rest.split("/"):
        raise ValueError(path)
    words = (quote(quote(unquote(each), safe=""), safe="") for each in (datacenter, start[1:]))
    return "/folder/{}?dcPath={}&dsName={}".format(quote(rest), *words)


def login_of(file: Path) -> Login:
    """Return the account that was handed over in a file, as ``handed`` writes it."""
    told = json.loads(file.read_text(encoding="utf-8"))
    cacert = told.pop("cacert")
    return Login(**told, cacert=None if cacert is None else Path(cacert))


def handed(login: Login, file: Path) -> None:
    """Write an account to a file that only its owner reads: command lines are seen by all."""
    file.touch(0o600, exist_ok=False)
    file.write_text(json.dumps(asdict(login), default=str), encoding="utf-8")


class HttpsFile:
    """A file that any thread reads; each has a connection of its own meanwhile.

    The session's cookie goes with each request, as every login would open a new session, of which
    a host has few. When it has expired, the account logs in again. A host that is busy, or cuts the
    connection, is asked again, a bounded number of times.
    """

    def __init__(self, login: Login, url: str) -> None:
        self.place = f"{login.host}:{unquote(url.partition('?')[0])}"
        self._login = login
        self._url = url
        self._port = login.port or _PORTS[login.tls]
        trust = tls.Trust(login.cacert, login.thumbprint)
        self._context = tls.context(login.host, self._port, trust) if login.tls else None
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
        self._cookie = ""
        self._basic: dict[str, str] = {}
        self._tries = _FIRST_TRIES
        self._lock = threading.Lock()
        try:
            status, length, _ = self._asked("HEAD", {})
            self.size = self._checked(status, length)
            self._tries = _TRIES
        except SourceError:
            self.close()
            raise

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get().close()

    def pread(self, length: int, offset: int) -> bytes:
        """Return bytes at an offset, fewer at the end. Raises SourceError."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        status, _, data = self._asked("GET", {"Range": f"bytes={offset}-{end - 1}"}, end - offset)
        if status == HTTPStatus.OK:
            raise self._broken("the host sends whole files only, no pieces (Range)")
        if status != HTTPStatus.PARTIAL_CONTENT or len(data) != end - offset:
            self._checked(status, 0)
            raise self._broken(f"{len(data)} bytes came of {end - offset} at {offset}")
        return data

    def _asked(self, method: str, headers: dict[str, str], most: int = 0) -> tuple[int, int, bytes]:
        """Return status, length and content of an answer, after a login if one is asked for."""
        status, length, data = self._tried(method, headers | self._session(), most)
        if status == HTTPStatus.UNAUTHORIZED and self._login.user:
            pair = f"{self._login.user}:{self._login.password}".encode()
            basic = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            with self._lock:
                self._cookie = ""  # it has expired
                status, length, data = self._tried(method, headers | basic, most)
            self._basic = basic  # for a host that gives no cookie
        return status, length, data

    def _session(self) -> dict[str, str]:
        return {"Cookie": self._cookie} if self._cookie else self._basic

    def _tried(self, method: str, headers: dict[str, str], most: int) -> tuple[int, int, bytes]:
        """Return an answer; the last one of a host that stays busy. Raises SourceError."""
        for attempt in range(self._tries):
            check()
            if attempt:
                time.sleep(_PAUSE * 2 ** (attempt - 1))
            last = attempt == self._tries - 1
            try:
                status, length, data = self._once(method, headers, most)
            except ssl.SSLCertVerificationError as error:
                raise tls.untrusted(self._login.host, error) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                if last:
                    raise self._broken(str(error) or type(error).__name__) from error
                log.debug("%s: %s, once more", self.place, error)
                continue
            if status not in _BUSY or last:
                break
        return status, length, data

    def _once(self, method: str, headers: dict[str, str], most: int) -> tuple[int, int, bytes]:
        connection = self._connection()
        try:
            connection.request(method, self._url, headers=headers)
            answer = connection.getresponse()
            length = int(answer.headers.get("Content-Length") or 0)
            # What is not a piece may be without end.
            piece = answer.status == HTTPStatus.PARTIAL_CONTENT or method == "HEAD"
            # With a number, http.client would copy what it reads twice.
            limit = None if 0 < length <= most else most
            data = answer.read(limit) if piece else b""
            if piece and len(data) < min(most, length):
                raise http.client.IncompleteRead(data, length - len(data))
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
            raise
        cookie = answer.headers.get("Set-Cookie")
        if cookie is not None:
            self._cookie = cookie.partition(";")[0]
        if answer.isclosed():
            self._idle.put(connection)
        else:
            connection.close()
        return answer.status, length, data

    def _connection(self) -> http.client.HTTPConnection:
        try:
            return self._idle.get_nowait()
        except Empty:
            host, port = self._login.host, self._port
            if self._context is None:
                return http.client.HTTPConnection(host, port, timeout=tls.SECONDS)
            return http.client.HTTPSConnection(
                host, port, timeout=tls.SECONDS, context=self._context
            )

    def _checked(self, status: int, length: int) -> int:
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            who = repr(self._login.user) if self._login.user else "nobody without a login"
            raise SourceError(
                "E-DISK-LOGIN",
                f"{self.place}: {who} may not read it",
                hint="the user is in the address, the password in -ip FILE; a role of vCenter needs"
                " Datastore: Browse datastore, Low level file operations",
            )
        if status == HTTPStatus.NOT_FOUND:
            raise SourceError("E-DISK-MISSING", f"{self.place}: no such file on the host")
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._broken(f"the host answers {status}")
        return length

    def _broken(self, fact: str) -> SourceError:
        return SourceError(
            "E-DISK-REMOTE", f"{self.place}: {fact}", hint="is the host there? try once more"
        )
