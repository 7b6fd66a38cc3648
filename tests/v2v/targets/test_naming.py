# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import pytest

from v2v.errors import TargetError
from v2v.model import DiskFormat
from v2v.targets.naming import MAX_NAME, check_name, definition_path, disk_path, report_path

OUT = Path("/out")


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("", "it is empty"),
        (" \t", "it is empty"),
        ("a/b", "it holds a /"),
        ("../web", "it holds a /"),
        ("a\nb", "does not print"),
        ("a\x00b", "does not print"),
        ("a\x1bb", "does not print"),
        ("a\x85b", "does not print"),
        ("a\u2028b", "does not print"),
        ("a\udcffb", "does not print"),
        ("-rf", "it starts with -"),
        (".", "it is nothing but dots"),
        ("..", "it is nothing but dots"),
        ("a" * (MAX_NAME + 1), f"it is longer than {MAX_NAME} bytes"),
        ("\u00fc" * (MAX_NAME // 2 + 1), f"it is longer than {MAX_NAME} bytes"),
    ],
)
def test_a_name_that_cannot_be_written_is_refused(name: str, fact: str) -> None:
    with pytest.raises(TargetError, match=fact) as caught:
        check_name(name)
    assert caught.value.finding.code == "E-NAME"
    assert caught.value.finding.hint == "choose another name with -on NAME"
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "name", ["web", ".hidden", "a b", "R&D <1>", "web.2024-01", "\u4e2d\u6587", "a" * MAX_NAME]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert check_name(name) == name


def test_images_are_named_sda_sdb_whatever_their_bus() -> None:
    assert disk_path(OUT, "web", 0, DiskFormat.qcow2) == Path("/out/web-sda.qcow2")
    assert disk_path(OUT, "web", 27, DiskFormat.raw) == Path("/out/web-sdab.raw")


def test_definition_and_report_stand_beside_the_images() -> None:
    assert definition_path(OUT, "web.1") == Path("/out/web.1.xml")
    assert report_path(OUT, "web.1") == Path("/out/web.1.report.json")
