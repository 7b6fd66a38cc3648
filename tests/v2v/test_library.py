# SPDX-License-Identifier: LGPL-2.1-or-later
"""The public face, by the examples of its page; those with a guest are in tests/guests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import v2v
from tests.library import PAGE, examples

_GUEST = """\
name = "xen-web"
memory = 512
bootloader = "pygrub"
disk = ["xvda.img,raw,xvda,rw", "xvdb.img,raw,xvdb,rw"]
vif = ["mac=00:16:3e:5a:1e:01, bridge=xenbr0"]
"""


def test_the_examples_without_a_guest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "web.cfg").write_text(_GUEST)
    monkeypatch.chdir(tmp_path)
    plain = [example for example in examples() if not example.kind]
    assert len(plain) >= 4
    names: dict[str, object] = {}
    for example in plain:
        example.run(names)


def test_every_example_is_of_a_known_kind() -> None:
    assert {example.kind for example in examples()} == {"", "guest", "every"}


def test_the_page_has_all_public_names_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:v2v\.)?(\w+)", text))
    used = set(re.findall(r"(?<!import )\bv2v\.([A-Za-z]\w*)", text))
    public = {name for name in v2v.__all__ if not name.startswith("_")}
    assert public - named - used == set()
    assert used - public == set()
