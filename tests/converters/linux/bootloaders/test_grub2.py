# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders.grub2 import Grub2
from tests.converters.linux.bootloaders.menus import changed, drafted, guest
from v2v.files import Link
from v2v.model import Bootloader

PATH, ENV, FOLDER = "/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/loader/entries"
MENU = Grub2(guest(), PATH, Bootloader.grub2_bls)
CONFIG = (
    'set default="${saved_entry}"\ninsmod blscfg\nblscfg\n'
    "menuentry 'Own' --id own {\n linux /boot/vmlinuz-5 root=UUID=1\n}\n"
)


def env(*lines: str) -> str:
    return "# GRUB Environment Block\n".ljust(25) + "".join(f"{line}\n" for line in lines)


def bls(version: str) -> str:
    return (
        f"title Linux ({version})\nversion {version}\nlinux /boot/vmlinuz-{version}\n"
        f"initrd /boot/initramfs-{version}.img $tuned_initrd\noptions $kernelopts $tuned_params\n"
    )


CONTENT: dict[str, bytes | str | Link] = {
    PATH: CONFIG,
    f"{FOLDER}/m-0-rescue.conf": bls("0-rescue"),
    f"{FOLDER}/m-5.14.0-70.el9.conf": bls("5.14.0-70.el9"),
    f"{FOLDER}/m-5.14.0-427.el9.conf": bls("5.14.0-427.el9"),
}


def test_entries_are_sorted_by_rpms_rules_before_those_of_the_menu() -> None:
    found = MENU.entries(drafted(CONTENT))
    assert [entry.name for entry in found] == [
        "m-5.14.0-427.el9",
        "m-5.14.0-70.el9",
        "m-0-rescue",
        "own",
    ]
    assert found[0].version == "5.14.0-427.el9"


@pytest.mark.parametrize(
    ("saved", "name"),
    [
        ("saved_entry=m-5.14.0-70.el9", "m-5.14.0-70.el9"),
        ("saved_entry=Linux (5.14.0-70.el9)", "m-5.14.0-70.el9"),
        ("saved_entry=1", "m-5.14.0-70.el9"),
        ("saved_entry=3", "own"),
        ("saved_entry=gone", "m-5.14.0-427.el9"),
        ("x=y", "m-5.14.0-427.el9"),
    ],
)
def test_the_default_is_an_id_a_title_or_a_number(saved: str, name: str) -> None:
    found = MENU.default(drafted({**CONTENT, ENV: env(saved)}))
    assert found is not None
    assert found.name == name


def test_the_default_is_saved_where_the_environment_block_really_is() -> None:
    block = env("saved_entry=m-5.14.0-427.el9").ljust(1024, "#")
    content = {
        **CONTENT,
        ENV: Link("../efi/EFI/redhat/grubenv"),
        "/boot/efi/EFI/redhat/grubenv": block,
    }
    draft = drafted(content)
    MENU.set_default(draft, MENU.entries(draft)[1], "a test")
    ((path, text),) = changed(draft).items()
    assert path == "/boot/efi/EFI/redhat/grubenv"
    assert "saved_entry=m-5.14.0-70.el9\n" in text
    assert len(text) == 1024


def test_arguments_are_edited_in_all_places_that_they_come_from() -> None:
    content = {
        **CONTENT,
        PATH: CONFIG + 'if [ -z "${kernelopts}" ]; then\n  set kernelopts="root=UUID=1 ro "\nfi\n',
        ENV: env("kernelopts=root=UUID=1 ro").ljust(1024, "#"),
        "/boot/grub2/custom.cfg": "menuentry 'c' {\n linux /c root=UUID=1\n initrd /i\n}\n",
    }
    draft = drafted(content)
    MENU.edit(draft, lambda path, args, initrd: f"{args.rstrip()} {initrd}", "a test")
    new = changed(draft)
    assert set(new) == {PATH, ENV, "/boot/grub2/custom.cfg", *(p for p in content if FOLDER in p)}
    assert 'set kernelopts="root=UUID=1 ro True"' in new[PATH]
    assert "root=UUID=1 False\n" in new[PATH]
    assert "kernelopts=root=UUID=1 ro True\n" in new[ENV]
    assert "root=UUID=1 True\n" in new["/boot/grub2/custom.cfg"]
    assert "options $kernelopts $tuned_params True\n" in new[f"{FOLDER}/m-0-rescue.conf"]
