"""When each source was filmed, why it was not, and the texts next to the chart, also for many sources."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.browser import Page, Place, Visit, Visits, expect

pytestmark = pytest.mark.thorough


START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
HOUR_S = 3600


def film_several(place: Place, names: list[str], **film: Any) -> None:
    """Film the same hours by several sources."""
    also: Any = ([], [])
    for number, name in enumerate(names):
        counts, coverage = place.film(
            film.get("rates", {"car": 3}),
            source=f"camera-{number:02}",
            name=name,
            seed=number,
            also=also,
            **{"intervals": 10, "interval_s": 60} | {k: v for k, v in film.items() if k != "rates"},
        )
        also = ([*also[0], *counts], [*also[1], *coverage])


def lane(page: Page, name: str) -> Any:
    return page.locator(".lane", has=page.locator(f".lane-name:text-is('{name}')"))


def place_in(window: Visit, name: str, share: float) -> dict[str, float]:
    """A place on a source's lane."""
    box = lane(window.page, name).bounding_box()
    return {"x": box["width"] * share, "y": box["height"] - 5}


def test_each_source_has_a_lane_along_the_charts_time_axis(place: Place, visit: Visits) -> None:
    gate = place.film(
        {"car": 3}, source="gate", name="Gate", intervals=10, interval_s=60, filmed=lambda n: not 4 <= n < 7
    )
    place.film({"car": 3}, source="yard", name="Yard", intervals=10, interval_s=60, also=gate)
    window = visit(place)
    page = window.open("?interval=60")
    expect(page.locator(".lane-name")).to_have_text(["Gate", "Yard"])
    expect(lane(page, "Gate")).to_have_accessible_name(
        re.compile("^Gate with 1 gap, the longest .*10:04.10:07. Press Enter to see why")
    )
    expect(lane(page, "Yard")).to_have_accessible_name("Yard without gaps.")
    hole = lane(page, "Gate").locator("rect.gap").bounding_box()
    canvas = page.locator("#chart").bounding_box()
    start, end = page.evaluate(
        f"[4, 7].map((n) => document.getElementById('chart').timeChart.layout.x({START_MS} + n * 60_000))"
    )
    assert abs(hole["x"] - canvas["x"] - start) < 1.5
    assert abs(hole["width"] - (end - start)) < 1.5
    # If there is footage, a click opens the bar.
    lane(page, "Gate").click(position=place_in(window, "Gate", 0.05))
    expect(page).to_have_url(re.compile("at=2024-05-01T08:00:00Z"))


