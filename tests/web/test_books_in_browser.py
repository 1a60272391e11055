"""The page of the books: dead letters, with picture, reason and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.web.browser import Place, Route, Visits, expect
from tests.web.counted_footage import make_lines, publish_lines, put_dead_letters, put_manifest

pytestmark = pytest.mark.thorough


if TYPE_CHECKING:
    from playwright.sync_api import APIResponse

BOOKS = "#books-page[data-state=ready]"


def test_unreadable_books_say_so_and_appear_as_soon_as_they_can_be_read(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    publish_lines(place, make_lines("gate", frames=12))
    window = visit(place, url=serving(place.app(max_streams=0)))
    problem = {
        "detail": "frametally is reading the books for the first time.",
        "remedy": "Try again.",
        "status": 503,
    }
    window.page.route("**/api/v1/status", lambda route: route.fulfill(status=503, json=problem))
    page = window.open("books", wait_for="#books-page")
    expect(page.locator("#verdict")).to_contain_text("is reading the books for the first time")
    expect(page.locator("#verdict")).to_have_attribute("data-state", "behind")
    expect(page.locator("#books-content")).to_be_hidden()
    page.unroute("**/api/v1/status")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator(BOOKS).wait_for()
    expect(page.locator("#books tbody tr")).to_have_count(1)


def test_the_books_page_also_reports_an_index_outage_and_keeps_its_numbers(
    place: Place, visit: Visits
) -> None:
    publish_lines(place, make_lines("gate", frames=12))
    page = visit(place).open("books", wait_for=BOOKS)
    place.go_away()
    expect(page.locator("#notice")).to_contain_text("Cannot reach the server")
    expect(page.locator("#books tbody tr")).to_have_count(1)
    place.come_back()
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.thorough
def test_of_many_sources_eight_lines_are_shown_and_the_rest_is_a_click_away(
    place: Place, visit: Visits
) -> None:
    for number in range(12):
        [line] = make_lines(f"camera-{number:02}", frames=1)
        put_manifest(place, line, line, f"Camera {number:02}")
    page = visit(place).open("books", wait_for=BOOKS)
    expect(page.locator(".findings").first.locator("li")).to_have_count(8)
    rest = page.locator("#findings details")
    expect(rest.locator("li").first).to_be_hidden()
    rest.locator("summary").click()
    expect(rest.locator("li").last).to_be_visible()
    expect(page.locator(".findings li")).to_have_count(12)
    [line] = make_lines("camera-12", frames=1)
    put_manifest(place, line, line, "Camera 12")
    expect(page.locator(".findings li")).to_have_count(13)
    expect(rest.locator("li").last).to_be_visible()


def test_a_line_that_names_a_command_links_permitted_users_to_the_page_that_does_the_same(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    lines = make_lines("gate", frames=12)
    publish_lines(place, lines[:10])
    put_dead_letters(place, [(lines[10], "missing", "no such object")])
    window = visit(place, url=serving(place.app(web_max_streams=0)))
    page = window.page

    def break_books(route: Route) -> None:
        books = route.fetch().json()
        line = "gate: 2 frames are in no segment; `frametally forget` its media, or `rm <b>`"
        books["needs"] = [{"kind": "books", "line": line, "page": "/books", "action": "Show"}]
        route.fulfill(json=books)

    page.route("**/api/v1/status", break_books)
    window.open("books", wait_for=BOOKS)
    line = page.locator(".findings li").first
    expect(line).to_contain_text("rm <b>")
    expect(line.locator("a")).to_have_count(1)
    expect(line.locator("a")).to_have_attribute("href", "/footage")
    window.open("dead-letters", wait_for="#letters-page[data-state=ready]")
    expect(page.locator("main a code")).to_have_text("frametally forget")
    page.route("**/books", lambda route: route.fulfill(response=(got := route.fetch()), body=_as_viewer(got)))
    window.open("books", wait_for=BOOKS)
    expect(line).to_contain_text("frametally forget")
    expect(line.locator("a")).to_have_count(0)


def _as_viewer(answer: APIResponse) -> str:
    return re.sub('data-rights="[^"]*"', 'data-rights="look all"', answer.text())
