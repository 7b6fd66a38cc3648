# SPDX-License-Identifier: LGPL-2.1-or-later
"""The number of heads in the boot sector of XP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converters.windows.conversion import Conversion
from converters.windows.geometry import set_heads
from tests.converters.windows import conversions
from tests.converters.windows.conversions import XP

MIB = 1 << 20


def conversion(heads: int | None, size: int | None) -> Conversion:
    made = conversions.conversion(conversions.files(), version=XP)
    disks = (replace(made.machine.disks[0], virtual_bytes=size),)
    return replace(
        made,
        windows=replace(made.windows, heads=heads),
        machine=replace(made.machine, disks=disks),
        guest=replace(made.guest, disks=("/dev/sda",), root="/dev/sda1"),
    )


@pytest.mark.parametrize(
    ("size", "heads"), [(1024 * MIB, 64), (3000 * MIB, 128), (8192 * MIB, 255), (1 << 41, 255)]
)
def test_they_are_those_that_the_bios_tells_for_the_size(size: int, heads: int) -> None:
    made = conversion(16, size)
    set_heads(made)
    (change,) = made.draft.changes
    assert change.diff() == f"@@ byte 26 of /dev/sda1 @@\n-10 00\n+{heads:02x} 00\n"
    files = conversions.files()
    change.apply(files)
    assert files.devices == {("/dev/sda1", 26): bytes([heads, 0])}


@pytest.mark.parametrize(
    ("heads", "size"), [(255, 1 << 34), (None, 1 << 34), (16, None)],
    ids=["right already", "no NTFS of a partition", "a disk of unknown size"],
)  # fmt: skip
def test_nothing_is_written_without_need(heads: int | None, size: int | None) -> None:
    made = conversion(heads, size)
    set_heads(made)
    assert made.draft.changes == []
