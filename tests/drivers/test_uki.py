# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from drivers import uki
from tests.drivers.images import unified

IMAGE = unified(
    {
        ".osrel": b'ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n',
        ".cmdline": b"root=UUID=1 ro\n\0",
        ".uname": b"6.8.5-301.fc40.x86_64",
        ".initrd": b"070701",
        ".linux": b"kernel",
    }
)


def test_the_parts_of_an_image_are_read() -> None:
    assert uki.parse(IMAGE) == uki.Uki(
        cmdline="root=UUID=1 ro",
        uname="6.8.5-301.fc40.x86_64",
        os_release={"ID": "fedora", "VERSION_ID": "40", "PRETTY_NAME": "Fedora Linux 40"},
        initrd=b"070701",
    )


@pytest.mark.parametrize(
    "data", [b"", b"MZ", b"MZ" + bytes(100), unified({".text": b""}), IMAGE[:100]]
)
def test_what_is_no_unified_image_is_refused(data: bytes) -> None:
    with pytest.raises(uki.UkiError, match="it holds no kernel"):
        uki.parse(data)


def test_a_boot_loader_is_told_by_its_sections() -> None:
    assert uki.sections(unified({".sdmagic": b"systemd-boot"})) == {".sdmagic": b"systemd-boot"}
