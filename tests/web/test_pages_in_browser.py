"""Every page opens in Chromium, wide and on a phone: the smoke test of `make test`."""

from __future__ import annotations

import pytest
from flask import Flask
from tests.accounts.people import PASSWORD, give_accounts
from tests.examples import first_quick
from tests.web.browser import Place, Visits

from frametally.plugins import plugins

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIEWERS = {"/api/docs", "/docs", "/redoc"}
"""Drawing the API's description takes seconds; test_data_in_browser.py opens one."""


def paths_of_pages(app: Flask) -> list[str]:
    """Every address without a parameter that shows a signed-in user a page."""
    paths = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and "<" not in rule.rule and not rule.rule.startswith("/api/v1/")
    }
    visitor = app.test_client()
    visitor.post("/sign-in", data={"name": "lukas", "password": PASSWORD})
    return sorted(path for path in paths - VIEWERS if visitor.get(path).mimetype == "text/html")


@pytest.mark.thorough
@pytest.mark.parametrize("locale", first_quick(["en-GB", "de-DE"]))
def test_every_page_opens_without_an_error_wide_and_on_a_phone_and_locks_nobody_out(
    place: Place, visit: Visits, request: pytest.FixtureRequest, locale: str
) -> None:
    place.film({"car": 6, "person": 2}, source="gate", intervals=4)
    give_accounts(place)
    paths = paths_of_pages(place.app())
    pages = {
        page.path
        for plugin in plugins()
        for page in plugin.pages
        if page.path.count("/") == 1 and page.right == "look"
    }
    assert {"/", "/books", "/data"} | pages <= set(paths)
    window = visit(place, locale=locale)
    page = window.page
    page.goto(f"{window.url}/sign-in")
    page.locator("#name").fill("lukas")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    for path in paths:
        page.goto(f"{window.url}{path}", wait_until="load")
        assert page.title(), path
        assert page.locator("html").get_attribute("lang") == locale[:2], path
        assert len(page.locator("body").inner_text()) > 20, path
        for width_px in (390, 1280):
            page.set_viewport_size({"width": width_px, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px, (
                f"{path} at {width_px} px"
            )
        assert window.complaints == [], path
        if locale == "de-DE":  # axe-core checks each state of a page in English: test_axe_in_browser.py
            cdp = window.context.new_cdp_session(page)
            cdp.send("Runtime.evaluate", {"expression": request.getfixturevalue("axe")})
            found = page.evaluate("async (rules) => (await axe.run({ runOnly: rules })).violations", RULES)
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], path
