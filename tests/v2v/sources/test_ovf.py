# SPDX-License-Identifier: LGPL-2.1-or-later
"""OVF: what is refused, which system is taken, and that anything is read or refused."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import Bus, Firmware, Machine
from v2v.sources import ovf
from v2v.sources.ovf_xml import unit

FIXTURES = Path(__file__).parents[3] / "fixtures" / "ovf"
PATH = Path("/exports/web.ovf")
HEAD = (
    '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"'
    ' xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="rasd" xmlns:vssd="vssd"'
    ' xmlns:vmw="http://www.vmware.com/schema/ovf">'
)
DISK = "<Disk ovf:diskId='d' ovf:fileRef='f' ovf:capacity='1073741824'/>"
FILE = "<File ovf:id='f' ovf:href='web.vmdk'/>"


def item(kind: int, **fields: object) -> str:
    inside = "".join(f"<rasd:{name}>{value}</rasd:{name}>" for name, value in fields.items())
    return f"<Item>{inside}<rasd:ResourceType>{kind}</rasd:ResourceType></Item>"


CPU, MEMORY = item(3, VirtualQuantity=2), item(4, VirtualQuantity=512)
ON_DISK = item(17, HostResource="ovf:/disk/d")


def hardware(*items: str, inside: str = "") -> str:
    return (
        "<VirtualHardwareSection><System><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType>"
        f"</System>{''.join(items)}{inside}</VirtualHardwareSection>"
    )


def system(*items: str, name: str = "web", inside: str = "") -> str:
    return (
        f"<VirtualSystem ovf:id='vm'><Name>{name}</Name>"
        f"{hardware(*(items or (CPU, MEMORY, ON_DISK)), inside=inside)}</VirtualSystem>"
    )


def envelope(*systems: str, disks: str = DISK, files: str = FILE, more: str = "") -> str:
    return (
        f"{HEAD}<References>{files}</References><DiskSection>{disks}</DiskSection>{more}"
        f"{''.join(systems or (system(),))}</Envelope>"
    )


def machine(*systems: str, wanted: str | None = None, **parts: str) -> Machine:
    return ovf.parse(envelope(*systems, **parts).encode(), PATH, wanted).machine


def code_of(*systems: str, **parts: str) -> str:
    with pytest.raises(SourceError) as caught:
        machine(*systems, **parts)
    assert str(caught.value).startswith(str(PATH))
    return caught.value.finding.code


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("byte", 1),
        ("bytes", 1),
        ("byte * 2^20", 1 << 20),
        ("byte*2^30", 1 << 30),
        (" Byte  *  2^10 ", 1024),
        ("byte * 10^6", 10**6),
        ("byte * 1024", 1024),
        ("byte * 512 * 2^20", 512 << 20),
        ("MegaBytes", 1 << 20),
        ("MB", 1 << 20),
        ("GiB", 1 << 30),
        ("TeraBytes", 1 << 40),
        ("hertz * 10^6", None),
        ("byte * 2^99", None),
        ("byte * 9999^99 * 9999^99", None),
        ("byte * 0", None),
        ("byte * 2^-3", None),
        ("", None),
        ("byte" + " * 2^20" * 1000, None),
    ],
)
def test_units_are_what_the_standard_and_the_exporters_write(text: str, size: int | None) -> None:
    assert unit(text) == size


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"VirtualQuantity": 512}, 512 << 20),
        ({"VirtualQuantity": 2, "AllocationUnits": "byte * 2^30"}, 2 << 30),
        ({"VirtualQuantity": 1048576, "AllocationUnits": "KiloBytes"}, 1 << 30),
        ({"VirtualQuantity": 1073741824, "AllocationUnits": "byte"}, 1 << 30),
        ({"VirtualQuantity": 4, "VirtualQuantityUnits": "byte * 2^30"}, 4 << 30),
    ],
)
def test_memory_is_in_its_units(fields: dict[str, object], size: int) -> None:
    assert machine(system(CPU, item(4, **fields), ON_DISK)).memory_bytes == size


@pytest.mark.parametrize(
    "items",
    [
        (CPU, item(4, VirtualQuantity="much"), ON_DISK),
        (CPU, item(4, VirtualQuantity=0), ON_DISK),
        (CPU, item(4, VirtualQuantity=-4), ON_DISK),
        (CPU, item(4, VirtualQuantity="9" * 30), ON_DISK),
        (CPU, item(4, VirtualQuantity=1, AllocationUnits="pounds"), ON_DISK),
        (CPU, item(4, VirtualQuantity=1 << 40), ON_DISK),
        (item(3, VirtualQuantity=0), MEMORY, ON_DISK),
        (item(3, VirtualQuantity=1 << 20), MEMORY, ON_DISK),
        (item(3, VirtualQuantity="two"), MEMORY, ON_DISK),
        (CPU, MEMORY, "<Item><rasd:ResourceType>disk</rasd:ResourceType></Item>"),
        (CPU, MEMORY, "<Item/>"),
        (ON_DISK * 641,),
        ("<Item><rasd:ResourceType>17</rasd:ResourceType></Item>" * 10_001,),
    ],
)
def test_senseless_values_are_refused(items: tuple[str, ...]) -> None:
    assert code_of(system(*items)) == "E-OVF-VALUE"


@pytest.mark.parametrize(
    "disk",
    [
        "ovf:capacity='0'",
        "ovf:capacity='-1'",
        "ovf:capacity='1e9'",
        f"ovf:capacity='{1 << 60}'",
        "ovf:capacity='1' ovf:capacityAllocationUnits='byte * 2^60'",
        "ovf:capacity='1' ovf:capacityAllocationUnits='stone'",
        "ovf:capacity='${absent}'",
    ],
)
def test_senseless_sizes_of_disks_are_refused(disk: str) -> None:
    assert code_of(disks=f"<Disk ovf:diskId='d' ovf:fileRef='f' {disk}/>") == "E-OVF-VALUE"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"files": ""}, "E-OVF-DISK"),
        ({"files": "<File ovf:id='f'/>"}, "E-OVF-DISK"),
        ({"disks": ""}, "E-OVF-DISK"),
        ({"disks": "<Disk ovf:diskId='d'/>"}, "E-OVF-DISK"),
        ({"files": "<File ovf:id='f' ovf:href='a' ovf:compression='zip'/>"}, "E-OVF-DISK"),
        ({"disks": DISK.replace("/>", " ovf:parentRef='base'/>")}, "E-OVF-PARENT"),
    ],
)
def test_disks_that_lead_nowhere_are_refused(parts: dict[str, str], code: str) -> None:
    assert code_of(**parts) == code


def test_a_disk_device_without_a_disk_is_refused() -> None:
    assert code_of(system(CPU, MEMORY, item(17))) == "E-OVF-DISK"
    assert code_of(system(CPU, MEMORY, item(17, HostResource="ovf:/disk/x"))) == "E-OVF-DISK"


@pytest.mark.parametrize("resource", ["ovf:/disk/d", "/disk/d", "ovf://disk/d", "d", "group/d"])
def test_a_disk_is_named_in_many_ways(resource: str) -> None:
    found = machine(system(CPU, MEMORY, item(17, HostResource=resource)))
    assert [disk.path for disk in found.disks] == ["/exports/web.vmdk"]


def test_a_disk_may_be_a_file_without_an_entry() -> None:
    found = machine(system(CPU, MEMORY, item(17, HostResource="ovf:/file/f")), disks="")
    assert found.disks[0].virtual_bytes is None


def test_the_hardware_must_be_there() -> None:
    assert code_of("<VirtualSystem ovf:id='x'/>") == "E-OVF-SYNTAX"


def test_one_of_several_systems_is_taken_by_name_or_identifier() -> None:
    both = (system(name="front"), system(name="back").replace("'vm'", "'db-1'"))
    inside = f"<VirtualSystemCollection ovf:id='shop'>{''.join(both)}</VirtualSystemCollection>"
    assert code_of(inside) == "E-SOURCE-MANY"
    for wanted in ("back", "db-1"):
        assert machine(inside, wanted=wanted).name == "back"
    with pytest.raises(SourceError, match="none of them called 'side'"):
        machine(inside, wanted="side")


def test_no_system_at_all_is_refused() -> None:
    assert code_of("<Other/>") == "E-SOURCE-MANY"


def test_another_document_is_refused() -> None:
    with pytest.raises(SourceError, match="is <domain>, not <Envelope>"):
        ovf.parse(b"<domain/>", PATH)


def test_secure_boot_needs_the_firmware_that_has_it() -> None:
    secure = "<vmw:Config vmw:key='bootOptions.efiSecureBootEnabled' vmw:value='true'/>"
    efi = "<vmw:Config vmw:key='firmware' vmw:value='efi'/>"
    assert machine(system(inside=secure + efi)).secure_boot
    assert not machine(system(inside=efi)).secure_boot
    assert not machine(system(inside=secure)).secure_boot


def test_unknown_firmware_is_left_to_the_disks() -> None:
    found = machine(system(inside="<vmw:Config vmw:key='firmware' vmw:value='coreboot'/>"))
    assert found.firmware is Firmware.unknown
    assert "W-SOURCE-FIRMWARE" in [warning.code for warning in found.warnings]


def test_devices_with_one_number_all_count() -> None:
    found = machine(system(CPU, MEMORY, *[item(17, InstanceID=7, HostResource="d")] * 3))
    assert len(found.disks) == 3


def test_a_topology_that_does_not_fit_is_left_out() -> None:
    odd = item(3, VirtualQuantity=3).replace(
        "</Item>", "<vmw:CoresPerSocket>2</vmw:CoresPerSocket></Item>"
    )
    found = machine(system(odd, MEMORY, ON_DISK))
    assert found.topology is None
    assert "W-SOURCE-TOPOLOGY" in [warning.code for warning in found.warnings]


def test_a_wrong_mac_address_is_refused() -> None:
    assert code_of(system(CPU, MEMORY, item(10, Address="00:11:zz"))) == "E-NIC-MAC"


def test_a_controller_without_a_known_type_has_no_bus() -> None:
    controller = item(20, InstanceID=3, ResourceSubType="floppyless")
    found = machine(system(CPU, MEMORY, controller, item(17, Parent=3, HostResource="d")))
    assert found.disks[0].controller is None
    scsi = item(20, InstanceID=3, ResourceSubType="VirtioSCSI")
    found = machine(system(CPU, MEMORY, scsi, item(17, Parent=3, HostResource="d")))
    assert found.disks[0].controller is Bus.scsi


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE Envelope [<!ENTITY x SYSTEM "file:///etc/passwd">]><Envelope>&x;</Envelope>',
        "<!DOCTYPE Envelope ["
        + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
        + "]><Envelope>&l9;</Envelope>",
        '<!DOCTYPE Envelope SYSTEM "http://127.0.0.1:9/x.dtd"><Envelope/>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_and_doctypes_are_refused(text: str, encoding: str) -> None:
    with pytest.raises(SourceError) as caught:
        ovf.parse(text.encode(encoding), PATH)
    assert caught.value.finding.code == "E-XML-ENTITIES"


@pytest.mark.parametrize(
    "text",
    [
        "<Envelope>" + "<a>" * 100_000,
        envelope(system(name="x" * 20_000_000)),
        envelope(
            system(*[item(17, HostResource=f"d{n}") for n in range(10_000)]),
            disks="".join(f"<Disk ovf:diskId='d{n}' ovf:capacity='1'/>" for n in range(10_000)),
        ),
        envelope(*[system(name=f"guest{n}") for n in range(5_000)]),
        envelope(more="<Strings>" + "<Msg ovf:msgid='a'>b</Msg>" * 100_000 + "</Strings>"),
        envelope().replace("web.vmdk", "web\0.vmdk"),
    ],
    ids=["deep", "long", "disks", "systems", "strings", "nul"],
)  # fmt: skip
def test_a_hostile_descriptor_is_read_or_refused_soon(text: str) -> None:
    begun = time.monotonic()
    with suppress(SourceError):
        ovf.parse(text.encode(), PATH)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("char", ["&#10;", "&#1;", "&#9;"])
def test_control_characters_in_names_of_files_are_refused(char: str) -> None:
    with pytest.raises(SourceError):
        machine(files=FILE.replace("web", f"a{char}b"))


@settings(max_examples=150, deadline=1000)
@given(data=st.data())
def test_a_damaged_descriptor_is_read_or_refused(data: st.DataObject) -> None:
    paths = sorted(FIXTURES.glob("*.ovf"))
    text = data.draw(st.sampled_from(paths)).read_bytes().decode("utf-8", "replace")
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        piece = data.draw(
            st.text(max_size=6)
            | st.sampled_from(
                ["<", ">", "'", '"', "&amp;", "9" * 25, "-1", "0", "${x}", "/", "../"]
            )
        )
        text = text[:start] + piece + text[end:]
    with suppress(SourceError):
        found = ovf.parse(text.encode("utf-8", "surrogatepass"), PATH)
        assert found.machine.kind == "ovf"
        assert len(found.files) == len(found.machine.disks)


_VALUE = st.text(max_size=8) | st.integers().map(str) | st.sampled_from(["byte * 2^20", "", "0"])
_FIELD = st.sampled_from(
    ["InstanceID", "Parent", "AddressOnParent", "Address", "VirtualQuantity", "AllocationUnits",
     "ResourceSubType", "HostResource", "Connection"]
)  # fmt: skip


@settings(max_examples=150, deadline=1000)
@given(st.lists(st.tuples(st.integers(0, 40), st.dictionaries(_FIELD, _VALUE)), max_size=8))
def test_any_hardware_is_read_or_refused(devices: list[tuple[int, dict[str, str]]]) -> None:
    items = []
    for kind, fields in devices:
        escaped = {
            name: "".join(f"&#{ord(char)};" if ord(char) > 31 else "?" for char in value)
            for name, value in fields.items()
        }
        items.append(item(kind, **escaped))
    with suppress(SourceError):
        found = machine(system(*items))
        assert found.vcpus > 0
        assert found.memory_bytes > 0
