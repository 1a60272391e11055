"""The page's requests: each answer once, and after a choice only the affected ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.browser import Place, Visit, Visits, expect

ASKED_ONCE = ("catalogue",)
MOST_REQUESTS = 15
MOST_SHIFT = 0.05
SCREENS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "tablet": {"viewport": {"width": 820, "height": 1180}},
    "desktop": {"viewport": {"width": 1440, "height": 900}},
}
PLACES = """
  () => Object.fromEntries(["#context", "#headline", "#measures", "#chart-subtitle", "#chart-area"].map(
    (name) => [name, Math.round(document.querySelector(name).getBoundingClientRect().top)]))
"""


def listen(window: Visit) -> list[str]:
    """The window's requests to the API from now on: a list that grows."""
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


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("?timezone=Europe/Berlin", marks=pytest.mark.thorough),
        "?source=east&label=car&metric=peak&interval=10&timezone=Europe/Berlin&weekdays=1,2,3",
        "?from=2024-05-01T08:00:10Z&to=2024-05-01T08:01:00Z&hours=00:00-24:00&timezone=Asia/Kolkata",
    ],
)
def test_what_came_with_the_page_is_not_requested_again(
    filmed: Place, visit: Visits, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("frametally_web.pages.MOST_S", 60)
    visit(filmed).open()  # the media's records have been read from now on
    window = visit(filmed)
    asked = listen(window)
    page = window.open(address)
    expect(page.locator("#sight .picture.loaded .boxes")).to_be_visible()
    first = ("catalogue", "summary", "evidence")
    assert [url for url in asked if url.startswith(first) or "top=6" in url] == []


@pytest.mark.thorough
def test_a_cold_load_requests_nothing_twice_even_after_the_server_sent_its_version(
    filmed: Place, visit: Visits
) -> None:
    visit(filmed).open()  # the media's records have been read from now on
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
    assert {url.partition("?")[0] for url in asked} >= {"counts", "summary", "evidence"}


def test_a_cold_load_makes_few_requests_and_only_one_for_a_picture_the_busiest_one_small(
    place: Place, visit: Visits
) -> None:
    east = place.film({f"label-{number}": 5 for number in range(8)}, source="east", seed=1)
    place.film({f"label-{number}": 5 for number in range(8, 14)}, source="west", seed=2, also=east)
    window = visit(place, viewport={"width": 390, "height": 844})
    page = window.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    window.open()
    # Whether the index answers is polled while the page is open, at little cost.
    loading = [url for url in asked if not url.endswith("/healthz")]
    assert len(loading) <= MOST_REQUESTS
    expect(page.locator("#sight .picture.loaded")).to_be_visible()
    [busiest] = [url for url in asked if "/frames/image" in url]
    assert busiest.endswith("&w=640")
    pictures, loaded = page.locator(".frame-card .picture"), page.locator(".frame-card .picture.loaded")
    pictures.first.scroll_into_view_if_needed()
    expect(pictures.first).to_have_class("picture loaded")
    # The adjacent ones load when the line is swiped to them, or printed.
    assert loaded.count() < pictures.count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(loaded).to_have_count(pictures.count())


@pytest.mark.thorough
@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_moves_when_the_answers_arrive(filmed: Place, visit: Visits, screen: str) -> None:
    window = visit(filmed, **SCREENS[screen])
    page = window.page
    page.add_init_script("""
        window.shift = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.shift += one.value)))
          .observe({type: "layout-shift", buffered: true});
    """)
    page.route("**/healthz", lambda route: route.fulfill(json={}))  # a busy machine is no outage
    held: list[Any] = []
    is_held = True
    page.route("**/api/v1/*", lambda route: held.append(route) if is_held else route.continue_())
    page.goto(window.url)
    while len(held) < 3:  # counts, summary and events: the catalogue came with the page
        page.wait_for_timeout(50)
    before = page.evaluate(PLACES)
    is_held = False
    for one in held:
        one.continue_()
    window.settled()
    assert page.evaluate(PLACES) == before
    assert page.evaluate("window.shift") <= MOST_SHIFT


def test_a_choice_requests_only_what_it_changes_and_going_back_requests_nothing(
    filmed: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    window = visit(filmed, url=serving(filmed.app(max_streams=0)))
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


@pytest.mark.thorough
def test_when_the_counts_change_everything_is_requested_again(filmed: Place, visit: Visits) -> None:
    window = visit(filmed)
    window.open()
    asked = listen(window)
    with window.page.expect_response("**/api/v1/counts?*"):
        filmed.film({"car": 9}, source="east", seed=7)
    window.settled()
    assert {url.partition("?")[0] for url in asked} >= {*ASKED_ONCE, "counts"}
