# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which boot loader is the live one."""

from __future__ import annotations

import pytest

from converters.linux import bootloaders
from tests.converters.linux.bootloaders.menus import Content, drafted, guest
from tests.drivers.images import unified
from v2v.files import Link
from v2v.model import Bootloader

MENU = "menuentry 'x' {\n linux /vmlinuz root=UUID=1\n}\n"
LEGACY = "title x\nkernel /vmlinuz root=UUID=1\n"
STUB = "search.fs_uuid 1 root hd0\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
SUSE = (
    'search --fs-uuid --set=root 1\nset prefix=(${root})/boot/grub2\nsource "${prefix}/grub.cfg"\n'
)
FEDORA = "set prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\n"
ESP = "/boot/efi/EFI"
SYSTEMD_BOOT = unified({".sdmagic": b"#### LoaderInfo: systemd-boot 252 ####"})
UKI = unified({".linux": b"", ".uname": b"6.1"})
ENTRY = "title x\nlinux /linux\noptions root=UUID=1\n"


@pytest.mark.parametrize(
    ("content", "configs"),
    [
        ({"/boot/grub/grub.cfg": MENU, "/boot/grub/menu.lst": LEGACY}, ["grub.cfg", "menu.lst"]),
        ({"/boot/grub/grub.cfg": "", "/boot/grub/menu.lst": LEGACY}, ["menu.lst"]),
        (
            {"/boot/grub/grub.cfg": MENU, "/boot/grub/menu.lst": LEGACY, "/boot/grub/stage2": ""},
            ["menu.lst", "grub.cfg"],
        ),
        ({"/boot/grub/menu.lst": "", "/boot/grub2/grub.cfg": MENU}, ["grub.cfg"]),
        (
            {"/boot/grub/menu.lst": Link("./grub.conf"), "/boot/grub/grub.conf": LEGACY},
            ["grub.conf"],
        ),
        ({"/boot/extlinux.conf": "LABEL a\nLINUX /vmlinuz\n"}, ["extlinux.conf"]),
        ({"/boot/grub/grub.cfg": "blscfg\n"}, ["grub.cfg"]),  # all that there is
        ({}, []),
    ],
)
def test_a_bios_starts_what_has_its_code_installed(content: Content, configs: list[str]) -> None:
    found = bootloaders.find(drafted(content), guest(), efi=False)
    assert [loader.config.rpartition("/")[2] for loader in found] == configs


def test_the_folder_with_the_modules_is_the_live_one() -> None:
    content = {
        "/boot/grub/grub.cfg": MENU,
        "/boot/grub2/grub.cfg": MENU,
        "/boot/grub2/i386-pc/core.img": "",
    }
    found = bootloaders.find(drafted(content), guest(), efi=False)
    assert [loader.config for loader in found] == ["/boot/grub2/grub.cfg", "/boot/grub/grub.cfg"]


@pytest.mark.parametrize(
    ("stub", "menu"),
    [
        (STUB, "/boot/grub/grub.cfg"),
        (SUSE, "/boot/grub2/grub.cfg"),
        (FEDORA, "/boot/grub2/grub.cfg"),
    ],
)
def test_a_stub_on_the_efi_system_partition_is_followed(stub: str, menu: str) -> None:
    content = {f"{ESP}/debian/grub.cfg": stub, menu: MENU}
    found = bootloaders.find(drafted(content), guest(efi="/boot/efi"), efi=True)
    assert [loader.config for loader in found] == [menu]


def test_a_whole_menu_on_the_efi_system_partition_wins_and_others_are_edited_too() -> None:
    content = {
        f"{ESP}/redhat/grub.cfg": "insmod blscfg\nblscfg\n",
        "/boot/loader/entries/a-1-1.conf": ENTRY,
        "/boot/grub2/grub.cfg": MENU,
    }
    found = bootloaders.find(drafted(content), guest("rhel", efi="/boot/efi"), efi=True)
    assert [(loader.kind, loader.config) for loader in found] == [
        (Bootloader.grub2_bls, f"{ESP}/redhat/grub.cfg"),
        (Bootloader.grub2, "/boot/grub2/grub.cfg"),
    ]


def test_configurations_that_lead_to_each_other_lead_nowhere() -> None:
    content = {f"{ESP}/debian/grub.cfg": "configfile /EFI/debian/grub.cfg\n"}
    assert bootloaders.find(drafted(content), guest(efi="/boot/efi"), efi=True) == ()


def test_the_folder_of_the_guests_own_distribution_comes_first() -> None:
    content = {f"{ESP}/{name}/grub.cfg": MENU for name in ("arch", "Ubuntu")}
    found = bootloaders.find(drafted(content), guest("linuxmint", efi="/boot/efi"), efi=True)
    assert [loader.config for loader in found] == [
        f"{ESP}/Ubuntu/grub.cfg",
        f"{ESP}/arch/grub.cfg",
    ]


def test_grub_legacy_for_uefi_is_found_in_its_folder() -> None:
    content = {f"{ESP}/redhat/grub.conf": LEGACY, f"{ESP}/redhat/grub.efi": ""}
    (loader,) = bootloaders.find(drafted(content), guest("centos", efi="/boot/efi"), efi=True)
    assert (loader.kind, loader.config) == (Bootloader.grub_legacy, f"{ESP}/redhat/grub.conf")


GRUB: Content = {f"{ESP}/debian/grubx64.efi": b"", "/boot/grub/grub.cfg": MENU}
TYPE_1: Content = {"/boot/efi/loader/entries/x.conf": ENTRY}
INSTALLED: Content = {f"{ESP}/systemd/systemd-bootx64.efi": SYSTEMD_BOOT}
PACKAGED: Content = {"/usr/lib/systemd/boot/efi/systemd-bootx64.efi": SYSTEMD_BOOT}
TYPE_2: Content = {f"{ESP}/Linux/x.efi": UKI}
K = Bootloader


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        ({**GRUB, **TYPE_1, f"{ESP}/Boot/bootx64.efi": SYSTEMD_BOOT}, [K.systemd_boot, K.grub2]),
        ({**GRUB, **TYPE_1, **INSTALLED, f"{ESP}/BOOT/BOOTX64.EFI": b"shim"}, [K.grub2]),
        (
            {**TYPE_1, f"{ESP}/BOOT/BOOTX64.EFI": b"shim", f"{ESP}/BOOT/grubx64.efi": SYSTEMD_BOOT},
            [K.systemd_boot],
        ),
        ({**GRUB, **TYPE_1, f"{ESP}/BOOT/BOOTX64.EFI": UKI}, [K.uki, K.grub2]),
        ({**TYPE_1, **INSTALLED}, [K.systemd_boot]),
        ({**GRUB, **TYPE_1, **INSTALLED}, [K.grub2]),
        ({**TYPE_2, **PACKAGED}, [K.systemd_boot]),
        (TYPE_2, [K.uki]),
        ({**GRUB, **TYPE_2, **PACKAGED}, [K.grub2]),
        (TYPE_1, []),
    ],
)
def test_uefi_starts_its_fallback_or_what_is_put_there(
    content: Content, kinds: list[Bootloader]
) -> None:
    found = bootloaders.find(drafted(content), guest(efi="/boot/efi"), efi=True)
    assert [loader.kind for loader in found] == kinds


def test_without_an_efi_system_partition_grub_is_looked_for_in_boot() -> None:
    content = {"/boot/grub/grub.cfg": MENU}
    (loader,) = bootloaders.find(drafted(content), guest(), efi=True)
    assert loader.config == "/boot/grub/grub.cfg"
