"""In Chromium: the live page by keys alone, and on a phone in each state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.live.watched_cameras import film_wall, forbid_cameras, no_cameras_for_now

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit


def focused(page: Page) -> str:
    """The name of what has the focus, as a button has it written."""
    found: str = page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    )
    return found


def reach(page: Page, name: str) -> None:
    """Press Tab until something of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_cameras_are_added_seen_large_and_left_by_keys_alone(
    place: Place, visit: Callable[..., Visit]
) -> None:
    film_wall(place)
    page = visit(place).open("live", wait_for="#live-page[data-state=ready]")
    reach(page, "+ Add camera")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Gate 9")
    page.keyboard.press("Tab")
    page.keyboard.type("rtsp://10.1.2.3/stream")
    page.keyboard.press("Enter")
    expect(page.locator(".live-camera[data-source=gate-9]")).to_be_visible()
    expect(page.locator("#add-open")).to_be_focused()
    reach(page, "Gate-1")
    page.keyboard.press("Enter")
    expect(page.locator("#large")).to_be_focused()
    reach(page, "Close the camera")
    page.keyboard.press("Enter")
    expect(page.locator("#large")).to_be_hidden()
    assert focused(page) == "Gate-1", "it is where it was opened"


@pytest.mark.thorough
@pytest.mark.parametrize("state", ["none", "many", "one large", "forbidden", "away"])
def test_on_a_phone_nothing_is_wider_than_the_page(
    place: Place, visit: Callable[..., Visit], picture: Callable[..., None], state: str
) -> None:
    film: dict[str, Callable[[Place], None]] = {
        "many": partial(film_wall, more=20),
        "one large": film_wall,
        "forbidden": forbid_cameras,
    }
    if state in film:
        film[state](place)
    window = visit(place, viewport={"width": 320, "height": 800})
    if state == "away":
        no_cameras_for_now(window.page)
    shown = {"none": "empty", "away": "failed"}.get(state, "ready")
    query = "?camera=gate-1" if state == "one large" else ""
    page = window.open(f"live{query}", wait_for=f"#live-page[data-state={shown}]")
    picture(page, f"live-{state.replace(' ', '-')}-320")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
