# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import re
from dataclasses import replace

import pytest

from converters.linux import boot_menu
from tests.converters.guests import kernel_files
from tests.converters.linux.drafting import case, described, draft
from v2v.model import Filesystem

XEN = "xen-pygrub-debian12"
KVM = "kvm-ready-debian12"
THEIRS = ("/boot/vmlinuz-6.1.0-50-amd64",)
KERNELS = "xen-kernels-default-without-virtio"
SAVED = "xen-kernels-saved-default"
CONFIG = "/boot/grub/grub.cfg"


def test_a_root_that_is_no_disk_of_the_source_is_warned_of() -> None:
    menu = "menuentry 'x' {\n linux /vmlinuz root=/dev/xvdq1 console=ttyS0\n initrd /i\n}\n"
    drafted, _ = draft(boot_menu.edit_menus, case(XEN, {CONFIG: menu}))
    assert described(drafted) == []
    assert [(found.code, found.message) for found in drafted.warnings] == [
        (
            "W-DISK-NAME",
            f"{CONFIG}: /dev/xvdq1 is none of the source's disks, or its partition cannot be told",
        )
    ]


def test_passphrases_are_typed_where_they_always_were() -> None:
    guest = case("vmware-debian12", {})
    encrypted = replace(
        guest.guest,
        filesystems=(*guest.guest.filesystems, Filesystem("/dev/sda5", "crypto_LUKS", "1", None)),
    )
    drafted, _ = draft(boot_menu.edit_menus, replace(guest, guest=encrypted))
    assert "quiet console=ttyS0,115200 console=tty0\n" in drafted.text(CONFIG)


def test_a_default_that_the_menu_cannot_start_is_a_blocker() -> None:
    menu = "menuentry 'x' {\n linux /vmlinuz-gone root=UUID=1 console=ttyS0\n}\n"
    drafted, _ = draft(boot_menu.set_default_kernel, case(KERNELS, {CONFIG: menu}))
    assert [(found.code, found.message) for found in drafted.blockers] == [
        (
            "E-KERNEL-MENU",
            f"{CONFIG}: no entry of this menu starts kernel 6.1.0-50-amd64, which can run on KVM",
        )
    ]


def test_a_menu_of_another_kind_keeps_its_default() -> None:
    drafted, _ = draft(
        boot_menu.set_default_kernel, case(KERNELS, {CONFIG: "insmod blscfg\nblscfg\n"})
    )
    assert drafted.blockers == []
    assert [found.code for found in drafted.warnings] == ["W-BOOT-MENU"]


def test_a_saved_default_without_environment_block_makes_one() -> None:
    drafted, _ = draft(
        boot_menu.set_default_kernel, case(SAVED, {}, without=("/boot/grub/grubenv",))
    )
    assert described(drafted) == ["create /boot/grub/grubenv"]
    assert len(drafted.read("/boot/grub/grubenv")) == 1024


def test_a_full_environment_block_has_the_default_written_into_the_menu() -> None:
    full = "# GRUB Environment Block\nx=" + "y" * 900 + "\n"
    drafted, _ = draft(
        boot_menu.set_default_kernel, case(SAVED, {"/boot/grub/grubenv": full.ljust(1024, "#")})
    )
    assert described(drafted) == [f"edit {CONFIG}", "edit /etc/default/grub"]
    assert 'set default="gnulinux-advanced-' in drafted.text(CONFIG)


def test_kernel_options_that_do_not_fit_are_warned_of() -> None:
    block = "kernelopts=root=/dev/xvda1\nx=" + "y" * 980 + "\n"
    drafted, _ = draft(
        boot_menu.edit_menus, case(KVM, {"/boot/grub/grubenv": block.ljust(1024, "#")})
    )
    assert described(drafted) == []
    assert [found.message for found in drafted.warnings] == [
        "/boot/grub/grubenv: it has no room for the new kernel arguments"
    ]


UEK, RED_HAT = "5.15.0-1.el9uek.x86_64", "5.14.0-1.el9.x86_64"


@pytest.mark.parametrize(
    ("version", "old", "new"),
    [
        (UEK, "kernel-core", "kernel-uek-core"),
        (RED_HAT, "kernel-uek", "kernel"),
        (RED_HAT, "kernel-core", "kernel-core"),
    ],
)
def test_the_package_of_the_default_kernel_is_named(version: str, old: str, new: str) -> None:
    menu = (
        "menuentry 'old' {\n linux /boot/vmlinuz-1 root=UUID=1 console=ttyS0\n}\n"
        f"menuentry 'new' {{\n linux /boot/vmlinuz-{version} root=UUID=1 console=ttyS0\n}}\n"
    )
    content = {
        **kernel_files("1", {}),
        **kernel_files(version, {"modules": ("virtio",), "initramfs": ()}),
        "/etc/sysconfig/kernel": f"UPDATEDEFAULT=yes\nDEFAULTKERNEL={old}\n",
        CONFIG: menu,
    }
    drafted, _ = draft(boot_menu.set_default_kernel, case(KVM, content, without=THEIRS))
    assert re.findall(r"DEFAULTKERNEL=\"?([\w-]+)", drafted.text("/etc/sysconfig/kernel")) == [new]
