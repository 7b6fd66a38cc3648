# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders import grub_cfg

MENU = """\
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="0"
fi
function gfxmode {
\tset gfxpayload="${1}"
}
menuentry 'Debian' --class debian $menuentry_id_option 'simple' {
\tlinux\t/vmlinuz-6 root=/dev/xvda1 ro
\tinitrd\t/initrd.img-6
}
submenu 'Advanced' $menuentry_id_option 'advanced' {
\tmenuentry 'Debian, with Linux 6' $menuentry_id_option 'six' {
\t\tlinux\t/vmlinuz-6 root=/dev/xvda1 ro
\t\tinitrd\t/initrd.img-6
\t}
\tmenuentry "Debian, with Linux 5" --id five {
\t\tlinux\t/vmlinuz-5 root=/dev/xvda1 ro
\t}
}
menuentry 'Memory test' {
\tlinux16 /memtest86+.bin
}
menuentry 'Xen' {
\tmultiboot2 /xen-4.17-amd64.gz placeholder
\tmodule2 /vmlinuz-6 placeholder root=/dev/xvda1 ro
\tmodule2 --nounzip /initrd.img-6
}
menuentry 'Windows' {
\tchainloader +1
}
"""


def test_entries_of_submenus_are_found_with_their_paths() -> None:
    found = grub_cfg.entries(MENU)
    assert [(entry.path, entry.image, entry.numbers) for entry in found][:4] == [
        (("simple",), "/vmlinuz-6", (0,)),
        (("advanced", "six"), "/vmlinuz-6", (1, 0)),
        (("advanced", "five"), "/vmlinuz-5", (1, 1)),
        (("Memory test",), "/memtest86+.bin", (2,)),
    ]
    assert found[0].initrds == ("/initrd.img-6",)
    assert found[2].initrds == ()
    assert found[4].initrds == ("/initrd.img-6",)


@pytest.mark.parametrize(
    ("default", "image"),
    [
        ("0", "/vmlinuz-6"),
        ("1>1", "/vmlinuz-5"),
        ("advanced>five", "/vmlinuz-5"),
        ("Advanced>Debian, with Linux 5", "/vmlinuz-5"),
        ("1", "/vmlinuz-6"),  # the first of the submenu
        ("no such entry", "/vmlinuz-6"),
    ],
)
def test_the_default_is_a_number_a_title_or_an_id(default: str, image: str) -> None:
    text = grub_cfg.with_default(MENU, default)
    entry = grub_cfg.default_entry(grub_cfg.entries(text), text, {})
    assert entry is not None
    assert entry.image == image


def test_setting_the_default_leaves_the_entry_for_one_boot_alone() -> None:
    new = grub_cfg.with_default(MENU, "advanced>five")
    assert 'set default="${next_entry}"' in new
    assert new.replace('"advanced>five"', '"0"') == MENU


def test_a_saved_default_is_read_from_the_environment() -> None:
    text = MENU.replace('set default="0"', 'set default="${saved_entry}"')
    assert grub_cfg.uses_saved(text)
    entry = grub_cfg.default_entry(grub_cfg.entries(text), text, {"saved_entry": "advanced>five"})
    assert entry is not None
    assert entry.image == "/vmlinuz-5"


def test_a_menu_without_kernels_has_no_default() -> None:
    assert grub_cfg.default_entry((), "insmod blscfg\nblscfg\n", {}) is None


def test_only_kernels_with_a_root_are_edited_and_know_of_their_initramfs() -> None:
    new = grub_cfg.edit_linux(MENU, lambda args, initrd: f"{args} {initrd}")
    changed = [line for line in new.splitlines() if line not in MENU.splitlines()]
    assert changed == [
        "\tlinux\t/vmlinuz-6 root=/dev/xvda1 ro True",
        "\t\tlinux\t/vmlinuz-6 root=/dev/xvda1 ro True",
        "\t\tlinux\t/vmlinuz-5 root=/dev/xvda1 ro False",
        "\tmodule2 /vmlinuz-6 placeholder root=/dev/xvda1 ro True",
    ]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("set prefix=($r)'/boot/grub'\nconfigfile $prefix/grub.cfg\n", "($r)/boot/grub/grub.cfg"),
        ('set prefix=(${root})/grub2\nsource "${prefix}/grub.cfg"\n', "(${root})/grub2/grub.cfg"),
        ("configfile /EFI/debian/grub.cfg\n", "/EFI/debian/grub.cfg"),
        ("search --file --set=root /x\n", None),
        (f"{MENU}source /custom.cfg\n", None),
        ("blscfg\nsource /custom.cfg\n", None),
    ],
)
def test_a_stub_hands_over_to_another_configuration(text: str, target: str | None) -> None:
    assert grub_cfg.forwards_to(text) == target
