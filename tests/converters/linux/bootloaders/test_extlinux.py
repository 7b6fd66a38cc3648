# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders.extlinux import Extlinux
from tests.converters.linux.bootloaders.menus import changed, drafted, guest

PATH = "/boot/extlinux/extlinux.conf"
MENU = Extlinux(guest(), PATH)
DEBIAN = {
    PATH: "## Debian\ndefault l0\nprompt 0\ntimeout 50\ninclude linux.cfg\ninclude themes/x.cfg\n",
    "/boot/extlinux/linux.cfg": (
        "label l0\n\tmenu label Linux 6\n\tlinux /boot/vmlinuz-6\n"
        "\tappend initrd=/boot/initrd.img-6 root=/dev/xvda1 ro\n\n"
        "label l0r\n\tmenu label Linux 6 (recovery)\n\tlinux /boot/vmlinuz-6\n"
        "\tappend initrd=/boot/initrd.img-6 root=/dev/xvda1 ro single\n"
        "LABEL l1\n\tKERNEL ../vmlinuz-5\n\tINITRD ../initrd.img-5\n\tAPPEND root=/dev/xvda1\n"
        "LABEL mem\n\tKERNEL /boot/memtest86.bin\nLABEL hd\n\tCOM32 chain.c32\n\tKERNEL chain.c32\n"
    ),
    "/etc/default/extlinux": 'EXTLINUX_DEFAULT="l0"\n',
    **{f"/boot/{name}": "" for name in ("vmlinuz-6", "vmlinuz-5", "initrd.img-6", "initrd.img-5")},
}


def test_labels_of_included_files_are_read() -> None:
    found = MENU.entries(drafted(DEBIAN))
    assert [(entry.name, entry.image, entry.initramfs) for entry in found] == [
        ("l0", "/boot/vmlinuz-6", "/boot/initrd.img-6"),
        ("l0r", "/boot/vmlinuz-6", "/boot/initrd.img-6"),
        ("l1", "/boot/vmlinuz-5", "/boot/initrd.img-5"),
        ("mem", "/boot/memtest86.bin", None),
    ]


def test_a_file_that_includes_itself_is_read_once() -> None:
    draft = drafted({PATH: f"include {PATH}\nlabel a\nlinux /x\n"})
    assert [entry.name for entry in MENU.entries(draft)] == ["a"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("", "a"),
        ("DEFAULT b\n", "b"),
        ("DEFAULT menu.c32\n", "a"),
        ("UI menu.c32\ndefault a\nONTIMEOUT b\n", "b"),
        ("default a\nlabel c\nmenu default\nlinux /c\n", "c"),
        ("default hd\nlabel hd\nkernel chain.c32\n", None),
    ],
)
def test_the_default_is_a_label(head: str, name: str | None) -> None:
    text = f"{head}label a\nlinux /a\nlabel b\nlinux /b\n"
    found = MENU.default(drafted({PATH: text}))
    assert (None if found is None else found.name) == name


def test_arguments_are_edited_where_there_is_a_root() -> None:
    draft = drafted(DEBIAN)
    MENU.edit(draft, lambda path, args, initrd: f"{args} {initrd}", "a test")
    ((path, text),) = changed(draft).items()
    assert path == "/boot/extlinux/linux.cfg"
    old = DEBIAN[path].splitlines()
    assert [line for line in text.splitlines() if line not in old] == [
        "\tappend initrd=/boot/initrd.img-6 root=/dev/xvda1 ro True",
        "\tappend initrd=/boot/initrd.img-6 root=/dev/xvda1 ro single True",
        "\tAPPEND root=/dev/xvda1 True",
    ]


def test_the_default_is_set_in_all_places() -> None:
    draft = drafted(DEBIAN)
    MENU.set_default(draft, MENU.entries(draft)[2], "a test")
    assert changed(draft) == {
        "/etc/default/extlinux": 'EXTLINUX_DEFAULT="l1"\n',
        PATH: DEBIAN[PATH].replace("default l0", "default l1"),
    }


def test_a_mark_in_the_menu_moves_to_the_new_default() -> None:
    draft = drafted(
        {
            PATH: "DEFAULT menu.c32\nONTIMEOUT a\nLABEL a\n  Menu Default\n  LINUX /a\n"
            "LABEL b\n  LINUX /b\n"
        }
    )
    MENU.set_default(draft, MENU.entries(draft)[1], "a test")
    assert draft.text(PATH) == (
        "DEFAULT menu.c32\nONTIMEOUT b\nLABEL a\n  LINUX /a\nLABEL b\n  MENU DEFAULT\n  LINUX /b\n"
    )
    found = MENU.default(draft)
    assert found is not None
    assert found.name == "b"
