# SPDX-License-Identifier: LGPL-2.1-or-later
"""The keys of encrypted volumes, as --key gives them: ID:key:STRING or ID:file:PATH.

A key is shown nowhere: not in reports, messages, command lines of programs, or what repr() says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from v2v.errors import ConfigError

ALL = "all"
_MAX_BYTES = 8 << 20  # of a key file, as cryptsetup(8) has it
_SELECTOR = re.compile(r"(?P<id>.+?):(?P<kind>key|file|clevis)(?::(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the volume that it is for: a device, the UUID of its LUKS header, or ``all``."""

    selector: str
    secret: bytes = field(repr=False)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """What to try: the bytes as they are, then without the newline that an editor adds."""
        bare = self.secret.removesuffix(b"\n").removesuffix(b"\r")
        return (self.secret,) if bare in (self.secret, b"") else (self.secret, bare)


def parse_keys(texts: Iterable[str]) -> tuple[Key, ...]:
    """Return the keys that options give, files read. Raises ConfigError, which quotes no key."""
    return tuple(_parse(text, number) for number, text in enumerate(texts, 1))


def _parse(text: str, number: int) -> Key:
    match = _SELECTOR.fullmatch(text)
    if match is None or (match["kind"] != "clevis" and not match["value"]):
        raise ConfigError(
            "E-USAGE",
            f"--key: number {number} of them is not understood",
            hint="write DEVICE:file:PATH or DEVICE:key:PASSPHRASE; all:... is for every volume",
        )
    if match["kind"] == "key":
        return Key(match["id"], match["value"].encode(errors="surrogateescape"))
    if match["kind"] == "file":
        return Key(match["id"], _read(Path(match["value"])))
    raise ConfigError(
        "E-USAGE",
        f"--key {match['id']}:clevis: keys on a server or in a TPM cannot be had here",
        hint="add a passphrase in the guest (cryptsetup luksAddKey) and give it with "
        f"--key {match['id']}:file:PATH",
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            secret = stream.read(_MAX_BYTES)
    except OSError as error:
        raise ConfigError("E-USAGE", f"--key: {path}: {error.strerror}") from error
    if not secret:
        raise ConfigError("E-USAGE", f"--key: {path}: the file is empty")
    return secret
