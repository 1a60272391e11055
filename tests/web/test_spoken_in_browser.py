"""A screen reader announces the result of each choice, and never the clock."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Page, Place, Visits, expect

pytestmark = pytest.mark.thorough


HEAR = """() => {
  window.heard = [];
  const live = "[role=status], [role=alert], [aria-live]:not([aria-live=off])";
  for (const region of document.querySelectorAll(live))
    new MutationObserver(() => heard.push(region.textContent))
      .observe(region, {childList: true, characterData: true, subtree: true});
}"""


def heard(page: Page) -> list[str]:
    return page.evaluate("window.heard")


def test_the_result_of_a_choice_is_announced_once(place: Place, visit: Visits) -> None:
    counts, _ = place.film({"car": 6, "bus": 2}, intervals=6, interval_s=60)
    window = visit(place)
    window.page.clock.install()
    window.page.route("**/healthz", lambda route: route.fulfill(json={}))  # a busy machine is no outage
    page = window.open("?interval=60&metric=detections")
    cars = sum(one.detections for one in counts if one.label == "car")
    buses = sum(one.detections for one in counts if one.label == "bus")
    expect(page.locator("#spoken")).to_have_text(
        re.compile(
            f"Detections: {cars + buses} in total, {cars} car, {buses} bus, in 6 intervals, "
            "1 May 2024, 10:00.10:06"
        )
    )
    page.evaluate(HEAR)
    page.locator(".key", has_text="bus").click()
    expect(page.locator("#spoken")).to_contain_text(f"Detections: {buses} bus, in 6 intervals")
    window.settled()  # from now on it asks again in a minute
    assert len(heard(page)) == 1
    shown = page.locator("#freshness").inner_text()
    with page.expect_response("**/api/v1/counts?*"):
        page.clock.fast_forward(61_000)  # the page asks again, and there is no news
    expect(page.locator("#freshness")).not_to_have_text(shown)
    assert len(heard(page)) == 1


def test_the_announcement_about_a_frame_is_not_withdrawn(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=4)
    page = visit(place).open()
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("Press Enter to see the frames")
    page.keyboard.press("Enter")
    expect(page.locator(".proof-viewer")).to_be_focused()
    expect(page.locator("#spoken")).to_contain_text("running sum")
    page.evaluate(HEAR)
    page.locator("#chart").focus()
    page.locator("#view-table").focus()
    assert "" not in heard(page)
