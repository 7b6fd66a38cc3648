# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the description in an XVA says of a guest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.xva import HVM, MIB, Record, guest, ova_xml, pack
from v2v.errors import SourceError
from v2v.model import Firmware, Machine, RemovableKind
from v2v.sources import read, xva

WHERE = Path("/exports/web.xva")
TWO = (("Ref:7", 8 * MIB), ("Ref:9", 3 * MIB + 512))


def machine(*objects: tuple[str, str, Record]) -> Machine:
    return xva.parse(ova_xml(objects), WHERE)


def network(mac: str) -> Iterator[tuple[str, str, Record]]:
    yield "network", "Ref:30", {"name_label": "Storage LAN", "bridge": "xenbr3"}
    yield "VIF", "Ref:31", {"VM": "Ref:0", "device": "0", "MAC": mac, "network": "Ref:30"}


def test_a_file_is_known_by_its_first_member(tmp_path: Path) -> None:
    path = pack(tmp_path / "export", [("ova.xml", ova_xml(guest({}, TWO)))])
    found = read([path])
    assert (found.kind, found.name, found.folder) == ("xva", "guest", tmp_path)


def test_an_archive_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="the archive is empty") as caught:
        read([pack(tmp_path / "export", [])], "xva")
    assert caught.value.finding.code == "E-XVA-DAMAGED"


def test_a_paravirtualised_guest() -> None:
    found = machine(*guest({"name_label": "web"}, TWO), *network("00:16:3e:00:00:07"))
    assert (found.name, found.memory_bytes, found.vcpus) == ("web", 1 << 30, 2)
    assert [(disk.path, disk.member, disk.device, disk.virtual_bytes) for disk in found.disks] == [
        (str(WHERE), "Ref:7", "xvda", 8 * MIB),
        (str(WHERE), "Ref:9", "xvdb", 3 * MIB + 512),
    ]
    assert found.boot is not None
    assert found.boot.method == "pygrub"
    assert [(nic.mac, nic.network.name) for nic in found.nics] == [
        ("00:16:3e:00:00:07", "Storage LAN")
    ]
    assert found.warnings == ()


def test_a_guest_with_firmware() -> None:
    efi: Record = {
        **HVM,
        "HVM_boot_params": {"order": "cd", "firmware": "uefi"},
        "platform": {"secureboot": "true"},
    }
    found = machine(*guest(efi, TWO))
    assert (found.firmware, found.secure_boot) == (Firmware.efi, True)
    assert machine(*guest(HVM, TWO)).firmware is Firmware.bios


def test_snapshots_and_templates_are_not_the_guest() -> None:
    found = machine(
        *guest({"name_label": "before", "is_a_snapshot": True}, TWO[:1], reference="Ref:50"),
        *guest({"name_label": "web"}, TWO[1:]),
        *guest({"name_label": "base", "is_a_template": True}, TWO[:1], reference="Ref:60"),
    )
    assert found.name == "web"
    assert [disk.member for disk in found.disks] == ["Ref:9"]


def test_a_template_alone_is_the_guest() -> None:
    assert machine(*guest({"is_a_template": True}, TWO)).name == "guest"


def test_a_drive_for_cds_is_no_disk() -> None:
    drive: Record = {"VM": "Ref:0", "VDI": "Ref:8", "type": "CD", "userdevice": "3"}
    found = machine(*guest(HVM, TWO), ("VDI", "Ref:8", {"virtual_size": "1"}), ("VBD", "R", drive))
    assert len(found.disks) == 2
    assert [drive.kind for drive in found.removables] == [RemovableKind.cdrom]


def test_several_guests_are_named() -> None:
    with pytest.raises(SourceError, match=r"2 guests \(web, db\)") as caught:
        machine(
            *guest({"name_label": "web"}, TWO[:1]),
            *guest({"name_label": "db"}, TWO[1:], reference="Ref:50"),
        )
    assert caught.value.finding.code == "E-SOURCE-MANY"
    assert "--system" in (caught.value.finding.hint or "")


def test_one_of_several_guests_is_chosen_by_its_name(tmp_path: Path) -> None:
    objects = (
        *guest({"name_label": "web"}, TWO[:1]),
        *guest({"name_label": "db"}, TWO[1:], reference="Ref:50"),
    )
    archive = pack(tmp_path / "both.xva", [("ova.xml", ova_xml(objects))])
    found = read([archive], system="db")
    assert (found.name, [disk.member for disk in found.disks]) == ("db", ["Ref:9"])
    with pytest.raises(SourceError, match="none of them called 'mail'"):
        read([archive], system="mail")


def test_a_nic_without_an_address_gets_one_that_stays() -> None:
    found = machine(*guest({}, TWO), *network(""))
    assert [warning.code for warning in found.warnings] == ["W-NIC-NO-MAC"]
    assert found.nics == machine(*guest({}, TWO), *network("")).nics


@pytest.mark.parametrize("value", ["", "-1", "many", "0", "9" * 30])
def test_memory_that_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(SourceError, match="memory_static_max") as caught:
        machine(*guest({"memory_static_max": value}, TWO))
    assert caught.value.finding.code == "E-XVA-XML"


def test_an_export_of_nothing_is_refused() -> None:
    with pytest.raises(SourceError, match="no guest"):
        xva.parse(b"<value>text</value>", WHERE)


def test_values_nested_too_deeply_are_refused() -> None:
    text = b"<value><array><data>" * 40 + b"</data></array></value>" * 40
    with pytest.raises(SourceError, match="nested") as caught:
        xva.parse(text, WHERE)
    assert caught.value.finding.code == "E-XVA-XML"


def test_entities_are_refused() -> None:
    text = b"<!DOCTYPE a [<!ENTITY b 'c'>]><value>&b;</value>"
    with pytest.raises(SourceError) as caught:
        xva.parse(text, WHERE)
    assert caught.value.finding.code == "E-XML-ENTITIES"


def test_an_export_of_version_1_is_named_as_such() -> None:
    text = b'<appliance version="0.1"><vm name="vm"><label>web</label></vm></appliance>'
    with pytest.raises(SourceError, match="an export of version 1") as caught:
        xva.parse(text, Path("old.xva"))
    assert caught.value.finding.code == "E-XVA-VERSION"
