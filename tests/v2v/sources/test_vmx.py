# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMX files: the dictionary, its encodings, the devices, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import Bus, Display, Firmware, Machine, NetworkKind, RemovableKind, Topology
from v2v.sources import vmx, vmx_syntax

PATH = Path("/vmfs/volumes/ds/web/web.vmx")
NAME = 'displayName = "web"\n'


def machine(text: str) -> Machine:
    return vmx.parse(text.encode(), PATH)


def codes(found: Machine) -> list[str]:
    return [warning.code for warning in found.warnings]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('key = "value"', "value"),
        ('KEY="value"', "value"),
        ('  key  =  "value"  ', "value"),
        ("key = value", "value"),
        ("key = two words", "two words"),
        ('key = ""', ""),
        ("key =", ""),
        ('key = "a|22b|7C"', 'a"b|'),
        ('key = "a|zzb|2"', "a|zzb|2"),
        ('key = "|C3|BC"', "\u00fc"),
        ('key = "a "quoted" b"', 'a "quoted" b'),
        ('key = "value" # comment', "value"),
        ('key = "a # b"', "a # b"),
        ("# key = other\nkey = value", "value"),
        ("\ufeffkey = value", "value"),
        ('key = "value"\r\nother = "x"\r\n', "value"),
    ],
)
def test_values_are_read_with_and_without_quotes(line: str, value: str) -> None:
    found, warnings = vmx_syntax.parse(line.encode(), "web.vmx")
    assert found.values["key"] == value
    assert warnings == ()


@pytest.mark.parametrize("line", ["key", 'key = "value', 'key = a "b" c', '= "value"', "\x01"])
def test_lines_that_are_no_pair_are_left_out_with_a_warning(line: str) -> None:
    found, warnings = vmx_syntax.parse(f"a = 1\n{line}\n".encode(), "web.vmx")
    assert dict(found.values) == {"a": "1"}
    assert [warning.code for warning in warnings] == ["W-VMX-LINE"]
    assert warnings[0].message.startswith("web.vmx: line 2 is not key = value")


def test_of_a_key_given_twice_the_first_one_counts() -> None:
    found = machine('displayName = "a"\nDISPLAYNAME = "b"\n')
    assert found.name == "a"
    assert codes(found) == ["W-SOURCE-DUPLICATE"]


@pytest.mark.parametrize(
    ("encoding", "codec", "name"),
    [
        ("UTF-8", "utf-8", "\u6d4b\u8bd5 \u00fc"),
        ("windows-1252", "cp1252", "\u20ac \u00fc"),
        ("windows-1251", "cp1251", "\u0436"),
        ("ISO-8859-1", "latin-1", "\u00fc"),
        ("Shift_JIS", "shift_jis", "\u30bd\u8868"),  # its second bytes can be backslash and bar
        ("windows-31j", "cp932", "\u2460"),
        ("GBK", "gbk", "\u6d4b\u8bd5"),
        ("windows-936", "gbk", "\u6d4b\u8bd5"),
        ("Big5", "big5", "\u529f"),
        ("EUC-KR", "euc_kr", "\ud55c"),
        ("windows-949", "cp949", "\ud55c"),
    ],
)
def test_the_encoding_that_the_file_names_is_used(encoding: str, codec: str, name: str) -> None:
    data = f'.encoding = "{encoding}"\ndisplayName = "{name}"\n'.encode(codec)
    found = vmx.parse(data, PATH)
    assert found.name == name
    assert found.warnings == ()


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "zlib", "utf-16", "idna"])
def test_an_encoding_that_is_none_is_warned_of(encoding: str) -> None:
    found = machine(f'.encoding = "{encoding}"\ndisplayName = "\u00fc"\n')
    assert found.name == "\u00fc"
    assert codes(found) == ["W-VMX-ENCODING"]


