# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves a disk that QEMU cannot read over NBD: a script for nbdkit-python-plugin(3).

It runs in nbdkit's own Python, to which ``path=`` says where v2v and its libraries are.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbdkit

if TYPE_CHECKING:
    from v2v.disks.blocks import Blocks

API_VERSION = 2
_told: dict[str, str] = {}
_files: list[Path] = []
_opened: list[Blocks] = []  # the one disk, for all connections
_held = ExitStack()


def config(key: str, value: str) -> None:
    """Take file= (a chain= from its top, the last of base=), host=, login=, url=, size=, path=."""
    if key == "file":
        _files.append(Path(value))
    else:
        _told[key] = value


def config_complete() -> None:
    sys.path += _told["path"].split(":")


def thread_model() -> int:
    return int(nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS)


def get_ready() -> None:
    """Read the headers, once; what is wrong with them ends the server before it serves."""
    from v2v.disks.chain import ChainBlocks
    from v2v.disks.datastore import DatastorePlace
    from v2v.disks.imagefile import LOCAL, Place
    from v2v.disks.layers import layers
    from v2v.disks.parallels import PartsLayer, read_bundle
    from v2v.disks.remote import remote_place
    from v2v.disks.vmdk_chain import VmdkBlocks
    from v2v.hosts.https_file import HttpsFile, login_of
    from v2v.hosts.remote_file import RemoteBlocks
    from v2v.model import Remote

    if "url" in _told:
        file = HttpsFile(login_of(Path(_told["login"])), _told["url"])
        _opened.append(RemoteBlocks(_held.enter_context(closing(file))))
        return
    place: Place = LOCAL
    if "host" in _told:
        place = _held.enter_context(remote_place(Remote(**json.loads(_told["host"]))))
    elif "login" in _told:
        place = DatastorePlace(login_of(Path(_told["login"])), _told["datacenter"])
    chain = _told.get("chain")
    if chain == "parallels":
        parts = read_bundle(_files[0])
        _opened.append(ChainBlocks([PartsLayer(each, _held) for each in parts]))
    elif chain == "vmdk":
        _opened.append(VmdkBlocks(_files, place, _held))
    elif chain is not None:
        files = [_held.enter_context(place.open(file, devices=True)) for file in _files]
        _opened.append(ChainBlocks(layers(files, chain, _told.get("base", chain))))
    else:
        _opened.append(RemoteBlocks(_held.enter_context(place.open(_files[0], devices=True))))


def unload() -> None:
    _held.close()


class _Handle:
    """A connection, and the block that it is likely to read next."""

    def __init__(self) -> None:
        self.size = int(_told["size"])
        (self.blocks,) = _opened
        self.block = self.blocks.block_bytes
        self._last: tuple[int, bytes] = (-1, b"")
        self._ahead: dict[int, Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(1)

    def read(self, number: int) -> bytes:
        """Return a block, filled up with zeros; the one behind it is read meanwhile."""
        last, data = self._last
        if last != number:
            ahead = self._ahead.pop(number, None)
            self._ahead.clear()
            data = self._filled(number) if ahead is None else ahead.result()
            self._last = number, data
            if number + 1 in self.blocks:
                self._ahead[number + 1] = self._threads.submit(self._filled, number + 1)
        return data

    def _filled(self, number: int) -> bytes:
        data = self.blocks.read(number) if number in self.blocks else b""
        return data.ljust(self.block, b"\0")


def open(readonly: bool) -> _Handle:
    return _Handle()


def get_size(handle: _Handle) -> int:
    return handle.size


def pread(handle: _Handle, buffer: Any, offset: int, flags: int) -> None:
    done = 0
    while done < len(buffer):
        number, at = divmod(offset + done, handle.block)
        piece = memoryview(handle.read(number))[at : at + len(buffer) - done]
        buffer[done : done + len(piece)] = piece
        done += len(piece)


def can_extents(handle: _Handle) -> bool:
    return True


def extents(handle: _Handle, count: int, offset: int, flags: int) -> list[tuple[int, int, int]]:
    """Return the piece at an offset, with data or without; nbdkit asks again for what follows."""
    first = offset // handle.block
    data = first in handle.blocks
    end = min(offset + count, handle.size)
    number = first + 1
    while number * handle.block < end and (number in handle.blocks) is data:
        number += 1
    kind = 0 if data else nbdkit.EXTENT_HOLE | nbdkit.EXTENT_ZERO
    return [(offset, min(number * handle.block, end) - offset, kind)]
