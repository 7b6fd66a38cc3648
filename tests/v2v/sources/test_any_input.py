# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever stands in a configuration of Xen: it is read, or it is a SourceError, and soon."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2v.errors import SourceError
from v2v.model import Machine
from v2v.sources import sxp, xl, xl_json, xm

FIXTURES = Path(__file__).parents[3] / "fixtures"
PARSERS: dict[str, Callable[[str, Path], Machine]] = {
    "xl": xl.parse, "xm": xm.parse, "sxp": sxp.parse, "xl-json": xl_json.parse,
}  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["c_info", "b_info", "config", "name", "type", "type.pv", "disks", "nics",
                         "vdev", "pdev_path", "format", "max_memkb", "avail_vcpus", "mac"]),
        inner, max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


def texts(kind: str) -> list[str]:
    """The fixtures of a kind."""
    return [
        path.read_bytes().decode("latin-1")
        for path in sorted((FIXTURES / kind).iterdir())
        if not path.name.endswith(".machine.json")
    ]


def read(kind: str, text: str) -> None:
    with suppress(SourceError):
        assert PARSERS[kind](text, Path("/x/guest.cfg")).kind == kind


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=100, deadline=1000)
@given(data=st.data())
def test_a_damaged_configuration_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(texts(kind)))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 20)))
        piece = data.draw(
            st.text(max_size=6) | st.sampled_from(["'", "(", "[", "=", "%s", "\n", "-"])
        )
        text = text[:start] + piece + text[end:]
    read(kind, text)


@pytest.mark.parametrize("kind", PARSERS)
@settings(max_examples=50, deadline=1000)
@given(text=st.text(max_size=300))
def test_any_text_is_read_or_refused(kind: str, text: str) -> None:
    read(kind, text)


@settings(max_examples=100, deadline=1000)
@given(value=_JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    read("xl-json", json.dumps(value))
