# SPDX-License-Identifier: LGPL-2.1-or-later
"""Overlays that a guest runs on while its data is still in its source's images.

The source is named in the overlay's header, by an absolute path and its format, so that QEMU and
libvirt find it. It is only ever read.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from v2v.disks.copy import Progress, converted
from v2v.disks.image import Image
from v2v.errors import Finding, SourceError, TargetError
from v2v.model import DiskFormat

# Not VHD: QEMU has two ideas of how long one is, and a name in a header chooses none.
_FORMATS = frozenset(
    {DiskFormat.raw, DiskFormat.qcow2, DiskFormat.qcow, DiskFormat.vmdk, DiskFormat.vdi}
    | {DiskFormat.vhdx, DiskFormat.qed}
)
_MAX_NAME = 1023  # bytes of a backing file's name in a qcow2 header
_QCOW2 = b"QFI\xfb"


def refusal(image: Image) -> Finding | None:
    """Return why a guest cannot run on an image of its source, None if it can."""
    fault = _fault(image)
    if fault is None:
        return None
    return Finding(
        "E-LAZY",
        f"{image.path}: {fault}, so the guest cannot run before it is copied",
        "leave --copy lazy out",
    )


def _fault(image: Image) -> str | None:
    links = tuple(image.chain())
    if not all(link.is_plain_file() for link in links):
        return "it is on another host, in an archive or in a chain of VHDs"
    if image.format not in _FORMATS:
        return f"images of format {image.format} cannot be named in an overlay"
    if not all(link.backing_is_plain for link in links):
        return "it does not name its backing file with its format"
    if any(link.remote or link.parts or link.data_file is not None for link in links):
        return "it is made of several files"
    if len(os.fsencode(image.path)) > _MAX_NAME:
        return "its path is too long for an overlay's header"
    return None


def is_lazy(image: Path) -> bool:
    """Tell whether an image is a qcow2 overlay. Raises SourceError."""
    try:
        with image.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise SourceError("E-DISK-READ", f"{image}: {error.strerror}") from error
    return head[:4] == _QCOW2 and len(head) == 16 and struct.unpack(">8xQ", head)[0] != 0


def absorb(image: Path, on_progress: Progress) -> None:
    """Copy into an overlay that nobody uses what it has from its source, and let go of that.

    It is an overlay to the very end, so this can be interrupted and done again. Raises V2VError.
    """
    argv = ("qemu-img", "rebase", "-p", "-f", DiskFormat.qcow2, "-b", "", image.absolute())
    try:
        converted(argv, image, image, on_progress)
    except TargetError as error:
        if "another process" not in error.finding.message:
            raise
        raise TargetError(
            "E-FINISH",
            f"{image}: it is in use",
            hint="if the guest runs in libvirt, name the domain: v2v finish NAME",
        ) from error
    descriptor = os.open(image, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
