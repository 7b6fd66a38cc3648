# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Hyper-V: what its configurations say, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.v2v.sources.vmcx_writer import vmcx
from v2v.errors import SourceError
from v2v.model import Bus, Firmware
from v2v.sources import hyperv, read, xml
from v2v.sources.vmcx import Tree, parse

FIXTURES = Path(__file__).parents[3] / "fixtures/hyperv"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.xml"))


def content(name: str = "generation2-secure-boot") -> bytes:
    return (FIXTURES / f"{name}.xml").read_bytes()


def tree(name: str) -> Tree:
    return {"configuration": hyperv._tree(xml.parse(content(name), name))}


@pytest.mark.parametrize("name", NAMES)
def test_a_binary_configuration_says_the_same_as_xml(name: str, tmp_path: Path) -> None:
    path = tmp_path / "guest.vmcx"
    path.write_bytes(vmcx(tree(name)))
    assert read([path]) == hyperv.parse(content(name), path)


def test_an_export_has_a_folder_for_its_disks(tmp_path: Path) -> None:
    path = tmp_path / "web/Virtual Machines/0C6B0B9B.xml"
    path.parent.mkdir(parents=True)
    path.write_bytes(content())
    machine = read([path])
    assert machine.folder == tmp_path / "web"
    assert machine.disks[0].path == str(tmp_path / "web/Virtual Hard Disks/web.vhdx")


def test_the_disk_that_the_guest_starts_from_comes_first() -> None:
    machine = hyperv.parse(content("generation1-scsi-data"), Path("/x/db01.xml"))
    assert [(Path(disk.path).name, disk.controller) for disk in machine.disks] == [
        ("os.vhdx", Bus.ide), ("data1.vhdx", Bus.scsi), ("data2.vhdx", Bus.scsi),
    ]  # fmt: skip
    assert machine.firmware is Firmware.bios


def test_a_disk_that_is_passed_through_is_refused() -> None:
    text = content().replace(b'<type type="string">VHD', b'<type type="string">PHYSICAL')
    with pytest.raises(SourceError, match="no virtual hard disk") as caught:
        hyperv.parse(text, Path("/x/web.xml"))
    assert caught.value.finding.code == "E-HYPERV-DISK"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"2048</size>", b"none</size>", "size: 'none' makes no sense"),
        (b"2048</size>", b"0</size>", "makes no sense"),
        (b"2</count>", b"-2</count>", "count: '-2' makes no sense"),
        (b"properties>", b"others>", "has no properties"),
        (b"settings>", b"others>", "has no properties and settings"),
    ],
)
def test_what_makes_no_sense_is_refused(old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        hyperv.parse(content().replace(old, new), Path("/x/web.xml"))


def test_files_of_other_kinds_are_not_taken_for_it() -> None:
    assert not hyperv.matches(b"<configuration><appSettings/></configuration>")
    assert hyperv.matches(content("generation1-2008"))  # UTF-16


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (vmcx({"a": 1}, version=0x300), "is of version 0x300"),
        (vmcx({"a": 1}, pending=2), "in its log"),
        (vmcx({"a": 1})[:0x2004], "in the middle"),
        (vmcx({"a": 1}).replace(b"\x01\x00\x11\x01", b"\x07\x00\x11\x01"), "no table of its obj"),
    ],
)
def test_a_binary_configuration_of_another_form_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        parse(data, "web.vmcx")
    assert caught.value.finding.code == "E-HYPERV-SYNTAX"


def test_the_state_of_a_running_guest_is_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / "web.vmrs"
    path.write_bytes(vmcx({"savedstate": {"ram": 1}}))
    with pytest.raises(SourceError, match="has no properties"):
        read([path])


def test_a_long_text_lies_outside_of_the_tables() -> None:
    long = "long " * 1000
    assert parse(vmcx({"a": {"notes": long, "n": 3}}), "web") == {"a": {"notes": long, "n": 3}}


@given(at=st.integers(0, 0x4800), junk=st.binary(min_size=1, max_size=40))
def test_whatever_stands_in_a_binary_configuration_is_read_or_refused(at: int, junk: bytes) -> None:
    data = bytearray(vmcx({"configuration": {"properties": {"name": "web", "subtype": 1}}}))
    data[at : at + len(junk)] = junk
    with suppress(SourceError):
        assert isinstance(parse(bytes(data), "web.vmcx"), dict)


@given(st.data())
def test_whatever_stands_in_an_xml_file_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(content())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=20))
    with suppress(SourceError):
        assert hyperv.parse(bytes(text), Path("/x/web.xml")).kind == "hyperv"
