# SPDX-License-Identifier: LGPL-2.1-or-later
"""Menus of a file system that was a whole disk on Xen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux import menu_roots
from tests.converters.linux.drafting import case, draft

GUEST = "xen-pvgrub-debian9-menu-lst"
MENU_LST = """\
default 0
# groot=(hd0)
title Debian
root (hd0)
kernel (hd0)/boot/vmlinuz-4.9.0-19-amd64 root=/dev/xvda ro
initrd (hd0)/boot/initrd.img-4.9.0-19-amd64
title other
root (hd1)
setup (hd0)
"""
GRUB_CFG = """\
menuentry 'Debian' {
\tset root='hd0'
\tsearch --no-floppy --fs-uuid --set=root --hint-bios=hd0 --hint=hd1 x
\tset root=(hd0)
\tset root='hd1,msdos2'
\tlinux /boot/vmlinuz-4.9.0-19-amd64 root=/dev/xvda
}
"""


def edited(path: str, text: str, *, wrapped: bool = True) -> str:
    guest = case(GUEST, {path: text}, without=("/boot/grub/menu.lst",))
    disks = (replace(guest.machine.disks[0], wrapped=wrapped),)
    machine = replace(guest.machine, disks=disks)
    drafted, _ = draft(menu_roots.enter_partition, replace(guest, machine=machine))
    return drafted.text(path)


def test_grub_legacy_looks_into_the_partition() -> None:
    text = edited("/boot/grub/menu.lst", MENU_LST)
    assert text.splitlines()[1:6] == [
        "# groot=(hd0,0)",
        "title Debian",
        "root (hd0,0)",
        "kernel (hd0,0)/boot/vmlinuz-4.9.0-19-amd64 root=/dev/xvda ro",
        "initrd (hd0,0)/boot/initrd.img-4.9.0-19-amd64",
    ]
    assert "root (hd1)\nsetup (hd0)\n" in text
    assert edited("/boot/grub/menu.lst", text) == text


def test_grub_2_looks_into_the_partition() -> None:
    text = edited("/boot/grub/grub.cfg", GRUB_CFG)
    assert text.splitlines()[1:5] == [
        "\tset root='hd0,msdos1'",
        "\tsearch --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 --hint=hd1 x",
        "\tset root=(hd0,msdos1)",
        "\tset root='hd1,msdos2'",
    ]
    assert edited("/boot/grub/grub.cfg", text) == text


@pytest.mark.parametrize(("path", "text"), [("/boot/grub/menu.lst", MENU_LST),
                                             ("/boot/grub/grub.cfg", GRUB_CFG)])  # fmt: skip
def test_other_disks_menus_stay_as_they_are(path: str, text: str) -> None:
    assert edited(path, text, wrapped=False) == text
