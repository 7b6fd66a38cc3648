# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders.menu import Entry
from converters.linux.bootloaders.systemd_boot import SystemdBoot, Unified
from tests.converters.linux.bootloaders.menus import Content, changed, drafted, guest
from tests.drivers.images import unified
from v2v.changes import Draft

ESP = "/efi"
FOLDER = f"{ESP}/loader/entries"
BOOT = SystemdBoot(guest(efi=ESP), (ESP,))
BOTH = SystemdBoot(guest(efi=ESP, boot="/boot"), (ESP, "/boot"))


def entry(version: str, more: str = "") -> str:
    files = f"linux /t/{version}/linux\ninitrd /t/{version}/initrd\n"
    return f"title Linux\nversion {version}\n{files}{more}"


def names(found: tuple[Entry, ...]) -> list[str]:
    return [entry.name for entry in found]


def test_files_of_entries_are_found_on_their_partition() -> None:
    content = {
        f"{FOLDER}/t-6.10.conf": entry("6.10", "initrd /ucode.img\n"),
        f"{ESP}/t/6.10/linux": "",
        f"{ESP}/t/6.10/initrd": "",
        f"{ESP}/ucode.img": "",
        f"{FOLDER}/chain.conf": "title x\nefi /EFI/x.efi\n",
        f"{FOLDER}/README": "linux x\n",
    }
    assert BOOT.entries(drafted(content)) == (
        Entry(
            "t-6.10.conf", "Linux 6.10 t-6.10", "/efi/t/6.10/linux", "/efi/t/6.10/initrd", "6.10"
        ),
    )


def test_the_menu_is_sorted_as_the_specification_says() -> None:
    content: Content = {
        f"{FOLDER}/a-6.9.conf": entry("6.9"),
        f"{FOLDER}/a-6.10.conf": entry("6.10"),
        f"{FOLDER}/b-1.conf": entry("6.9", "sort-key b\n"),
        f"{FOLDER}/b-2.conf": entry("6.10", "sort-key b\n"),
        f"{FOLDER}/c-6.12+0-3.conf": entry("6.12", "sort-key a\n"),  # no tries are left for it
        f"{FOLDER}/c-6.13+2.conf": entry("6.13", "sort-key z\n"),
        f"{ESP}/EFI/Linux/u.efi": unified(
            {".linux": b"", ".uname": b"6.8", ".osrel": b'ID="b"\nVERSION_ID=12\n'}
        ),
        f"{ESP}/EFI/Linux/shell.efi": b"MZ",
    }
    assert names(BOOT.entries(drafted(content))) == [
        "u.efi", "b-2.conf", "b-1.conf", "c-6.13.conf", "a-6.10.conf", "a-6.9.conf", "c-6.12.conf",
    ]  # fmt: skip


def test_entries_of_the_boot_partition_count() -> None:
    content = {f"{FOLDER}/a.conf": entry("1"), "/boot/loader/entries/b.conf": entry("2")}
    assert names(BOTH.entries(drafted(content))) == ["b.conf", "a.conf"]


TWO = {f"{FOLDER}/t-1.conf": entry("1"), f"{FOLDER}/t-2.conf": entry("2")}


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("", "t-2.conf"),
        ("timeout 3\ndefault T-1*\n", "t-1.conf"),
        ("default t-1.conf\ndefault @saved\n", "t-2.conf"),  # a variable of the old firmware
        ("default gone-*\n", "t-2.conf"),
        ("#default t-1.conf\n", "t-2.conf"),
    ],
)
def test_the_default_is_a_pattern(config: str, name: str) -> None:
    found = BOOT.default(drafted({**TWO, BOOT.config: config}))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, "default t-1.conf\n"),
        ("timeout 3\n", "default t-1.conf\ntimeout 3\n"),
        ("default\tx-* \ntimeout 3\n", "default\tt-1.conf \ntimeout 3\n"),
    ],
)
def test_the_default_is_set(old: str | None, new: str) -> None:
    draft = drafted(TWO if old is None else {**TWO, BOOT.config: old})
    BOOT.set_default(draft, BOOT.entries(draft)[-1], "a test")
    assert changed(draft) == {BOOT.config: new}
    again = BOOT.default(draft)
    assert again is not None
    assert again.name == "t-1.conf"


def test_arguments_of_all_entries_are_edited() -> None:
    plain = entry("1", "options quiet\noptions root=/dev/sda2 $x\n").replace("initrd", "devicetree")
    draft = drafted({f"{FOLDER}/t-1.conf": plain, "/boot/loader/entries/u.conf": entry("2")})
    BOTH.edit(draft, lambda path, args, initrd: f"{path} {args} {initrd}", "a test")
    assert changed(draft) == {
        f"{FOLDER}/t-1.conf": plain.replace(
            "options quiet", f"options {FOLDER}/t-1.conf quiet False"
        ).replace("root=/dev/sda2 $x", f"{FOLDER}/t-1.conf root=/dev/sda2 $x False")
    }


def test_a_lone_image_is_its_own_menu_and_stays_as_it_is() -> None:
    image = "/efi/EFI/BOOT/BOOTX64.EFI"
    draft = Draft(drafted({image: unified({".linux": b"", ".uname": b"6.8"})}))
    loader = Unified(image)
    (found,) = loader.entries(draft)
    assert (found.image, found.version) == (image, "6.8")
    assert loader.default(draft) == found
    loader.edit(draft, lambda path, args, initrd: "x", "a test")
    loader.set_default(draft, found, "a test")
    assert draft.changes == []
