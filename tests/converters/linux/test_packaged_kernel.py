# SPDX-License-Identifier: LGPL-2.1-or-later
"""A kernel out of a package for guests whose own runs on nothing but Xen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import converters
from drivers import own_initramfs
from drivers.initramfs import look
from tests.converters.guests import Case
from tests.converters.linux.drafting import case
from tests.converters.linux.test_outside_kernel import kernel as bzimage
from v2v.changes import Plan, RunCommand, UploadFile, UploadFolder, WriteBootCode, WriteFile
from v2v.kernel_package import PackagedKernel
from v2v.model import Bus, Filesystem, InitramfsMode

ABLE = "xen-pygrub-debian12"
OLD = "6.1.0-50-amd64"
XENLINUX = {f"/boot/config-{OLD}": "CONFIG_X86_64_XEN=y\n"}
VERSION = "6.1.0-99-amd64"
IMAGE, INITRD = f"/boot/vmlinuz-{VERSION}", f"/boot/initrd.img-{VERSION}"
_NAMES = ("virtio", "virtio_ring", "virtio_pci", "virtio_blk", "virtio_net", "jbd2", "ext4")
_DEP = "".join(f"kernel/{name}.ko.gz:\n" for name in _NAMES)


def packaged(*, bits: int = 64) -> PackagedKernel:
    image = bytearray(bzimage(VERSION))
    image[0x236] = bits == 64
    modules = {f"kernel/{name}.ko.gz": name.encode() for name in _NAMES}
    return PackagedKernel(
        VERSION,
        bytes(image),
        {f"config-{VERSION}": b"CONFIG_PCI=y\n"},
        {**modules, "modules.dep": _DEP.encode(), "modules.alias": b""},
        ("linux-image.deb",),
    )


def planned(guest: Case, kernel: PackagedKernel | None = None, *, guest_code: bool = True) -> Plan:
    return converters.plan(
        guest.machine,
        guest.guest,
        guest.files,
        InitramfsMode.auto,
        guest_code=guest_code,
        packaged=kernel or packaged(),
    )[1]


def test_kernel_modules_and_initramfs_come_into_a_guest_with_xens_kernels_alone() -> None:
    plan = planned(case(ABLE, XENLINUX), guest_code=False)
    assert plan.blockers == ()
    folders = [change.path for change in plan.changes if isinstance(change, UploadFolder)]
    assert folders[0] == f"/lib/modules/{VERSION}"
    files = {change.path: change.data for change in plan.changes if isinstance(change, UploadFile)}
    assert files.keys() >= {IMAGE, INITRD, f"/boot/config-{VERSION}"}
    assert "W-KERNEL-PACKAGE" in [finding.code for finding in plan.warnings]
    initramfs = look(files[INITRD])
    assert initramfs.paths["init"] & 0o111
    there = initramfs.modules(VERSION)
    assert there.keys() >= {"virtio_pci", "virtio_blk", "ext4"}
    assert all(path.endswith(".ko") for path in there.values())


def test_the_disk_starts_it_by_a_menu_of_its_own() -> None:
    """The old menu.lst has Xen's kernels alone; GRUB 2 would show them."""
    plan = planned(case(ABLE, XENLINUX))
    written = (change for change in plan.changes if isinstance(change, WriteFile))
    menu = next(change for change in written if change.path == "/boot/grub/grub.cfg")
    entries = [line for line in menu.new.decode().splitlines() if line.startswith("menuentry")]
    assert entries[0] == f"menuentry 'Linux {VERSION}' {{"
    assert any(isinstance(change, WriteBootCode) for change in plan.changes)


def test_a_guest_that_has_a_kernel_for_kvm_keeps_it() -> None:
    plan = planned(case(ABLE, {}))
    assert [finding.message for finding in plan.warnings if finding.code == "W-KERNEL-PACKAGE"] == [
        f"kernel {VERSION} of linux-image.deb is left out: the guest has one that runs on KVM"
    ]
    assert IMAGE not in [path for change in plan.changes for path in change.creates]


def on_lvm(guest: Case) -> Case:
    old = guest.guest
    filesystems = tuple(
        Filesystem("/dev/vg/root", each.type, each.uuid, each.label, ("/dev/sda",))
        if each.device == old.root
        else each
        for each in old.filesystems
    )
    mounts = {top: "/dev/vg/root" if device == old.root else device
              for top, device in old.mountpoints.items()}  # fmt: skip
    changed = replace(old, root="/dev/vg/root", filesystems=filesystems, mountpoints=mounts)
    return replace(guest, guest=changed)


TOOL = {"/usr/sbin/update-initramfs": "", "/etc/initramfs-tools/initramfs.conf": ""}


@pytest.mark.parametrize("why", ["lvm", "32 bits", "no busybox"])
def test_where_the_host_cannot_make_an_initramfs_the_guests_tool_does(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = case(ABLE, XENLINUX | TOOL)
    if why == "lvm":
        guest = on_lvm(guest)
    if why == "no busybox":
        monkeypatch.setattr(own_initramfs, "BUSYBOX", Path("/bin/sh"))
    plan = planned(guest, packaged(bits=32 if why == "32 bits" else 64))
    runs = [change for change in plan.changes if isinstance(change, RunCommand)]
    assert [change.argv for change in runs] == [("update-initramfs", "-u", "-k", VERSION)]
    assert [change.makes for change in runs] == [INITRD]
    assert plan.capabilities.block_bus is Bus.virtio


def test_a_guest_without_a_tool_is_refused_then() -> None:
    guest = case(ABLE, XENLINUX, without=tuple(TOOL))
    plan = planned(on_lvm(guest))
    assert "E-INITRAMFS" in [finding.code for finding in plan.blockers]
