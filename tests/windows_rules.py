# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why v2v's conversions of Windows differ from virt-v2v's: a reason for each kind of difference.

A rule says of which things it speaks, by a pattern, and whose doing the difference is. What no rule
explains counts as missing; a rule that explains nothing has to go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum, auto


class Side(StrEnum):
    """Who changed a thing: virt-v2v alone, v2v alone, or both in different ways."""

    theirs = auto()
    ours = auto()
    both = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a kind of difference is for the better."""

    side: Side
    pattern: re.Pattern[str]
    reason: str

    def explains(self, side: Side, name: str) -> bool:
        """Tell whether a difference is one of this kind; ``name`` is in lower case."""
        return side is self.side and self.pattern.fullmatch(name) is not None


def rule(side: Side, pattern: str, reason: str) -> Rule:
    """Return a rule; the pattern is matched with all of a name in lower case."""
    return Rule(side, re.compile(pattern), reason)


_SERVICES = r"system\\controlset001\\services"
_PCI = r"ven_1af4&dev_[0-9a-f]{4}"
_FIRST_BOOT = "its first boot needs no foreign program: a service over cmd.exe"

RULES = (
    rule(Side.theirs, rf"{_SERVICES}\\firstboot\\.*", _FIRST_BOOT),
    rule(Side.ours, rf"{_SERVICES}\\v2v-firstboot\\.*", _FIRST_BOOT),
    rule(
        Side.theirs,
        r"/program files/guestfs/.*",
        "its first boot's files are in %SystemRoot%, the same in every language, on every letter",
    ),
    rule(
        Side.ours,
        r"/windows/v2v/.*",
        "one step for each driver and tool, with its own tries, time and log",
    ),
    rule(
        Side.theirs,
        r"/qemu-ga-[^/]*\.msi",
        "the agent's installer is among the first boot's files, which go away at the end",
    ),
    rule(
        Side.theirs,
        r"/windows/temp/install-qemu-ga-[^/]*\.ps1",
        "a batch file installs the agent: no policy on scripts keeps it from that",
    ),
    rule(
        Side.theirs,
        rf"system\\controlset001\\control\\criticaldevicedatabase\\pci#{_PCI}&subsys_.*",
        "bound without the subsystem, as newer virt-v2v does too: it may be any",
    ),
    rule(
        Side.ours,
        rf"system\\controlset001\\control\\criticaldevicedatabase\\pci#{_PCI}&rev_.*",
        "bound without the subsystem, as newer virt-v2v does too: it may be any",
    ),
    rule(
        Side.theirs,
        r"system\\driverdatabase\\.*guestor.*",
        "a label of the usual form: this one breaks pnputil, Windows Update and upgrades",
    ),
    rule(
        Side.ours,
        r"system\\driverdatabase\\.*v2vviostor.*",
        "a label of the usual form: guestor.inf_tmp breaks pnputil, Windows Update and upgrades",
    ),
    rule(
        Side.theirs,
        r"/windows/drivers/virtio/[^/]*\.pdb",
        "debug symbols: nothing in Windows reads them there",
    ),
    rule(
        Side.theirs,
        r"/windows/drivers/virtio/vioprot\..*",
        "NetKVM's protocol driver gets in the way of its network (RHEL-56383)",
    ),
    rule(
        Side.theirs,
        r"software\\microsoft\\windows\\currentversion\\devicepath",
        "there is no driver for this Windows on the medium, so no folder to look into",
    ),
    rule(
        Side.ours,
        r"software\\policies\\microsoft\\windows\\deviceinstall\\settings\\v2vbefore",
        "what was set before is set again when the first boot is over",
    ),
    rule(
        Side.ours,
        r"system\\controlset001\\control\\criticaldevicedatabase\\secondary_ide_channel\\.*",
        "Windows' own driver is bound to the emulated disk, which it starts from",
    ),
    rule(
        Side.ours,
        rf"{_SERVICES}\\(?:vm|vgauthservice|vsock|xen)[^\\]*\\start",
        "the old hypervisor's drivers and services do not start without it",
    ),
    rule(
        Side.ours,
        r"system\\controlset001\\control\\networkprovider\\order\\providerorder",
        "VMware's shared folders are no network here; waiting for them slows logging on",
    ),
    rule(
        Side.ours,
        r"system\\controlset001\\control\\class\\\{[0-9a-f-]*\}\\(?:upper|lower)filters",
        "a filter of Xen's drivers that cannot be loaded stops Windows with 0x7B",
    ),
    rule(
        Side.both,
        "domain clock",
        "Windows takes its clock for local time; without a word libvirt's is UTC",
    ),
    rule(
        Side.both,
        "domain enlightenments",
        "Windows idles and keeps time as on Hyper-V, with fewer timer interrupts",
    ),
    rule(Side.both, "domain cpu", "the host's CPU; with nothing said, QEMU gives qemu64"),
    rule(Side.both, "domain devices", "no device without a driver, and TPM 2.0 for Windows 11"),
)
