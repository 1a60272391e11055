"""Pages in the viewer's language, in Chromium: German by the browser's wish or the choice in the header."""

from __future__ import annotations

import re

import pytest
from tests.accounts.people import PASSWORD, give_accounts
from tests.web.browser import Place, Visits, expect
from tests.web.test_pages_in_browser import paths_of_pages

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def test_a_german_browser_gets_german_texts_numbers_and_dates(place: Place, visit: Visits) -> None:
    place.film({"car": 400, "person": 2}, source="gate", intervals=4)
    page = visit(place, locale="de-DE", timezone_id="Europe/Berlin").open("?metric=detections")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("link", name="Antworten")).to_be_visible()
    expect(page.locator("#headline")).to_contain_text(re.compile(r"\d\.\d{3} Erkennungen"))
    expect(page.locator("#chart-subtitle")).to_contain_text("1. Mai 2024")


@pytest.mark.thorough
def test_the_header_changes_the_language_and_the_choice_stays(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, source="gate", intervals=4)
    window = visit(place)
    page = window.open("")
    expect(page.get_by_role("link", name="Answers")).to_be_visible()
    page.get_by_label("Language").select_option("Deutsch")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto(f"{window.url}/books")
    expect(page.get_by_role("heading", name="Bilanz", level=1)).to_be_visible()
    page.get_by_label("Sprache").select_option("English")
    expect(page.get_by_role("heading", name="Books", level=1)).to_be_visible()


@pytest.mark.thorough
def test_every_page_has_room_for_german_wide_and_on_a_phone_and_keeps_nobody_out(
    place: Place, visit: Visits, axe: str
) -> None:
    place.film({"car": 6, "person": 2}, source="gate", intervals=4)
    give_accounts(place)
    paths = paths_of_pages(place.app())
    window = visit(place, locale="de-DE")
    page = window.page
    page.goto(f"{window.url}/sign-in")
    page.locator("#name").fill("lukas")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    for path in paths:
        page.goto(f"{window.url}{path}", wait_until="load")
        assert page.locator("html").get_attribute("lang") == "de", path
        for width_px in (390, 1280):
            page.set_viewport_size({"width": width_px, "height": 844})
            needed_px = page.evaluate("document.documentElement.scrollWidth")
            assert needed_px <= width_px, f"{path} at {width_px} px"
        cdp = window.context.new_cdp_session(page)
        cdp.send("Runtime.evaluate", {"expression": axe})
        violations = page.evaluate(
            f"axe.run(document, {{runOnly: {RULES}}}).then(({{violations}}) => violations)"
        )
        assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == [], path
    assert place.access is not None
    place.access.close()
