# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders import grub_legacy

LEGACY = """\
default\t\t1
# kopt=root=/dev/xvda1 ro
# defoptions=quiet
title Linux 6
root (hd0,0)
kernel /boot/vmlinuz-6 root=/dev/xvda1 ro
initrd /boot/initrd.img-6
title Linux 5
kernel (hd0,0)/boot/vmlinuz-5 root=/dev/xvda1 ro
title Windows
chainloader +1
"""


def test_the_entries_are_read() -> None:
    assert [(title.name, title.image) for title in grub_legacy.titles(LEGACY)] == [
        ("Linux 6", "/boot/vmlinuz-6"),
        ("Linux 5", "(hd0,0)/boot/vmlinuz-5"),
        ("Windows", ""),
    ]
    assert grub_legacy.titles(LEGACY)[0].initrds == ("/boot/initrd.img-6",)


@pytest.mark.parametrize(
    ("text", "saved", "number"),
    [(LEGACY, "", 1), ("title x\n", "1\n", 0), ("default saved\n", "2\n#\n", 2),
     ("default=saved\n", "", 0)],
)  # fmt: skip
def test_the_default_is_a_number_or_saved_as_one(text: str, saved: str, number: int) -> None:
    assert grub_legacy.default_number(text, saved) == number


def test_the_default_is_set_or_added() -> None:
    assert grub_legacy.with_default(LEGACY, 0) == LEGACY.replace("\t1\n", "\t0\n", 1)
    assert grub_legacy.with_default("title x\n", 2) == "default 2\ntitle x\n"


def test_what_update_grub_remembers_in_comments_is_edited_too() -> None:
    new = grub_legacy.edited(LEGACY, lambda args, initrd: f"{args} {initrd}")
    changed = [line for line in new.splitlines() if line not in LEGACY.splitlines()]
    assert changed == [
        "# kopt=root=/dev/xvda1 ro True",
        "# defoptions=quiet True",
        "kernel /boot/vmlinuz-6 root=/dev/xvda1 ro True",
        "kernel (hd0,0)/boot/vmlinuz-5 root=/dev/xvda1 ro False",
    ]
