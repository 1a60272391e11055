"""Each page of a new installation explains its future content, with one button; on a phone, the
menu is one."""

from __future__ import annotations

import pytest
from tests.web.browser import Place, Route, Visits, expect

pytestmark = pytest.mark.thorough

FIRST = "Upload your first video"
EMPTY = {
    "": ("#no-data", "appear here", FIRST),
    "videos": ("#nothing", "watch it here", "Upload video"),
    "live": ("#nothing", "appear here", "Add a camera"),
    "footage": ("#nothing", "appear here", FIRST),
    "lines": ("#nothing", "appear here", FIRST),
    "lines/edit": ("#nothing", "You draw lines", FIRST),
    "traffic": ("#nothing", "appear here", FIRST),
    "accuracy": ("#nothing", "appear here", FIRST),
    "books": ("#nothing", "This page shows", FIRST),
    "alerts": ("#alerts-page", "A rule notifies you", "Add a rule"),
}
"""Its card, words of it, and its button, by the page."""
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def test_an_empty_page_explains_itself_and_has_one_prominent_button(place: Place, visit: Visits) -> None:
    window = visit(place)
    for path, (card, words, button) in EMPTY.items():
        page = window.open(path, wait_for=f"{card} .primary:visible")
        expect(page.locator(card)).to_contain_text(words)
        expect(page.locator(f"{card} .primary:visible")).to_have_text([button])
        assert page.locator("table:visible").count() == 0, path


def test_on_a_phone_the_menu_is_one_line_and_the_chart_begins_on_the_first_screen(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6}, source="gate", intervals=4)
    page = visit(place, **PHONE).open()
    assert page.locator(".topbar").bounding_box()["height"] < 60
    assert page.locator("#chart").bounding_box()["y"] < PHONE["viewport"]["height"] - 60
    expect(page.locator("#pages")).to_be_hidden()
    page.get_by_role("button", name="Menu").tap()
    expect(page.locator("#language")).to_be_visible()
    page.get_by_role("link", name="Lines").tap()
    page.locator("#lines-page:not([data-state=loading])").wait_for()


@pytest.mark.parametrize(("path", "route"), [("lines/edit", "sources"), ("accuracy", "accuracy")])
def test_a_page_reports_a_short_server_outage_and_tries_again(
    place: Place, visit: Visits, path: str, route: str
) -> None:
    window = visit(place)
    away = [1, 1]

    def answer(asked: Route) -> None:
        if away:
            away.pop()
            asked.fulfill(status=503, json={"detail": "The index is not responding.", "remedy": "Wait."})
        else:
            asked.continue_()

    window.page.route(f"**/api/v1/{route}*", answer)
    page = window.open(path, wait_for="#notice .button")
    expect(page.locator("#notice")).to_contain_text("The index is not responding. Wait. This page keeps")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#notice")).to_be_hidden()
