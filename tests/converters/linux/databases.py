# SPDX-License-Identifier: LGPL-2.1-or-later
"""rpm databases: real ones of tests/data/rpmdb, and small ones for golden guests."""

from __future__ import annotations

import gzip
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "data" / "rpmdb"
BACKENDS = ("rpmdb.sqlite", "Packages.db", "Packages", "Packages.btree")


def rpm_database(name: str) -> bytes:
    """A file of tests/data/rpmdb."""
    return gzip.decompress((_FOLDER / f"{name}.gz").read_bytes())


def sqlite_database(packages: Mapping[str, str]) -> bytes:
    """An rpm database of packages and their versions, VERSION-RELEASE."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
    for name, version in packages.items():
        connection.execute("INSERT INTO Packages (blob) VALUES (?)", (_header(name, version),))
    connection.commit()
    return connection.serialize()


def _header(name: str, version: str) -> bytes:
    index, data = b"", b""
    for tag, text in zip((1000, 1001, 1002), (name, *version.split("-")), strict=True):
        index += struct.pack(">IIII", tag, 6, len(data), 1)
        data += text.encode() + b"\0"
    return struct.pack(">II", 3, len(data)) + index + data
