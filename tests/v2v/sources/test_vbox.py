# SPDX-License-Identifier: LGPL-2.1-or-later
"""VirtualBox's .vbox files: what is refused, and that anything is read or refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import Firmware, Machine
from v2v.sources import vbox

FIXTURES = Path(__file__).parents[3] / "fixtures" / "vbox"
PATH = Path("/vms/web/web.vbox")
_UUID = "{bb000000-0000-4000-8000-000000000001}"


def machine(inside: str, registry: str = "", attributes: str = 'name="web"') -> Machine:
    text = (
        '<VirtualBox xmlns="http://www.virtualbox.org/" version="1.16-linux">'
        f"<Machine {attributes}><MediaRegistry><HardDisks>{registry}</HardDisks></MediaRegistry>"
        f"{inside}</Machine></VirtualBox>"
    )
    return vbox.parse(text.encode(), PATH)


def disk(
    format: str = "VDI", location: str = "web.vdi", inside: str = "", uuid: str = _UUID
) -> Machine:
    return machine(
        '<StorageControllers><StorageController name="SATA" type="AHCI">'
        f'<AttachedDevice type="HardDisk" port="0" device="0"><Image uuid="{uuid}"/>'
        "</AttachedDevice></StorageController></StorageControllers>",
        f'<HardDisk uuid="{_UUID}" location="{location}" format="{format}">{inside}</HardDisk>',
    )


@pytest.mark.parametrize(
    ("inside", "code"),
    [
        ('<Hardware><Memory RAMSize="much"/></Hardware>', "E-VBOX-VALUE"),
        ('<Hardware><Memory RAMSize="0"/></Hardware>', "E-VBOX-VALUE"),
        ('<Hardware><CPU count="-1"/></Hardware>', "E-VBOX-VALUE"),
        (
            '<Hardware><Network><Adapter slot="x" enabled="true"/></Network></Hardware>',
            "E-VBOX-VALUE",
        ),
        (
            '<Hardware><Network><Adapter slot="1" enabled="true"/>'
            '<Adapter slot="1" enabled="true"/></Network></Hardware>',
            "E-VBOX-VALUE",
        ),
        (
            '<Hardware><Network><Adapter slot="0" enabled="true" MACAddress="xyz"/></Network>'
            "</Hardware>",
            "E-NIC-MAC",
        ),
    ],
)
def test_senseless_values_are_refused(inside: str, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        machine(inside)
    assert caught.value.finding.code == code
    assert str(caught.value).startswith(str(PATH))


def test_a_disk_that_is_not_described_is_refused() -> None:
    with pytest.raises(SourceError, match="is not in the file's <MediaRegistry>"):
        disk(uuid="{00000000-0000-4000-8000-000000000009}")


def test_a_disk_of_another_format_is_refused() -> None:
    with pytest.raises(SourceError, match="the format 'iscsi' cannot be read"):
        disk(format="iSCSI")


def test_an_encrypted_disk_is_refused() -> None:
    with pytest.raises(SourceError) as caught:
        disk(inside='<Property name="CRYPT/KeyStore" value="U0NORQ=="/>')
    assert caught.value.finding.code == "E-VBOX-ENCRYPTED"


def test_a_snapshot_of_an_encrypted_disk_is_refused() -> None:
    child = "{bb000000-0000-4000-8000-000000000002}"
    inside = (
        '<Property name="CRYPT/KeyStore" value="U0NORQ=="/>'
        f'<HardDisk uuid="{child}" location="Snapshots/x.vdi" format="VDI"/>'
    )
    with pytest.raises(SourceError) as caught:
        disk(inside=inside, uuid=child)
    assert caught.value.finding.code == "E-VBOX-ENCRYPTED"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<VirtualBox><MachineEncrypted/></VirtualBox>", "E-VBOX-ENCRYPTED"),
        ("<VirtualBox><Global/></VirtualBox>", "E-VBOX-SYNTAX"),
        ("<Envelope/>", "E-VBOX-SYNTAX"),
        ("<VirtualBox", "E-XML-SYNTAX"),
        (
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><VirtualBox>&a;</VirtualBox>',
            "E-XML-ENTITIES",
        ),
    ],
)
def test_what_is_no_machine_is_refused(text: str, code: str) -> None:
    with pytest.raises(SourceError) as caught:
        vbox.parse(text.encode(), PATH)
    assert caught.value.finding.code == code


def test_the_first_port_is_the_first_disk_of_ten_thousand() -> None:
    devices = "".join(
        f'<AttachedDevice type="HardDisk" port="{port}"><Image uuid="{_UUID}"/></AttachedDevice>'
        for port in reversed(range(10000))
    )
    found = machine(
        '<StorageControllers><StorageController name="SAS" type="LsiLogicSas">'
        f"{devices}</StorageController></StorageControllers>",
        f'<HardDisk uuid="{_UUID}" location="a.vdi" format="VDI"/>',
    )
    assert len(found.disks) == 10000


def test_an_unknown_firmware_is_left_to_the_disks() -> None:
    found = machine('<Hardware><Firmware type="Coreboot"/></Hardware>')
    assert found.firmware is Firmware.unknown
    assert [warning.code for warning in found.warnings] == ["W-SOURCE-FIRMWARE"]


def test_without_a_name_the_file_gives_one() -> None:
    assert machine("", attributes="").name == "web"


@settings(max_examples=100, deadline=1000)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(FIXTURES.glob("*.vbox"))))
    text = path.read_text()
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        piece = data.draw(st.text(max_size=6) | st.sampled_from(["<", '"', "/>", "-1", "\\"]))
        text = text[:start] + piece + text[end:]
    with suppress(SourceError):
        assert vbox.parse(text.encode(errors="replace"), PATH).kind == "vbox"