def test_bytes_that_are_not_in_the_encoding_are_read_as_latin_1() -> None:
    found = vmx.parse(b'.encoding = "UTF-8"\ndisplayName = "M\xfcnchen"\n', PATH)
    assert found.name == "M\u00fcnchen"
    (warning,) = found.warnings
    assert warning.code == "W-VMX-ENCODING"
    assert "line 2 is not utf-8" in warning.message


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"KDMV\x01\0\0\0", "E-VMX-IS-VMDK", "web.vmx: is a VMDK disk, not a VMX file"),
        (b"VMDK", "E-VMX-IS-VMDK", "is a VMDK disk"),
        (b"COWD\x01\0\0\0", "E-VMX-IS-VMDK", "is a VMDK disk"),
        (b"# Disk DescriptorFile\nversion=1\n", "E-VMX-IS-VMDK", "is a VMDK disk"),
        (b"QFI\xfb\0\0\0\x03", "E-VMX-SYNTAX", "not a VMX file: it is binary"),
        (b"", "E-VMX-SYNTAX", "not a VMX file: no line is key = value"),
        (b"# nothing\n\n", "E-VMX-SYNTAX", "not a VMX file: no line is key = value"),
        (b'memSize = "much"', "E-VMX-VALUE", "memSize: 'much' is not a number"),
        (b'memSize = "1.5"', "E-VMX-VALUE", "memSize: '1.5' is not a number"),
        (b'memSize = "0"', "E-VMX-VALUE", "memSize: 0 makes no sense"),
        (b'memSize = "99999999999999999999"', "E-VMX-VALUE", "memSize: .* makes no sense"),
        (b'numvcpus = "two"', "E-VMX-VALUE", "numvcpus: 'two' is not a number"),
        (b'numvcpus = "-1"', "E-VMX-VALUE", "numvcpus: -1 makes no sense"),
        (b'cpuid.coresPerSocket = "x"', "E-VMX-VALUE", "cpuid.coresPerSocket: 'x' is not"),
        (b'vm.genid = "x"\nvm.genidX = "1"', "E-VMX-VALUE", "vm.genid: 'x' is not a number"),
        (b'encryption.keySafe = "x"', "E-VMX-ENCRYPTED", "the virtual machine is encrypted"),
        (b'encryption.data = "x"', "E-VMX-ENCRYPTED", "the virtual machine is encrypted"),
        (b'scsi0:0.present = "TRUE"', "E-VMX-NO-FILE", "scsi0:0: is a disk without fileName"),
        (b'ide0:1.deviceType = "x"\nide0:1.fileName = "|00"', None, ""),
        (b'scsi0:0.fileName = "a|00b"', "E-DISK-PATH", r"scsi0:0: control character .* 'a\\x00b'"),
        (b'ethernet0.address = "x"', "E-NIC-MAC", "ethernet0: 'x' is not a MAC address"),
    ],
)
def test_wrong_files_are_refused(data: bytes, code: str | None, message: str) -> None:
    if code is None:  # a device that is left out is not looked at any further
        assert "W-VMX-DEVICE" in codes(vmx.parse(data, PATH))
        return
    with pytest.raises(SourceError, match=message) as caught:
        vmx.parse(data, PATH)
    assert caught.value.finding.code == code
    assert str(caught.value).startswith(str(PATH))


def test_a_missing_display_name_comes_from_the_file() -> None:
    found = machine("memSize = 64")
    assert found.name == "web"
    assert codes(found) == ["W-SOURCE-NAME"]


def test_names_are_only_stripped() -> None:
    assert machine('displayName = " a/|0A-b "').name == "a/\n-b"


def test_memory_and_vcpus_have_the_defaults_of_vmware() -> None:
    assert (machine(NAME).memory_bytes, machine(NAME).vcpus) == (32 << 20, 1)


