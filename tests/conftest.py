# SPDX-License-Identifier: LGPL-2.1-or-later
"""Expected files: ``pytest --regenerate`` writes them anew; read them before you commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

# No parser may hang; a busy machine may take its time. The suite tries the same inputs each time,
# so that its result is the code's; `--hypothesis-profile=search` looks for others.
settings.register_profile("v2v", deadline=2000, derandomize=True)
settings.register_profile("search", deadline=2000)
settings.load_profile("v2v")

Golden = Callable[[Path, str], None]
# What starts servers, other programs and processes of ours all the time, seconds for each module.
_PROGRAMS = tuple(
    Path(__file__).parent / place
    for place in (
        "drivers/test_authenticode.py", "drivers/test_virtio_win.py",
        "drivers/test_windows_list.py", "test_conftest.py", "v2v/batch", "v2v/disks", "v2v/hosts",
        "v2v/sources/test_ssh_host.py", "v2v/targets/test_recovered.py", "v2v/test_finishing.py",
        "v2v/test_hostile_vmware.py",
    )
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(place) for place in _PROGRAMS):
            item.add_marker("programs")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate",
        action="store_true",
        help="write expected files anew; a test whose file changed is skipped",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Return a function that compares text with an expected file, or regenerates the file."""
    return partial(compare, regenerate=bool(request.config.getoption("--regenerate")))


def compare(expected: Path, text: str, *, regenerate: bool) -> None:
    """Compare text with an expected file; that the file is missing is a failure.

    With ``regenerate`` the file is written where it differs, and the test is skipped to say so.
    """
    before = expected.read_text(encoding="utf-8") if expected.exists() else None
    if regenerate and before != text:
        expected.write_text(text, encoding="utf-8")
        pytest.skip(f"{expected.name} was written anew: read it, then run the tests again")
    assert before is not None, f"{expected} is missing: pytest --regenerate writes it"
    assert text == before


@pytest.fixture(autouse=True)
def _no_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the defaults of who runs the tests out of them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
