# SPDX-License-Identifier: LGPL-2.1-or-later
"""S-expressions of xend."""

from __future__ import annotations

from pathlib import Path

import pytest

from v2v.errors import SourceError
from v2v.sources import sxp

PATH = Path("/var/lib/xend/domains/config.sxp")


def test_expressions_are_nested_words() -> None:
    assert sxp.nodes('(a (b \'c d\') "e\\"f") # end', "") == (("a", ("b", "c d"), 'e"f'),)


@pytest.mark.parametrize("text", ["(a", "a)", "('a", "(" * 100])
def test_broken_expressions_are_errors(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        sxp.nodes(text, "x.sxp")
    assert caught.value.finding.code == "E-SXP-SYNTAX"


def test_several_guests_are_listed_by_name() -> None:
    with pytest.raises(SourceError) as caught:
        sxp.parse("(domain (name a)) (domain (name b))", PATH)
    assert "has 2 guests (a, b)" in str(caught.value)
