# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from converters.linux import boot_code
from tests.converters.guests import Case
from tests.converters.linux.drafting import case, described, draft
from tests.drivers.grub_files import FOLDER, HOST, platform, unpacked
from v2v.changes import Draft, UploadFolder, WriteBootCode
from v2v.model import Boot, BootArea, Bootloader, BootMethod, Filesystem, Firmware

XEN, LEGACY = "xen-pygrub-debian12", "xen-pvgrub-debian9-menu-lst"
UUID = "aaaaaaaa-0001-4000-8000-000000000001"


def installed(guest: Case) -> Draft:
    """The draft of the step that installs boot code."""
    return draft(boot_code.install_boot_code, guest)[0]


def code(drafted: Draft) -> WriteBootCode:
    """The boot code that a draft writes."""
    found = drafted.changes[-1]
    assert isinstance(found, WriteBootCode)
    return found


def memory(drafted: Draft) -> bytes:
    """What the drafted core image has in memory."""
    return unpacked(code(drafted).core, platform())


def on(guest: Case, **changed: object) -> Case:
    """A guest with other file systems or disks."""
    return replace(guest, guest=replace(guest.guest, **changed))  # type: ignore[arg-type]


def test_boot_code_goes_to_the_disk_of_boot_and_its_modules_beside_the_menu() -> None:
    drafted = installed(case(XEN, {}))
    modules, boot = drafted.changes
    assert isinstance(modules, UploadFolder)
    assert isinstance(boot, WriteBootCode)
    assert modules.path == "/boot/grub/i386-pc"
    assert modules.files == platform()
    assert (boot.disk, boot.start) == ("/dev/sda", 1)
    assert boot.sector[0x5C:0x64] == b"\1".ljust(8, b"\0")
    assert b"fshelp" in memory(drafted).partition(b"ext2")[0]


def test_grub_finds_its_folder_by_the_file_systems_uuid() -> None:
    guest = case(XEN, {})
    uuid = guest.guest.filesystems[0].uuid
    assert f"search.fs_uuid {uuid} root\nset prefix=($root)'/boot/grub'\n\0".encode() in memory(
        installed(guest)
    )


@pytest.mark.parametrize(
    ("mountpoints", "filesystem", "path", "modules"),
    [
        ({"/": "/dev/vg/root", "/boot": "/dev/sda1"}, ("/dev/sda1", "xfs"), "/grub", {"xfs"}),
        ({"/": "/dev/vg/root"}, ("/dev/vg/root", "ext4"), "/boot/grub", {"ext2", "lvm"}),
        ({"/": "btrfsvol:/dev/sda2/@/1"}, ("/dev/sda2", "btrfs"), "/@/1/boot/grub", {"btrfs"}),
    ],
)
def test_the_folder_is_named_as_grub_sees_it(
    mountpoints: dict[str, str], filesystem: tuple[str, str], path: str, modules: set[str]
) -> None:
    found = Filesystem(*filesystem, UUID, None)
    guest = on(case(XEN, {}), mountpoints=mountpoints, filesystems=(found,))
    whole = memory(installed(guest))
    assert f"set prefix=($root)'{path}'\n".encode() in whole
    optional = {"ext2", "xfs", "btrfs", "lvm"}
    assert {name for name in optional if name.encode() in whole.split(b"search.")[0]} == modules


def test_without_a_boot_disk_the_first_with_room_is_taken() -> None:
    found = Filesystem("/dev/vg/root", "ext4", UUID, None)
    guest = on(
        case(XEN, {}), mountpoints={"/": "/dev/vg/root"}, filesystems=(found,),
        disks=("/dev/sda", "/dev/sdb"), boot_areas=(None, BootArea(2048, 2048)),
    )  # fmt: skip
    assert (code(installed(guest)).disk, code(installed(guest)).start) == ("/dev/sdb", 2048)


def test_uefi_guests_need_none() -> None:
    guest = case(XEN, {})
    efi = replace(guest, machine=replace(guest.machine, firmware=Firmware.efi))
    assert described(installed(efi)) == []


def test_a_guest_without_grub_gets_this_hosts() -> None:
    guest = case(XEN, {}, without=(f"{FOLDER}/kernel.img",))
    modules = installed(guest).changes[0]
    assert isinstance(modules, UploadFolder)
    assert modules.files["normal.mod"] == (HOST / "normal.mod").read_bytes()


def test_without_any_grub_for_a_bios_there_is_a_blocker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(boot_code, "HOST", tmp_path)
    blocked = installed(case(XEN, {}, without=(f"{FOLDER}/kernel.img",))).blockers
    assert [found.code for found in blocked] == ["E-GRUB-MISSING"]
    assert "neither the guest nor this host has GRUB 2 for a BIOS" in blocked[0].message


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"boot_areas": (BootArea(1, 1),)}, "and 1 are free before the first partition"),
        ({"boot_areas": (None,)}, "no room for it"),
        ({"filesystems": (Filesystem("/dev/sda1", "zfs", UUID, None),)}, "does not read zfs"),
        ({"filesystems": (Filesystem("/dev/sda1", "ext4", None, None),)}, "has no UUID"),
        ({"filesystems": ()}, "no room for it"),
    ],
)
def test_where_boot_code_cannot_be_there_is_a_blocker(
    changed: dict[str, object], reason: str
) -> None:
    drafted = installed(on(case(XEN, {}), **changed))
    assert drafted.changes == []
    assert [found.code for found in drafted.blockers] == ["E-GRUB-MISSING"]
    assert reason in drafted.blockers[0].message


