"""Pages in the viewer's language, in Chromium: German by the browser's preference or the choice in the
header."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Place, Visits, expect


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
    expect(page.get_by_role("heading", name="Zustand", level=1)).to_be_visible()
    page.get_by_label("Sprache").select_option("English")
    expect(page.get_by_role("heading", name="Health", level=1)).to_be_visible()
