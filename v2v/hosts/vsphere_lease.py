# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports of guests by NFC, the host's own file copy: an HttpNfcLease ("vSphere Web Services API").

The host sends each disk as a stream, in its current state whatever snapshots it has, in the
datastore or not in files at all (vSAN, vVols).
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from v2v.cancellation import check
from v2v.datastore import Login
from v2v.errors import SourceError
from v2v.hosts import tls
from v2v.hosts.vsphere import PORT, Session

_SECONDS = 300  # for a lease to become ready
_EVERY = 20  # seconds between signs of life; a lease ends without them after five minutes
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Stream:
    """A disk of an export."""

    key: str  # which: its controller's class and number, and its unit
    url: str
    thumbprint: str | None  # SHA-1 of the certificate of the host that sends it


class Lease:
    """An export that is under way. Failures are SourceError."""

    def __init__(self, session: Session, login: Login, lease: Any) -> None:
        self._session = session
        self._login = login
        self._lease = lease
        state = session.until(lease, "state", lambda each: each != "initializing", _SECONDS)
        if state != "ready":
            said = session.properties(lease, "error").get("error")
            raise SourceError(
                "E-VSPHERE-EXPORT",
                f"{login.host}: the export is refused: {getattr(said, 'msg', None) or state}",
                hint="is it exported or started by somebody else? its user needs vApp: Export",
            )
        info = session.properties(lease, "info")["info"]
        self.streams = tuple(
            Stream(str(each.key).rpartition("/")[2], str(each.url), each.sslThumbprint or None)
            for each in info.deviceUrl or ()
            if each.disk
        )
        self._told = time.monotonic()

    def going_on(self, percent: int) -> None:
        """Tell the host, now and then, that the export is still wanted, if it is."""
        check()
        if time.monotonic() - self._told >= _EVERY:
            self._session.call(self._lease.HttpNfcLeaseProgress, percent)
            self._told = time.monotonic()

    @contextmanager
    def opened(self, stream: Stream) -> Iterator[tuple[BinaryIO, int | None]]:
        """Open a disk's stream; yield it and its length, None if the host does not say.

        Raises SourceError, OSError, http.client.HTTPException.
        """
        parts = urlsplit(stream.url)
        own = parts.hostname in (None, "*", self._login.host)
        host = self._login.host if own else str(parts.hostname)
        port = parts.port or (self._login.port if own else None) or PORT
        trust = tls.Trust(self._login.cacert, self._login.thumbprint)
        if not own:  # the API, whose certificate was checked, vouches for the other host's
            trust = tls.Trust(self._login.cacert, stream.thumbprint)
        connection = http.client.HTTPSConnection(
            host, port, timeout=tls.SECONDS, context=tls.context(host, port, trust)
        )
        headers = {"Cookie": self._session.cookie} if own else {}
        try:
            connection.request("GET", parts.path, headers=headers)
            answer = connection.getresponse()
            if answer.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE):
                raise http.client.HTTPException(f"the host answers {answer.status}")
            if answer.status != HTTPStatus.OK:
                raise SourceError(
                    "E-VSPHERE-EXPORT", f"{host}: {stream.key}: the host answers {answer.status}"
                )
            length = answer.headers.get("Content-Length")
            whole = int(length) if length is not None and length.isdigit() else None
            raw = cast("io.RawIOBase", answer)
            yield cast("BinaryIO", io.BufferedReader(raw, _BUFFER)), whole
        except ssl.SSLCertVerificationError as error:
            raise tls.untrusted(host, error) from error
        finally:
            connection.close()


@contextmanager
def exported(session: Session, login: Login, entity: Any) -> Iterator[Lease]:
    """Export a guest, or a snapshot of one, for as long as the block lasts. Raises SourceError."""
    method = entity.ExportSnapshot if hasattr(entity, "ExportSnapshot") else entity.ExportVm
    reference = session.call(method)
    try:
        yield Lease(session, login, reference)
    except BaseException:
        with suppress(SourceError):  # what went wrong first is what counts
            session.call(reference.HttpNfcLeaseAbort)
        raise
    session.call(reference.HttpNfcLeaseComplete)
