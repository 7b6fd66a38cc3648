# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples of docs/library.md on a real guest."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.build import guest
from tests.library import examples

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("xen")]


def _run(kinds: set[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the examples of some kinds, in their order, where web.cfg is a guest."""
    source = guest("xen-web")
    (folder / "web.cfg").write_text((source / "xen-web.cfg").read_text())
    for image in source.glob("*.img"):
        (folder / image.name).symlink_to(image)
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for example in examples():
        if example.kind in kinds:
            example.run(names)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run({"", "guest"}, tmp_path, monkeypatch)


@pytest.mark.every
def test_the_examples_that_take_longer_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run({"", "guest", "every"}, tmp_path, monkeypatch)
