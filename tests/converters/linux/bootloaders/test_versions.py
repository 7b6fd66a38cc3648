# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import pytest

from converters.linux.bootloaders.versions import rpm_key, uapi_key


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0", "1.0^git1"),
        ("1.0^git1", "1.0.1"),
        ("1.0a", "1.0.1"),  # a number is newer than letters
        ("1.0", "1.0a"),
        ("rc1", "1"),
        ("5.14.0-70.el9", "5.14.0-427.13.1.el9_4"),
    ],
)
def test_versions_are_sorted_as_rpm_does(older: str, newer: str) -> None:
    assert rpm_key(older) < rpm_key(newer)


def test_what_separates_does_not_count_for_rpm() -> None:
    assert rpm_key("1.0_2") == rpm_key("1.0-2")


@pytest.mark.parametrize(
    ("older", "newer"),
    [  # all from the Version Format Specification
        ("123~rc1-1", "123"),
        ("123", "123-a"),
        ("123-a", "123-a.1"),
        ("123-a", "123-1"),
        ("123-1", "123^post1"),
        ("123^post1", "123.a-1"),
        ("123.1-1", "123a-1"),
        ("123a-1", "124-1"),
    ],
)
def test_versions_are_sorted_as_systemd_boot_does(older: str, newer: str) -> None:
    assert uapi_key(older) < uapi_key(newer)
