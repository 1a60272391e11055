"""The page as people see it: in a browser, with real answers, real frames and real faults."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.conftest import REST

pytestmark = pytest.mark.thorough


START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z


def test_a_range_is_typed_in_the_viewers_time(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, interval_s=5)
    window = visit(place)
    page = window.open()
    page.locator("#range-chip").click()
    expect(page.locator("#from")).to_have_value("2024-05-01T10:00")
    page.keyboard.press("Escape")  # opened, and left unchanged
    expect(page).to_have_url(f"{window.url}/?timezone=Europe/Berlin")
    page.locator("#range-chip").click()
    page.locator("#from").fill("2024-05-01T10:01:00")
    page.locator("#from").press("Enter")
    expect(page.locator("#range-panel")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:01:00Z" + REST))
    window.settled()
    assert len(window.chart_values()["car"]) == 12
    page.locator("#range-chip").click()
    page.locator("#to").fill("2024-05-01T10:00:30")
    page.locator("#to").press("Enter")
    expect(page.locator("#range-error")).to_have_text("“To” must be later than “From”.")
    page.keyboard.press("Escape")  # impossible values are dropped
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:01:00Z" + REST))


def test_a_gap_is_shown_as_no_footage_and_never_as_zero(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=10, interval_s=60, filmed=lambda n: not 3 <= n < 6)
    place.film({"bus": 6}, source="yard", start_ms=START_MS - 86_400_000, interval_s=60)
    window = visit(place)
    page = window.open("?interval=60&label=bus&source=junction-east")
    assert window.chart_values()["bus"] == [0] * 7
    assert window.chart_spans()[0][1] == START_MS + 60_000
    expect(page.locator(".key", has_text="no footage")).to_be_visible()
    expect(page.locator("#chart-message")).to_have_text("Nothing was detected in 70 frames.")
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr")).to_have_count(8)
    gap = page.locator("#table-area tbody tr.gap")
    expect(gap).to_have_count(1)
    expect(gap).to_contain_text(re.compile("1 May 2024, 10:03.10:06"))
    expect(gap).to_contain_text("no footage")


def test_a_selection_without_footage_offers_another_one(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    page = visit(place).open("?from=2031-01-01T00:00:00Z")
    expect(page.locator("#chart-message")).to_contain_text("No footage in this selection")
    expect(page.locator("#frames")).to_contain_text("no footage here")
    expect(page.locator("#breakdown")).to_contain_text("no footage")
    expect(page.locator("#heatmap-card")).to_be_hidden()
    page.locator("#chart-message button").click()
    expect(page.locator("#chart-message")).to_be_hidden()
    expect(page.locator(".frame-card")).to_have_count(1)


def check_boxes_lie_on_the_picture(inside: Any) -> None:
    """The first drawn box is at its pixels, in a picture that is shown whole and centred."""
    area, box = inside.locator("img").bounding_box(), inside.locator("rect.box").first
    scale = min(area["width"] / 640, area["height"] / 480)
    left = area["x"] + (area["width"] - 640 * scale) / 2
    top = area["y"] + (area["height"] - 480 * scale) / 2
    drawn = box.evaluate("(rect) => { const r = rect.getBoundingClientRect(); return [r.x, r.y, r.width]; }")
    x, y, width = (float(box.get_attribute(name)) for name in ("x", "y", "width"))
    assert drawn == pytest.approx([left + x * scale, top + y * scale, width * scale], abs=1)


def test_a_frame_opens_large_and_its_boxes_can_be_switched_off(place: Place, visit: Visits) -> None:
    place.film({"car": 6, "person": 3})
    page = visit(place).open()
    cards = page.locator("button.frame-card")
    expect(cards).to_have_count(2)
    cards.first.scroll_into_view_if_needed()
    expect(cards.first.locator(".picture.loaded")).to_be_visible()
    check_boxes_lie_on_the_picture(cards.first)
    cards.first.click()
    dialog = page.locator("#lightbox")
    expect(dialog).to_be_visible()
    expect(dialog.locator("h2")).to_contain_text("car")
    expect(dialog.locator(".plate").first).to_have_text(re.compile(r"^car \d\d%$"))
    check_boxes_lie_on_the_picture(dialog)
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).to_contain_text("person")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("button.frame-card rect.box").first).to_be_visible()
    page.locator("#boxes").uncheck()
    expect(page.locator("button.frame-card rect.box").first).to_be_hidden()
    expect(page).to_have_url(re.compile(r"boxes=off"))


def test_models_can_be_switched_and_are_never_summed(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, model="first-model", seed=1)
    place.film({"car": 2}, model="second-model", seed=2)
    window = visit(place)
    page = window.open()
    expect(page.locator("#footer-model")).to_contain_text("second-model")
    before = window.chart_values()
    window.choose_more("model", "first-model")
    expect(page).to_have_url(re.compile(r"\?model=first-model" + REST))
    expect(page.locator("#footer-model")).to_contain_text("first-model")
    assert window.chart_values() != before
