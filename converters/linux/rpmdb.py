# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads which packages an rpm database holds, in each of the forms that rpm has kept it in.

It is a table of headers, one for each package: a Berkeley DB (Packages) until RHEL 8, SQLite
(rpmdb.sqlite) in Fedora since 33 and RHEL since 9, and a form of SUSE's own (Packages.db) since
SLES 15 SP3 and in Tumbleweed. Sources: rpm's lib/backend and docs of the header's format.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator

from converters.linux.berkeley import BerkeleyError, values

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_INT32, _STRING = 4, 6
_ENTRY = struct.Struct(">IIII")  # tag, type, offset, count
_MAX_ENTRIES = 1 << 16  # as rpm's own limit, lib/header.c
_SQLITE = b"SQLite format 3\0"
_NDB, _SLOT, _BLOB = b"RpmP", b"Slot", b"BlbS"
_NDB_PAGE, _NDB_BLOCK, _NDB_SLOT = 4096, 16, 16
_SQLITE_STEPS = 100_000_000  # instructions; 100 000 headers take 4 million
_WAL_HEADER, _FRAME_HEADER = 32, 24


class RpmdbError(Exception):
    """The database is of no known form, or is damaged."""


def packages(data: bytes, wal: bytes = b"") -> dict[str, str]:
    """Return the packages in a database and their versions, as epoch:version-release.

    ``wal`` is what stands beside an SQLite database and belongs to it, SQLite's write-ahead log.
    Raises RpmdbError.
    """
    if data.startswith(_SQLITE):
        headers = _sqlite(data, wal)
    elif data.startswith(_NDB):
        headers = _ndb(data)
    else:
        headers = _berkeley(data)
    found = {}
    left = len(data) + len(wal)  # headers that share their bytes would never come to an end
    for header in headers:
        left -= len(header)
        if left < 0:
            raise RpmdbError("headers overlap")
        name, version = _name(header)
        found[name] = version
    return found


def _name(header: bytes) -> tuple[str, str]:
    """Return a package's name and version from its header: an index, then the data it points to."""
    tags: dict[int, str] = {}
    try:
        entries, size = struct.unpack_from(">II", header)
        if entries > _MAX_ENTRIES:
            raise RpmdbError(f"a header of {entries} entries")
        store = 8 + entries * _ENTRY.size
        for at in range(8, store, _ENTRY.size):
            tag, kind, offset, _ = _ENTRY.unpack_from(header, at)
            if tag in (_NAME, _VERSION, _RELEASE) and kind == _STRING and offset < size:
                end = header.index(b"\0", store + offset)
                tags[tag] = header[store + offset : end].decode(errors="replace")
            elif tag == _EPOCH and kind == _INT32:
                tags[tag] = str(struct.unpack_from(">I", header, store + offset)[0])
    except (struct.error, ValueError) as error:
        raise RpmdbError(f"a package's header: {error}") from error
    if _NAME not in tags:
        raise RpmdbError("a header without a name")
    epoch = tags.get(_EPOCH, "0")
    version = f"{tags.get(_VERSION, '')}-{tags.get(_RELEASE, '')}"
    return tags[_NAME], version if epoch == "0" else f"{epoch}:{version}"


def _berkeley(data: bytes) -> Iterator[bytes]:
    """Yield the headers; the first record is none, but the highest number given so far."""
    try:
        yield from (value for value in values(data) if len(value) > 8)
    except BerkeleyError as error:
        raise RpmdbError(str(error)) from error


def _ndb(data: bytes) -> Iterator[bytes]:
    """Yield the headers: pages of slots come first, each with the place of a header, in blocks."""
    try:
        pages = struct.unpack_from("<I", data, 12)[0]
        for at in range(2 * _NDB_SLOT, min(pages * _NDB_PAGE, len(data)), _NDB_SLOT):
            magic, index, block, _ = struct.unpack_from("<4sIII", data, at)
            if magic != _SLOT:
                raise RpmdbError(f"no slot at {at}")
            if index:
                start = block * _NDB_BLOCK
                magic, owner, _, length = struct.unpack_from("<4sIII", data, start)
                if (magic, owner) != (_BLOB, index):
                    raise RpmdbError(f"no header of package {index} at {start}")
                yield data[start + 16 : start + 16 + length]
    except struct.error as error:
        raise RpmdbError(str(error)) from error


def _sqlite(data: bytes, wal: bytes) -> Iterator[bytes]:
    """Yield the headers. SQLite opens a copy in memory, so the guest's file is not written to."""
    image = bytearray(_with_wal(data, wal))
    image[18:20] = b"\1\1"  # the log is merged; a database in memory can have none
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        # The table may be a view of somebody's own, and a damaged tree may have loops.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, len(image))
        connection.set_progress_handler(lambda: 1, _SQLITE_STEPS)
        for (header,) in connection.execute("SELECT blob FROM Packages"):
            if isinstance(header, bytes):
                yield header
    except (sqlite3.Error, MemoryError, OverflowError) as error:
        raise RpmdbError(f"SQLite: {error}") from error
    finally:
        connection.close()


def _with_wal(data: bytes, wal: bytes) -> bytes:
    """Return a database with the pages that its write-ahead log has of whole transactions.

    Source: "WAL file format" in SQLite's documentation. Frames of an older log, which are not
    overwritten yet, have another salt.
    """
    if len(wal) < _WAL_HEADER:
        return data
    size = struct.unpack_from(">I", wal, 8)[0]
    salt = wal[16:24]
    if size not in (1 << bits for bits in range(9, 17)):
        raise RpmdbError(f"SQLite: a log with pages of {size} bytes")
    merged = bytearray(data)
    pending: dict[int, bytes] = {}
    for at in range(_WAL_HEADER, len(wal) - size - _FRAME_HEADER + 1, size + _FRAME_HEADER):
        page, committed = struct.unpack_from(">II", wal, at)
        if wal[at + 8 : at + 16] != salt or not 0 < page <= (len(data) + len(wal)) // size:
            break
        pending[page] = wal[at + _FRAME_HEADER : at + _FRAME_HEADER + size]
        if committed:
            for number, content in pending.items():
                merged.extend(bytes(max(0, number * size - len(merged))))
                merged[(number - 1) * size : number * size] = content
            pending = {}
    return bytes(merged)
