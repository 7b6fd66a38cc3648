# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's tool is told to put virtio into the next initramfs, once."""

from __future__ import annotations

import pytest

from drivers.registration import initramfs_tools

NOTE = "# virtio, for KVM (added by v2v)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{NOTE}virtio_pci\nvirtio_blk\n"),
        ("# mine\next4", f"# mine\next4\n{NOTE}virtio_pci\nvirtio_blk\n"),
        ("virtio-blk num_request_queues=1\n", None),
        ("# virtio_blk\n", f"# virtio_blk\n{NOTE}virtio_pci\nvirtio_blk\n"),
    ],
)
def test_initramfs_tools_gets_lines_for_what_it_lacks(before: str, after: str | None) -> None:
    added = f"{before}{NOTE}virtio_pci\n" if after is None else after
    assert initramfs_tools(before, ["virtio_pci", "virtio_blk"]) == added


def test_initramfs_tools_has_all_the_second_time() -> None:
    once = initramfs_tools("ext4\n", ["virtio_pci"])
    assert initramfs_tools(once, ["virtio_pci"]) == once
