# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's test driver for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.v2v.targets.libvirt_world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(os, "geteuid", lambda: 0)  # who may write to devices
    made = World()
    yield made
    made.close()


@pytest.fixture
def images(world: World, tmp_path: Path) -> Path:
    """Return the folder of a pool called default."""
    folder = tmp_path / "images"
    folder.mkdir()
    world.pool(folder)
    return folder
