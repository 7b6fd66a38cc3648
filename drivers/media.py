# SPDX-License-Identifier: LGPL-2.1-or-later
"""A medium of drivers on the host: a folder or an ISO image, as paths to read."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import pycdlib
from pycdlib.pycdlibexception import PyCdlibException

from v2v.errors import DriverError
from v2v.units import iec

_LIMIT = 512 << 20  # bytes; the guest agent's installer is the largest, with some 10 MiB
_MAX_FILES = 100_000


class _Reader(Protocol):
    """What makes a medium of a folder or of an image."""

    def list(self) -> Mapping[str, int]: ...

    def read(self, path: str) -> bytes: ...


class Medium:
    """Files by their paths, which have ``/`` between their parts and none in front."""

    def __init__(self, name: str, reader: _Reader) -> None:
        self.name = name
        self._reader = reader
        self._known: dict[str, bytes] = {}

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        return self._reader.list()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self._sizes))

    @cached_property
    def _folders(self) -> Mapping[str, Mapping[str, str]]:
        folders: dict[str, dict[str, str]] = {}
        for path in self.paths:
            folder, name = posixpath.split(path)
            folders.setdefault(folder, {})[name.lower()] = path
        return folders

    def beside(self, path: str) -> Mapping[str, str]:
        """Return the files in a file's folder: name in lower case to path."""
        return self._folders[posixpath.dirname(path)]

    def read(self, path: str) -> bytes:
        """Return a file's content, which is read once. Raises DriverError."""
        if self._sizes[path] > _LIMIT:
            raise DriverError(
                "E-DRIVER-MEDIUM", f"{self.name}: {path} has {iec(self._sizes[path])}"
            )
        if path not in self._known:
            self._known[path] = self._reader.read(path)
        return self._known[path]


class _Folder:
    def __init__(self, top: Path) -> None:
        self._top = top

    def list(self) -> Mapping[str, int]:
        found = {}
        for folder, folders, names in os.walk(self._top, followlinks=True):
            folders.sort()
            for name in names:
                path = Path(folder, name)
                if path.is_file():
                    found[str(path.relative_to(self._top))] = path.stat().st_size
            _check_count(str(self._top), len(found))
        return found

    def read(self, path: str) -> bytes:
        try:
            return (self._top / path).read_bytes()
        except OSError as error:
            raise DriverError("E-DRIVER-MEDIUM", f"{self._top / path}: {error}") from error


class _Iso:
    """An ISO 9660 image; virtio-win.iso has its long names in Joliet and in Rock Ridge."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self._name = name
        self._iso = pycdlib.PyCdlib()
        try:
            self._iso.open_fp(file)
        except (PyCdlibException, OSError) as error:
            raise DriverError(
                "E-DRIVER-MEDIUM", f"{name}: it cannot be read as an ISO image: {error}"
            ) from error
        self._kind = next(
            (
                kind
                for kind, there in (
                    ("joliet_path", self._iso.has_joliet()),
                    ("rr_path", self._iso.has_rock_ridge()),
                )
                if there
            ),
            "iso_path",
        )

    def list(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        try:
            for folder, _, names in self._iso.walk(**{self._kind: "/"}):
                for name in names:
                    path = posixpath.join(folder, name)
                    record = self._iso.get_record(**{self._kind: path})
                    found[path.lstrip("/")] = record.get_data_length()
                _check_count(self._name, len(found))
        except PyCdlibException as error:
            raise DriverError("E-DRIVER-MEDIUM", f"{self._name}: {error}") from error
        return found

    def read(self, path: str) -> bytes:
        data = BytesIO()
        try:
            self._iso.get_file_from_iso_fp(data, **{self._kind: f"/{path}"})
        except (PyCdlibException, OSError) as error:
            raise DriverError("E-DRIVER-MEDIUM", f"{self._name}: {path}: {error}") from error
        return data.getvalue()


def _check_count(name: str, count: int) -> None:
    if count > _MAX_FILES:
        raise DriverError("E-DRIVER-MEDIUM", f"{name}: more than {_MAX_FILES} files")


@contextmanager
def open_medium(path: Path) -> Iterator[Medium]:
    """Give a folder or an ISO image for as long as the block lasts. Raises DriverError."""
    if path.is_dir():
        yield Medium(str(path), _Folder(path))
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise DriverError("E-DRIVER-MEDIUM", f"{path}: {error.strerror}") from error
    with file:
        yield Medium(str(path), _Iso(str(path), file))
