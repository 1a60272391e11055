"""Whiskers in Chromium: on bars and lines, next to the counts, on paper, and none for a stale check."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest
from tests.accuracy.test_accuracy_checks import FRAMES, right_counts
from tests.web.browser import Page, Visits, expect
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines

from frametally.adapters_by_url import open_object_store
from frametally.process.reports import NoProgress
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import start_check

pytestmark = pytest.mark.thorough

MINUTES = 10
QUESTION = "?interval=60&metric=detections&label=car"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def checked(place: Place) -> Place:
    """Ten minutes of one camera, with a check that anna has answered in 100 of 120 frames."""
    place.store = open_object_store(place.settings.store_url)
    publish_lines(place, make_lines("gate", frames=FRAMES))
    place.ledger.refresh(place.store, NoProgress())
    footage = CheckFootage(place.store, place.ledger, place.real_index, place.settings)
    truth = right_counts()
    with closing(AccuracyBook(place.settings.catalogue_url)) as book:
        form = CheckWanted(name="gate-may", labels=["car"], to_ms=START_MS + 10**8)
        check = start_check(book, footage, form, most_units=100)
        for unit in book.units(check.id):
            counts = {"car": truth[unit.image_path]["car"]}
            book.answer(check, unit.number, person="anna", counts=counts)
    return place


def intervals(page: Page) -> list[dict[str, float] | None]:
    """The values that the chart draws for the first series."""
    found: list[dict[str, float] | None] = page.evaluate(
        "document.getElementById('chart').timeChart.drawn()[0].intervals"
    )
    return found


def is_dark_above_the_bar(page: Page) -> bool:
    """Whether the whisker of the first bar is drawn between the bar's top and the interval's end."""
    red = page.evaluate(
        """() => {
          const canvas = document.getElementById("chart");
          const {layout, view} = canvas.timeChart;
          const [one] = canvas.timeChart.drawn();
          const middle = layout.x((view.rows[0].start + view.rows[0].end) / 2);
          const y = (layout.y(one.values[0]) + layout.y(one.intervals[0].high)) / 2;
          const ratio = canvas.width / layout.width;
          const pen = document.createElement("canvas").getContext("2d");
          pen.drawImage(canvas, Math.floor(middle * ratio) - 1, Math.floor(y * ratio), 3, 1, 0, 0, 3, 1);
          const {data} = pen.getImageData(0, 0, 3, 1);
          return Math.min(...[0, 4, 8].map((at) => (data[at + 3] > 200 ? data[at] : 255)));
        }"""
    )
    return bool(red < 120)


def test_bars_lines_and_text_show_the_interval_beside_the_raw_count(
    checked: Place, visit: Visits, axe: str
) -> None:
    window = visit(checked)
    asked: dict[str, Any] = window.context.request.get(f"{window.url}/api/v1/counts{QUESTION}").json()
    page = window.open(QUESTION)
    buckets = asked["buckets"]
    assert [one and one["high"] for one in intervals(page)] == [one["high"] for one in buckets]
    assert window.chart_values()["car"] == [one["detections"] for one in buckets], "the raw count stays"
    assert is_dark_above_the_bar(page)
    (total,) = asked["totals"]
    words = f"{total['detections']} ({round(total['low'])} to {round(total['high'])})"
    expect(page.locator(".key", has_text="car").locator(".count")).to_have_text(words)
    expect(window.headline).to_contain_text(f"estimate {round(total['estimate'])} (")
    expect(page.locator("#checks")).to_have_text(
        re.compile(r"^95% confidence interval, checked by anna on \d+ \w+ \d{4}, 100 frames, model m$")
    )
    expect(page.locator(".key", has_text="interval")).to_be_visible()
    first = buckets[0]
    estimate = f"{first['detections']}, estimate {round(first['estimate'])} ({first['low']:.0f} to"
    assert estimate in window.tooltip(0, MINUTES)
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    page.locator("#view-table").click()
    cell = page.locator("#table-area tbody tr").first.locator("td").first
    expect(cell).to_have_text(f"{first['detections']} ({first['low']:.0f} to {first['high']:.0f})")
    assert cell.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "nothing is cut off"
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    page.locator("#view-lines").click()
    assert is_dark_above_the_bar(page)
    window.choose_more("metric", "mean_per_frame")
    window.settled()
    frames = asked["coverage"][0]["frames"]
    assert intervals(page)[0] == pytest.approx(
        {name: first[name] / frames for name in ("low", "high", "estimate")}
    )
    window.choose_more("metric", "peak")
    window.settled()
    assert set(map(str, intervals(page))) == {"None"}
    expect(page.locator("#checks")).to_be_hidden()


def test_intervals_are_also_shown_on_a_phone_in_dark_mode_and_on_paper(
    checked: Place, visit: Visits, axe: str
) -> None:
    page = visit(checked, viewport={"width": 390, "height": 844}, color_scheme="dark").open(QUESTION)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    page.emulate_media(media="print", color_scheme="light")
    page.set_viewport_size({"width": 703, "height": 1031})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#checks")).to_be_visible()
    assert is_dark_above_the_bar(page)


def test_a_stale_check_is_shown_as_stale_and_bars_that_it_does_not_cover_have_no_whisker(
    checked: Place, visit: Visits, axe: str
) -> None:
    publish_lines(checked, [*make_lines("gate", frames=FRAMES), *make_lines("yard", frames=FRAMES, seed=2)])
    window = visit(checked)
    page = window.open(f"{QUESTION}&source=yard")
    assert set(map(str, intervals(page))) == {"None"}
    expect(page.locator("#checks")).to_be_hidden()
    expect(page.locator(".key", has_text="interval")).to_have_count(0)
    publish_lines(checked, make_lines("gate", frames=FRAMES + 20))
    page = window.open(f"{QUESTION}&source=gate")
    expect(page.locator("#checks")).to_contain_text("The accuracy check “gate-may” is stale")
    expect(page.locator("#checks")).to_contain_text("Start a new check")
    assert set(map(str, intervals(page))) == {"None"}
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
