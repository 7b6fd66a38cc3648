# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gives the guest's disks names that hold on KVM, in all files but those of the boot loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from converters.linux import disk_tables, disk_units
from converters.linux.conversion import Conversion
from converters.linux.disk_names import DiskNames, Edited
from v2v.changes import Draft

_RESUME = ("/etc/initramfs-tools/initramfs.conf", "/etc/initramfs-tools/conf.d/*",
           "/etc/uswsusp.conf", "/etc/suspend.conf")  # fmt: skip
_ARRAYS = ("/etc/mdadm.conf", "/etc/mdadm/mdadm.conf")
_FILTERS = ("/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf")
# Where else disks are named: crash dumps, raw devices of databases, automounts, initramfs images.
_ELSEWHERE = ("/etc/kdump.conf", "/etc/sysconfig/rawdevices", "/etc/auto.*", "/etc/auto.master.d/*",
              "/etc/dracut.conf", "/etc/dracut.conf.d/*.conf")  # fmt: skip
_SMARTD = ("/etc/smartd.conf", "/etc/smartmontools/smartd.conf")
_UNITS = ("/etc/systemd/system/*.mount", "/etc/systemd/system/*.automount")
# What blkid and LVM remember of devices, and what GRUB calls them.
_CACHES = ("/etc/blkid/blkid.tab", "/etc/blkid.tab", "/etc/lvm/cache/.cache",
           "/etc/lvm/devices/*.devices")  # fmt: skip
_DEVICE_MAPS = ("/boot/grub/device.map", "/boot/grub2/device.map")


def warn_unknown(draft: Draft, path: str, unknown: Iterable[str]) -> None:
    """Warn of names of disks that the source does not have."""
    for name in dict.fromkeys(unknown):
        draft.warn(
            "W-DISK-NAME",
            f"{path}: {name} is none of the source's disks, or its partition cannot be told",
            hint="it stays as it is; name it by UUID in the guest if it is needed",
        )


def _rename(
    draft: Draft,
    conversion: Conversion,
    path: str,
    editor: Callable[[str, DiskNames], Edited],
    why: str,
) -> None:
    if draft.is_file(path):
        edited = editor(draft.text(path), conversion.names)
        draft.write(path, edited.text, why=why)
        warn_unknown(draft, path, edited.unknown)


def rename_in_fstab(draft: Draft, conversion: Conversion) -> None:
    """Rename in /etc/fstab: systemd waits 90 s for each missing disk, then gives up the boot."""
    _rename(
        draft, conversion, "/etc/fstab", disk_tables.fstab, "disks have other names on KVM"
    )  # fmt: skip
    for pattern in _UNITS:
        for path in draft.glob(pattern):
            why = "disks have other names on KVM"
            _rename(draft, conversion, path, disk_tables.assignments, why)


def drop_shared_folders(draft: Draft, conversion: Conversion) -> None:
    """Take what only the old hypervisor can mount out of /etc/fstab.

    A mount that fails there is one that systemd ends in emergency mode for.
    """
    if draft.is_file("/etc/fstab"):
        text = disk_tables.without_shared_folders(draft.text("/etc/fstab"))
        draft.write("/etc/fstab", text, why="only the old hypervisor can mount this")


def rename_in_crypttab(draft: Draft, conversion: Conversion) -> None:
    """Rename in /etc/crypttab: an encrypted volume that is not found is never opened."""
    why = "encrypted disks have other names on KVM"
    _rename(draft, conversion, "/etc/crypttab", disk_tables.crypttab, why)


def rename_resume_device(draft: Draft, conversion: Conversion) -> None:
    """Rename where the guest resumes from: an initramfs waits 30 s for a device that is absent."""
    why = "the initramfs would wait for a swap device that is not there"
    for pattern in _RESUME:
        for path in draft.glob(pattern):
            _rename(draft, conversion, path, disk_tables.assignments, why)


def widen_lvm_filters(draft: Draft, conversion: Conversion) -> None:
    """Let LVM see the disks under their new names; a filter may hide all but the old ones."""
    why = "a filter hides disks that have other names than before"
    for path in _FILTERS:
        _rename(draft, conversion, path, disk_tables.lvm_filter, why)


def rename_in_arrays(draft: Draft, conversion: Conversion) -> None:
    """Let mdadm find the parts of arrays: a DEVICE line may name the disks that they were on."""
    why = "mdadm would look for arrays on disks that have other names on KVM"
    for path in _ARRAYS:
        _rename(draft, conversion, path, disk_tables.mdadm_conf, why)


def rename_elsewhere(draft: Draft, conversion: Conversion) -> None:
    """Rename where services name disks, and take disks from smartd, which fails without them."""
    for pattern in _ELSEWHERE:
        for path in draft.glob(pattern):
            why = "disks have other names on KVM"
            _rename(draft, conversion, path, disk_tables.mentions, why)
    for path in _SMARTD:
        _rename(draft, conversion, path, disk_tables.smartd, "disks of KVM have no S.M.A.R.T.")


def rename_units(draft: Draft, conversion: Conversion) -> None:
    """Rename the units that systemd has for disks, and what waits for them."""
    disk_units.rename(draft, conversion.names)


def forget_old_devices(draft: Draft, conversion: Conversion) -> None:
    """Remove what remembers the old devices; all of it is made anew when it is needed.

    RHEL 9 and others hang at boot with a stale system.devices (RHBZ#2112801), and grub-install
    fails with a device.map that names absent disks.
    """
    for pattern in (*_CACHES, *_DEVICE_MAPS):
        for path in draft.glob(pattern):
            draft.remove(path, why="it names disks that are not there on KVM")
