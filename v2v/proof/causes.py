# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading from a guest's own words why it does not boot, or that it does.

The texts are those of initramfs-tools (scripts/functions), dracut (rdsosreport), systemd, GRUB 2
(grub-core/kern), SeaBIOS (src/boot.c), EDK II (MdeModulePkg BdsDxe) and the Linux kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2v.proof.evidence import Cause, Reason


@dataclass(frozen=True, slots=True)
class Rule:
    """A text, and what it means for the boot."""

    reason: Reason
    pattern: re.Pattern[str]
    advice: str
    given: re.Pattern[str]  # must be in the text too; two searches, as guests choose the text
    final: bool  # nothing can come after it but the guest's user

    def read(self, text: str) -> Cause | None:
        """Return the cause if the text tells it."""
        found = self.given.search(text) and self.pattern.search(text)
        return Cause(self.reason, " ".join(found[0].split()), self.advice) if found else None


def _rule(
    reason: Reason, pattern: str, advice: str, *, given: str = "", final: bool = True
) -> Rule:
    flags = re.MULTILINE
    return Rule(reason, re.compile(pattern, flags), advice, re.compile(given, flags), final)


_ROOT = (
    "compare root= on the kernel command line with the guest's disks, and see that the initramfs "
    "has the driver for the disk's bus"
)
_LOADER = "see that the first disk holds a boot loader for the firmware that the XML names"
_GRUB = "compare the names in GRUB's prefix and grub.cfg with the guest's disks"
_FSTAB = "look in /etc/fstab for names that the guest's disks no longer have"

#: Deeper causes first: an emergency shell says less than the missing root that led to it.
_RULES = (
    _rule(Reason.no_root, r"ALERT!\s.*does not exist\.\s+Dropping to a\s*shell", _ROOT),
    _rule(Reason.no_root, r"Gave up waiting for root .*device.*", _ROOT),
    _rule(Reason.no_root, r'"?/dev/\S+ does not exist', _ROOT, given="dracut.*: Warning: "),
    _rule(
        Reason.no_root,
        r"Warning: Could not boot\.|FATAL: No or empty root= argument.*",
        _ROOT,
        given="dracut",
    ),
    _rule(Reason.no_root, r"(Dependency failed for|Failed to mount) .*/?sysroot.*", _ROOT),
    _rule(
        Reason.no_driver,
        r"INACCESSIBLE[_ ]BOOT[_ ]DEVICE|STOP: 0x0000007B.*",
        "install the virtio storage driver as one that Windows starts at boot",
    ),
    _rule(Reason.panic, r"VFS: (Unable to mount root fs|Cannot open root device).*", _ROOT),
    _rule(
        Reason.panic,
        r"Kernel panic - not syncing.*",
        "read the lines above it: the first error is the one that counts",
    ),
    _rule(
        Reason.maintenance,
        r"(Timed out waiting for device|Dependency failed for|Failed to mount) .*",
        _FSTAB,
        given="You are in emergency mode|for maintenance$",
    ),
    _rule(
        Reason.maintenance,
        r"You are in (emergency|rescue) mode.*|^Entering emergency mode.*"
        r"|Cannot open access to console, the root account is locked.*"
        r"|^(Give root password|Press Enter) for maintenance.*",
        _FSTAB,
    ),
    # Where nothing else starts, OVMF tries a shell of its own, which no key has signed.
    _rule(Reason.no_boot_device, r'failed to start .*"EFI Internal Shell".*', _LOADER),
    _rule(
        Reason.secure_boot,
        r".*Security Violation.*|.*bad shim signature.*|.*prohibited by secure boot policy.*",
        "let the XML name firmware without Secure Boot, or sign what the guest boots",
    ),
    _rule(Reason.boot_loader, r"^error: .*", _GRUB, given="^grub( rescue)?> *$"),
    _rule(Reason.boot_loader, r"^grub( rescue)?> *$", _GRUB),
    _rule(
        Reason.boot_loader,
        r"BOOTMGR is missing|NTLDR is missing|Missing operating system"
        r"|Error loading operating system|Operating system not found",
        _LOADER,
    ),
    _rule(Reason.no_boot_device, r"No bootable device.*", _LOADER),
    _rule(Reason.no_boot_device, r".*No bootable option or device was found.*|^Shell> *$", _LOADER),
    # GRUB goes on to the next entry, dracut to its timeout scripts, systemd without the device.
    _rule(
        Reason.boot_loader,
        r"^error: (\S+:\d+:)?\s*(no such (device|partition|disk)|unknown filesystem"
        r"|(file|disk|symbol) .* not found|you need to load the kernel first).*",
        _GRUB,
        final=False,
    ),
    _rule(Reason.no_root, r".*dracut-initqueue.* timeout.*", _ROOT, final=False),
    _rule(Reason.no_root, r"Begin: Waiting for root file system.*", _ROOT, final=False),
    _rule(Reason.maintenance, r"Timed out waiting for device .*", _FSTAB, final=False),
    _rule(Reason.no_boot_device, r"UEFI Interactive Shell.*", _LOADER, final=False),
    _rule(Reason.no_boot_device, r"BdsDxe: failed to (load|start) Boot.*", _LOADER, final=False),
    _rule(Reason.no_boot_device, r"Boot failed: .*", _LOADER, final=False),
)

_LOGIN = re.compile(
    # A late kernel message may follow the prompt on its line.
    r"^[\w.-]+ login: *(\S+ \(automatic login\).*|\[ *\d+\.\d+\] .*)?$"
    r"|Reached target .*(multi-user|graphical)\.target.*"
    r"|Reached target (Multi-User System|Graphical Interface).*",
    re.MULTILINE,
)
_KERNEL = re.compile(
    r"^\[ *\d+\.\d{6}\] .*|^.*Linux version \d.*|^Begin: .*|^Loading, please wait.*"
    r"|^\[ *(OK|FAILED|DEPEND|TIME) *\] .*|^systemd\[1\]: .*|^/dev/\S+: (clean|recovering).*",
    re.MULTILINE,
)
_FAILED_UNIT = re.compile(r"^\[FAILED\] Failed to start (.*?)\.?$", re.MULTILINE)
_LONGEST_LINE = 500
_POSITION = re.compile(r"\x1b\[\d*(;\d*)?[HfJd]")  # cursor movements begin a new piece of text
_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|.)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def plain(console: bytes) -> str:
    """Return what a terminal showed as lines of text, without colours and cursor movements."""
    text = _POSITION.sub("\n", console.decode(errors="replace"))
    text = _ESCAPE.sub("", text).replace("\r", "\n")
    lines = (line.rstrip() for line in _CONTROL.sub("", text).splitlines())
    return "\n".join(line[:_LONGEST_LINE] for line in lines if line)


def find_cause(text: str, *, final: bool) -> Cause | None:
    """Return the cause that a text tells; ``final``: only one after which nothing can come."""
    asked = (rule for rule in _RULES if rule.final or not final)
    return next((cause for rule in asked if (cause := rule.read(text))), None)


def find_login(text: str) -> str | None:
    """Return the line that proves user space to be up, or None."""
    found = _LOGIN.search(text)
    return found[0].strip() if found else None


def find_kernel(text: str) -> str | None:
    """Return the first line that the guest's kernel or initramfs wrote, or None."""
    found = _KERNEL.search(text)
    return found[0].strip() if found else None


def failed_units(text: str) -> tuple[str, ...]:
    """Return what systemd reports as failed, each once."""
    return tuple(dict.fromkeys(_FAILED_UNIT.findall(text)))