def test_days_between_two_clips_are_folded_and_a_lane_is_grey_outside_its_own_clip(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    gate = place.film({"car": 3}, source="gate", name="Gate", intervals=10, interval_s=60)
    later_ms = START_MS + 5 * 86_400_000
    place.film(
        {"car": 3}, source="yard", name="Yard", intervals=10, interval_s=60, start_ms=later_ms, also=gate
    )
    page = visit(place, viewport={"width": 1440, "height": 900}).open("?interval=60")
    own = lane(page, "Gate").locator("rect.filmed").bounding_box()
    assert own["width"] > 0.45 * lane(page, "Gate").bounding_box()["width"]
    expect(lane(page, "Gate").locator("rect.gap")).to_have_count(0)
    expect(lane(page, "Gate").locator("rect.beyond")).to_have_count(1)
    expect(page.locator(".lanes-key")).to_contain_text("before or after its footage")
    page.mouse.click(own["x"] + own["width"] + 5, own["y"] + 3)
    expect(page.locator("#gap-panel")).to_contain_text("No footage")
    picture(page, "two-clips-days-apart")


@pytest.mark.thorough
def test_lanes_of_hundreds_of_sources_can_be_searched_and_keep_the_page_short(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    film_several(place, [f"Camera {number:03}" for number in range(120)], intervals=3)
    page = visit(place).open("?interval=60")
    expect(page.locator("#sources .multiples tbody tr")).to_have_count(12)
    height = "document.documentElement.scrollHeight"
    before_px = page.evaluate(height)
    expect(page.locator(".lane")).to_have_count(8)
    page.locator(".lanes-more", has_text="112 more").click()
    expect(page.locator(".lane")).to_have_count(120)
    assert page.evaluate(height) < before_px + 500
    search = page.locator("#lanes").get_by_label("Find sources")
    search.fill("camera 11")
    expect(page.locator(".lane:visible")).to_have_count(10)
    picture(page, "lanes-many")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "lanes-many-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    search.fill("bridge")
    expect(page.locator("#lanes")).to_contain_text("No sources with that name.")
    search.fill("")
    page.locator("#sources").get_by_role("button", name="108 more").click()
    expect(page.locator("#sources .multiples tbody tr")).to_have_count(120)
    assert page.evaluate(height) < before_px + 1000


def test_the_twelve_largest_of_many_sources_are_listed_and_the_rest_is_a_click_away(
    place: Place, visit: Visits
) -> None:
    street = "at the corner of Long Street"
    film_several(place, [f"Camera {number:02} {street}" for number in range(15)], intervals=3)
    page = visit(place).open("?interval=60")
    rows = page.locator("#sources .multiples tbody tr")
    expect(rows).to_have_count(12)
    page.locator("#sources").get_by_role("button", name="3 more").click()
    expect(rows).to_have_count(15)
    page.set_viewport_size({"width": 390, "height": 844})
    of_table = "(one) => [one.offsetWidth, one.parentElement.clientWidth]"
    width, area = page.locator("#sources .multiples").evaluate(of_table)
    assert width <= area, "names, shapes and numbers stand beside each other on a phone"


def test_a_gap_gives_its_reason_by_mouse_and_by_keyboard_and_closes_with_escape(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    place.film(
        {"car": 3},
        source="camera-00",
        name="Gate",
        intervals=10,
        interval_s=60,
        filmed=lambda n: not 4 <= n < 7,
    )
    window = visit(place)
    page = window.open("?interval=60")
    window.tooltip(5, of=10)
    area = window.chart_area()
    page.locator("#chart").click(
        position={"x": area["left"] + (area["right"] - area["left"]) * 0.55, "y": area["top"] + 60}
    )
    panel = page.locator("#gap-panel")
    expect(panel).to_be_focused()
    expect(panel.locator("h3")).to_have_text(re.compile("^No footage, 1 May 2024, 10:04.10:07"))
    expect(panel).to_contain_text("Nothing was produced: nothing was filmed")
    expect(panel).to_contain_text("Last frame before: 1 May 2024, 10:03:00.200")
    expect(panel).to_contain_text("First frame after: 1 May 2024, 10:07:00.200")
    expect(panel.locator(".picture.loaded")).to_have_count(2)
    for shown in panel.locator("img").all():
        assert shown.evaluate("(image) => image.currentSrc").endswith("&w=320")
    expect(panel.locator("svg.boxes")).to_have_count(2)
    picture(page, "hole-wide")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    lane(page, "Gate").focus()
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("Nothing was produced")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(lane(page, "Gate")).to_be_focused()
    expect(page).not_to_have_url(re.compile("from="))  # Escape closed the panel and zoomed nothing


def test_a_card_that_fails_leaves_the_others_intact(place: Place, visit: Visits) -> None:
    film_several(place, ["Gate", "Yard"])
    window = visit(place)
    problem = json.dumps({"detail": "Too many bars.", "status": 400, "title": "Bad Request"})
    window.page.route(
        "**/api/v1/counts?*by=source*",
        lambda route: route.fulfill(status=400, content_type="application/problem+json", body=problem),
    )
    page = window.open()
    expect(page.locator("#sources")).to_have_text("This cannot be shown. Too many bars.")
    expect(page.locator("#lanes")).to_have_text("This cannot be shown. Too many bars.")
    expect(page.locator("#busiest tbody tr")).not_to_have_count(0)
    assert window.chart_values()["car"]


def test_many_sources_and_labels_over_many_days_are_shown_as_small_multiples(
    place: Place, visit: Visits
) -> None:
    film_several(
        place,
        [f"Camera {number}" for number in range(5)],
        rates={f"label-{number:02}": 3 for number in range(40)},
        intervals=24 * 8,
        interval_s=HOUR_S,
        frames=2,
    )
    page = visit(place).open()
    expect(page.locator("#sources .multiples tbody tr")).to_have_count(5)
    expect(page.locator("#sources")).not_to_contain_text("cannot be shown")
    page.locator("#sources .multiples tbody tr").nth(1).locator("button").click()
    expect(page).to_have_url(re.compile(r"source=camera-01"))


def test_a_cell_of_the_week_links_to_that_hour_on_those_days(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=24 * 9, interval_s=HOUR_S)
    page = visit(place).open("?metric=detections")
    # 1 May 2024 was a Wednesday.
    cell = page.locator("#heatmap tbody tr").nth(2).locator("td").nth(10).locator("button")
    expect(cell).to_have_attribute("aria-label", re.compile(r"^Wednesday, 10: [\d,]+$"))
    page.locator("#heatmap .heat-cell").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(":focus")).to_have_attribute("aria-label", re.compile("^Tuesday, 01: "))
    cell.click()
    expect(page).to_have_url(re.compile(r"hours=10:00-11:00&weekdays=3"))
