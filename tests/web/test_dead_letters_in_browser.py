"""The page of dead letters: each with its picture and its reason, tried again or dropped by its buttons."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from flask import Flask
from tests.accounts.people import PASSWORD, give_accounts
from tests.kit.clips import jpeg_of
from tests.web.browser import Page, Place, Visits, expect
from tests.web.counted_footage import START_MS, make_lines, publish_lines, put_dead_letters, put_manifest

pytestmark = pytest.mark.thorough


LETTERS = "#letters-page[data-state=ready]"
NAME = "Gate <img src=x onerror=alert(1)>"


@pytest.fixture
def spoiled(place: Place) -> Place:
    """A counted gate; then a frame with other bytes, one that is gone, and an unreadable message."""
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
    place.store.put(other.image_path, jpeg_of(grey))
    return place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_letter_is_listed_under_its_reason_with_its_picture_and_a_button_drops_it(
    spoiled: Place,
    visit: Visits,
    picture: Callable[[Page, str], None],
    scheme: str,
) -> None:
    page = visit(spoiled, color_scheme=scheme).open("books", wait_for="#books-page[data-state=ready]")
    expect(page.locator("#dead-causes tbody tr")).to_have_count(3)
    page.locator("#dead-causes a").click()
    page.locator(LETTERS).wait_for()
    cards = page.locator(".dead-letter")
    expect(cards).to_have_count(3)
    checksum = page.locator("[data-cause=checksum]")
    expect(checksum).to_contain_text(f"{NAME} · 1 May 2024, 10:10:00")
    expect(checksum).to_contain_text("<b>its sha256</b> differs.")
    checksum.scroll_into_view_if_needed()
    expect(checksum.locator(".picture.loaded")).to_be_visible()
    page.locator("[data-cause=missing] .picture").scroll_into_view_if_needed()
    expect(page.locator("[data-cause=missing] .picture")).to_have_text("No picture can be shown.")
    malformed = page.locator("[data-cause=malformed]")
    expect(malformed.locator(".picture")).to_have_text("Its message does not name a picture.")
    expect(malformed.get_by_role("button", name="Try")).to_have_count(0)
    picture(page, f"dead-letters-{scheme}")
    checksum.locator(".dead-letter").get_by_role("button", name="Try again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 frame still cannot be read and will stay here.")
    expect(dialog.get_by_role("button", name="Try again")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="all")).to_have_count(0)  # each reason has one frame
    checksum.get_by_role("button", name="Drop").click()
    expect(dialog).to_contain_text("1 frame will no longer be listed here")
    picture(page, f"dead-letters-plan-{scheme}")
    dialog.get_by_role("button", name="Drop").click()
    expect(dialog).to_contain_text("1 frame dropped.")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, f"dead-letters-done-phone-{scheme}")
    dialog.get_by_role("button", name="Close").click()
    expect(cards).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"dead-letters-phone-{scheme}")


@pytest.fixture
def url(spoiled: Place, serving: Callable[[Flask], str]) -> str:
    give_accounts(spoiled)
    return serving(spoiled.app())


def test_a_viewer_sees_the_letters_and_whom_to_ask(spoiled: Place, visit: Visits, url: str) -> None:
    page = visit(spoiled, url=url).page
    page.goto(f"{url}/sign-in?next=/dead-letters")
    page.locator("#name").fill("lukas")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(LETTERS).wait_for()
    expect(page.locator(".dead-letter")).to_have_count(3)
    expect(page.locator(".dead-letter button")).to_have_count(0)
    expect(page.locator("#may-not")).to_contain_text("Ask an administrator (runa) to try them again")
