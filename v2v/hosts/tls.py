# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whose certificate is trusted: always checked, as a password goes to whoever shows it.

It is checked against the system's authorities, a file with the host's own or its signer's
(``cacert``), or its digest (``thumbprint``), as hypervisors sign theirs themselves.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from v2v.errors import SourceError

SECONDS = 60  # for an answer
_SHA1 = 40  # digits; vCenter names other hosts' certificates by it


@dataclass(frozen=True, slots=True)
class Trust:
    """How a host's certificate is checked, beside the system's authorities."""

    cacert: Path | None = None
    thumbprint: str | None = None  # SHA-256 (or SHA-1) in hex, with colons or without


def context(host: str, port: int, trust: Trust) -> ssl.SSLContext:
    """Return what checks a host's certificate. Raises SourceError."""
    try:
        if trust.thumbprint is None:
            return ssl.create_default_context(cafile=trust.cacert)
        pem = ssl.get_server_certificate((host, port), timeout=SECONDS)
    except (OSError, ssl.SSLError) as error:
        raise SourceError("E-TLS", f"{trust.cacert or host}: {error}") from error
    wanted = trust.thumbprint.replace(":", "").lower()
    digest = hashlib.sha1 if len(wanted) == _SHA1 else hashlib.sha256
    found = digest(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    if found != wanted:
        raise SourceError(
            "E-CERTIFICATE",
            f"{host}: its certificate has another thumbprint: {found}",
            hint="is this the right host? compare it on the host's console",
        )
    # Exactly this certificate is trusted from here on, whoever signed it.
    made = ssl.create_default_context(cadata=pem)
    made.check_hostname = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def sha1_of(host: str, port: int, trust: Trust) -> str:
    """Return the SHA-1 of a certificate that is trusted: VDDK knows a host by it.

    Raises SourceError.
    """
    trusted = context(host, port, trust)
    try:
        with (
            socket.create_connection((host, port), timeout=SECONDS) as plain,
            trusted.wrap_socket(plain, server_hostname=host) as connection,
        ):
            der = connection.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError as error:
        raise untrusted(host, error) from error
    except OSError as error:
        raise SourceError("E-TLS", f"{host}: {error}") from error
    return hashlib.sha1(der).digest().hex(":").upper()


def untrusted(host: str, error: ssl.SSLCertVerificationError) -> SourceError:
    """Return the error for a certificate that is not trusted."""
    return SourceError(
        "E-CERTIFICATE",
        f"{host}: its certificate is not trusted: {error.verify_message}",
        hint="compare its fingerprint on the host's console, and give it: -io thumbprint=SHA256",
    )
