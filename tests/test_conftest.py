# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all tests stand on: the comparison with expected files, and groups."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import compare
from v2v.version import VERSION

_GROUP = """\
from pathlib import Path
from time import sleep
import pytest

pytestmark = pytest.mark.xdist_group("one")

@pytest.mark.parametrize("number", range(8))
def test(worker_id, number):
    Path(__file__).with_name(worker_id).touch()
    sleep(0.05)
"""


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


def test_a_group_of_tests_stays_in_one_process(tmp_path: Path) -> None:
    """Else each process makes what they share: appliances, conversions."""
    (tmp_path / "test_group.py").write_text(_GROUP)
    argv = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", str(tmp_path)]
    subprocess.run(argv, cwd=tmp_path, check=True)
    assert len([*tmp_path.glob("gw*")]) == 1