@pytest.mark.parametrize(
    ("vcpus", "cores", "topology"),
    [(4, 2, Topology(2, 2, 1)), (4, 4, Topology(1, 4, 1)), (2, 1, Topology(2, 1, 1))],
)
def test_cores_per_socket_make_a_topology(vcpus: int, cores: int, topology: Topology) -> None:
    text = f'{NAME}numvcpus = "{vcpus}"\ncpuid.coresPerSocket = "{cores}"'
    assert machine(text).topology == topology


@pytest.mark.parametrize("cores", [0, -2, 3])
def test_cores_that_do_not_fit_are_warned_of(cores: int) -> None:
    found = machine(f'{NAME}numvcpus = "4"\ncpuid.coresPerSocket = "{cores}"')
    assert found.topology is None
    assert codes(found) == ["W-SOURCE-TOPOLOGY"]


@pytest.mark.parametrize(
    ("text", "firmware", "warned"),
    [
        ("", Firmware.bios, False),
        ('firmware = "bios"', Firmware.bios, False),
        ('firmware = "EFI"', Firmware.efi, False),
        ('firmware = "x"', Firmware.bios, True),
    ],
)
def test_firmware(text: str, firmware: Firmware, warned: bool) -> None:
    found = machine(NAME + text)
    assert found.firmware is firmware
    assert codes(found) == ["W-SOURCE-FIRMWARE"] * warned


def test_the_generation_id_is_put_together_as_vmware_shows_it() -> None:
    text = 'vm.genid = "-570734802784577186"\nvm.genidX = "-5042519231342505152"'
    assert machine(NAME + text).genid == "8312995e-57b8-f814-4013-c1ba795f05ba"
    assert machine(NAME + 'vm.genid = "1"').genid is None


def test_the_uuid_keeps_the_order_of_its_bytes() -> None:
    text = 'uuid.bios = "56 4d 8a 3e 2b 91 4c 07-9e 65 d0 1f 7a c4 33 58"'
    assert machine(NAME + text).uuid == "564d8a3e-2b91-4c07-9e65-d01f7ac43358"


# Devices.


def test_devices_are_ordered_by_bus_and_then_by_number() -> None:
    places = ("ide0:0", "sata0:3", "nvme0:0", "scsi1:0", "scsi0:10", "scsi0:2")
    found = machine(NAME + "\n".join(f'{place}.fileName = "{place}"' for place in places))
    names = [Path(disk.path).name for disk in found.disks]
    assert names == ["scsi0:2", "scsi0:10", "scsi1:0", "nvme0:0", "sata0:3", "ide0:0"]
    assert [disk.controller for disk in found.disks] == [
        *[Bus.scsi] * 3,
        Bus.nvme,
        Bus.sata,
        Bus.ide,
    ]


@pytest.mark.parametrize(
    "kind", ["disk", "scsi-hardDisk", "rawDisk", "plainDisk", "ata-hardDisk", "scsi-passthru-rdm"]
)
def test_disks_have_many_types(kind: str) -> None:
    text = f'scsi0:0.fileName = "x.vmdk"\nscsi0:0.deviceType = "{kind}"'
    assert [disk.path for disk in machine(NAME + text).disks] == [str(PATH.parent / "x.vmdk")]


@pytest.mark.parametrize("kind", ["cdrom-raw", "cdrom-image", "atapi-cdrom"])
@pytest.mark.parametrize(
    ("place", "bus", "slot"),
    [("ide1:0", Bus.ide, 2), ("sata0:1", Bus.sata, 1), ("scsi0:5", Bus.scsi, 5)],
)
def test_cdrom_drives_can_be_on_any_bus(kind: str, place: str, bus: Bus, slot: int) -> None:
    found = machine(f'{NAME}{place}.present = "TRUE"\n{place}.deviceType = "{kind}"')
    (drive,) = found.removables
    assert (drive.kind, drive.controller, drive.slot) == (RemovableKind.cdrom, bus, slot)
    assert found.disks == ()


def test_names_of_devices_count_only_at_the_beginning_of_a_key() -> None:
    assert machine(NAME + 'sched.scsi0:0.fileName = "x"').disks == ()


