# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the user may choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from v2v.access import Access
from v2v.keys import Key
from v2v.model import Allocation, BlockDriver, DiskFormat, InitramfsMode
from v2v.networks import NetworkMap
from v2v.path_maps import PathMap


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may choose; the fields are the long options of the command line."""

    input_kind: str | None = None  # None: from the source's content
    input_format: DiskFormat | None = None
    system: str | None = None  # name of the guest to take where a file has several
    path_maps: tuple[PathMap, ...] = ()  # where the source host's files are on this host
    access: Access = field(default_factory=Access)  # to the source's host
    allow_running: bool = False  # the guest may be running while its disks are read
    trust_image: bool = False  # images may refer to files outside of the guest's folder
    root: str | None = None  # device of the system to convert, or "first"
    keys: tuple[Key, ...] = ()  # of encrypted volumes
    fsck: bool = True  # check the file systems, before and after
    initramfs: InitramfsMode = InitramfsMode.auto
    virtio_win: Path | None = None  # drivers for Windows; None: VIRTIO_WIN, or the host's own
    block_driver: BlockDriver = BlockDriver.virtio_blk  # of a Windows guest
    guest_code: bool = True  # programs of the guest may run, in the appliance
    keep_direct_boot: bool = False  # from a kernel beside the images, as on Xen
    fstrim: bool = True
    networks: NetworkMap = field(default_factory=NetworkMap)
    output: str = "local"
    storage: Path = Path()
    format: DiskFormat = DiskFormat.qcow2
    allocation: Allocation = Allocation.sparse
    name: str | None = None  # None: the source's
