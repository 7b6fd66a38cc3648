# SPDX-License-Identifier: LGPL-2.1-or-later
"""Texts as real firmware, boot loaders, initramfs tools, kernels and systemd write them."""

from __future__ import annotations

import pytest

from v2v.proof.causes import failed_units, find_cause, find_kernel, find_login, plain
from v2v.proof.evidence import Reason

INITRAMFS_TOOLS = """\
Begin: Waiting for root file system ... Begin: Running /scripts/local-block ... done.
done.
Gave up waiting for root file system device.  Common problems:
 - Boot args (cat /proc/cmdline)
   - Check rootdelay= (did the system wait long enough?)
 - Missing modules (cat /proc/modules; ls /dev)
ALERT!  /dev/xvda1 does not exist.  Dropping to a shell!

BusyBox v1.35.0 (Debian 1:1.35.0-4+b3) built-in shell (ash)
Enter 'help' for a list of built-in commands.

(initramfs)"""
DRACUT = """\
[  136.101] dracut-initqueue[352]: Warning: dracut-initqueue timeout - starting timeout scripts
[  136.640] dracut-initqueue[352]: Warning: Could not boot.
[  136.701] dracut-initqueue[352]: Warning: /dev/disk/by-uuid/0d9c-11 does not exist

Generating "/run/initramfs/rdsosreport.txt"
Entering emergency mode. Exit the shell to continue.
Type "journalctl" to view system logs.
:/#"""
SYSTEMD_INITRD = """\
[ TIME ] Timed out waiting for device /dev/mapper/rhel-root.
[DEPEND] Dependency failed for /sysroot.
[DEPEND] Dependency failed for Initrd Root File System.
You are in emergency mode. After logging in, type "journalctl -xb" to view"""
FSTAB = """\
[ TIME ] Timed out waiting for device dev-xvdb1.device - /dev/xvdb1.
[DEPEND] Dependency failed for srv.mount - /srv.
[DEPEND] Dependency failed for local-fs.target - Local File Systems.
You are in emergency mode. After logging in, type "journalctl -xb" to view
Give root password for maintenance
(or press Control-D to continue):"""
PANIC = """\
[    2.514] VFS: Cannot open root device "sda1" or unknown-block(0,0): error -6
[    2.515] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
[    2.516] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---"""
INIT_DIED = """\
[    3.100] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100
[    3.101] CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-18-amd64"""
GRUB_RESCUE = """\
GRUB loading.
Welcome to GRUB!

error: no such device: 0d9c2a44-11a1-4a5e-9c1e-3f0a5b1c2d3e.
Entering rescue mode...
grub rescue>"""
GRUB_SHELL = """\
GNU GRUB  version 2.06-13+deb12u1
   Minimal BASH-like line editing is supported. For the first word, TAB
   lists possible command completions.

grub>"""
SEABIOS = """\
SeaBIOS (version 1.16.2-debian-1.16.2-1)
Booting from Hard Disk...
Boot failed: not a bootable disk

No bootable device."""
OVMF_SHELL = """\
BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x3): Not Found
BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)/FvFile(7C04A583)
UEFI Interactive Shell v2.2
Press ESC in 1 seconds to skip startup.nsh or any other key to continue.
Shell>"""
OVMF_NOTHING = """\
BdsDxe: No bootable option or device was found.
BdsDxe: Press any key to enter the Boot Manager Menu."""
OVMF_SECURE = """\
BdsDxe: failed to start Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x3): \
Security Violation"""
OVMF_SECURE_BLANK = """\
BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x3): Not Found
BdsDxe: failed to start Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)/FvFile(7C04A583): \
Security Violation"""
SHIM = "Verification failed: (0x1A) Security Violation"
GRUB_SIGNATURE = "error: bad shim signature.\nerror: you need to load the kernel first."
WINDOWS = "*** STOP: 0x0000007B (0xFFFFF880009A97E8,0xFFFFFFFFC0000034,0x0000000000000000)"
BOOTMGR = "BOOTMGR is missing\nPress Ctrl+Alt+Del to restart"
ROOT_LOCKED = """\
Cannot open access to console, the root account is locked.
See sulogin(8) man page for more details."""


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        (INITRAMFS_TOOLS, Reason.no_root, "ALERT! /dev/xvda1 does not exist. Dropping to a shell"),
        (DRACUT, Reason.no_root, "/dev/disk/by-uuid/0d9c-11 does not exist"),
        (SYSTEMD_INITRD, Reason.no_root, "Dependency failed for /sysroot."),
        (FSTAB, Reason.maintenance, "Timed out waiting for device dev-xvdb1.device - /dev/xvdb1."),
        (ROOT_LOCKED, Reason.maintenance, "the root account is locked"),
        (PANIC, Reason.panic, 'VFS: Cannot open root device "sda1"'),
        (INIT_DIED, Reason.panic, "Attempted to kill init!"),
        (GRUB_RESCUE, Reason.boot_loader, "error: no such device: 0d9c2a44"),
        (GRUB_SHELL, Reason.boot_loader, "grub>"),
        (BOOTMGR, Reason.boot_loader, "BOOTMGR is missing"),
        (SEABIOS, Reason.no_boot_device, "No bootable device."),
        (OVMF_SHELL, Reason.no_boot_device, "Shell>"),
        (OVMF_NOTHING, Reason.no_boot_device, "No bootable option or device was found"),
        (OVMF_SECURE_BLANK, Reason.no_boot_device, "EFI Internal Shell"),
        (OVMF_SECURE, Reason.secure_boot, "Security Violation"),
        (SHIM, Reason.secure_boot, "Security Violation"),
        (GRUB_SIGNATURE, Reason.secure_boot, "bad shim signature"),
        (WINDOWS, Reason.no_driver, "STOP: 0x0000007B"),
    ],
)
def test_a_cause_of_death_is_read(text: str, reason: Reason, said: str) -> None:
    cause = find_cause(text, final=True)
    assert cause is not None
    assert cause.reason is reason
    assert said in cause.said
    assert cause.advice


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("error: ../../grub-core/kern/disk.c:237:disk `lvmid/a' not found.", Reason.boot_loader),
        ("error: file `/boot/grub/i386-pc/normal.mod' not found.", Reason.boot_loader),
        ("[  9.0] dracut-initqueue[352]: Warning: dracut-initqueue timeout", Reason.no_root),
        ("Begin: Waiting for root file system ... done.", Reason.no_root),
        ("[ TIME ] Timed out waiting for device /dev/sdb1.", Reason.maintenance),
        ("Boot failed: could not read the boot disk", Reason.no_boot_device),
        ("UEFI Interactive Shell v2.2", Reason.no_boot_device),
        ('BdsDxe: failed to load Boot0001 "UEFI Misc Device": Not Found', Reason.no_boot_device),
    ],
)
def test_a_suspicion_is_not_final(text: str, reason: Reason) -> None:
    assert find_cause(text, final=True) is None
    cause = find_cause(text, final=False)
    assert cause is not None
    assert cause.reason is reason


