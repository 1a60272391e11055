"""The page of the books: what was set aside, with its picture, its reason and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.web.counted_footage import START_MS, make_lines, publish_lines, put_dead_letters, put_manifest

pytestmark = pytest.mark.thorough

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit

BOOKS = "#books-page[data-state=ready]"
NAME = "Gate <img src=x onerror=alert(1)>"


@pytest.fixture
def spoiled(place: Place) -> Place:
    """A gate that was counted; then a frame with other bytes, one that is gone, and a message of nothing."""
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], NAME)
    other, gone = make_lines("gate", frames=2, start_ms=START_MS + 600_000)
    put_dead_letters(
        place,
        [
            (other, "checksum", "<b>its sha256</b> differs"),
            (gone, "missing", "no such object"),
            (None, "malformed", "not JSON"),
        ],
    )
    grey = np.full((480, 640, 3), 120, np.uint8)
    place.store.put(other.image_path, cv2.imencode(".jpg", grey)[1].tobytes())
    return place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_could_not_be_detected_stands_with_its_picture_its_reason_and_the_command_that_mends_it(
    spoiled: Place,
    visit: Callable[..., Visit],
    picture: Callable[[Page, str], None],
    scheme: str,
) -> None:
    window = visit(spoiled, color_scheme=scheme, permissions=["clipboard-read", "clipboard-write"])
    page = window.open("books", wait_for=BOOKS)
    cards = page.locator(".dead-letter")
    expect(cards).to_have_count(3)
    expect(page.locator("#dead-causes tbody tr")).to_have_count(3)
    checksum = page.locator(".dead-letter", has_text="checksum")
    expect(checksum).to_contain_text(f"{NAME} · 1 May 2024, 10:10:00")
    expect(checksum).to_contain_text("<b>its sha256</b> differs.")
    expect(checksum.locator("code")).to_contain_text(["frametally forget", "frametally dead-letters replay"])
    checksum.scroll_into_view_if_needed()
    expect(checksum.locator(".picture.loaded")).to_be_visible()
    checksum.get_by_role("button").click()
    expect(checksum.get_by_role("button")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == checksum.locator(".dead-letter-command code").inner_text()
    missing = page.locator(".dead-letter", has_text="missing")
    missing.scroll_into_view_if_needed()
    expect(missing.locator(".picture")).to_have_text("There is no picture that can be shown.")
    malformed = page.locator(".dead-letter", has_text="malformed")
    expect(malformed.locator(".picture")).to_have_text("Its message names no picture.")
    expect(malformed.locator(".dead-letter-command code")).to_contain_text("dead-letters drop")
    picture(page, f"books-{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"books-phone-{scheme}")


def test_books_that_cannot_be_read_say_so_and_stand_there_as_soon_as_they_can(
    place: Place, visit: Callable[..., Visit], serving: Callable[..., str]
) -> None:
    publish_lines(place, make_lines("gate", frames=12))
    window = visit(place, url=serving(place.app(web_max_streams=0)))
    problem = {
        "detail": "The books are being read for the first time.",
        "remedy": "Try again.",
        "status": 503,
    }
    window.page.route("**/api/v1/status", lambda route: route.fulfill(status=503, json=problem))
    page = window.open("books", wait_for="#books-page")
    expect(page.locator("#verdict")).to_contain_text("are being read for the first time")
    expect(page.locator("#books-content")).to_be_hidden()
    page.unroute("**/api/v1/status")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(BOOKS).wait_for()
    expect(page.locator("#books tbody tr")).to_have_count(1)


def test_an_index_that_goes_away_is_said_on_the_books_too_and_they_stay(
    place: Place, visit: Callable[..., Visit]
) -> None:
    publish_lines(place, make_lines("gate", frames=12))
    page = visit(place).open("books", wait_for=BOOKS)
    place.go_away()
    expect(page.locator("#notice")).to_contain_text("The counts are out of reach")
    expect(page.locator("#books tbody tr")).to_have_count(1)
    place.come_back()
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.thorough
def test_of_many_sources_the_first_eight_lines_are_shown_and_the_rest_is_a_click_away(
    place: Place, visit: Callable[..., Visit]
) -> None:
    for number in range(12):
        [line] = make_lines(f"camera-{number:02}", frames=1)
        put_manifest(place, line, line, f"Camera {number:02}")
    page = visit(place).open("books", wait_for=BOOKS)
    expect(page.locator(".todo").first.locator("li")).to_have_count(8)
    rest = page.locator("#todo details")
    expect(rest.locator("li").first).to_be_hidden()
    rest.locator("summary").click()
    expect(rest.locator("li").last).to_be_visible()
    expect(page.locator(".todo li")).to_have_count(12)
    [line] = make_lines("camera-12", frames=1)
    put_manifest(place, line, line, "Camera 12")
    expect(page.locator(".todo li")).to_have_count(13)
    expect(rest.locator("li").last).to_be_visible()
