# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk images behind URIs: nbd://, nbd+unix:// (NBD's "doc/uri.md"), http:// and https://."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from v2v.access import Access, password_of
from v2v.datastore import Login
from v2v.errors import ConfigError
from v2v.model import Disk, Machine
from v2v.sources import disk
from v2v.sources.identity import image_path, name_from_file

SCHEMES = ("nbd", "nbd+unix", "http", "https")
_URI = re.compile(rf"(?:{'|'.join(map(re.escape, SCHEMES))})://", re.IGNORECASE)


def is_uri(text: object) -> bool:
    """Tell whether something is the URI of a disk."""
    return isinstance(text, str) and _URI.match(text) is not None


def read(given: Sequence[str | Path], access: Access) -> Machine:
    """Return a guest of these disks, URIs and files. Nothing is opened.

    Raises ConfigError for a URI that is none, or that holds a password.
    """
    disks = tuple(
        _remote(str(each), access) if is_uri(each) else _local(Path(each).absolute())
        for each in given
    )
    first = urlsplit(str(given[0]))
    named = Path(unquote(first.path).rstrip("/") if is_uri(given[0]) else given[0])
    return disk.made(disks, name_from_file(named) if named.name else "guest", Path.cwd())


def _local(path: Path) -> Disk:
    return Disk(image_path(f"{path}", path.parent, path.name), format=None)


def _remote(text: str, access: Access) -> Disk:
    try:
        parts = urlsplit(text)
        host, port, user = parts.hostname or "", parts.port, parts.username
    except ValueError as error:
        raise ConfigError("E-ADDRESS", f"{text}: {error}") from error
    if parts.password is not None:
        shown = text.replace(f":{parts.password}@", ":...@")
        raise ConfigError(
            "E-ADDRESS",
            f"{shown}: a password on the command line can be read by everybody on this host",
            hint="leave it out, and put it into a file that only you can read: -ip FILE",
        )
    scheme = parts.scheme.lower()
    if (not host and scheme != "nbd+unix") or any(ord(char) < 0x21 for char in text):
        raise ConfigError("E-ADDRESS", f"{text!r}: is no URI of a disk")
    password = "" if user is None else password_of(access)
    site = Login(
        host, port, unquote(user or ""), password, access.cacert, access.thumbprint,
        tls=scheme == "https",
    )  # fmt: skip
    # The user goes with the password, not with what is shown.
    authority = parts.netloc.rpartition("@")[2]
    query = f"?{parts.query}" if parts.query else ""
    plain = f"{scheme}://{authority}{parts.path}{query}"
    return Disk(plain, format=None, site=site)
