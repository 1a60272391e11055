"""Signing in, in Chromium: without a mouse, narrow and wide, and what each role then finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from tests.accounts.people import NAMES, PASSWORD, give_accounts
from tests.web.browser import Browser, Page, Place, Visit, expect, playwright

from frametally_accounts import credentials


@pytest.fixture
def url(place: Place, serving: Callable[[Flask], str]) -> str:
    place.film({"car": 1.0, "bus": 0.5})
    give_accounts(place)
    place.access.put_link("lukas", credentials.token_hash("t" * 43), lasts_s=600)
    return serving(place.app())


def type_in(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    page.keyboard.press("Enter")


def faults_of(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    return [one["id"] for one in page.evaluate("axe.run().then((found) => found.violations)")]


@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 360], ids=["wide", "narrow"])
def test_signing_in_leads_to_the_requested_page_and_signing_out_leaves(
    browser: Browser, url: str, axe: str, picture: Callable[[Page, str], None], width: int
) -> None:
    visit = Visit(browser, url, viewport={"width": width, "height": 800}, bypass_csp=True)
    page = visit.page
    page.goto(f"{url}/?metric=detections")
    assert "/sign-in?next=" in page.url
    expect(page.locator("#name")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults_of(page, axe) == []
    picture(page, f"sign-in-{width}")
    type_in(page, name="lukas", password="wrong password")  # noqa: S106
    page.locator("#problem").wait_for()
    assert page.locator("#name").input_value() == "lukas"
    expect(page.locator("#password")).to_be_focused()
    assert faults_of(page, axe) == []
    picture(page, f"sign-in-error-{width}")
    type_in(page, password=PASSWORD)
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    assert page.url.startswith(f"{url}/?metric=detections&timezone=")
    assert page.locator(".who").inner_text() == "lukas"
    picture(page, f"signed-in-{width}")
    page.locator(".who").click()
    page.get_by_role("button", name="Sign out").wait_for()
    picture(page, f"sign-out-{width}")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/sign-in")
    page.goto(f"{url}/books")
    assert "/sign-in?next=" in page.url
    visit.context.close()


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_each_role_can_open_every_page_and_change_what_its_role_allows(
    browser: Browser, url: str, name: str, picture: Callable[[Page, str], None]
) -> None:
    visit = Visit(browser, url)
    page = visit.page
    page.goto(f"{url}/sign-in")
    type_in(page, name=name, password=PASSWORD)
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    for path in ("/videos", "/live", "/lines", "/traffic", "/books", "/data", "/jobs"):
        assert page.goto(f"{url}{path}").status == 200
        assert page.url.startswith(f"{url}{path}")
    statuses = page.evaluate(
        """() => Promise.all([["PUT", "/api/v1/sources/junction-east/drawing"], ["POST", "/api/v1/cameras"]]
        .map(([method, path]) => fetch(path, {method}).then((answer) => answer.status)))"""
    )
    refused = [status in (401, 403) for status in statuses]
    assert refused[0] == (name == "lukas")
    page.goto(f"{url}/books")
    page.locator("main").wait_for()
    picture(page, f"books-as-{name}")
    visit.context.close()


@pytest.mark.thorough
def test_someone_signed_out_while_drawing_can_sign_in_elsewhere_and_save_the_drawing(
    browser: Browser, url: str
) -> None:
    visit = Visit(browser, url)
    page = visit.page
    page.goto(f"{url}/sign-in?next=/lines/edit?source=junction-east")
    type_in(page, name="clara", password=PASSWORD)
    page.locator("#editor[data-state=ready]").wait_for()
    page.locator("#draw-line").click()
    page.locator("#stage").click(position={"x": 100, "y": 100})
    page.locator("#stage").dblclick(position={"x": 200, "y": 100})
    visit.context.clear_cookies()
    page.locator("#save").click()
    playwright.expect(page.locator("#notice")).to_contain_text("Sign in at /sign-in, then try again.")
    with visit.context.expect_page() as opened:
        page.locator("#notice").get_by_role("link", name="Sign in").click()
    type_in(opened.value, name="clara", password=PASSWORD)
    opened.value.locator("#dashboard").wait_for()
    page.locator("#save").click()
    playwright.expect(page.locator("#saved")).to_have_text("Saved, revision 1")
    playwright.expect(page.locator("#notice")).to_be_hidden()
    visit.context.close()


def test_a_link_sets_a_password_in_the_browser(
    browser: Browser, url: str, axe: str, picture: Callable[[Page, str], None]
) -> None:
    visit = Visit(browser, url, bypass_csp=True)
    page = visit.page
    page.goto(f"{url}/sign-in/once/{'t' * 43}")
    assert faults_of(page, axe) == []
    picture(page, "choose-password")
    type_in(page, password="nobody guesses this", again="another")  # noqa: S106
    page.locator("#problem").wait_for()
    picture(page, "choose-password-error")
    type_in(page, password="nobody guesses this", again="nobody guesses this")  # noqa: S106
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    page.goto(f"{url}/sign-in/once/{'t' * 43}")
    assert "This link was already used" in page.locator("#problem").inner_text()
    visit.context.close()


@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 320], ids=["wide", "narrow"])
def test_a_password_can_be_changed_in_the_browser(
    browser: Browser, url: str, axe: str, picture: Callable[[Page, str], None], width: int
) -> None:
    visit = Visit(browser, url, bypass_csp=True, viewport={"width": width, "height": 900})
    page = visit.page
    page.goto(f"{url}/sign-in")
    type_in(page, name="clara", password=PASSWORD)
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    page.goto(f"{url}/sign-in")
    page.get_by_role("link", name="Choose another password").click()
    page.locator("#current").wait_for()
    assert faults_of(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, f"own-password-{width}")
    type_in(page, current="wrong password", password="nobody guesses this", again="nobody guesses this")  # noqa: S106
    assert "current password" in page.locator("#problem").inner_text()
    type_in(page, current=PASSWORD, password="nobody guesses this", again="nobody guesses this")  # noqa: S106
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    visit.context.close()


@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 320], ids=["wide", "narrow"])
def test_sign_ins_elsewhere_can_be_seen_and_ended_in_the_browser(
    browser: Browser, url: str, axe: str, picture: Callable[[Page, str], None], width: int
) -> None:
    viewport = {"width": width, "height": 900}
    visits = [Visit(browser, url, bypass_csp=True, viewport=viewport) for _ in range(3)]
    for visit in visits:
        visit.page.goto(f"{url}/sign-in")
        type_in(visit.page, name="clara", password=PASSWORD)
        visit.page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    page = visits[0].page
    page.goto(f"{url}/sign-in")
    picture(page, f"who-is-logged-in-{width}")
    page.get_by_role("link", name="See where you are signed in").click()
    page.locator("#current").wait_for()
    at = page.locator("time").first
    begun = datetime.fromisoformat(str(at.get_attribute("datetime"))).astimezone(ZoneInfo("Europe/Berlin"))
    playwright.expect(at).to_have_text(f"{begun.day} {begun:%b %Y, %H:%M:%S}")
    assert faults_of(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture(page, f"sessions-{width}")
    for box in page.locator("[name=session]").all():
        box.check()
    type_in(page, current="wrong password")
    assert "No session was ended" in page.locator("#problem").inner_text()
    for box in page.locator("[name=session]").all():
        box.check()
    type_in(page, current=PASSWORD)
    page.get_by_text("in this browser only").wait_for()
    assert faults_of(page, axe) == []
    picture(page, f"one-session-{width}")
    visits[1].page.goto(f"{url}/books")
    assert "/sign-in?next=" in visits[1].page.url
    for visit in visits:
        visit.context.close()