@pytest.mark.parametrize(
    "text", ['scsi0:0.present = "FALSE"', "scsi0:0.present = no", 'scsi0.present = "false"']
)
def test_devices_that_are_switched_off_are_left_out(text: str) -> None:
    assert machine(f'{NAME}scsi0:0.fileName = "x.vmdk"\n{text}').disks == ()


def test_floppies_are_removable() -> None:
    found = machine(NAME + 'floppy0.fileName = "x.flp"\nfloppy1.present = "FALSE"')
    assert [(drive.kind, drive.slot) for drive in found.removables] == [(RemovableKind.floppy, 0)]


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ('addressType = "static"\nethernet0.address = "00:50:56:01:02:03"', "00:50:56:01:02:03"),
        ('address = "00:50:56:01:02:AB"', "00:50:56:01:02:ab"),
        ('generatedAddress = "00-0C-29-01-02-03"', "00:0c:29:01:02:03"),
        ('generatedAddress = "00:00:00:00:00:00"', None),
        ('present = "TRUE"', None),
    ],
)
def test_mac_addresses_are_static_or_generated(text: str, mac: str | None) -> None:
    assert machine(f"{NAME}ethernet0.{text}").nics[0].mac == mac


@pytest.mark.parametrize(("kind", "last"), [("static", "01"), ("generated", "02"), ("vpx", "02")])
def test_the_address_type_tells_which_of_two_addresses_counts(kind: str, last: str) -> None:
    text = (
        f'ethernet0.addressType = "{kind}"\nethernet0.address = "00:50:56:00:00:01"\n'
        'ethernet0.generatedAddress = "00:50:56:00:00:02"'
    )
    assert machine(NAME + text).nics[0].mac == f"00:50:56:00:00:{last}"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ('connectionType = "bridged"', NetworkKind.bridge, "ethernet0"),
        ('connectionType = "nat"', NetworkKind.network, "ethernet0"),
        ('networkName = "VM Network"', NetworkKind.network, "VM Network"),
        ('dvs.portgroupId = "dvportgroup-7"', NetworkKind.network, "dvportgroup-7"),
        ('vnet = "/dev/vmnet2"', NetworkKind.network, "vmnet2"),
    ],
)
def test_networks(text: str, kind: NetworkKind, name: str) -> None:
    network = machine(f"{NAME}ethernet0.{text}").nics[0].network
    assert (network.kind, network.name) == (kind, name)


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("", None),
        ('svga.present = "TRUE"', Display("window")),
        ('RemoteDisplay.vnc.enabled = "TRUE"', Display("vnc")),
        (
            'RemoteDisplay.vnc.enabled = "TRUE"\nRemoteDisplay.vnc.port = "5901"',
            Display("vnc", port=5901),
        ),
        ('RemoteDisplay.vnc.enabled = "FALSE"\nRemoteDisplay.vnc.port = "5901"', None),
    ],
)
def test_displays(text: str, display: Display | None) -> None:
    assert machine(NAME + text).display == display


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ('sound.virtualDev = "sb16"', "sb16"),
        ('sound.virtualDev = "es1371"', "es1370"),
        ('sound.virtualDev = "HDAudio"', "ich6"),
        ('sound.virtualDev = "hdaudio"\nsound.present = "FALSE"', None),
        ("", None),
    ],
)
def test_sound_cards(text: str, sound: str | None) -> None:
    found = machine(NAME + text)
    assert found.sound == sound
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('sound.virtualDev = "gus"', "W-SOURCE-SOUND"),
        ('uuid.bios = "x"', "W-SOURCE-UUID"),
        ('scsi0:0.fileName = "x"\nscsi0.present = "FALSE"', "W-VMX-DEVICE"),
        ('scsi0:0.fileName = "x"\nscsi0:0.deviceType = "scsi-passthru"', "W-VMX-DEVICE"),
        ('scsi0:0.fileName = "C:|5Cx.vmdk"', "W-SOURCE-PATH"),
        ('serial0.present = "TRUE"', "W-SOURCE-KEY"),
        ('vtpm.present = "TRUE"', "W-SOURCE-TPM"),
        ('checkpoint.vmState = "web.vmss"', "W-VMX-SUSPENDED"),
        ('scsi0:0.fileName = "x"\nscsi0:0.sharing = "multi-writer"', "W-VMX-SHARED-DISK"),
        ('scsi0:0.fileName = "x"\nscsi0.sharedBus = "virtual"', "W-VMX-SHARED-DISK"),
        ('scsi0:0.fileName = "x"\nscsi0:0.mode = "nonpersistent"', "W-VMX-NONPERSISTENT"),
    ],
)
def test_what_cannot_be_carried_is_warned_of(text: str, code: str) -> None:
    assert codes(machine(NAME + text)) == [code]


