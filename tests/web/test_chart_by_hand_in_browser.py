"""The chart by mouse, finger and keyboard: zooming step by step, and its text about a place."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.conftest import REST

START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
HOUR_S = 3600


@pytest.mark.thorough
def test_a_drag_zooms_to_whole_bars_and_zooming_out_goes_back_one_step(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=24, interval_s=5)
    window = visit(place)
    page = window.open("?interval=5")
    everything = window.chart_values()["car"]
    window.drag(0.27, 0.73)  # from inside the 7th bar to inside the 18th
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:00:30Z&to=2024-05-01T08:01:30Z" + REST))
    window.settled()
    assert window.chart_values()["car"] == everything[6:18]
    window.drag(0.05, 0.45)
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:00:30Z&to=2024-05-01T08:01:00Z" + REST))
    window.settled()
    page.locator("#unzoom").click()
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:00:30Z&to=2024-05-01T08:01:30Z" + REST))
    window.settled()
    page.locator("#chart").press("Escape")
    expect(page).to_have_url(re.compile(r"/\?interval=5" + REST))
    window.settled()
    assert window.chart_values()["car"] == everything
    expect(page.locator("#unzoom")).to_be_hidden()


@pytest.mark.thorough
def test_without_an_earlier_zoom_zooming_out_shows_as_much_again_on_each_side(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6}, intervals=100, interval_s=60)
    page = visit(place).open("?from=2024-05-01T08:40:00Z&to=2024-05-01T08:50:00Z")
    page.locator("#unzoom").click()
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:30:00Z&to=2024-05-01T09:00:00Z" + REST))
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    page.locator("#unzoom").click()
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:00:00Z&to=2024-05-01T09:30:00Z" + REST))
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    page.locator("#unzoom").click()
    expect(page).to_have_url(re.compile(r"/\?timezone=Europe/Berlin$"))


@pytest.mark.thorough
def test_two_clicks_at_human_speed_open_the_bar_and_leave_the_range_unchanged(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6}, intervals=24, interval_s=5)
    window = visit(place)
    page = window.open("?interval=5&from=2024-05-01T08:00:30Z&to=2024-05-01T08:01:00Z")
    expect(page.locator("#explanation")).not_to_contain_text("double click")
    expect(page.locator("#explanation")).to_contain_text("Zoom out or Esc goes back one step")
    area = window.chart_area()
    before = page.evaluate("history.length")
    page.locator("#chart").click(
        position={"x": (area["left"] + area["right"]) / 2 + 3, "y": area["top"] + 20}, click_count=2, delay=60
    )
    expect(page).to_have_url(re.compile(r"at=2024-05-01T08:00:45Z"))
    window.settled()
    expect(page).to_have_url(re.compile(r"from=2024-05-01T08:00:30Z&to=2024-05-01T08:01:00Z"))
    assert page.evaluate("history.length") == before + 1


def test_a_gap_is_described_as_one_and_not_by_its_neighbours_numbers(place: Place, visit: Visits) -> None:
    place.film(
        {"person": 6}, name="Town hall B", intervals=10, interval_s=60, filmed=lambda n: not 4 <= n < 7
    )
    window = visit(place)
    page = window.open("?interval=60")
    for bar in (4, 5, 6):
        told = window.tooltip(bar, of=10)
        assert re.search("1 May 2024, 10:04.10:07", told), told
        assert "No footage from Town hall B." in told
        assert "person" not in told
    told = window.tooltip(7, of=10)
    assert "person: " in told
    assert "10 frames analysed" in told
    page.mouse.move(0, 0)
    expect(page.locator(".chart-tip")).to_be_hidden()
    # Also by keyboard: the fifth stop is the gap.
    page.locator("#chart").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("no footage. Press Enter to see why.")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("person")


@pytest.mark.thorough
def test_a_tap_selects_the_nearest_bar_that_is_not_empty(place: Place, visit: Visits) -> None:
    place.film({"car": 9}, intervals=1, interval_s=60)
    place.film({"car": 9}, start_ms=START_MS + 7_200_000, intervals=1, interval_s=60, source="other")
    window = visit(place, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = window.open(f"?interval=60&source=other&from={START_MS}&to={START_MS + 14_400_000}")
    expect(page.locator("#explanation")).to_contain_text("Tap a bar")
    area = window.chart_area()
    bar = (area["left"] + area["right"]) / 2  # two of four hours: a bar of a pixel
    page.locator("#chart").tap(position={"x": bar + 15, "y": area["top"] + 80})
    expect(page).to_have_url(re.compile("at=2024-05-01T10:00:00Z"))


@pytest.mark.thorough
def test_bars_are_as_wide_as_their_days_and_the_axis_mentions_partial_ones(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6}, intervals=24 * 17, interval_s=HOUR_S)
    window = visit(place)
    page = window.open("?interval=604800")
    title = page.evaluate("document.getElementById('chart').timeChart.layout.xTitle")
    assert "first and last bar: only part of 1 week" in title
    assert "in the range" in window.tooltip(0, of=3)
    assert "in the range" not in window.tooltip(1, of=3)
    page = window.open("?interval=604800&from=2024-05-05T22:00:00Z&to=2024-05-12T22:00:00Z")
    title = page.evaluate("document.getElementById('chart').timeChart.layout.xTitle")
    assert "part" not in title


@pytest.mark.thorough
def test_a_mean_is_per_frame_and_not_per_hour(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=30, interval_s=HOUR_S)
    window = visit(place)
    page = window.open("?metric=mean_per_frame&interval=10800")
    axis = "document.getElementById('chart').timeChart.layout.yTitle"
    assert page.evaluate(axis) == "detections per frame"
    assert "per frame per" not in (page.locator("#chart").get_attribute("aria-label") or "")
    window.open("?metric=detections&interval=10800")
    assert page.evaluate(axis) == "detections per 3 hrs"
