"""The page of alerts in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr
from tests.alerts.test_alerts_api import CHANNELS, MARKUP, add_report, fill

from frametally_alerts.book import AlertBook

pytestmark = pytest.mark.thorough

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit


def test_rules_and_what_failed_are_shown_as_text_and_are_easy_for_everybody(
    place: Place, visit: Callable[..., Visit], picture: Callable[[Page, str], None], axe: str
) -> None:
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    with closing(AlertBook(place.catalogue.url)) as book:
        fill(book, 3, source=MARKUP, detail=MARKUP)
        message = book.claim("ops", lease_s=60)
        assert message is not None
        book.end(message, "failed", reason=f"no {MARKUP}")
    page = visit(place).open("alerts", wait_for="#alerts-page")
    expect(page.locator("#rules tbody th")).to_have_text("<b>busy")
    expect(page.locator("#messages .alert")).to_have_count(3)
    expect(page.locator("#messages time").first).to_have_text("1 Jan 1970, 01:02:00")
    expect(page.locator("#zone")).to_have_text("Europe/Berlin")
    page.get_by_role("link", name="Failed").click()
    expect(page.locator("#messages .alert")).to_have_count(1)
    expect(page.locator("#messages .reason")).to_contain_text("no <script>alert(1)</script>")
    expect(page.locator("#pages [aria-current]")).to_have_text("Books")
    picture(page, "alerts")
    assert axe_finds(page, axe) == []


def axe_finds(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[str] = page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)")
    return found


def fits(page: Page) -> bool:
    """Whether nothing is to be scrolled sideways but tables."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return wide


@pytest.mark.parametrize("size", [(1440, 900), (360, 780)], ids=["wide", "narrow"])
@pytest.mark.parametrize("much", [False, True], ids=["empty", "much"])
def test_with_nothing_and_with_much_it_fits_wide_and_narrow(
    place: Place,
    visit: Callable[..., Visit],
    picture: Callable[[Page, str], None],
    axe: str,
    size: tuple[int, int],
    much: bool,
) -> None:
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS if much else SecretStr("")})
    with closing(AlertBook(place.catalogue.url)) as book:
        if much:
            fill(book, 120, source="a-source-of-a-long-name" * 3, detail="x" * 400)
            for number in range(30):
                add_report(book, f"weekly-{'long-' * 8}{number}")
    window = visit(place, viewport={"width": size[0], "height": size[1]})
    page = window.open("alerts", wait_for="#alerts-page")
    if much:
        expect(page.locator("#reports tbody tr")).to_have_count(30)
        expect(page.locator("#messages .alert")).to_have_count(50)
        page.locator("#older").click()
        page.locator("#older").click()
        expect(page.locator("#messages .alert")).to_have_count(20)
        expect(page.locator("#older")).to_have_count(0)
    else:
        expect(page.locator("#no-rules")).to_be_visible()
        expect(page.locator("#no-reports")).to_be_visible()
        expect(page.locator("#no-messages")).to_be_visible()
    assert fits(page)
    picture(page, f"alerts-{'much' if much else 'empty'}-{size[0]}")
    assert axe_finds(page, axe) == []
    assert window.complaints == []


def test_where_channels_cannot_be_read_the_page_says_so_and_repeats_nothing_of_them(
    place: Place, visit: Callable[..., Visit], picture: Callable[[Page, str], None], axe: str
) -> None:
    place.settings = place.settings.model_copy(
        update={"alert_channels": SecretStr('{"ops": "gopher://hunter2"}')}
    )
    window = visit(place)
    page = window.page
    answer = page.goto(f"{window.url}/alerts")
    assert answer is not None
    assert answer.status >= 400
    expect(page.locator("#problem")).to_contain_text("FRAMETALLY_ALERT_CHANNELS: ops begins with none of")
    expect(page.locator("body")).not_to_contain_text("hunter2")
    assert axe_finds(page, axe) == []
    picture(page, "alerts-error")
    assert len(window.complaints) == 1  # that of the status
    window.complaints.clear()
