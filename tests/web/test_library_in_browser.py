"""The page of videos: what there is, how far each has come, found, ordered, in pages, and one opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.made_up_videos import Shelf, make_video, uncounted

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit

READY = "#videos-page[data-state=ready]:not([aria-busy])"
NONE = "#videos-page[data-state=empty]:not([aria-busy])"


def all_states() -> list[dict[str, Any]]:
    """One video in each state, and some that are not as they should be."""
    bare = {"poster": None, "sprite": None, "sprite_vtt": None}
    return [
        uncounted(9, "received", links=bare, name="Just come in"),
        uncounted(8, "producing", progress=0.31, frames={"expected": 398}),
        uncounted(7, "detecting", frames={"expected": 398, "announced": 398, "detected": 141}),
        uncounted(6, "counting", frames={"expected": 398, "announced": 398, "detected": 398}),
        make_video(5, source="yard", source_name="Yard", time_source="file_time"),
        uncounted(4, "needs_time", started_at_ms=None, ended_at_ms=None, time_source=None),
        uncounted(3, "failed", reason="its decoder was killed (SIGSEGV) 3 times"),
        uncounted(2, "deleting"),
        make_video(1, frames={"dead_lettered": 2, "detected": 396}, damage=["The file ends early."]),
    ]


def open_shelf(
    visit: Callable[..., Visit], place: Place, shelf: Shelf, query: str = "", **context: Any
) -> Page:
    window = visit(place, **context)
    shelf.serve(window.page)
    return window.open(f"videos{query}", wait_for=READY)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_card_says_how_far_its_video_has_come(
    place: Place, visit: Callable[..., Visit], picture: Callable[[Page, str], None], scheme: str
) -> None:
    page = open_shelf(visit, place, Shelf(*all_states()), color_scheme=scheme)
    cards = page.locator(".video-card")
    expect(cards.locator(".video-state-words")).to_have_text(
        [
            "Waiting",
            "Taking frames: 31%",
            "Detecting: 141 of 398 frames",
            "Counting",
            "Counted",
            "Needs a time",
            "Failed: its decoder was killed (SIGSEGV) 3 times",
            "Being removed",
            "Counted · 2 frames not readable · the file is damaged",
        ]
    )
    expect(page.locator("#videos-words")).to_have_text("9 videos · 1 needs a time · 1 failed")
    counted = cards.nth(4)
    expect(counted).to_contain_text("Yard · 4.2 MB")
    expect(counted).to_contain_text("1 May 2024, 19:00:00 \N{EN DASH} 19:01:19")
    expect(counted.locator(".remark")).to_have_text("time from the file's date")
    expect(counted).to_contain_text("1,243 detections: car 1,200, person 40, 1 more")
    expect(counted.locator(".poster-length")).to_have_text("1:24")
    expect(cards.nth(0).locator(".poster-none")).to_be_visible()
    picture(page, f"videos-{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"videos-phone-{scheme}")
