# SPDX-License-Identifier: LGPL-2.1-or-later
"""Expected files: ``pytest --regenerate`` writes them anew; read them before you commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

# No parser may hang; a busy machine may take its time.
settings.register_profile("v2v", deadline=2000)
settings.load_profile("v2v")

Golden = Callable[[Path, str], None]


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