def test_a_menu_that_reads_entries_of_its_own_needs_a_grub_that_can() -> None:
    guest = case(XEN, {"/boot/grub/grub.cfg": "insmod blscfg\nblscfg\n"})
    drafted, _ = draft(boot_code.write_menu, guest)
    assert described(drafted) == []
    assert "the menu is of Fedora's kind" in installed(guest).blockers[0].message


def test_a_menu_lst_is_kept_and_shown_by_grub_2() -> None:
    drafted, _ = draft(boot_code.write_menu, case(LEGACY, {}))
    assert described(drafted) == ["create /boot/grub/grub.cfg"]
    assert "legacy_configfile $prefix/menu.lst\n" in drafted.text("/boot/grub/grub.cfg")


def test_a_guest_without_a_menu_gets_one_of_its_kernels() -> None:
    guest = on(
        case(LEGACY, {}, without=("/boot/grub/menu.lst",)),
        bootloader=Bootloader.none, bootloader_config=None,
    )  # fmt: skip
    boot = Boot(BootMethod.direct, cmdline="root=/dev/xvda1 ro console=hvc0 net.ifnames=0")
    machine = replace(guest.machine, boot=boot)
    drafted, _ = draft(boot_code.write_menu, replace(guest, machine=machine))
    uuid = guest.guest.filesystems[0].uuid
    assert drafted.text("/boot/grub/grub.cfg").partition("menuentry")[2] == (
        " 'Linux 4.9.0-19-amd64' {\n"
        f"\tsearch --no-floppy --fs-uuid --set=root {uuid}\n"
        f"\tlinux /boot/vmlinuz-4.9.0-19-amd64 root=UUID={uuid} ro console=ttyS0,115200 "
        "net.ifnames=0\n"
        "\tinitrd /boot/initrd.img-4.9.0-19-amd64\n"
        "}\n"
    )
    drafted, _ = draft(boot_code.write_menu, guest)
    assert f"root=UUID={uuid} ro console=tty0 console=ttyS0" in drafted.text("/boot/grub/grub.cfg")


def test_a_menu_is_blocked_where_no_root_can_be_named() -> None:
    guest = on(
        case(LEGACY, {}, without=("/boot/grub/menu.lst",)),
        bootloader=Bootloader.none, bootloader_config=None,
        filesystems=(Filesystem("/dev/sda1", "ext4", None, None),),
    )  # fmt: skip
    drafted, _ = draft(boot_code.write_menu, guest)
    assert [found.code for found in drafted.blockers] == ["E-GRUB-MENU"]
    assert "there is no menu that GRUB could start" in drafted.blockers[0].message


def test_a_file_system_on_a_whole_disk_has_no_room_for_boot_code() -> None:
    guest = case(XEN, {})
    whole = replace(
        guest, guest=replace(guest.guest, root="/dev/sda", mountpoints={"/": "/dev/sda"})
    )
    drafted = installed(whole)
    assert [found.code for found in drafted.blockers] == ["E-GRUB-MISSING"]
    assert "on no partition" in drafted.blockers[0].message
    drafted, _ = draft(boot_code.upgrade_boot_code_later, whole)
    assert described(drafted) == []


def test_debconf_keeps_what_names_no_disk() -> None:
    content = {
        "/var/cache/debconf/config.dat": (
            "Name: grub-pc/install_devices\nOwners: grub-pc\n\nName: x\nValue: /dev/xvda\n"
        )
    }
    drafted, _ = draft(boot_code.upgrade_boot_code_later, case(XEN, content))
    assert described(drafted) == []


ALPINE = "xen-alpine-extlinux"


def test_extlinux_needs_no_grub_but_boot_code() -> None:
    guest = case(ALPINE, {})
    drafted, conversion = draft(boot_code.install_boot_code, guest)
    boot_code.check_loader(drafted, conversion)
    assert described(drafted) == []
    assert drafted.blockers == []
    bare = replace(guest, guest=replace(guest.guest, code_disks=()))
    drafted, _ = draft(boot_code.check_loader, bare)
    assert [found.code for found in drafted.blockers] == ["E-EXTLINUX"]


def test_lilo_is_a_blocker_and_an_unknown_loader_a_warning() -> None:
    guest = case(ALPINE, {"/etc/lilo.conf": "boot=/dev/xvda\n"}, without=("/boot/extlinux.conf",))
    drafted, _ = draft(boot_code.check_loader, guest)
    assert [found.code for found in drafted.blockers] == ["E-LILO"]
    unknown = case(ALPINE, {}, without=("/boot/extlinux.conf",))
    drafted, _ = draft(boot_code.check_loader, unknown)
    assert [found.code for found in drafted.warnings] == ["W-BOOT-MENU"]


def test_a_disk_with_a_loader_for_uefi_gets_a_menu_and_modules_and_no_boot_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_code, "_EFI", tmp_path)
    (tmp_path / "linux.mod").write_bytes(b"module")
    (tmp_path / "kernel.img").write_bytes(b"image")
    found = case(LEGACY, {})
    disks = tuple(replace(disk, loader=True) for disk in found.machine.disks)
    machine = replace(found.machine, disks=disks, firmware=Firmware.efi)
    guest = replace(found, machine=machine)
    assert [text.split(" (")[0] for text in described(draft(boot_code.write_menu, guest)[0])] == [
        "create /boot/grub/grub.cfg"
    ]
    (modules,) = installed(guest).changes
    assert isinstance(modules, UploadFolder)
    assert modules.path == f"/boot/grub/{tmp_path.name}"
    assert modules.files.keys() == {"kernel.img", "linux.mod"}
