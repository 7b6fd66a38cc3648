# SPDX-License-Identifier: LGPL-2.1-or-later
from converters.linux.distributions import FAMILIES
from tests import support


def test_the_page_is_what_the_golden_guests_and_its_own_boots_make() -> None:
    text = support.PAGE.read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    started = {}
    for (_, ids, _), row in zip(support.ASKED, rows, strict=True):
        started[ids[0]] = set(row[1].split(", ")) - {"-"}
    assert support.page(started) == text


def test_a_version_is_marked_only_as_what_was_seen() -> None:
    started = support.booted([("esx-alma9", "almalinux", "9.4"), ("debian13", "debian", "13.1")])
    page = support.page(started)
    assert "| AlmaLinux | 9 (L) | 9 | 8, 10 |" in page
    assert "| Debian | 13 | 5, 6, 8, 9, 11, 12 | 7, 10 |" in page
    assert "| Mageia | - | - | all |" in page


def test_all_that_is_asked_for_is_known_by_name() -> None:
    known = {word for words in FAMILIES.values() for word in words.split()}
    assert {word for _, ids, _ in support.ASKED for word in ids} <= known
