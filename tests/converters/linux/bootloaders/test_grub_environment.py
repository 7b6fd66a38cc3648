# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

from converters.linux.bootloaders import grub_environment


def test_the_environment_block_keeps_its_size() -> None:
    block = "# GRUB Environment Block\nsaved_entry=0\nother=a\\\\b\n".ljust(1024, "#")
    new = grub_environment.with_value(block, "saved_entry", "a>b")
    assert new is not None
    assert len(new) == 1024
    assert grub_environment.read(new) == {"other": "a\\b", "saved_entry": "a>b"}
    assert new.startswith("# GRUB Environment Block\n")


def test_a_missing_environment_block_is_made_and_a_full_one_refused() -> None:
    made = grub_environment.with_value("", "saved_entry", "x")
    assert made == "# GRUB Environment Block\nsaved_entry=x\n".ljust(1024, "#")
    assert grub_environment.with_value("", "saved_entry", "x" * 1024) is None
