"""A zone narrows the page: its chip, the chart, the proof, links and comparisons; by keyboard, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.traffic.zoned_footage import LEFT, RIGHT, count, draw, drive, put
from tests.web.conftest import REST

pytestmark = pytest.mark.thorough

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from tests.web.conftest import Place, Visit


@pytest.fixture
def zoned(place: Place) -> Place:
    """Three minutes of two sources, with a zone over one of them and two over the other."""
    put(place, [*drive(), *drive("yard")])
    draw(place, ('bus stop "north"', LEFT), ("crossing", RIGHT))
    draw(place, ("crossing", LEFT), source="yard")
    count(place)
    return place


def test_choosing_a_zone_shows_its_counts_and_the_cross_the_whole_picture_again(
    zoned: Place, visit: Callable[..., Visit]
) -> None:
    window = visit(zoned)
    page = window.open("?metric=detections")
    chip = page.locator("#picture-zone-chip")
    expect(chip).to_contain_text("whole picture")
    expect(page.locator("#breakdown")).to_contain_text("1,800")  # two sources, two labels
    chip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#picture-zone")).to_be_focused()
    page.locator("#picture-zone").select_option(label='bus stop "north" (gate)')
    expect(page).to_have_url(re.compile(r"zone=bus\+stop"))
    window.settled()
    expect(chip).to_contain_text('bus stop "north"')
    expect(page.locator("#chart-subtitle")).to_contain_text('within bus stop "north"')
    expect(page.locator("#breakdown")).to_contain_text("450")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="The whole picture").click()
    window.settled()
    expect(chip).to_contain_text("whole picture")
    expect(page.locator("#breakdown")).to_contain_text("1,800")


def test_a_bar_within_a_zone_opens_the_boxes_that_stand_in_it(
    zoned: Place, visit: Callable[..., Visit]
) -> None:
    window = visit(zoned)
    page = window.open("?metric=detections&interval=60&zone=bus+stop+%22north%22&at=2024-05-01T08:01:00Z")
    expect(page.locator("#frames-card")).to_contain_text("150")


def test_a_zone_that_the_chosen_sources_do_not_have_is_none_any_more(
    zoned: Place, visit: Callable[..., Visit]
) -> None:
    window = visit(zoned)
    page = window.open("?zone=bus+stop+%22north%22")
    page.locator("#sources-chip").click()
    page.locator("#sources-list [role=option]").filter(has_text="yard").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?source=yard" + REST))
    window.settled()
    expect(page.locator("#picture-zone-chip")).to_contain_text("whole picture")


def test_a_zone_is_compared_only_with_sources_that_have_it(zoned: Place, visit: Callable[..., Visit]) -> None:
    window = visit(zoned)
    page = window.open("?source=gate&zone=crossing")
    page.locator("#picture-zone-chip").click()
    assert "yard" in page.locator("#compare").inner_text()
    page = window.open("?source=gate&zone=bus+stop+%22north%22")
    page.locator("#picture-zone-chip").click()
    assert "yard" not in page.locator("#compare").inner_text()


def test_without_zones_there_is_no_chip(place: Place, visit: Callable[..., Visit]) -> None:
    place.film({"car": 6}, intervals=3, interval_s=60)
    page = visit(place).open()
    expect(page.locator("#picture-zone-chip")).to_be_hidden()


def test_a_zone_of_a_link_that_there_is_not_is_said_with_the_remedy(
    zoned: Place, visit: Callable[..., Visit]
) -> None:
    window = visit(zoned)
    page = window.open("?zone=crosing", wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("crosing")
    page.get_by_role("button", name="Show “crossing”").click()
    window.settled()
    expect(page.locator("#picture-zone-chip")).to_contain_text("crossing")
