# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formats of which QEMU does not read a chain: a snapshot and what is below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from v2v.disks.chain import Layer
from v2v.disks.imagefile import ImageFile
from v2v.disks.vdi_chain import VdiLayer
from v2v.disks.vhd_chain import VhdLayer
from v2v.disks.vhdx_chain import VhdxLayer
from v2v.model import DiskFormat

LAYERS: Mapping[str, Callable[[ImageFile], Layer]] = {
    DiskFormat.vpc: VhdLayer,
    DiskFormat.vhdx: VhdxLayer,
    DiskFormat.vdi: VdiLayer,
}
