# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's tool is told to put virtio into the next initramfs, once."""

from __future__ import annotations

import re

import pytest

from drivers.registration import initramfs_tools, with_words, without_words, words

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


def test_the_last_assignment_is_the_one_that_counts() -> None:
    text = 'A="x"\n#A="y"\nA=(z\n  w)\nB="v"\n'
    assert words(text, "A") == ["z", "w"]
    assert words(text, "C") is None
    assert words('omit_drivers="x"\n', "drivers") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('A="x"\n', 'A="x b c-d"\n'),
        ("A='x'\n", "A='x b c-d'\n"),
        ("A=(x\n   y\n)\n", "A=(x\n   y b c-d\n)\n"),
        ("A=()\n", "A=(b c-d)\n"),
        ("A=(x # why\n)\n", "A=(x # why\nb c-d\n)\n"),
        ('A="b c_d"\n', 'A="b c_d"\n'),
        ('A="a"\nA+=" b "\n', 'A="a"\nA+=" b c-d "\n'),
        ("# nothing", '# nothing\nA="b c-d"\n'),
    ],
)
def test_words_are_added_where_they_lack(before: str, after: str) -> None:
    assert with_words(before, "A", ["b", "c-d"]) == after


def test_an_array_is_made_where_the_file_has_arrays() -> None:
    assert with_words("", "MODULES", ["b"], array=True) == "MODULES=(b)\n"


def test_words_are_dropped_from_every_assignment() -> None:
    text = 'A="xen-blk ext4"\nA+=" xenblk x "\nB="xenblk"\n#A="xenblk"\n'
    assert without_words(text, "A", re.compile("xen_?blk")) == (
        'A=" ext4"\nA+=" x "\nB="xenblk"\n#A="xenblk"\n'
    )
