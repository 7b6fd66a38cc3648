# SPDX-License-Identifier: LGPL-2.1-or-later
"""Firmware descriptors: the image that the domain asks for, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from v2v.errors import ProofError
from v2v.proof.firmware import choose
from v2v.proof.hardware import Uefi


def describe_image(
    folder: Path, number: str, *features: str, machine: str = "pc-q35-*", device: str = "flash"
) -> Path:
    """Write a descriptor and its image; return the image."""
    code, variables = folder / f"{number}-code.fd", folder / f"{number}-vars.fd"
    code.touch()
    variables.touch()
    text = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": device,
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(variables), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": [machine]}],
        "features": list(features),
    }
    (folder / f"{number}.json").write_text(json.dumps(text))
    return code


def test_secure_boot_and_its_keys_decide(tmp_path: Path) -> None:
    enrolled = describe_image(tmp_path, "40", "secure-boot", "requires-smm", "enrolled-keys")
    secure = describe_image(tmp_path, "50", "secure-boot", "requires-smm")
    plain = describe_image(tmp_path, "60", "acpi-s3")
    folders = (tmp_path,)
    assert choose(Uefi(), q35=True, folders=folders)[0] == plain
    assert choose(Uefi(secure=True), q35=True, folders=folders)[0] == secure
    assert choose(Uefi(secure=True, enrolled=True), q35=True, folders=folders)[0] == enrolled


def test_the_machine_type_decides(tmp_path: Path) -> None:
    describe_image(tmp_path, "50")
    old = describe_image(tmp_path, "60", machine="pc-i440fx-*")
    assert choose(Uefi(), q35=False, folders=(tmp_path,))[0] == old


def test_the_first_descriptor_wins_and_etc_stands_in_for_usr(tmp_path: Path) -> None:
    etc, usr = tmp_path / "etc", tmp_path / "usr"
    etc.mkdir()
    usr.mkdir()
    describe_image(usr, "50")
    describe_image(usr, "60")
    mine = describe_image(etc, "50")
    assert choose(Uefi(), q35=True, folders=(etc, usr))[0] == mine


def test_the_files_of_the_xml_are_used(tmp_path: Path) -> None:
    code = describe_image(tmp_path, "50")
    mine = tmp_path / "mine.fd"
    assert choose(Uefi(code=code, variables=mine), q35=True, folders=()) == (code, mine)
    assert choose(Uefi(variables=mine), q35=True, folders=(tmp_path,)) == (code, mine)
    template = tmp_path / "50-vars.fd"
    assert choose(Uefi(code=code), q35=True, folders=(tmp_path,)) == (code, template)


def test_descriptors_of_other_kinds_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "10.json").write_text("{")
    (tmp_path / "20.json").write_text('{"interface-types": "uefi"}')
    describe_image(tmp_path, "30", device="memory")
    describe_image(tmp_path, "40").unlink()
    good = describe_image(tmp_path, "60")
    assert choose(Uefi(), q35=True, folders=(tmp_path,))[0] == good


@pytest.mark.parametrize(
    ("uefi", "message"),
    [
        (Uefi(), "no UEFI firmware for q35 is installed"),
        (Uefi(secure=True), "no UEFI firmware with Secure Boot for q35 is installed"),
        (Uefi(code=Path("/odd.fd")), "/odd.fd: no variables are known for this firmware"),
    ],
)
def test_firmware_that_is_not_there_is_an_error(uefi: Uefi, message: str, tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=message):
        choose(uefi, q35=True, folders=(tmp_path,))
