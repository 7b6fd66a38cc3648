# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.unlocking import unlock_in_initramfs
from drivers.initramfs import Contents, look
from tests.drivers.images import newc
from v2v.changes import Draft
from v2v.files import DictFiles

TABLE = """\
# <target> <source> <key> <options>
root UUID=1 none luks,discard  # the root
data\tUUID=2\t/etc/keys/data\tluks
swap /dev/vda3 /dev/urandom swap,cipher=aes
short UUID=4
"""


def unlocked(contents: Contents | None, table: str = TABLE) -> list[str]:
    """The lines that change."""
    draft = Draft(DictFiles({"/etc/crypttab": table}))
    unlock_in_initramfs(draft, contents)
    return [line for line in draft.text("/etc/crypttab").splitlines() if line not in table]


@pytest.mark.parametrize(
    "files",
    [
        {"cryptroot/crypttab": b"\nroot UUID=1 none luks\n"},
        {"conf/conf.d/cryptroot": b"target=root,source=UUID=1,key=none\n"},
    ],
)
def test_only_what_the_old_image_unlocks_is_marked(files: dict[str, bytes]) -> None:
    assert unlocked(look(newc(files))) == ["root UUID=1 none luks,discard,initramfs  # the root"]


def test_without_an_image_all_but_swap_are_marked() -> None:
    assert unlocked(None) == [
        "root UUID=1 none luks,discard,initramfs  # the root",
        "data\tUUID=2\t/etc/keys/data\tluks,initramfs",
        "short UUID=4 none luks,initramfs",
    ]


def test_what_is_marked_is_not_marked_again() -> None:
    assert unlocked(None, "root UUID=1 none luks,initramfs\nonly\n\n") == []


def test_an_image_that_unlocks_nothing_marks_nothing() -> None:
    assert unlocked(look(newc({"conf/x": b""}))) == []


def test_a_guest_without_a_table_needs_none() -> None:
    draft = Draft(DictFiles({}))
    unlock_in_initramfs(draft, None)
    assert draft.changes == []
