# SPDX-License-Identifier: LGPL-2.1-or-later
"""Machines of xl.cfg(5), and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import (
    BootMethod,
    Bus,
    Display,
    Firmware,
    Machine,
    NetworkKind,
    RemovableKind,
)
from v2v.sources import xl

PATH = Path("/etc/xen/web.cfg")


def machine(text: str) -> Machine:
    return xl.parse(text, PATH)


def codes(found: Machine) -> list[str]:
    return [warning.code for warning in found.warnings]


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "bom.cfg"
    path.write_bytes(b"\xef\xbb\xbfname = 'x'\nmemory = 64\nbootloader = 'pygrub'\n")
    assert xl.read([path]).name == "x"


VALUES = [
    ("memory = 'much'", r"line 1: memory: 'much' is not a number"),
    ("memory = 99999999999999999999", "memory: '99999999999999999999' is too large"),
    ("memory = '1" + "0" * 5000 + "'", "memory: .* is not a number"),
    ("memory = 09", "memory: '09' is not a number"),
    ("memory = [512]", "memory: is a list, where a string or number is asked for"),
    ("memory = 0", "memory is 0 MiB"),
    ("maxmem = '-5'", "memory is -5 MiB"),
    ("vcpus = 0", "vcpus is 0"),
    ("disk = 'phy:/dev/vg/web,xvda,w'", "disk: is a string, where a list"),
    ("disk = [['/srv/web.img,raw,xvda']]", "disk: holds a list in a list"),
    ("type = 'lxc'", "unknown type of guest: 'lxc'"),
    ("builder = 'domu'", "unknown type of guest: 'domu'"),
]


@pytest.mark.parametrize(("text", "message"), VALUES)
def test_values_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        machine(text)
    assert caught.value.finding.code == "E-XL-VALUE"


# Disks.
@pytest.mark.parametrize(
    "spec", ["iscsi:iqn.2001-05.com:x,xvda,w", "vdev=xvda,script=block-x,target=y", "drbd:r0,xvda"]
)
def test_disks_made_by_a_script_are_refused(spec: str) -> None:
    with pytest.raises(
        SourceError, match=r"disk xvda: '.*' is made a disk by the script block-"
    ) as caught:
        machine(f'disk = ["{spec}"]')
    assert caught.value.finding.code == "E-XL-DISK-SCRIPT"


@pytest.mark.parametrize(
    ("target", "message"),
    [("a\\x00b", r"control character in the path 'a\\x00b'"), ("a\\nb", "control character")],
)
def test_control_characters_in_paths_are_refused(target: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        machine(f"disk = ['vdev=xvda,target={target}']")
    assert caught.value.finding.code == "E-DISK-PATH"


def test_relative_images_lie_beside_the_configuration() -> None:
    found = machine("disk = ['web.img,raw,xvda', 'phy:vg/web,xvdb,w']")
    assert [drive.path for drive in found.disks] == ["/etc/xen/web.img", "/dev/vg/web"]
    assert found.folder == Path("/etc/xen")


def test_pv_guests_have_all_disks_from_xen() -> None:
    found = machine("disk = ['/a,,sda', '/b,,hda', '/c,,xvda1', '/d,,d0p2']")
    assert {drive.controller for drive in found.disks} == {Bus.xen}
    assert [drive.device for drive in found.disks] == ["sda", "hda", "xvda1", "xvda2"]


@pytest.mark.parametrize(
    ("vdev", "device"),
    [
        ("51712", "xvda"),
        ("0xca12", "xvdb2"),
        ("d7", "xvdh"),
        ("d0p3", "xvda3"),
        ("268439552", "xvdq"),
        ("0x801", "sda1"),
        ("769", "hda1"),
        ("0x1640", "hdd"),
        ("7", "7"),
    ],
)
def test_devices_by_number_are_those_of_the_guest(vdev: str, device: str) -> None:
    """xen-vbd-interface(7)."""
    assert machine(f"disk = ['/a,,{vdev}']").disks[0].device == device


def test_hvm_guests_have_emulated_controllers() -> None:
    text = "type='hvm'\ndisk = ['/a,,sda', '/b,,hda', '/c,,xvda']"
    assert [drive.controller for drive in machine(text).disks] == [Bus.scsi, Bus.ide, Bus.xen]
    assert machine(text + "\nhdtype='ahci'").disks[1].controller is Bus.sata
    text = "type='hvm'\ndisk = ['/a,,xvda,specification=virtio']"
    assert machine(text).disks[0].controller is Bus.virtio


def test_cdrom_drives_are_removable() -> None:
    (drive,) = machine("type='hvm'\ndisk = ['/x.iso,,hdc,cdrom']").removables
    assert (drive.kind, drive.controller, drive.slot) == (RemovableKind.cdrom, Bus.ide, 2)


def test_a_driver_domain_and_a_read_only_disk_are_warned_of() -> None:
    found = machine("bootloader='pygrub'\ndisk = ['/a,raw,xvda,ro,backend=storage']\nmemory=64")
    assert sorted(codes(found)) == ["W-DISK-BACKEND", "W-DISK-READ-ONLY", "W-SOURCE-NAME"]


# NICs.


def test_an_empty_vif_is_a_nic_with_defaults_and_a_mac_that_stays() -> None:
    text = "name='web'\nmemory=64\nbootloader='pygrub'\nvif=['', '']\n"
    first, second = machine(text).nics
    assert first.network.kind is NetworkKind.bridge
    assert first.network.name == "xenbr0"
    assert first.model == "netfront"
    assert re.fullmatch("00:16:3e:[0-7][0-9a-f](:[0-9a-f]{2}){2}", first.mac or "")
    assert first.mac != second.mac
    assert machine(text).nics == (first, second)
    assert codes(machine(text)) == ["W-NIC-NO-MAC", "W-NIC-NO-MAC"]
    with_uuid = machine(text + "uuid='1f0d7c5a-6f4e-4c8e-8d70-5c1d2e3f4a5b'").nics
    assert with_uuid != (first, second)


@pytest.mark.parametrize(
    ("spec", "model"),
    [
        ("model=e1000", "e1000"),
        ("type=ioemu", "rtl8139"),
        ("type=vif,model=e1000", "netfront"),
        ("type=netfront", "netfront"),
        ("model=netfront", "netfront"),
    ],
)
def test_hvm_nics_are_emulated_unless_they_say_otherwise(spec: str, model: str) -> None:
    assert machine(f"type='hvm'\nvif=['mac=00:16:3e:01:02:03,{spec}']").nics[0].model == model


def test_pv_nics_have_no_model() -> None:
    assert machine("vif=['mac=00:16:3e:01:02:03,model=e1000']").nics[0].model == "netfront"


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ("mac=00:16:3e:01:02", "E-NIC-MAC", "vif 0: '00:16:3e:01:02' is not a MAC address"),
        ("mac=00:16:3e:01:02:zz", "E-NIC-MAC", "is not a MAC address"),
        ("xenbr0", "E-XL-VIF", "vif 0: 'xenbr0' is not key=value"),
    ],
)
def test_wrong_vifs_are_refused(spec: str, code: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        machine(f"vif=['{spec}']")
    assert caught.value.finding.code == code


# The rest of the machine.


@pytest.mark.parametrize(
    ("text", "firmware"),
    [
        ("type='hvm'", Firmware.bios),
        ("builder='hvm'\nfirmware='seabios'", Firmware.bios),
        ("type='hvm'\nbios='ovmf'", Firmware.efi),
        ("type='hvm'\nfirmware='uefi'", Firmware.efi),
        ("type='hvm'\nfirmware='/usr/lib/xen/boot/ovmf.bin'", Firmware.efi),
        ("type='hvm'\nfirmware='/usr/lib/xen/boot/seabios.bin'", Firmware.bios),
        ("type='hvm'\nbios='ovmf'\nbios_path_override='/x/OVMF.fd'", Firmware.efi),
        ("type='pv'\nfirmware='pvgrub64'", Firmware.unknown),
        ("bootloader='pygrub'", Firmware.unknown),
        ("type='pvh'", Firmware.unknown),
    ],
)
def test_firmware_is_read_of_hvm_guests_only(text: str, firmware: Firmware) -> None:
    assert machine(text).firmware is firmware


def test_unknown_firmware_is_left_to_the_disks_with_a_warning() -> None:
    found = machine("type='hvm'\nname='x'\nmemory=64\nfirmware='coreboot'")
    assert found.firmware is Firmware.unknown
    assert codes(found) == ["W-SOURCE-FIRMWARE"]


@pytest.mark.parametrize(
    ("text", "boot"),
    [
        ("bootloader='/usr/bin/pygrub'", (BootMethod.pygrub, None, None)),
        ("bootloader='pygrub'\nkernel='/k'\nextra='quiet'", (BootMethod.pygrub, None, "quiet")),
        (
            "kernel='/boot/pv-grub-x86_64.gz'\nextra='(hd0)/menu.lst'",
            (BootMethod.pvgrub, "/boot/pv-grub-x86_64.gz", "(hd0)/menu.lst"),
        ),
        (
            "kernel='/usr/lib/grub-xen/grub-x86_64-xen.bin'",
            (BootMethod.pvgrub, "/usr/lib/grub-xen/grub-x86_64-xen.bin", None),
        ),
        ("firmware='pvgrub64'", (BootMethod.pvgrub, "pvgrub64", None)),
        ("kernel='/k'\nroot='/dev/xvda1 ro'", (BootMethod.direct, "/k", "root=/dev/xvda1 ro")),
        ("kernel='/k'\nroot='/dev/a'\nextra='b'", (BootMethod.direct, "/k", "root=/dev/a b")),
        ("kernel='/k'\nroot='/dev/a'\ncmdline='c'", (BootMethod.direct, "/k", "c")),
        ("type='hvm'", (BootMethod.hvm, None, None)),
        ("builder='hvm'\nkernel='/x/hvmloader'\nextra='e'", (BootMethod.hvm, None, None)),
        ("type='hvm'\nkernel='/k'\ncmdline='c'", (BootMethod.hvm, "/k", "c")),
        ("type='pvh'\nkernel='/k'\ncmdline='c'", (BootMethod.pvh, "/k", "c")),
        ("type='pvh'\nbootloader='pygrub'", (BootMethod.pvh, None, None)),
        ("type='pvh'\nkernel='/x/grub-i386-xen_pvh.bin'", (BootMethod.pvh, None, None)),
    ],
)
def test_boot_methods(text: str, boot: tuple[BootMethod, str | None, str | None]) -> None:
    found = machine(text).boot
    assert found is not None
    assert (found.method, found.kernel, found.cmdline) == boot


def test_a_pv_guest_that_xl_could_not_start_is_warned_of() -> None:
    found = machine("name='x'\nmemory=64")
    assert found.boot is None
    assert codes(found) == ["W-SOURCE-BOOT"]


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("", None),
        ("vnc=1", Display("vnc")),
        ("vfb=['vnc=1']", Display("vnc")),
        ("vfb=['type=sdl']", Display("window")),
        ("vfb=['vnclisten=127.0.0.1:7']", Display("vnc", "127.0.0.1", 5907)),
        ("vfb=['sdl=1,vnc=0']", Display("window")),
        ("type='hvm'", Display("vnc")),
        ("type='hvm'\nvncdisplay=2\nvnclisten='::1'", Display("vnc", "::1", 5902)),
        ("type='hvm'\nvncdisplay=2\nvncunused=1", Display("vnc")),
        ("type='hvm'\nvncdisplay=99999", Display("vnc")),
        ("type='hvm'\nvncpasswd='p'\nkeymap='de'", Display("vnc", password="p", keymap="de")),
        ("type='hvm'\nvnc=0", None),
        ("type='hvm'\nvnc=0\nsdl=1", Display("window")),
        ("type='hvm'\nnographic=1", None),
        ("type='hvm'\nspice=1\nspiceport=6000\nspicepasswd='p'", Display("spice", None, 6000, "p")),
    ],
)
def test_displays(text: str, display: Display | None) -> None:
    assert machine(text).display == display


def test_features_are_those_of_hvm_guests_with_their_defaults() -> None:
    assert machine("type='hvm'").features == ("acpi", "apic", "pae")
    assert machine("type='hvm'\nacpi=0\nviridian=1").features == ("apic", "pae", "viridian")
    assert machine("type='hvm'\nviridian=['all','!freq']").features[-1] == "viridian"
    assert machine("acpi=1\nviridian=0").features == ()


@pytest.mark.parametrize(
    ("text", "localtime"), [("", None), ("localtime=1", True), ("localtime=0", False)]
)
def test_the_clock_is_read(text: str, localtime: bool | None) -> None:
    assert machine(text).localtime is localtime


def test_memory_and_vcpus_have_the_defaults_of_xl() -> None:
    found = machine("name='x'\nbootloader='pygrub'")
    assert (found.memory_bytes, found.vcpus) == (32 << 20, 1)
    assert codes(found) == ["W-SOURCE-MEMORY"]
    assert machine("maxmem=128").memory_bytes == 128 << 20


def test_what_is_given_at_most_is_not_what_the_guest_gets() -> None:
    found = machine("name='x'\nbootloader='pygrub'\nmemory=64\nmaxmem=128\nvcpus=1\nmaxvcpus=2")
    assert (found.memory_bytes, found.vcpus) == (64 << 20, 1)
    assert codes(found) == ["W-SOURCE-MEMORY", "W-SOURCE-VCPUS"]


def test_keys_that_are_not_carried_are_named_in_one_warning() -> None:
    text = "name='x'\nmemory=64\nbootloader='pygrub'\non_crash='restart'\npci=['1']\nvtpm=['2']\n"
    (warning,) = machine(text + "usbdevice=['tablet','host:0a5c:2033']").warnings
    assert warning.code == "W-SOURCE-KEY"
    assert warning.message.endswith("not carried over: pci, vtpm, usbdevice")
    assert "usbdevice" not in str(machine(text + "usbdevice='tablet'").warnings)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("soundhw='gus'", "W-SOURCE-SOUND"),
        ("uuid='x'", "W-SOURCE-UUID"),
        ("name='y'", "W-SOURCE-DUPLICATE"),
        ("vif=['mac=00:16:3e:01:02:03,script=vif-nat']", "W-NIC-TYPE"),
        ("vif=['mac=00:16:3e:01:02:03,mtu=9000']", "W-SOURCE-KEY"),
        ("vif=['mac=00:16:3e:01:02:03,script=vif-openvswitch,bridge=o:1:2']", "W-NIC-VLAN"),
    ],
)
def test_what_cannot_be_carried_is_warned_of(text: str, code: str) -> None:
    assert codes(machine(f"name='x'\nmemory=64\nbootloader='pygrub'\n{text}")) == [code]


def test_names_are_only_stripped() -> None:
    assert machine("name = ' ../-x\\n '").name == "../-x"
    assert machine("name = ''").name == ""
    assert machine("").name == "web"


@given(st.text())
def test_any_text_is_a_machine_or_refused(text: str) -> None:
    _parsed_or_refused(text)


_WORDS = """name disk vif memory 0x1f 'x' type 'hvm' 'phy:vg/x,xvda,w' 'mac=1:2:3:4:5:6' vcpus 09
    target= uuid [ ] = , ; ' " \\ # + -"""


@given(st.lists(st.sampled_from([*_WORDS.split(), " ", "\n", "\0"]), max_size=60).map("".join))
def test_anything_that_looks_like_xl_is_a_machine_or_refused(text: str) -> None:
    _parsed_or_refused(text)


def _parsed_or_refused(text: str) -> None:
    code = _refusal(text)
    assert code.startswith(("E-XL-", "E-DISK-", "E-NIC-", "none"))


def _refusal(text: str) -> str:
    try:
        machine(text)
    except SourceError as error:
        return error.finding.code
    return "none"


def test_a_large_file_is_read_in_linear_time() -> None:
    text = "name='x'\n" + "x = [ 'a', " + "'b', " * 50_000 + "]\n" + "#" * 200_000
    assert machine(text).name == "x"