LIVING = """\
[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=UUID=0d9c ro console=ttyS0 panic=5
[    1.100000] md: If you don't use raid, use raid=noautodetect
Begin: Mounting root file system ... Begin: Running /scripts/local-top ... done.
Gave up waiting for suspend/resume device
/dev/vda1: recovering journal
[FAILED] Failed to start open-vm-tools.service - Open VM tools.
See 'systemctl status open-vm-tools.service' for details.
[  OK  ] Reached target emergency.target-like-name.service
[FAILED] Failed to start Load Kernel Modules.
[FAILED] Failed to start Load Kernel Modules.
[  OK  ] Reached target multi-user.target - Multi-User System.

Debian GNU/Linux 12 web ttyS0

web login: [   62.401191] kvm: Nested Virtualization enabled"""


def test_a_living_guest_has_no_cause_of_death() -> None:
    assert find_cause(LIVING, final=False) is None


def test_failed_units_are_listed_once_each() -> None:
    assert failed_units(LIVING) == (
        "open-vm-tools.service - Open VM tools",
        "Load Kernel Modules",
    )


@pytest.mark.parametrize(
    "text",
    [
        LIVING,
        "web login:",
        "web-1.example.org login:",
        "localhost login: root (automatic login)",
        "web login: [   62.401191] kvm: Nested Virtualization enabled",
        "[  OK  ] Reached target Graphical Interface.",
        "[  OK  ] Reached target graphical.target - Graphical Interface.",
    ],
)
def test_user_space_is_seen(text: str) -> None:
    assert find_login(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        *(INITRAMFS_TOOLS, DRACUT, SYSTEMD_INITRD, FSTAB, PANIC, GRUB_RESCUE, SEABIOS, OVMF_SHELL),
        "Give root password for login:",
        "Press any key to continue... login: no",
        "[  OK  ] Reached target basic.target - Basic System.",
        "[  OK  ] Reached target initrd.target - Initrd Default Target.",
        "[  OK  ] Reached target rescue.target - Rescue Mode.",
    ],
)
def test_no_user_space_is_seen_in_what_a_dead_guest_says(text: str) -> None:
    assert find_login(text) is None


def test_the_kernels_first_words_are_told_from_firmware_and_boot_loader() -> None:
    assert find_kernel(INITRAMFS_TOOLS) == (
        "Begin: Waiting for root file system ... Begin: Running /scripts/local-block ... done."
    )
    assert find_kernel("[    0.000000] Linux version 6.1.0") == "[    0.000000] Linux version 6.1.0"
    for text in (SEABIOS, GRUB_RESCUE, GRUB_SHELL, OVMF_SHELL):
        assert find_kernel(text) is None


def test_a_console_becomes_plain_lines() -> None:
    raw = (
        b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[40mBdsDxe: one\x1b[02;01Htwo\r\n\r\n\x00"
        b"[\x1b[0;32m  OK  \x1b[0m] Reached \x1b]0;title\x07target\r\n\xff\x1b"
    )
    assert plain(raw) == "BdsDxe: one\ntwo\n[  OK  ] Reached target\n\ufffd"