@given(st.binary())
def test_any_bytes_are_a_machine_or_refused(data: bytes) -> None:
    _parsed_or_refused(data)


_KEYS = """scsi0:0.fileName scsi0.present ethernet0.address memSize numvcpus .encoding
    cpuid.coresPerSocket ide1:1.deviceType vm.genid vm.genidX ethernet0.vnet floppy0.present
    RemoteDisplay.vnc.port RemoteDisplay.vnc.enabled uuid.bios scsi99:99.present firmware
    annotation guestOS bios.bootOrder svga.numDisplays checkpoint.vmState usb:1.present
    serial0.present scsi0.sharedBus scsi0:0.mode scsi0:0.present ethernet0.startConnected
    rtc.diffFromUTC guestinfo.a displayName vtpm.present"""
_VALUES = st.text(max_size=12) | st.integers().map(str) | st.sampled_from(["TRUE", "FALSE"])


@given(st.lists(st.tuples(st.sampled_from(_KEYS.split()), _VALUES)))
def test_any_values_are_a_machine_or_refused(pairs: list[tuple[str, str]]) -> None:
    _parsed_or_refused("".join(f'{key} = "{value}"\n' for key, value in pairs).encode())


def _parsed_or_refused(data: bytes) -> None:
    assert _refusal(data).startswith(("E-VMX-", "E-DISK-", "E-NIC-", "none"))


def _refusal(data: bytes) -> str:
    try:
        vmx.parse(data, PATH)
    except SourceError as error:
        return error.finding.code
    return "none"


def test_a_large_file_is_read_in_linear_time() -> None:
    text = NAME + "".join(f'key{index} = "x"\n' for index in range(50_000))
    text += 'a = "' + " " * 200_000 + "\nb = x" + " " * 200_000 + "y\n" + '"' * 100_000
    assert machine(text).name == "web"


@pytest.mark.parametrize(
    ("number", "slot"), [("192", 192), ("1184", 161), ("2208", 162), ("-1", None), (None, None)]
)
def test_a_nic_knows_the_pci_slot_that_its_guest_named_it_after(
    number: str | None, slot: int | None
) -> None:
    line = "" if number is None else f'ethernet0.pciSlotNumber = "{number}"\n'
    (nic,) = machine(f'{NAME}ethernet0.present = "TRUE"\n{line}').nics
    assert nic.slot == slot


@pytest.mark.parametrize(("third", "order"), [("1184", [161, 192, 224]), ("-1", [224, 192, None])])
def test_nics_are_in_the_order_of_their_slots_where_all_have_one(
    third: str, order: list[int | None]
) -> None:
    slots = enumerate(("224", "192", third))
    text = "".join(f'ethernet{nic}.pciSlotNumber = "{slot}"\n' for nic, slot in slots)
    present = "".join(f'ethernet{nic}.present = "TRUE"\n' for nic in range(3))
    assert [nic.slot for nic in machine(NAME + present + text).nics] == order
