# SPDX-License-Identifier: LGPL-2.1-or-later
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from v2v.devices import boot_disk
from v2v.errors import TargetError
from v2v.hardware import decide, misfits
from v2v.model import (
    Capabilities,
    Firmware,
    Guest,
    Hypervisor,
    Machine,
    Network,
    NetworkKind,
    Nic,
    OsType,
)

MACHINE = Machine("vmx", Hypervisor.vmware, "web", 1 << 30, 1, (), Path("/vm"))
GUEST = Guest(
    OsType.linux, "debian", "12.5", "Debian GNU/Linux 12 (bookworm)", "x86_64", Firmware.bios,
    "/dev/sda1", {"/": "/dev/sda1"}, disks=("/dev/sda", "/dev/sdb"),
)  # fmt: skip


def booted(
    mountpoints: Mapping[str, str], *grub: str, firmware: Firmware = Firmware.bios
) -> int | None:
    disks = ("/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdaa")
    return boot_disk(
        replace(GUEST, mountpoints=mountpoints, grub_disks=grub, disks=disks, firmware=firmware)
    )


def test_the_disk_of_the_root_boots_where_there_is_no_boot_partition() -> None:
    assert booted({"/": "/dev/sdb1"}) == 1


def test_the_disk_of_the_boot_partition_goes_before_that_of_the_root() -> None:
    assert booted({"/": "/dev/sda2", "/boot": "/dev/sdc1"}) == 2


def test_a_file_system_on_a_whole_disk_is_on_that_disk() -> None:
    assert booted({"/": "/dev/sdb"}) == 1


def test_a_disk_with_a_longer_name_is_not_mistaken() -> None:
    assert booted({"/": "/dev/sdaa1"}) == 3


def test_the_disk_with_grub_boots_where_that_of_boot_has_none() -> None:
    assert booted({"/boot": "/dev/sdc1", "/": "/dev/sdc2"}, "/dev/sda") == 0


def test_of_two_disks_with_grub_the_one_with_boot_is_chosen() -> None:
    assert booted({"/boot": "/dev/sdb1"}, "/dev/sda", "/dev/sdb") == 1


def test_a_boot_partition_on_lvm_leaves_it_to_the_disk_with_grub() -> None:
    assert booted({"/boot": "/dev/vg/boot", "/": "/dev/sdb1"}, "/dev/sdc") == 2
    assert booted({"/boot": "/dev/vg/boot", "/": "/dev/sdb1"}) is None


def test_efi_firmware_starts_the_disk_of_the_system_partition() -> None:
    places = {"/": "/dev/sda1", "/boot/efi": "/dev/sdb1"}
    assert booted(places, "/dev/sda", firmware=Firmware.efi) == 1
    assert booted({"/": "/dev/sdc1"}, "/dev/sda", firmware=Firmware.efi) == 2


def test_all_disks_have_a_turn_and_the_boot_disk_is_first() -> None:
    guest = replace(GUEST, mountpoints={"/": "/dev/sdb1"})
    hardware, _ = decide(MACHINE, guest, Capabilities(), 3)
    assert hardware.boot_order == (2, 1, 3)


def test_the_source_decides_on_the_firmware_and_the_disks_where_it_does_not() -> None:
    efi = replace(GUEST, firmware=Firmware.efi)
    assert decide(MACHINE, efi, Capabilities(), 1)[0].efi
    assert not decide(MACHINE, None, Capabilities(), 1)[0].efi
    assert not decide(replace(MACHINE, firmware=Firmware.bios), efi, Capabilities(), 1)[0].efi


def test_an_architecture_without_hardware_is_refused() -> None:
    with pytest.raises(TargetError, match="web: no target hardware for aarch64"):
        decide(MACHINE, replace(GUEST, arch="aarch64"), Capabilities(), 1)


def test_a_guest_that_libosinfo_does_not_know_is_a_warning() -> None:
    guest = replace(GUEST, type=OsType.windows, distro="homemade", product="Homemade 1")
    _, (warning,) = decide(MACHINE, guest, Capabilities(), 1)
    assert (warning.code, warning.message) == (
        "W-OSINFO",
        "Homemade 1: no libosinfo id is known for it",
    )


def test_a_linux_that_libosinfo_does_not_know_is_a_generic_one() -> None:
    guest = replace(GUEST, distro="homemade", product="Homemade 1")
    hardware, warnings = decide(MACHINE, guest, Capabilities(), 1)
    assert (hardware.osinfo, warnings) == ("http://libosinfo.org/linux/2022", ())


def test_a_guest_nobody_looked_into_is_no_warning() -> None:
    assert decide(MACHINE, None, Capabilities(), 1)[1] == ()


def test_secure_boot_that_cannot_be_kept_is_a_warning() -> None:
    machine = replace(MACHINE, secure_boot=True, firmware=Firmware.efi)
    assert decide(machine, GUEST, Capabilities(), 1)[0].secure_boot
    hardware, (warning,) = decide(machine, GUEST, Capabilities(machine="pc"), 1)
    assert not hardware.secure_boot
    assert warning.code == "W-SECURE-BOOT"


def test_a_sound_card_that_qemu_lacks_is_left_out_with_a_warning() -> None:
    hardware, (warning,) = decide(replace(MACHINE, sound="gus"), GUEST, Capabilities(), 1)
    assert hardware.sound is None
    assert warning.code == "W-SOUND"


@pytest.mark.parametrize("name", ["VM Network", "a-name-of-16-byte", "Net (Prod)", "a/b", ".."])
def test_a_bridge_that_linux_cannot_have_becomes_a_network_with_a_warning(name: str) -> None:
    nic = Nic("52:54:00:00:00:01", None, Network(NetworkKind.bridge, name))
    hardware, (warning,) = decide(replace(MACHINE, nics=(nic,)), GUEST, Capabilities(), 1)
    assert hardware.nics == (replace(nic, network=Network(NetworkKind.network, name)),)
    assert warning.code == "W-BRIDGE-NAME"


def test_virtio_0_9_is_asked_for_on_q35_only() -> None:
    old = Capabilities(virtio_transitional=True)
    assert decide(MACHINE, GUEST, old, 1)[0].virtio == "virtio-transitional"
    assert decide(MACHINE, GUEST, replace(old, machine="pc"), 1)[0].virtio == "virtio"


@pytest.mark.parametrize(
    ("wanted", "made_for", "changed", "said"),
    [
        (None, Firmware.bios, {}, None),
        (Firmware.efi, Firmware.efi, {}, None),
        (Firmware.bios, Firmware.bios, {}, None),
        (Firmware.bios, Firmware.efi, {"grub_disks": ("/dev/sda",)}, None),
        (Firmware.efi, Firmware.bios, {}, "no EFI system partition"),
        (Firmware.efi, Firmware.efi, {"arch": "i686"}, "a system for i686"),
        (Firmware.bios, Firmware.efi, {}, "a BIOS finds no boot code"),
    ],
)
def test_a_firmware_that_cannot_start_the_disks_is_refused(
    wanted: Firmware | None, made_for: Firmware, changed: Mapping[str, object], said: str | None
) -> None:
    guest = replace(GUEST, firmware=made_for, **changed)  # type: ignore[arg-type]
    found = [*misfits(wanted, guest)]
    assert [finding.code for finding in found] == (["E-FIRMWARE"] if said else [])
    assert said is None or said in found[0].message
