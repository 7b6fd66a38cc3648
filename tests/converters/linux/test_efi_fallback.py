# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from converters.linux import efi_fallback
from tests.converters.guests import Case
from tests.converters.linux.drafting import Content, case, described, draft
from v2v.changes import Draft

SUSE, FEDORA = "vmware-opensuse-grub2-uefi-no-fallback", "vmware-fedora-systemd-boot"
ESP = "/boot/efi/EFI"
ITS_OWN = tuple(
    f"{ESP}/opensuse/{name}" for name in ("MokManager.efi", "boot.csv", "grub.efi", "shim.efi")
)
STUB = "/boot/grub2/grub.cfg"


def vendor(folder: str, *names: str) -> Content:
    return {f"{ESP}/{folder}/{name}": name for name in names}


def placed(guest: Case) -> tuple[dict[str, str], Draft]:
    """The files that are put on the EFI system partition, and the draft."""
    drafted, _ = draft(efi_fallback.place_loader, guest)
    paths = [str(getattr(change, "path", "")) for change in drafted.changes]
    return {path.removeprefix(f"{ESP}/"): drafted.text(path) for path in paths}, drafted


def test_shim_comes_with_the_programs_that_it_starts() -> None:
    names = ("shimx64.efi", "grubx64.efi", "mmx64.efi", "fbx64.efi", "BOOTX64.CSV", "grub.cfg")
    files, _ = placed(case(SUSE, vendor("debian", *names), without=ITS_OWN))
    assert files == {
        "BOOT/BOOTX64.EFI": "shimx64.efi",
        "BOOT/grubx64.efi": "grubx64.efi",
        "BOOT/mmx64.efi": "mmx64.efi",
        "BOOT/grub.cfg": "# Written by v2v: the configuration is where the distribution has it.\n"
        "set prefix=($root)/EFI/debian\nconfigfile $prefix/grub.cfg\n",
    }


def test_grub_alone_becomes_the_fallback_and_needs_no_configuration_there() -> None:
    files, _ = placed(case(SUSE, vendor("GRUB", "GRUBX64.EFI"), without=(*ITS_OWN, STUB)))
    assert files == {"BOOT/BOOTX64.EFI": "GRUBX64.EFI"}


def test_names_on_the_partition_know_no_case() -> None:
    content = {**vendor("debian", "grubx64.efi"), f"{ESP}/Boot/other.efi": ""}
    files, _ = placed(case(SUSE, content, without=(*ITS_OWN, f"{ESP}/opensuse/grub.cfg")))
    assert files == {"Boot/BOOTX64.EFI": "grubx64.efi"}


def test_a_fallback_that_is_there_stays() -> None:
    files, drafted = placed(case(SUSE, {f"{ESP}/boot/bootx64.efi": "fallback"}))
    assert files == {}
    assert drafted.warnings == drafted.blockers == []


@pytest.mark.parametrize(
    "program",
    [f"{ESP}/systemd/systemd-bootx64.efi", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"],
)
def test_systemd_boot_is_put_in_place(program: str) -> None:
    guest = case(FEDORA, {program: "systemd-boot"}, without=(f"{ESP}/BOOT/BOOTX64.EFI",))
    files, _ = placed(guest)
    assert set(files) == {"BOOT/BOOTX64.EFI"}


def test_a_lone_unified_image_is_put_in_place() -> None:
    image = "Linux/1c2d3e4f5a6b708192a3b4c5d6e7f801-6.9.4-200.fc40.x86_64.efi"
    without = (f"{ESP}/BOOT/BOOTX64.EFI", f"{ESP}/systemd/systemd-bootx64.efi")
    guest = case(FEDORA, {}, without=without)
    files, drafted = placed(guest)
    assert list(files) == ["BOOT/BOOTX64.EFI"]
    assert drafted.read(f"{ESP}/BOOT/BOOTX64.EFI") == guest.files.read(f"{ESP}/{image}")


def test_grub_legacy_takes_a_copy_of_its_configuration() -> None:
    content = {
        f"{ESP}/redhat/grub.conf": "title x\nkernel /vmlinuz root=UUID=1\n",
        f"{ESP}/redhat/grub.efi": "grub",
    }
    files, drafted = placed(
        case(SUSE, content, without=(*ITS_OWN, STUB, f"{ESP}/opensuse/grub.cfg"))
    )
    assert files == {
        "BOOT/BOOTX64.EFI": "grub",
        "BOOT/BOOTX64.conf": content[f"{ESP}/redhat/grub.conf"],
    }
    assert [found.code for found in drafted.warnings] == ["W-EFI-CONFIG"]


def test_a_partition_without_any_loader_is_a_blocker() -> None:
    files, drafted = placed(case(SUSE, {}, without=ITS_OWN))
    assert files == {}
    assert [(found.code, found.message) for found in drafted.blockers] == [
        (
            "E-EFI-LOADER",
            f"{ESP}/BOOT/BOOTX64.EFI: there is no such file, and no loader on this partition that "
            "is known to work from there",
        )
    ]


def test_a_partition_that_is_not_mounted_is_warned_of() -> None:
    guest = case(SUSE, {})
    unmounted = replace(guest, guest=replace(guest.guest, mountpoints={"/": "/dev/sda2"}))
    files, drafted = placed(unmounted)
    assert files == {}
    assert [found.code for found in drafted.warnings] == ["W-EFI-PARTITION"]


def test_a_bios_needs_none() -> None:
    drafted, _ = draft(efi_fallback.place_loader, case("vmware-centos6-grub-legacy", {}))
    assert described(drafted) == []


@pytest.mark.parametrize(("arch", "name"), [("aarch64", "BOOTAA64.EFI"), ("i686", "BOOTIA32.EFI")])
def test_the_name_tells_the_architecture(arch: str, name: str) -> None:
    suffix = name[4:-4].lower()
    guest = case(SUSE, vendor("debian", f"grub{suffix}.efi"), without=ITS_OWN)
    files, _ = placed(replace(guest, guest=replace(guest.guest, arch=arch)))
    assert files[f"BOOT/{name}"] == f"grub{suffix}.efi"
