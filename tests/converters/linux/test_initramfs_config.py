# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux import initramfs_config
from tests.converters.linux.drafting import Content, case, described, draft

XEN, RHEL, ARCH = "xen-pygrub-debian12", "vmware-rhel7-dracut-hostonly", "vmware-arch-mkinitcpio"
SUSE, ALPINE = "vmware-sles11-mkinitrd", "xen-alpine-mkinitfs"
OURS = "create /etc/dracut.conf.d/50-v2v-virtio.conf"


def registered(name: str, content: Content, *, without: tuple[str, ...] = ()) -> list[str]:
    drafted, _ = draft(initramfs_config.register_virtio, case(name, content, without=without))
    return described(drafted)


def test_only_configurations_that_choose_modules_are_told_of_virtio() -> None:
    most = {"/etc/initramfs-tools/conf.d/driver-policy": "MODULES=most\n"}
    assert registered(XEN, most) == []
    assert registered(XEN, {}, without=("/etc/initramfs-tools/initramfs.conf",)) == []


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ('hostonly="yes"\nomit_drivers+=" floppy "\n', []),
        ('drivers+=" "\n', []),
        ('drivers="xfs"\n', [OURS]),
        ('omit_drivers="virtio_blk"\n', ["edit /etc/dracut.conf.d/vmware.conf"]),
    ],
)
def test_dracut_is_told_only_where_its_lists_keep_virtio_out(text: str, changes: list[str]) -> None:
    assert registered(RHEL, {"/etc/dracut.conf.d/vmware.conf": text}) == changes


def test_mkinitcpios_block_hook_has_virtio() -> None:
    both = {"/etc/mkinitcpio.conf": "MODULES=(ext4)\nHOOKS=(base udev autodetect block)\n"}
    assert registered(ARCH, both) == []


def test_the_last_of_mkinitcpios_lists_is_extended() -> None:
    more = {"/etc/mkinitcpio.conf.d/mine.conf": 'MODULES="ext4"\n'}
    assert registered(ARCH, more) == ["edit /etc/mkinitcpio.conf.d/mine.conf"]


def test_a_kernel_that_has_no_virtio_is_not_registered() -> None:
    dep = "/lib/modules/6.6.30-1-lts/modules.dep"
    assert registered(ARCH, {dep: "kernel/fs/ext4/ext4.ko:\n"}) == []


def test_suses_lists_lose_xens_drivers() -> None:
    text = 'INITRD_MODULES="xenblk jbd"\nDOMU_INITRD_MODULES="xennet xen-vbd"\n'
    drafted, _ = draft(
        initramfs_config.register_virtio, case(SUSE, {"/etc/sysconfig/kernel": text})
    )
    assert drafted.text("/etc/sysconfig/kernel") == (
        'INITRD_MODULES=" jbd virtio_pci virtio_blk virtio_scsi"\nDOMU_INITRD_MODULES=""\n'
    )
    assert registered(SUSE, {"/etc/sysconfig/kernel": 'DEFAULTKERNEL="kernel"\n'}) == []


def test_mkinitfs_has_virtio_as_a_feature() -> None:
    assert registered(ALPINE, {}) == ["edit /etc/mkinitfs/mkinitfs.conf"]
    assert registered(ALPINE, {"/etc/mkinitfs/mkinitfs.conf": 'features="virtio"\n'}) == []
