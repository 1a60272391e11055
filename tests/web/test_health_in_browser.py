"""The live page: it grows with the counts, reports faults within seconds, and recovers by itself."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.examples import some_quick
from tests.web.browser import Place, Visits, expect
from tests.web.conftest import REST
from tests.web.counted_footage import MINUTE_MS, START_MS, make_lines, publish_lines, put_manifest
from tests.web.test_pages_in_browser import paths_of_pages

if TYPE_CHECKING:
    from playwright.sync_api import Request

BOOKS = "#books-page[data-state=ready]"


@pytest.mark.thorough
def test_bars_grow_by_themselves_when_more_is_counted(place: Place, visit: Visits) -> None:
    place.film({"car": 2}, intervals=4, interval_s=5, seed=1)
    page = visit(place).open("?interval=5&view=table")
    expect(page.locator("#table-area tbody tr")).to_have_count(4)
    place.film({"car": 9}, intervals=9, interval_s=5, seed=2)
    expect(page.locator("#table-area tbody tr")).to_have_count(9)
    assert page.locator("#notice").is_hidden()


@pytest.mark.thorough
def test_an_untouched_page_requests_nothing_besides_its_stream(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    app = place.app()
    url = serving(app)
    asked: list[tuple[float, str, str]] = [(time.monotonic(), "", "")]

    def note(path: str, request: Request) -> None:
        asked.append((time.monotonic(), path, request.url))

    pages = {path: visit(None, url=url).page for path in paths_of_pages(app)}  # a connection pool for each
    assert len(pages) > 12
    for path, page in pages.items():
        page.on("request", partial(note, path))
        page.goto(f"{url}{path}", wait_until="domcontentloaded")
    ends_s = time.monotonic() + 180
    while time.monotonic() < asked[-1][0] + 20:  # a page without its stream asks every 15 s at least
        page.wait_for_timeout(500)
        assert time.monotonic() < ends_s, asked[-50:]


@pytest.mark.thorough
def test_a_hanging_index_is_reported_too(place: Place, visit: Visits, serving: Callable[..., str]) -> None:
    place.film({"car": 6})
    page = visit(place, url=serving(place.app(max_streams=0))).open()
    page.route("**/healthz", lambda route: None)  # no answer arrives
    expect(page.locator("#notice")).to_contain_text("takes too long")
    page.unroute("**/healthz")
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.thorough
def test_the_health_strip_says_whether_every_frame_is_accounted_for_and_links_to_the_books(
    place: Place, visit: Visits
) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], "Gate")
    page = visit(place).open("?interval=60&timezone=Asia/Kolkata&at=2024-05-01T08:02:00Z")
    strip = page.locator(".top #health-strip")
    expect(strip.locator(".health-state")).to_have_attribute("data-state", re.compile("behind|broken"))
    strip.click()
    expect(page).to_have_url(re.compile("/books"))
    page.locator(BOOKS).wait_for()
    expect(strip.locator(".health-state")).to_be_visible()
    row = page.locator("#books tbody tr", has_text="Gate")
    expect(row.locator("td").nth(2)).to_have_text("60")
    expect(page.locator("#stages tbody th")).to_have_text(["produce", "consume", "aggregate", "index"])
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.locator("#runs tbody tr")).to_contain_text("1 May 2024")
    expect(page.locator("#runs caption")).to_contain_text("Latest runs")


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["", "books", "data", "lines/edit", "api/docs"])
def test_each_page_has_the_health_strip_and_on_a_phone_it_still_links_there(
    place: Place, visit: Visits, path: str
) -> None:
    place.film({"car": 6})
    page = visit(place, viewport={"width": 390, "height": 844}).open(path, wait_for="#health-strip")
    expect(page.locator("#health-strip")).to_have_accessible_name(re.compile("needs? you|Work remaining"))
    box = page.locator("#health-strip").bounding_box()
    assert min(box["width"], box["height"]) >= 20
    assert box["x"] + box["width"] <= 390
    page.locator("#health-strip").click()
    page.locator(BOOKS).wait_for()


@pytest.mark.parametrize("width_px", some_quick([1440, 820, 390], [390]))
def test_at_every_width_the_strip_counts_what_needs_attention_with_a_button_for_each(
    place: Place, visit: Visits, serving: Callable[..., str], width_px: int
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=0)), viewport={"width": width_px, "height": 844})
    frames = {"line": "2 frames", "page": "/dead-letters", "action": "Show the frames"}
    camera = {"line": "Roof: away", "page": "/live?camera=roof", "action": "Open the camera"}
    books = {**books_of(), "needs": [frames, camera]}
    window.page.route("**/api/v1/status", lambda route: route.fulfill(json=books))
    page = window.open("data", wait_for=".health-state")
    state = page.locator("#health-strip .health-state")
    expect(state).to_have_text("2 things need you")
    expect(state).to_have_attribute("data-state", "behind")  # green only if no one has to act
    assert state.evaluate("(said) => said.scrollWidth <= said.clientWidth && said.clientWidth > 100")
    box = state.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width_px
    assert float(state.evaluate("(said) => getComputedStyle(said).fontSize").removesuffix("px")) > 10
    state.click()
    page.locator(BOOKS).wait_for()
    expect(page.locator("#verdict")).to_have_text("2 things need you")
    needs = page.locator(".findings li")
    expect(needs).to_contain_text(["2 frames", "Roof: away"])
    links = {link.inner_text(): link.get_attribute("href") for link in needs.locator("a.button").all()}
    assert links == {need["action"]: need["page"] for need in (frames, camera)}
    books |= {"needs": [], "model_input": "own-1 fits the footage best, in 8 frames of gate"}
    page.reload()
    expect(state).to_have_text("Every frame is accounted for")
    expect(state).to_have_attribute("data-state", "settled")
    expect(needs).to_have_count(0)
    expect(page.locator("#model-input")).to_have_text(books["model_input"])
    gate = {"line": "Gate: 5 min black", "page": "/footage?source=gate", "action": "Show"}
    books |= {"notices": [gate]}
    page.reload()
    expect(state).to_have_text("Every frame is accounted for; 1 note")
    expect(state).to_have_attribute("data-state", "behind")  # nor if there is something to know
    expect(needs).to_contain_text([gate["line"]])


@pytest.mark.parametrize("width_px", some_quick([1280, 1000], [1000]))
def test_however_much_the_strip_says_it_is_beside_the_page_links_and_not_over_them(
    place: Place, visit: Visits, width_px: int
) -> None:
    place.film({"car": 6}, source="gate-by-the-long-north-road")
    page = visit(place, viewport={"width": width_px, "height": 900}).open("data", wait_for="#health-strip")
    said, pages = page.locator(".health-state").bounding_box(), page.locator("#pages").bounding_box()
    assert said["x"] >= pages["x"] + pages["width"] + 8


@pytest.mark.thorough
def test_a_page_opened_during_the_first_reading_of_the_books_shows_the_strip_once_they_are_read(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6})
    window = visit(place)
    problem = {"detail": "frametally is reading the books for the first time.", "remedy": "", "status": 503}
    window.page.route("**/api/v1/status", lambda route: route.fulfill(status=503, json=problem), times=1)
    window.open("data", wait_for=".health-state")


@pytest.mark.thorough
def test_the_selection_follows_you_from_page_to_page_and_back(place: Place, visit: Visits) -> None:
    place.film({"car": 6, "bus": 1})
    window = visit(place)
    page = window.open("?label=car&interval=5&timezone=Asia/Kolkata&at=2024-05-01T08:00:00Z")
    for name in ("Health", "Reports", "Data & API", "Health", "Answers"):
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        if name == "Reports":  # which links to a page for one source and one day
            continue
        expect(page).to_have_url(re.compile(r"label=car&interval=5&timezone=Asia(/|%2F)Kolkata" + REST))
    window.settled()
    assert list(window.chart_values()) == ["car"]


def books_of(**frames: Any) -> dict[str, Any]:
    """Books of one source, settled at 600 frames except for the given values."""
    source = {
        **{"source": "gate", "name": "Gate", "expected": 600, "announced": 600, "detected": 600},
        **{
            "dead_lettered": 0,
            "forgotten": 0,
            "overlapped": 0,
            "counted": 600,
            "indexed": 600,
            "producing": False,
        },
        **{"timed_by_file": False, "newest_captured_at_ms": None},
        **{"footage_until_ms": None, "counted_until_ms": None},
        **frames,
    }
    return {
        **{"as_of_ms": 0, "model": "m", "state": "settled", "sources": [source]},
        **{
            "newest_captured_at_ms": None,
            "footage_until_ms": None,
            "counted_at_ms": None,
            "newest_segment_at_ms": None,
            "stages": [],
            "log": {"messages": 0, "committed": 0},
        },
        **{"frames_per_s": None, "eta_s": None, "lost_messages": 0, "dead_letters": []},
        **{"behind": [], "broken": [], "needs": [], "notices": [], "model_input": ""},
    }


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("frames", "equation", "state"),
    [
        (
            {"detected": 500, "forgotten": 100, "counted": 500, "indexed": 500},
            "600 announced = 500 analysed + 100 deleted; 500 counted, 500 indexed",
            "✓ settled",
        ),
        (
            {"detected": 595, "dead_lettered": 5, "counted": 595, "indexed": 595},
            "600 announced = 595 analysed + 5 unreadable frames; 595 counted, 595 indexed",
            "✓ settled",
        ),
        (
            {"detected": 580, "counted": 550, "indexed": 550},
            "600 announced, so far 580 analysed; 550 counted, 550 indexed",
            "… not yet",
        ),
        ({"detected": 620}, "600 announced, but 620 analysed; 600 counted, 600 indexed", "… not yet"),
        (
            {"announced": 300, "detected": 300, "counted": 300, "indexed": 300, "producing": True},
            "300 of 600 announced = 300 analysed; 300 counted, 300 indexed",
            "… producing",
        ),
        (
            {"announced": 300, "detected": 300, "counted": 300, "indexed": 300},
            "300 of 600 announced = 300 analysed; 300 counted, 300 indexed",
            "… not yet",
        ),
        ({"producing": True}, "600 announced = 600 analysed; 600 counted, 600 indexed", "… producing"),
    ],
)
def test_the_strip_states_no_false_equation_and_a_source_is_settled_only_when_all_of_it_is(
    place: Place,
    visit: Visits,
    serving: Callable[..., str],
    frames: dict[str, Any],
    equation: str,
    state: str,
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=0)))
    window.page.route("**/api/v1/status", lambda route: route.fulfill(json=books_of(**frames)))
    page = window.open("books", wait_for=BOOKS)
    expect(page.locator("#equation")).to_have_text(equation)
    expect(page.locator("#books tbody tr td").last).to_have_text(state)


@pytest.mark.thorough
def test_unchanged_books_stay_as_they_are_when_they_are_read_again(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=0)))
    now = books_of(counted=590)
    window.page.route("**/api/v1/status", lambda route: route.fulfill(json=now))
    page = window.open("books", wait_for=BOOKS)
    for part in ("stages", "books"):
        page.locator(f"#{part} .table-area").evaluate("(area) => (area.dataset.mark = 'before')")
    now = books_of()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#equation")).to_contain_text("600 counted")
    expect(page.locator("#stages .table-area")).to_have_attribute("data-mark", "before")
    expect(page.locator("#books .table-area")).not_to_have_attribute("data-mark", "before")


@pytest.mark.thorough
def test_a_sources_state_is_visible_however_long_its_name_is(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=0)))
    books = books_of(name="A camera that somebody has named at great length " * 5)
    window.page.route("**/api/v1/status", lambda route: route.fulfill(json=books))
    page = window.open("books", wait_for=BOOKS)
    state = page.locator("#books tbody tr td").last
    expect(state).to_have_text("✓ settled")
    at, area = state.bounding_box(), page.locator("#books .table-area").first.bounding_box()
    assert at["x"] + at["width"] <= area["x"] + area["width"] + 1
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#books .table-area").first.scroll_into_view_if_needed()
    page.locator("#books .table-area").first.evaluate("(area) => area.scrollTo(10_000, 0)")
    expect(page.locator("#books tbody th").first).to_be_in_viewport()  # whose state it is
    expect(state).to_be_in_viewport()


@pytest.mark.thorough
def test_with_last_years_footage_the_strip_shows_its_last_day_and_does_not_call_it_new(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=0)), timezone_id="UTC")
    now_ms = int(time.time() * 1000)
    books = books_of(footage_until_ms=START_MS, counted_until_ms=START_MS - MINUTE_MS)
    books |= {"footage_until_ms": START_MS, "counted_at_ms": now_ms - 6 * MINUTE_MS}
    window.page.route("**/api/v1/status", lambda route: route.fulfill(json=books))
    page = window.open("?timezone=UTC")
    strip = page.locator("#health-strip")
    expect(strip).to_contain_text("to 1 May 2024, 08:00")
    said = re.compile("footage up to 1 May 2024, 08:00 · counted 6 mins ago$")
    expect(strip).to_have_attribute("title", said)
    page = window.open("books?timezone=UTC", wait_for=BOOKS)
    expect(strip).to_have_attribute("title", said)
    expect(page.locator("#progress")).to_contain_text("counted 6 mins ago")
    of_source = page.locator("#books tbody tr td").nth(8)
    expect(of_source).to_contain_text("1 May 2024, 08:00:00counted: 1 May 2024, 07:59:00")
    books |= {"counted_at_ms": None}
    page.reload()
    expect(strip).to_have_attribute("title", re.compile("not counted yet$"))


@pytest.mark.thorough
def test_without_a_free_stream_the_page_requests_the_books(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    page = visit(place, url=serving(place.app(max_streams=0))).open()
    expect(page.locator("#health-strip")).to_contain_text(re.compile("needs? you|Work remaining"))


@pytest.mark.thorough
def test_a_hidden_page_gives_its_stream_to_another(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    place.film({"car": 6})
    window = visit(place, url=serving(place.app(max_streams=1)))
    page = window.open()
    expect(page.locator("#health-strip")).to_contain_text(re.compile("needs? you|Work remaining"))
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    deadline_s = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{window.url}/api/v1/events", timeout=20) as stream:  # noqa: S310
                assert stream.readline() == b"retry: 2000\n"
                return
        except urllib.error.HTTPError as refused:
            assert refused.code == 503
            assert time.monotonic() < deadline_s
            time.sleep(0.2)
