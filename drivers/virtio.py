# SPDX-License-Identifier: LGPL-2.1-or-later
"""The virtio devices as Linux knows them: which module and which kernel option drives each."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

COMPRESSED = (".gz", ".xz", ".zst")  # what a module's file name may end in, depmod(8)


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its driver's module, under its normal name, and its kernel option."""

    module: str
    option: str


# Keys as in v2v.model.Kernel.virtio. The rng's file is virtio-rng.ko, see module_name.
DEVICES: Mapping[str, Device] = {
    "pci": Device("virtio_pci", "VIRTIO_PCI"),
    "blk": Device("virtio_blk", "VIRTIO_BLK"),
    "scsi": Device("virtio_scsi", "SCSI_VIRTIO"),
    "net": Device("virtio_net", "VIRTIO_NET"),
    "rng": Device("virtio_rng", "HW_RANDOM_VIRTIO"),
    "balloon": Device("virtio_balloon", "VIRTIO_BALLOON"),
    "console": Device("virtio_console", "VIRTIO_CONSOLE"),
}

# Modules that a root file system on a disk of either kind needs. The disks of a SCSI adapter are
# sd_mod's, which no dependency of virtio_scsi brings along.
BLK_BOOT = ("virtio_pci", "virtio_blk")
SCSI_BOOT = ("virtio_pci", "virtio_scsi", "sd_mod")
NET_BOOT = ("virtio_pci", "virtio_net")

# Drivers of the network cards that Xen and VMware give to guests. An initramfs that has one may
# use the network: a root on NFS or iSCSI, a passphrase asked for over SSH or from a Tang server.
REPLACED_NICS = frozenset({"xen_netfront", "vmxnet3", "e1000", "e1000e", "pcnet32", "8139cp"})


def module_name(path: str) -> str:
    """Return the normal name of a module from its name or file: hyphens are underscores.

    The kernel and modprobe(8) see no difference between the two.
    """
    return stem(posixpath.basename(path)).removesuffix(".ko").replace("-", "_")


def stem(path: str) -> str:
    """Return a module's file name without the suffix of its compression."""
    for suffix in COMPRESSED:
        path = path.removesuffix(suffix)
    return path
