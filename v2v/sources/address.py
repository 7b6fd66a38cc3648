# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses of guests on hosts that are running: xen+ssh://root@host/NAME."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from v2v.errors import ConfigError

_URI = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOST = re.compile(r"[0-9A-Za-z:%_][0-9A-Za-z.:%_-]*")  # no option of ssh(1)
_USER = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.@\\-]*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a guest is; ``name`` is empty for a host as a whole."""

    scheme: str
    host: str
    user: str | None = None
    port: int | None = None
    name: str = ""


def is_address(text: str) -> bool:
    """Tell an address from the name of a file."""
    return _URI.match(text) is not None


def parse(text: str) -> Address:
    """Return an address. Raises ConfigError, for a password too: others could read it."""
    scheme = text.partition("://")[0].lower()
    hint = f"write it as {scheme}://root@host/NAME, with :PORT behind the host if need be"
    try:
        parts = urlsplit(text)
        host, port, user = parts.hostname or "", parts.port, parts.username
    except ValueError as error:
        raise ConfigError("E-ADDRESS", f"{text}: {error}", hint=hint) from error
    if parts.password is not None:
        shown = text.replace(f":{parts.password}@", ":...@")
        raise ConfigError(
            "E-ADDRESS",
            f"{shown}: a password on the command line can be read by everybody on this host",
            hint="leave it out: SSH takes keys and the agent",
        )
    user = None if user is None else unquote(user)
    if parts.query or parts.fragment or _HOST.fullmatch(host) is None:
        raise ConfigError("E-ADDRESS", f"{text}: is no address of a guest", hint=hint)
    if user is not None and _USER.fullmatch(user) is None:
        raise ConfigError("E-ADDRESS", f"{text}: {user!r} is no name of a user", hint=hint)
    return Address(parts.scheme.lower(), host, user, port, unquote(parts.path).strip("/"))
