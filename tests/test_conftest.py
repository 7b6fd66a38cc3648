# SPDX-License-Identifier: LGPL-2.1-or-later
"""The comparison with expected files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import compare
from v2v.version import VERSION


def test_a_missing_expected_file_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is missing: pytest --regenerate writes it"):
        compare(tmp_path / "x.json", VERSION, regenerate=False)
    assert list(tmp_path.iterdir()) == []


def test_an_expected_file_that_differs_is_a_failure(tmp_path: Path) -> None:
    expected = tmp_path / "x.json"
    expected.write_text("other")
    with pytest.raises(AssertionError):
        compare(expected, VERSION, regenerate=False)
    assert expected.read_text() == "other"


def test_regenerating_writes_and_says_so(tmp_path: Path) -> None:
    expected = tmp_path / "x.json"
    with pytest.raises(pytest.skip.Exception, match=r"x\.json was written anew"):
        compare(expected, VERSION, regenerate=True)
    assert expected.read_text() == VERSION
    compare(expected, VERSION, regenerate=True)
    compare(expected, VERSION, regenerate=False)
