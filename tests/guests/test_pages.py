# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page of HTML as a browser shows it. No guest is booted, but a browser takes its time too."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Browser, Page, browser
from tests.v2v.report_samples import HOSTILE, MADE, batch
from v2v.html_report import batch_page

pytestmark = [pytest.mark.guest, pytest.mark.xdist_group("pages")]

_TAB, _ENTER = ("Tab", 9), ("Enter", 13)
_ROWS = "[...document.querySelectorAll('#table tbody tr')]"
_CONTRAST = """
(() => {
  const light = (color) => {
    const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
    const linear = parts.map(
      (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor;
      if (!color.endsWith(", 0)")) return color;
    }
  };
  for (const details of document.querySelectorAll("details")) details.open = true;
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && element.namespaceURI.endsWith("xhtml") &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  const least = texts.map((element) => {
    const pair = [getComputedStyle(element).color, ground(element)].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  });
  return { count: texts.length, least: Math.min(...least) };
})()
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "batch.html"
    path.write_text(batch_page(batch(text=HOSTILE, count=12), MADE), encoding="utf-8")
    return path


def test_the_page_is_shown_and_asks_for_nothing(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    page.wait("[...document.images].every((image) => image.complete)")
    assert page.ask("document.title").endswith(".yaml")
    asked = [event["request"]["url"] for event in page.of("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith(("file:", "data:image/png"))] == []
    assert (
        page.of("Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening") == []
    )
    assert page.ask("window.hostile") is None
    assert page.ask("document.querySelectorAll('img[src=x], script').length") == 1


def test_the_table_is_filtered_by_words_and_states(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    visible = f"{_ROWS}.filter((row) => row.checkVisibility()).length"
    assert page.ask(visible) == 15
    page.ask("document.getElementById('words').focus()")
    page.call("Input.insertText", text="WEB11")
    page.wait(f"{visible} === 1")
    assert page.ask("document.getElementById('shown').textContent") == "1 of 15"
    assert page.ask(
        "[...document.querySelectorAll('article')].filter((one) => one.checkVisibility()).length"
    ) == 1  # fmt: skip
    page.ask("document.querySelector('input[value=done]').click()")
    assert page.ask("document.getElementById('shown').textContent") == "0 of 15"


def test_columns_are_sorted_by_the_keyboard(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    column = "document.querySelectorAll('thead th')[6]"  # seconds
    seconds = f"{_ROWS}.map((row) => +row.cells[6].dataset.value)"
    page.ask(f"{column}.querySelector('button').focus()")
    page.press(*_ENTER)
    assert page.ask(f"{column}.ariaSort") == "ascending"
    assert page.ask(seconds) == sorted(page.ask(seconds))
    page.press(*_ENTER)
    assert page.ask(f"{column}.ariaSort") == "descending"
    assert page.ask(seconds) == sorted(page.ask(seconds), reverse=True)
    assert page.ask("document.querySelectorAll('[aria-sort]').length") == 1


def test_the_keyboard_goes_through_the_page_in_its_order(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    stops = []
    for _ in range(20):
        page.press(*_TAB)
        stops.append(
            page.ask(
                "((it) => it.className || it.value || it.id || it.textContent)"
                "(document.activeElement)"
            )
        )
    states = ["done", "blocked", "failed", "skipped"]
    heads = ["Guest", "State", "Source", "System", "Disks", "Images", "Time", "Changes"]
    assert stops[:1] + stops[1:6] == ["skip", "words", *states]
    assert stops[6:16] == ["scroll", *heads, "Warnings"]
    assert stops[16] == "Boots"
    assert stops[17].startswith("web0")
    assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_skip_link_leads_to_the_guests(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    page.press(*_TAB)
    page.press(*_ENTER)
    page.wait("document.activeElement.id === 'guests'")


def test_a_link_to_a_guest_opens_it(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place, "#guest-3")
    assert page.ask("document.querySelectorAll('details.guest[open]').length") == 1
    page.ask("document.querySelector('tbody a').click()")
    page.wait("document.querySelector('#guest-1 details').open")


def test_everything_that_can_be_used_has_a_name(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place)
    page.ask("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    wanted = {"button", "link", "searchbox", "checkbox", "image", "table", "region", "article"}
    named = [
        (node["role"]["value"], node.get("name", {}).get("value"))
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in wanted - {"table"}
    ]
    assert {role for role, _ in named} == wanted - {"table"}
    assert [role for role, name in named if not name] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_scheme_and_can_be_read(
    scheme: str, chromium: Browser, place: Path
) -> None:
    page = Page(chromium, place)
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )
    ground = page.ask("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 27)"}[scheme]
    seen = page.ask(_CONTRAST)
    assert seen["count"] > 300
    assert seen["least"] >= 4.5  # WCAG 2.2, 1.4.3


def test_guests_are_open_on_paper_and_controls_are_not_there(
    chromium: Browser, place: Path
) -> None:
    page = Page(chromium, place)
    seen = (
        "[document.querySelector('#guest-1 .facts').checkVisibility({contentVisibilityAuto: true}),"
        " document.querySelector('.filter').checkVisibility()]"
    )
    assert page.ask(seen) == [False, True]
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.ask(seen) == [True, False]
    paper = base64.b64decode(page.call("Page.printToPDF")["data"])
    assert paper.startswith(b"%PDF-")


def test_a_narrow_screen_needs_no_scrolling_to_the_side(chromium: Browser, place: Path) -> None:
    page = Page(chromium, place, "#guest-1")
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=800,
        deviceScaleFactor=1,
        mobile=False,
    )
    assert page.ask("document.documentElement.scrollWidth") <= 390
