"""The page for everyone: by keyboard, and on a phone. Other tests check with axe-core."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.counted_footage import make_lines, publish_lines, put_manifest

pytestmark = pytest.mark.thorough


WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def filmed(place: Place) -> Place:
    gate = make_lines("gate", frames=200)
    yard = make_lines("yard", frames=60, seed=4, time_source="file_time")
    publish_lines(place, gate + yard, objects=2, analysed_fps=6.0)
    put_manifest(place, gate[0], gate[-1], "Gate")
    put_manifest(place, yard[0], yard[-1], "Yard")
    return place


def test_the_chart_is_sixteen_tabs_away_and_the_arrow_keys_reach_every_chip(
    filmed: Place, visit: Visits
) -> None:
    page = visit(filmed).open("?interval=60")
    reached = []
    for _ in range(17):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached[:3] == ["Go to the chart", "Go to the frames", reached[2]]
    assert "chart" in reached[:17], reached  # including the two links that skip all this
    page.locator("#sources-chip").focus()
    chips = [page.evaluate("document.activeElement.id || document.activeElement.ariaLabel")]
    while chips[-1] != "more-chip":
        page.keyboard.press("ArrowRight")
        chips.append(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel"))
        assert len(chips) < 12, chips
    assert {"labels-chip", "range-chip", "hours-chip", "interval-chip"} <= set(chips)
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#sources-chip")).to_be_focused()


def test_skip_links_lead_past_the_controls_to_the_chart_and_to_the_frames(
    filmed: Place, visit: Visits
) -> None:
    page = visit(filmed).open("?interval=60")
    page.keyboard.press("Tab")
    expect(page.locator("a.skip").first).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#chart")).to_be_focused()
    page.locator("a.skip").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#frames-card")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/\?interval=60[^#]*$"))  # only the query, not the fragment


def test_the_header_never_covers_the_focused_element(filmed: Place, visit: Visits) -> None:
    page = visit(filmed, viewport={"width": 1280, "height": 600}).open("?interval=60")
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        covered = page.evaluate(
            """() => {
              const [header, one] = [document.querySelector(".top"), document.activeElement];
              const { top, bottom } = one.getBoundingClientRect();
              const isIn = one.closest("main") && top < header.getBoundingClientRect().bottom;
              return isIn ? `${one.outerHTML} from ${top} to ${bottom}` : "";
            }"""
        )
        assert not covered


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_popups_stay_within_the_window_and_escape_returns_the_focus(
    filmed: Place, visit: Visits, size: dict[str, int]
) -> None:
    page = visit(filmed, viewport=size).open(
        "?label=car&interval=60&from=2024-05-01T08:00:00Z&to=2024-05-01T08:10:00Z"
    )
    for name in ("sources", "labels", "range", "more"):
        page.locator(f"#{name}-chip").click()
        panel = page.locator(f"#{name}-panel")
        expect(panel).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], name
        box = panel.bounding_box()
        assert box["x"] >= 0 <= box["y"]
        assert box["x"] + box["width"] <= size["width"]
        assert box["y"] + box["height"] <= size["height"]
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(page.locator(f"#{name}-chip")).to_be_focused()


def test_the_export_menu_opens_and_closes_by_keyboard(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open()
    page.locator("#export summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#export-csv")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#export-csv")).to_be_hidden()
    expect(page.locator("#export summary")).to_be_focused()
