# SPDX-License-Identifier: LGPL-2.1-or-later
"""Telling a disk image from other files by its first bytes, without a verdict on its format.

This only chooses the source reader. A raw disk's content belongs to the guest, so which format an
image is opened with is decided elsewhere.
"""

from __future__ import annotations

_MAGICS = (  # offset and bytes of image formats, partition tables, file systems, volume managers
    (0, b"QFI\xfb"),  # qcow, qcow2
    (0, b"QED\0"),
    (0, b"KDMV"),  # VMDK, hosted sparse
    (0, b"COWD"),  # VMDK, ESX sparse
    (0, b"# Disk DescriptorFile"),  # VMDK, text
    (0, b"conectix"),  # VHD, dynamic
    (0, b"vhdxfile"),
    (0x40, b"\x7f\x10\xda\xbe"),  # VDI
    (0, b"WithoutFreeSpace"),  # Parallels
    (0, b"WithouFreSpacExt"),
    (510, b"\x55\xaa"),  # MBR, FAT, NTFS
    (512, b"EFI PART"),  # GPT
    (4096, b"EFI PART"),  # GPT of 4 KiB sectors
    (1080, b"\x53\xef"),  # ext2, 3, 4
    (0, b"XFSB"),
    (65600, b"_BHRfS_M"),  # btrfs
    (65588, b"ReIsEr"),
    (32768, b"JFS1"),
    (4086, b"SWAPSPACE2"),
    (4086, b"SWAP-SPACE"),
    (512, b"LABELONE"),  # LVM
    (0, b"LUKS\xba\xbe"),
)
_VMDK = (b"KDMV", b"VMDK", b"COWD", b"# Disk DescriptorFile")
_SECTOR = 512


def is_disk(head: bytes) -> bool:
    """Tell whether a file is a disk image; a blank disk is one, too."""
    if any(head[at : at + len(magic)] == magic for at, magic in _MAGICS):
        return True
    return len(head) >= _SECTOR and not any(head)


def is_vmdk(head: bytes) -> bool:
    """Tell whether a file is a VMDK of any kind, by RHEL-19564's list of beginnings and COWD."""
    return head.startswith(_VMDK)
