# SPDX-License-Identifier: LGPL-2.1-or-later
"""The comparison of two conversions finds what is missing."""

from __future__ import annotations

from fixtures.hives import hive
from tests.windows_differences import compare, idle, page, snapshot
from tests.windows_rules import RULES, Rule, Side, rule
from v2v.hive import Value

SERVICE = r"ControlSet001\Services\viostor"
PATH = "/Windows/System32/config/SYSTEM"


def system(**values: Value) -> dict[str, str]:
    return snapshot({PATH: hive({SERVICE: values})})


def test_a_value_that_one_side_lacks_is_missing() -> None:
    made = compare(system(), system(Start=Value.dword(0)), system(), RULES)
    (found,) = made.missing
    assert (found.name, found.side) == (rf"SYSTEM\{SERVICE}\Start", Side.theirs)


def test_a_value_that_both_write_differently_is_missing() -> None:
    made = compare(system(), system(Start=Value.dword(0)), system(Start=Value.dword(4)), RULES)
    (found,) = made.missing
    assert (found.side, found.theirs, found.ours) == (
        Side.both, "dword:00000000", "dword:00000004",
    )  # fmt: skip


def test_a_change_that_both_make_is_the_same_and_one_of_nobody_is_none() -> None:
    old = system(Start=Value.dword(4), Type=Value.dword(1))
    new = system(Start=Value.dword(0), Type=Value.dword(1))
    made = compare(old, new, new, RULES)
    assert made.same == (rf"SYSTEM\{SERVICE}\Start",)
    assert made.different == ()


def test_upper_and_lower_case_are_the_same_in_names() -> None:
    made = compare({}, {"/Windows/a.sys": "1"}, {"/WINDOWS/A.SYS": "1"}, RULES)
    assert len(made.same) == 1


def test_a_rule_explains_what_it_was_made_for_alone() -> None:
    tools = rule(Side.theirs, r"/tools/.*", "nobody needs them")
    made = compare({}, {"/B": "1", "/Tools/a": "1"}, {}, (tools,))
    assert [each.reason for each in made.different] == [None, "nobody needs them"]
    assert [each.name for each in made.missing] == ["/B"]


def test_a_rule_that_explains_nothing_is_told() -> None:
    rules: tuple[Rule, ...] = (rule(Side.ours, "x", ""), rule(Side.ours, "/b", ""))
    assert idle([compare({}, {}, {"/b": "1"}, rules)], rules) == (rules[0],)


def test_the_page_says_what_is_missing() -> None:
    text = page({"win7-esx": compare({}, {"/b": "1"}, {}, RULES)}, "virt-v2v-2.2.0")
    assert "0 changes are the same, 1 differ, 1 are missing" in text
    assert "| theirs | 1 | `/b` | **missing** |" in text
