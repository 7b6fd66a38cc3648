# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of HTML, without a browser; tests/guests/test_pages.py looks at it with one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from tests.v2v.report_samples import HOSTILE, MADE, batch, evidence, report, row
from v2v.html_report import batch_page, evidence_page, failure_page, report_page

_KINDS = {
    "report": lambda text: report_page([report("web", text=text)], MADE),
    "reports": lambda text: report_page([report("a"), report("b", dry_run=True, text=text)], MADE),
    "batch": lambda text: batch_page(batch(text=text), MADE),
    "evidence": lambda text: evidence_page(
        evidence("web", booted=False, text=text), report("web", text=text), MADE
    ),
    "failure": lambda text: failure_page(
        f"web{text}", [{"code": "E-X", "message": text, "hint": text}], MADE
    ),
}


def _parsed(page: str) -> Any:
    """Return the tree of a page; what XPath finds in it has too many types to name."""
    return html.document_fromstring(page)


def _shape(page: str) -> Counter[tuple[str, tuple[str, ...]]]:
    """Count elements by their name and the names of their attributes."""
    tree = _parsed(page)
    return Counter((str(each.tag), tuple(sorted(each.keys()))) for each in tree.iter())


@pytest.mark.parametrize("kind", _KINDS)
def test_what_a_guest_says_is_text_and_nothing_else(kind: str) -> None:
    page = _KINDS[kind](HOSTILE)
    assert _shape(page) == _shape(_KINDS[kind]("harmless"))
    assert "\\u202e" in page
    assert "\\x1b[31m\\x00\\ud800" in page
    assert page.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)


@settings(deadline=None)  # it is a whole page each time
@given(st.text(max_size=40))
def test_no_text_at_all_makes_an_element(text: str) -> None:
    page = report_page([report("web", text=text)], MADE)
    lines = len(text.split("\n")) - 1  # each line of a diff is an element
    plain = _shape(report_page([report("web", text="x" + "\nx" * lines)], MADE))
    found = _shape(page)
    del found["span", ("class",)], plain["span", ("class",)]
    assert found == plain


@pytest.mark.parametrize("kind", _KINDS)
def test_the_policy_allows_the_page_its_own_parts_alone(kind: str) -> None:
    tree = _parsed(_KINDS[kind](""))
    policy = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for element in ("style", "script"):
        (own,) = tree.iter(element)
        digest = hashlib.sha256((own.text or "").encode()).digest()
        assert f"{element}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert not tree.xpath("//@style | //@onclick | //link | //iframe | //object")
    assert all(
        url.startswith(("#", "data:image/png;base64,")) for url in tree.xpath("//@href|//@src")
    )


def test_the_batch_has_a_row_and_a_part_for_each_guest() -> None:
    tree = _parsed(batch_page(batch(), MADE))
    rows = tree.xpath("//table[@id='table']/tbody/tr")
    assert [each.get("data-state") for each in rows] == ["done"] * 3 + [
        "blocked",
        "failed",
        "skipped",
    ]
    assert [each.get("data-for") for each in rows] == tree.xpath("//article/@id")
    figures = dict(
        zip(
            tree.xpath("//dl[@class='figures']//dt/text()"),
            tree.xpath("//dl[@class='figures']//dd/text()"),
            strict=True,
        )
    )
    assert figures == {
        "Guests": "6", "Changes": "6", "Warnings": "3", "Disks": "24.0 GiB", "Images": "3.0 GiB",
        "Time": "5 min 21 s",
    }  # fmt: skip


def test_a_report_has_changes_with_folded_diffs() -> None:
    tree = _parsed(report_page([report("web")], MADE))
    (change, command) = tree.xpath("//ol[@class='changes']/li")
    assert change.xpath("./details[not(@open)]/summary/code/text()") == ["/etc/fstab"]
    added = change.xpath(".//span[@class='added']/text()")
    assert [line.strip() for line in added] == ["+UUID=4a5b / ext4"]
    assert command.xpath("./details") == []
    assert "dracut" in command.text_content()


def test_a_long_diff_is_cut_and_says_so() -> None:
    long = report("web")
    long["plan"]["changes"][0]["diff"] = "+line\n" * 5000
    page = report_page([long], MADE)
    assert page.count(">+line") == 2000
    assert "(3000 more lines are in the JSON report)" in page


def test_a_dry_run_says_so() -> None:
    page = report_page([report("web", dry_run=True)], MADE)
    assert "nothing was written" in page
    assert "What would change" in page
    assert "ready" in page


def test_a_blocked_guest_shows_what_stands_in_the_way() -> None:
    document = report("web", dry_run=True)
    document["blockers"] = [{"code": "E-RUNNING", "message": "it runs", "hint": "shut it down"}]
    tree = _parsed(report_page([document], MADE))
    (said,) = tree.xpath("//section[@aria-label='What stands in the way']")
    assert "E-RUNNING" in said.text_content()
    assert "shut it down" in said.text_content()


def test_a_guest_that_does_not_boot_shows_why() -> None:
    page = evidence_page(evidence("web", booted=False), None, MADE)
    assert "No root: ALERT! no root" in page
    assert "data:image/png;base64,iVBOR" in page


def test_keys_that_are_missing_leave_a_gap_and_no_error() -> None:
    result = {**batch(), "guests": [row("web", "done", report={"source": {"hypervisor": "xen",
              "kind": "xl", "disks": [], "nics": [], "memory_bytes": 0}})]}  # fmt: skip
    assert "xen (xl)" in batch_page(result, MADE)


def test_a_warning_of_both_conversion_and_proof_is_shown_once() -> None:
    document, proof = report("web"), evidence("web")
    proof["warnings"] = [
        *document["plan"]["warnings"],
        {"code": "W-Y", "message": "y", "hint": None},
    ]
    tree = _parsed(evidence_page(proof, document, MADE))
    codes = tree.xpath("//section[@aria-label='Warnings']//code/text()")
    assert codes == ["W-KVM", "W-Y"]


def test_a_dry_run_of_a_batch_shows_room_and_time() -> None:
    targets = [
        {"targets": ["/srv/a", "/srv/b"], "needed_bytes": 3 << 30, "free_bytes": 1 << 30},
        {"targets": ["default"], "needed_bytes": 1 << 30, "free_bytes": None},
    ]
    forecast = {"targets": targets, "seconds": 7500.0, "rates": None}
    tree = _parsed(batch_page({**batch(), "dry_run": True, "forecast": forecast}, MADE))
    rows = tree.xpath("//table[@aria-labelledby='room']/tr")
    said = [" ".join(row.xpath("./th/text() | ./td[@class]/text()")) for row in rows]
    assert said == ["/srv/a, /srv/b 3.0 GiB of 1.0 GiB free", "default 1.0 GiB needed"]
    assert rows[0].xpath(".//rect[@class='bad']/@width") == ["1000.0"]
    assert "2 h 5 min" in tree.xpath("//dl[@class='figures']")[0].text_content()
