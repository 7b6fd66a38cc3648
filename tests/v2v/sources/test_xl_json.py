# SPDX-License-Identifier: LGPL-2.1-or-later
"""libxl's JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from v2v.errors import SourceError
from v2v.sources import xl_json

PATH = Path("/tmp/guest.json")


def domain(name: str) -> dict[str, object]:
    info = {"max_vcpus": 1, "max_memkb": 1024, "type.pv": {"bootloader": "pygrub"}}
    return {"domid": 1, "config": {"c_info": {"type": "pv", "name": name}, "b_info": info}}


def test_the_host_is_no_guest() -> None:
    listed = [domain("Domain-0"), domain("web")]
    assert xl_json.parse(json.dumps(listed), PATH).name == "web"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps([domain("a"), domain("b")]), "has 2 guests (a, b)"),
        ("[]", "has no guest"),
        ("[{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('[{"config": [1]}, 7, null]', "has no guest"),
    ],
    ids=["two", "none", "broken", "deep", "other shapes"],
)
def test_what_is_not_one_guest_is_an_error(text: str, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        xl_json.parse(text, PATH)
    assert said in str(caught.value)


def test_an_offset_of_the_clock_is_told_where_there_is_one() -> None:
    shifted, plain = domain("web"), domain("web")
    for guest, seconds in ((shifted, 7200), (plain, 0)):
        guest["config"]["b_info"]["rtc_timeoffset"] = seconds  # type: ignore[index]
    told = [
        [warning.message for warning in xl_json.parse(json.dumps([each]), PATH).warnings]
        for each in (shifted, plain)
    ]
    assert told[0] == ["/tmp/guest.json: not carried over: rtc_timeoffset='7200'"]
    assert told[1] == []
