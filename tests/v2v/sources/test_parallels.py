# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests of Parallels: what is carried over, and what is refused."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.sources import guests, kind_of, parallels, read

FIXTURES = Path(__file__).parents[3] / "fixtures/parallels"


def content(name: str = "linux-sata") -> bytes:
    return (FIXTURES / f"{name}.pvs").read_bytes()


def test_the_folder_stands_for_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "Debian.pvm"
    folder.mkdir()
    shutil.copy(FIXTURES / "linux-sata.pvs", folder / "config.pvs")
    assert kind_of(folder).name == "parallels"
    assert read([folder]) == read([folder / "config.pvs"])
    assert guests([folder]) == ((folder,),)


def test_a_guest_without_a_name_is_called_as_its_folder() -> None:
    machine = parallels.parse(content("without-name"), Path("/x/mail.pvm/config.pvs"))
    assert machine.name == "mail"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"<RAM>1024<", b"<RAM>lots<", "E-PARALLELS-VALUE"),
        (b"<Number>2<", b"<Number>0<", "E-PARALLELS-VALUE"),
        (b"<EmulatedType>1</EmulatedType>\n         <SystemName>D",
         b"<EmulatedType>0</EmulatedType>\n         <SystemName>D", "E-PARALLELS-DISK"),
        (b"Info dyn_lists=\"\">\n         <Enabled>0", b"Info dyn_lists=\"\">\n         <Enabled>1",
         "E-PARALLELS-ENCRYPTED"),
        (b"<MAC>001C42A1B2C3", b"<MAC>001C42A1B2", "E-NIC-MAC"),
        (b"<SystemName>Debian-0.hdd", b"<SystemName>", "E-DISK-PATH"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_refused(old: bytes, new: bytes, code: str) -> None:
    assert old in content()
    with pytest.raises(SourceError) as caught:
        parallels.parse(content().replace(old, new), Path("/x/config.pvs"))
    assert caught.value.finding.code == code


@given(st.data())
def test_whatever_stands_in_a_configuration_is_read_or_refused(data: st.DataObject) -> None:
    text = bytearray(content())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=20))
    with suppress(SourceError):
        assert parallels.parse(bytes(text), Path("/x/config.pvs")).kind == "parallels"
