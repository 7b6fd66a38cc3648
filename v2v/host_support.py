# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the hypervisor of a target has, as far as a domain can depend on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostSupport:
    """What may stand in a domain's XML; the defaults are what a current libvirt with KVM has."""

    virtualization: str = "kvm"  # the type of domains: kvm, or qemu, which emulates
    machines: frozenset[str] = frozenset({"q35", "pc"})
    efi: bool = True
    secure_boot: bool = True
    tpm: bool = True
    buses: frozenset[str] = frozenset({"virtio", "scsi", "sata", "ide", "fdc", "usb"})
    screens: frozenset[str] = frozenset({"vnc", "spice"})  # types of <graphics>
    video: frozenset[str] = frozenset({"vga", "virtio"})
    uuids: frozenset[str] = frozenset()  # of other domains


USUAL = HostSupport()
