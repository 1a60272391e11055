"""The page of alerts in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.web.test_alerts_api import CHANNELS, MARKUP, fill

from frametally.opening import open_alert_book

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit


def test_rules_and_what_failed_are_shown_as_text_and_are_easy_for_everybody(
    place: Place, visit: Callable[..., Visit], picture: Callable[[Page, str], None], axe: str
) -> None:
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    with closing(open_alert_book(place.catalogue.url)) as book:
        fill(book, 3, source=MARKUP, detail=MARKUP)
        message = book.claim("ops", lease_s=60)
        assert message is not None
        book.end(message, "failed", reason=f"no {MARKUP}")
    page = visit(place).open("alerts", wait_for="#alerts-page")
    expect(page.locator("#rules tbody th")).to_have_text("<b>busy")
    expect(page.locator("#messages .alert")).to_have_count(3)
    page.get_by_role("link", name="Failed").click()
    expect(page.locator("#messages .alert")).to_have_count(1)
    expect(page.locator("#messages .reason")).to_contain_text("no <script>alert(1)</script>")
    expect(page.locator("#pages [aria-current]")).to_have_text("Books")
    picture(page, "alerts")
    page.evaluate(axe)
    assert page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)") == []
