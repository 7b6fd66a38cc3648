# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the hosts of sources are reached, as -io KEY=VALUE and -ip FILE say."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from v2v.errors import ConfigError

TRANSPORTS = ("https", "nfc", "vddk", "ssh")
# As virt-v2v spells them, but for vddk-file.
_VDDK = (
    "compression", "config", "cookie", "libdir", "nfchostport", "port", "snapshot", "thumbprint",
    "transports",
)  # fmt: skip
_SHA256 = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Access:
    """How hosts are reached, beside their addresses."""

    ssh_config: Path | None = None  # None: the user's own
    xen_configs: str | None = None  # folder of a Xen host with configurations, beside /etc/xen
    cacert: Path | None = None  # the certificate of a host, or of who signed it
    thumbprint: str | None = None  # its SHA-256 in hex
    password_file: Path | None = None  # None: the terminal is asked
    transport: str | None = None  # of TRANSPORTS: how disks come from vCenter or ESXi
    vddk: tuple[tuple[str, str], ...] = ()  # settings for VMware's library
    vddk_files: tuple[str, ...] = ()  # the disks, in place of what the API says


def parse_access(
    options: Iterable[str], password_file: Path | None, transport: str | None = None
) -> Access:
    """Return what -it TRANSPORT and -io KEY=VALUE options say. Raises ConfigError."""
    access = Access(password_file=password_file, transport=transport)
    for option in options:
        key, _, value = option.partition("=")
        if key == "ssh-config" and value:
            access = replace(access, ssh_config=Path(value).absolute())
        elif key == "xen-configs" and value.startswith("/"):
            access = replace(access, xen_configs=value)
        elif key == "cacert" and value:
            access = replace(access, cacert=Path(value).absolute())
        elif key == "thumbprint" and _SHA256.fullmatch(value):
            access = replace(access, thumbprint=value)
        elif key == "vddk-file" and value:
            access = replace(access, vddk_files=(*access.vddk_files, value))
        elif key.startswith("vddk-") and key.removeprefix("vddk-") in _VDDK and value:
            access = replace(access, vddk=(*access.vddk, (key.removeprefix("vddk-"), value)))
        else:
            raise ConfigError(
                "E-USAGE",
                f"-io {option}: there is no such option",
                hint="-io ssh-config=FILE, xen-configs=/DIR, cacert=FILE, thumbprint=SHA256,"
                f" vddk-file=PATH or vddk-{{{','.join(_VDDK)}}}=VALUE",
            )
    if (access.vddk or access.vddk_files) and transport != "vddk":
        raise ConfigError("E-USAGE", "-io vddk-...: is for -it vddk alone")
    return access


def password_of(access: Access) -> str:
    """Return the password from its file, or ask for it. Raises ConfigError."""
    return password_in(access.password_file, "-ip")


def password_in(file: Path | None, option: str) -> str:
    """Return the password in a file that an option names, or ask for it. Raises ConfigError."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("E-PASSWORD", f"{option} {file}: {error}") from error
    if not sys.stdin.isatty():
        raise ConfigError(
            "E-PASSWORD",
            "no password is given",
            hint=f"put it into a file that only you can read: {option} FILE",
        )
    return getpass.getpass("Password: ")
