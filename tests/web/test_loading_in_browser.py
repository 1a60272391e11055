"""What the page asks for: each answer once, and after a choice only what that choice changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from tests.web.conftest import Place, Visit

ASKED_ONCE = ("models", "labels", "sources")


def listen(window: Visit) -> list[str]:
    """What the window asks of the API from now on: a list that grows."""
    asked: list[str] = []

    def note(request: Any) -> None:
        _, found, rest = request.url.partition("/api/v1/")
        if found and not rest.startswith(("events", "frames/image")):
            asked.append(rest)

    window.page.on("request", note)
    return asked


@pytest.fixture
def filmed(place: Place) -> Place:
    east = place.film({"car": 6, "bus": 2}, source="east", seed=1)
    place.film({"car": 3}, source="west", seed=2, also=east)
    return place


def test_a_cold_load_asks_nothing_twice_also_once_the_server_has_told_its_version(
    filmed: Place, visit: Callable[..., Visit]
) -> None:
    visit(filmed).open()  # what the media say has been read from now on
    window = visit(filmed)
    asked = listen(window)
    window.page.add_init_script("""
        window.told = 0;
        const stream = window.EventSource;
        window.EventSource = class extends stream {
          constructor(...args) {
            super(...args);
            this.addEventListener("index", () => setTimeout(() => window.told += 1, 1500));
          }
        };
    """)
    window.open()
    while not window.page.evaluate("window.told"):
        window.page.wait_for_timeout(50)
    window.settled()
    assert [url for url, times in Counter(asked).items() if times > 1] == []
    assert {url.partition("?")[0] for url in asked} >= {*ASKED_ONCE, "counts", "heatmap", "evidence"}


def test_a_choice_asks_only_for_what_it_changes_and_back_for_nothing(
    filmed: Place, visit: Callable[..., Visit], serving: Callable[..., str]
) -> None:
    window = visit(filmed, url=serving(filmed.app(web_max_streams=0)))
    page = window.open()
    asked = listen(window)
    page.locator(".key", has_text="bus").click()
    window.settled()
    assert asked
    assert not [url for url in asked if url.startswith(ASKED_ONCE)]
    assert all("label=bus" in url for url in asked)
    asked.clear()
    page.go_back()
    window.settled()
    expect(page.locator(".key .name")).to_have_text(["car", "bus"])
    assert asked == []


def test_when_the_counts_have_changed_everything_is_asked_anew(
    filmed: Place, visit: Callable[..., Visit]
) -> None:
    window = visit(filmed)
    window.open()
    asked = listen(window)
    with window.page.expect_response("**/api/v1/counts?*"):
        filmed.film({"car": 9}, source="east", seed=7)
    window.settled()
    assert {url.partition("?")[0] for url in asked} >= {*ASKED_ONCE, "counts"}
