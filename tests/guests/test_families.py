# SPDX-License-Identifier: LGPL-2.1-or-later
"""A handful of real guests that have each mechanism once between them, converted and booted.

`make matrix` does the same with all of them.
"""

from __future__ import annotations

import pytest

from fixtures.build import RECIPES
from tests.matrix import result

# UEFI, LVM, XFS, BLS and rpm; btrfs with snapshots; LUKS; systemd-boot; a choice among kernels.
HANDFUL = ("esx-alma9", "xen-sles15", "luks", "systemd-boot", "three-kernels")


@pytest.mark.guest
@pytest.mark.parametrize("name", HANDFUL)
def test_a_guest_of_another_family_boots(name: str) -> None:
    assert name in RECIPES
    found = result(name)
    assert found.booted, found.said
    assert found.level == "login", found.said
