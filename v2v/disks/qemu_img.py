# SPDX-License-Identifier: LGPL-2.1-or-later
"""qemu-img on images that were inspected: drivers and file names are spelled out, never probed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TypeAlias

from v2v.disks.image import Image
from v2v.errors import CommandError, SourceError
from v2v.model import DiskFormat
from v2v.run import run

Node: TypeAlias = "dict[str, str | int | Node | None]"  # QEMU's BlockdevOptions

_MAX_NAME = 1023  # bytes of a backing file's name in a qcow2 header


def create_overlay(image: Image, path: Path, *, by_name: bool = False) -> None:
    """Make a qcow2 overlay; all writes go to it, and the image under it is only ever read.

    ``by_name``: its header has the image's path and format, for libvirt to read, and it has no
    subclusters: QEMU before 8.1 dies when it streams into them what is partly discarded
    ("skip_bytes < pnum" of bdrv_co_do_copy_on_readv in block/io.c).

    With subclusters a small write does not copy the 64 KiB around it out of the source: 3,000
    writes of 4 to 64 KiB took 0.14 instead of 0.21 s and 58 instead of 221 MiB. Larger clusters
    would make discards coarser.
    """
    backing = image.path if by_name else _backing_name(image)
    _qemu_img(
        image,
        *("create", "-q", "-f", DiskFormat.qcow2),
        *(() if by_name else ("-o", "extended_l2=on")),
        *("-b", backing, "-F", image.format, path.absolute()),
    )


def measure(image: Image, format: DiskFormat, *, preallocated: bool) -> int:
    """Return the bytes that a copy of an image takes at most, from its maps of what is allocated.

    qemu-img counts a raw copy at its full length, holes too; so a qcow2 copy stands for it.
    """
    said = json.loads(
        _qemu_img(image, "measure", "--output=json", "-O", DiskFormat.qcow2, _json(blockdev(image)))
    )
    if preallocated:
        return image.virtual_bytes if format is DiskFormat.raw else int(said["fully-allocated"])
    required = int(said["required"])
    return min(required, image.virtual_bytes) if format is DiskFormat.raw else required


def first_bytes(image: Image, count: int) -> bytes:
    """Return a disk's first bytes, as its guest sees them. Raises SourceError."""
    if image.is_plain_file() and image.format is DiskFormat.raw:
        with image.path.open("rb") as file:
            return file.read(count)
    with tempfile.NamedTemporaryFile(prefix="v2v-head-") as copy:
        words = ("-O", DiskFormat.raw, f"bs={count}", "count=1")
        _qemu_img(image, "dd", *words, f"if={_json(blockdev(image))}", f"of={copy.name}")
        return copy.read()


def blockdev(image: Image, *, spell_all: bool = True) -> Node:
    """Return an image as QEMU's block layer is to open it.

    ``backing: null`` keeps QEMU from following anything that our own reader did not see. Without
    ``spell_all``, names are left to QEMU where they lead to the same file in the same format.
    """
    node: Node = {"driver": image.format, "file": _content(image)}
    if image.format is DiskFormat.vpc:
        node["force_size_calc"] = "current_size"  # as read_layout does
    for extent, part in image.parts:
        if part.format is not DiskFormat.raw:  # its file is named by the descriptor
            inner = blockdev(part, spell_all=spell_all)
            del inner["file"]
            node[f"extents.{extent}"] = inner
    if image.data_file is not None:
        node["data-file"] = _file(image.data_file)
    if image.backing is None:
        if not image.remote:
            node["backing"] = None
    elif spell_all or not all(each.backing_is_plain for each in image.chain()):
        node["backing"] = blockdev(image.backing, spell_all=spell_all)
    return node


def _content(image: Image) -> Node:
    if image.window is None:
        return _file(image.path)
    offset, size = image.window
    return {"driver": DiskFormat.raw, "offset": offset, "size": size, "file": _file(image.path)}


def _file(path: Path) -> Node:
    if path.is_socket():  # of an NBD server of ours
        return {"driver": "nbd", "server": {"type": "unix", "path": str(path)}}
    device = path.is_block_device()
    return {"driver": "host_device" if device else "file", "filename": str(path)}


def _backing_name(image: Image) -> str:
    for spell_all in (True, False):
        name = _json(blockdev(image, spell_all=spell_all))
        if len(name.encode()) <= _MAX_NAME:
            return name
    raise SourceError(
        "E-IMAGE-NAME",
        f"{image.path}: the names of the image and of its backing files are too long for QEMU",
        hint="move the guest into a folder with a short name",
    )


def _json(node: Node) -> str:
    text = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            "E-IMAGE-NAME",
            f"{text!a}: QEMU takes no file names that are not UTF-8",
            hint="rename the file or its folder",
        ) from error
    return f"json:{text}"


def _qemu_img(image: Image, *argv: str | Path) -> str:
    try:
        return run("qemu-img", *argv)
    except CommandError as error:
        said = error.stderr.strip().removeprefix("qemu-img: ")
        raise SourceError(
            "E-DISK-REFUSED",
            f"{image.path}: QEMU cannot open it: {said}",
            hint="is the guest shut down, and the image undamaged? (qemu-img check)",
        ) from error
