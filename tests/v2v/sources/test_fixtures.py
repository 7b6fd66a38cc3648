# SPDX-License-Identifier: LGPL-2.1-or-later
"""Golden pairs: each source file of fixtures/ has its machine beside it, found by glob."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from v2v.source_json import machine_json
from v2v.sources import SOURCES, config_file, read

FIXTURES = Path(__file__).parents[3] / "fixtures"
KINDS = {
    "xl": "*.cfg", "xm": "*.cfg", "sxp": "*.sxp", "xl-json": "*.json", "vmx": "*.vm*",
    "vbox": "*.vbox", "hyperv": "*.xml", "parallels": "*.pvs", "libvirt": "*.xml", "ovf": "*.ovf",
}  # fmt: skip
_LEAST = {
    "xl": 15, "xm": 8, "sxp": 8, "xl-json": 6, "vmx": 40, "vbox": 3, "hyperv": 6, "parallels": 6,
    "libvirt": 8, "ovf": 24,
}  # fmt: skip
FILES = [
    pytest.param(kind, path, id=f"{kind}/{path.name}")
    for kind, pattern in KINDS.items()
    for path in sorted((FIXTURES / kind).glob(pattern))
    if not path.name.endswith(".machine.json")
]


@pytest.mark.parametrize(("kind", "path"), FILES)
def test_the_machine_is_the_expected_one(
    kind: str, path: Path, golden: Callable[[Path, str], None]
) -> None:
    machine = read([path])
    found = machine_json(machine)
    found["warnings"] = [
        {"code": warning.code, "message": warning.message, "hint": warning.hint}
        for warning in machine.warnings
    ]
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    golden(path.with_suffix(".machine.json"), text.replace(str(FIXTURES / kind), "FOLDER"))


@pytest.mark.parametrize(("kind", "path"), FILES)
def test_each_file_is_of_exactly_one_kind(kind: str, path: Path) -> None:
    head = config_file.head(path)
    assert [source.name for source in SOURCES if source.matches(head)] == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_enough_files_and_no_expected_one_without_its_source(kind: str) -> None:
    expected = {path.name for path in (FIXTURES / kind).glob("*.machine.json")}
    sources = {param.values[1] for param in FILES if param.values[0] == kind}
    names = {path.with_suffix(".machine.json").name for path in sources if isinstance(path, Path)}
    assert expected == names
    assert len(sources) >= _LEAST[kind]
