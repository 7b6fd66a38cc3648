# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes the old hypervisor's drivers and settings out of the kernel's configuration."""

from __future__ import annotations

import re
from collections.abc import Callable

from converters.linux.conversion import Conversion
from v2v.changes import Draft
from v2v.model import Bus

_LISTS = ("/etc/modules", "/etc/modules-load.d/*.conf", "/etc/initramfs-tools/modules")
_ALIASES = ("/etc/modprobe.d/*", "/etc/modprobe.conf", "/etc/modules.conf")
_MODPROBE_CONF = "/etc/modprobe.conf"
_DISK_ALIAS = re.compile(
    r"^(?P<alias>alias[ \t]+scsi_hostadapter\d*[ \t]+)(?P<driver>\S+)", re.MULTILINE
)
_NIC_ALIAS = re.compile(r"^(?P<alias>alias[ \t]+eth\d+[ \t]+)\S+", re.MULTILINE)
_DISK_DRIVERS = {Bus.virtio: "virtio_blk", Bus.scsi: "virtio_scsi"}
_SYSCTL = ("/etc/sysctl.conf", "/etc/sysctl.d/*.conf")
_OLD = re.compile(
    r"xen(_.*|fs|blk|net|bus.*)?|vmw_(?!vsock_virtio).*|vmxnet\d?|vmci|vmhgfs|vmmemctl|vmblock|vmwgfx"
    r"|mptbase|mptscsih|mptspi|mptsas|buslogic|vbox(guest|sf|video)|hv_.*|hyperv_.*|hid_hyperv"
    r"|prl_.*",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"xen[./]independent_wallclock")


def unload_old_drivers(draft: Draft, conversion: Conversion) -> None:
    """Load the old hypervisor's drivers no more.

    On KVM they fail to load, and systemd-modules-load.service with them.
    """

    def keep(line: str) -> bool:
        words = line.split("#")[0].split()
        return not (words and _OLD.fullmatch(words[0].replace("-", "_")))

    _filter(draft, _LISTS, keep, "drivers of the old hypervisor do not load on KVM")


def rename_driver_aliases(draft: Draft, conversion: Conversion) -> None:
    """Name virtio where modprobe.conf says which driver eth0 or the disks have.

    RHEL 4 and 5 load the card's driver by its alias, and mkinitrd takes the disks' from there.
    """
    if conversion.kernel is None or not draft.is_file(_MODPROBE_CONF):
        return
    text = draft.text(_MODPROBE_CONF)
    disks = [match["driver"] for match in _DISK_ALIAS.finditer(text)]
    if not (disks or _NIC_ALIAS.search(text)):
        return
    if conversion.capabilities.net_model == "virtio":
        text = _NIC_ALIAS.sub(r"\g<alias>virtio_net", text)
    driver = _DISK_DRIVERS.get(conversion.capabilities.block_bus)
    if driver is not None and driver not in disks:
        text = _DISK_ALIAS.sub(rf"\g<alias>{driver}", text, count=1)
        text += "" if disks else f"alias scsi_hostadapter {driver}\n"
    draft.write(_MODPROBE_CONF, text, why="the guest's disks and cards have virtio's drivers")


def drop_driver_aliases(draft: Draft, conversion: Conversion) -> None:
    """Drop aliases that load the old hypervisor's drivers for eth0 or the disks, modprobe.d(5)."""

    def keep(line: str) -> bool:
        words = line.split()
        return not (
            len(words) > 2 and words[0] == "alias" and _OLD.fullmatch(words[2].replace("-", "_"))
        )

    _filter(draft, _ALIASES, keep, "the alias loads a driver of the old hypervisor")


def drop_xen_clock(draft: Draft, conversion: Conversion) -> None:
    """Drop the sysctl that set Xen's wall clock; on KVM setting it fails at each boot."""

    def keep(line: str) -> bool:
        return not _CLOCK.match(line.lstrip(" \t-"))

    _filter(draft, _SYSCTL, keep, "there is no such setting without Xen")


def _filter(draft: Draft, patterns: tuple[str, ...], keep: Callable[[str], bool], why: str) -> None:
    for pattern in patterns:
        for path in draft.glob(pattern):
            if draft.is_file(path):
                lines = draft.text(path).splitlines(keepends=True)
                draft.write(path, "".join(line for line in lines if keep(line)), why=why)
