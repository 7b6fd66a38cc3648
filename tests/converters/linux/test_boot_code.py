# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux import boot_code
from tests.converters.linux.drafting import case, described, draft
from v2v.model import Firmware

XEN, LEGACY = "xen-pygrub-debian12", "xen-pvgrub-debian9-menu-lst"


def test_boot_code_goes_to_the_disk_of_boot() -> None:
    drafted, _ = draft(boot_code.install_boot_code, case(XEN, {}))
    assert described(drafted) == ["run grub-install --target=i386-pc --no-floppy /dev/sda"]


def test_uefi_guests_need_none() -> None:
    guest = case(XEN, {})
    efi = replace(guest, machine=replace(guest.machine, firmware=Firmware.efi))
    drafted, _ = draft(boot_code.install_boot_code, efi)
    assert described(drafted) == []


@pytest.mark.parametrize("absent", ["/usr/sbin/grub-install", "/usr/lib/grub/i386-pc/boot.img"])
def test_a_guest_without_the_tools_is_blocked(absent: str) -> None:
    drafted, _ = draft(boot_code.install_boot_code, case(XEN, {}, without=(absent,)))
    assert [(found.code, found.message) for found in drafted.blockers] == [
        (
            "E-GRUB-MISSING",
            "/dev/sda: it has no GRUB in its first sector, and the guest has no grub-install "
            "for a BIOS",
        )
    ]


def test_a_file_system_on_a_whole_disk_has_no_room_for_boot_code() -> None:
    guest = case(XEN, {})
    whole = replace(
        guest, guest=replace(guest.guest, root="/dev/sda", mountpoints={"/": "/dev/sda"})
    )
    drafted, _ = draft(boot_code.install_boot_code, whole)
    assert [found.code for found in drafted.blockers] == ["E-GRUB-MISSING"]
    assert "on no partition" in drafted.blockers[0].message
    drafted, _ = draft(boot_code.upgrade_boot_code_later, whole)
    assert described(drafted) == []


def test_a_menu_is_blocked_where_grub_cannot_make_one() -> None:
    guest = case(LEGACY, {}, without=("/usr/sbin/grub-mkconfig",))
    drafted, _ = draft(boot_code.write_menu, guest)
    assert [found.code for found in drafted.blockers] == ["E-GRUB-MENU"]
    assert "there is no menu that GRUB could start" in drafted.blockers[0].message


def test_debconf_keeps_what_names_no_disk() -> None:
    content = {
        "/var/cache/debconf/config.dat": (
            "Name: grub-pc/install_devices\nOwners: grub-pc\n\nName: x\nValue: /dev/xvda\n"
        )
    }
    drafted, _ = draft(boot_code.upgrade_boot_code_later, case(XEN, content))
    assert described(drafted) == []
