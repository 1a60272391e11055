"""The proof: a bar opens onto every frame behind it, and their running sum ends at its value."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.kit.clips import grey_jpeg
from tests.web.browser import Page, Place, Visits, expect
from tests.web.conftest import REST
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines, publish_objects

from frametally.records import Coverage, IntervalCount

pytestmark = pytest.mark.thorough


JPEG = grey_jpeg(640, 480, 90)


def film(place: Place, frames: int = 240, interval_s: int = 60, **kwargs: Any) -> list[IntervalCount]:
    """A frame every 5 s, all of them in the store."""
    lines = make_lines("gate", frames=frames)
    counts = publish_lines(place, lines, interval_s=interval_s, **kwargs)
    for line in lines:
        place.store.put(line.image_path, JPEG)
    return counts


def sums(page: Page) -> list[int]:
    """The running sums of the listed frames."""
    return [
        int(text.removeprefix("= ")) for text in page.locator(".proof-entry .running").all_text_contents()
    ]


def adds(page: Page) -> list[int]:
    return [int(text.removeprefix("+")) for text in page.locator(".proof-entry .adds").all_text_contents()]


def load_all(page: Page) -> None:
    more = page.locator(".proof-list button", has_text="Show more")
    while more.is_visible():
        before = page.locator(".proof-entry").count()
        more.dispatch_event("click")  # a mouse would scroll there, which loads the next page by itself
        expect(page.locator(".proof-entry").nth(before)).to_be_attached()


def test_the_frames_behind_a_bar_add_up_to_it_page_by_page(place: Place, visit: Visits) -> None:
    film(place)
    window = visit(place)
    page = window.open("?interval=300&metric=detections")
    bars = window.chart_values()
    window.click_bar(1, of=4)
    expect(page).to_have_url(re.compile(r"at=2024-05-01T08:05:00Z"))
    window.settled()
    bar = bars["car"][1] + bars["bus"][1]  # type: ignore[operator]
    expect(page.locator(".proof-sum")).to_contain_text(f"of {bar}")  # more is still loading
    load_all(page)
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {bar}: the bar's value")
    running = 0
    for added, said in zip(adds(page), sums(page), strict=True):
        running += added
        assert said == running
    assert running == bar
    times = page.locator(".proof-entry .when").all_text_contents()
    assert times == sorted(times)
    # A single label has its own bar, and its own frames.
    page.locator(".key", has_text="bus").click()
    window.settled()
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {bars['bus'][1]}: the bar's value")


def test_a_charts_proof_uses_the_interval_that_the_chart_was_read_from(place: Place, visit: Visits) -> None:
    late = make_lines("gate", frames=9, start_ms=START_MS + 86_400_000, seed=3)
    publish_lines(place, [*make_lines("gate", frames=100), *late[:5]], interval_s=60)
    publish_lines(place, late, interval_s=5)
    window = visit(place)
    asked: dict[str, list[str]] = {}
    window.page.on("request", lambda one: note_base(asked, one.url))
    first = window.open("?interval=86400&timezone=UTC").locator("#first-answers").text_content() or ""
    for answer in json.loads(first):  # data in the page is not requested again
        note_base(asked, f"/api/v1/{answer['route']}?{answer['query']}")
    for query in ("", "&metric=objects"):
        page = window.open(f"?interval=86400&timezone=UTC&at=2024-05-02T00:00:00Z{query}")
        expect(page.locator("#frames-subtitle")).to_contain_text("5 frames analysed")
    assert asked == {"evidence": ["60"], "frames": ["60"], "objects": ["60"]}


def note_base(asked: dict[str, list[str]], url: str) -> None:
    """Record the stored interval in a request for the proof behind the chart."""
    parts = urlsplit(url)
    route = parts.path.removeprefix("/api/v1/")
    if route in ("evidence", "frames", "objects"):
        asked[route] = parse_qs(parts.query).get("base", [])


def test_keys_move_through_the_frames_across_the_end_of_a_page(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open("?interval=300&at=2024-05-01T08:00:00Z")
    first_page = page.locator(".proof-entry").count()
    caption = page.locator(".proof-caption")
    expect(caption).to_contain_text(re.compile(r"No\. 1\b"))
    page.locator(".proof-viewer").focus()
    for number in range(2, first_page + 3):
        page.keyboard.press("ArrowRight")
        expect(caption).to_contain_text(re.compile(rf"No\. {number}\b"))
    assert page.locator(".proof-entry").count() > first_page
    expect(page.locator(".proof-entry[aria-current]")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(caption).to_contain_text(re.compile(rf"No\. {first_page + 1}\b"))
    shown = page.locator(".proof-stage rect.box")
    expect(shown).to_have_count(adds(page)[first_page])
    page.locator("#boxes").uncheck()
    expect(shown.first).to_be_hidden()
    page.locator("#boxes").check()
    page.locator(".proof-picture").click()
    dialog = page.locator("#lightbox")
    expect(dialog.locator("img")).to_have_js_property("naturalWidth", 640)
    expect(dialog.locator(".plate").first).to_contain_text("%")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(caption).to_contain_text(re.compile(rf"No\. {first_page + 2}\b"))  # the list moved along


def test_a_link_leads_to_the_exact_frame_and_back_to_the_previous_bar(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open("?interval=600&at=2024-05-01T08:10:00Z")
    caption = page.locator(".proof-caption")
    expect(caption).to_contain_text(re.compile(r"No\. 1\b"))
    page.locator("#bar-previous").click()
    expect(page).to_have_url(re.compile(r"at=2024-05-01T08:00:00Z&interval=600" + REST))
    expect(caption).to_contain_text(re.compile(r"No\. 1\b"))
    first_page = page.locator(".proof-entry").count()
    load_all(page)
    chosen = page.locator(".proof-entry").nth(first_page + 5)
    when = chosen.locator(".when").inner_text()
    chosen.click()
    expect(page).to_have_url(re.compile(r"&frame=images/"))
    # Another visitor opens the link.
    other = visit(place).open("?" + page.url.partition("?")[2])
    expect(other.locator(".proof-caption")).to_contain_text(re.compile(rf"No\. {first_page + 6}\b"))
    expect(other.locator(".proof-entry[aria-current] .when")).to_have_text(when)
    expect(other.locator(".proof-stage .picture.loaded")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile(r"at=2024-05-01T08:10:00Z" + REST))
    expect(caption).to_contain_text(re.compile(r"No\. 1\b"))
    # A frame that is no longer behind the bar: the bar opens at its first.
    gone = visit(place).open("?interval=600&at=2024-05-01T08:10:00Z&frame=images/gate/gone.jpg")
    expect(gone.locator(".proof-caption")).to_contain_text(re.compile(r"No\. 1\b"))


def test_the_keyboard_moves_from_bar_to_bar_and_into_the_frames(place: Place, visit: Visits) -> None:
    counts = film(place)
    page = visit(place).open("?interval=60&metric=detections")
    page.locator("#chart").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    third = sum(one.detections for one in counts if one.interval_start_ms == START_MS + 120_000)
    expect(page.locator("#spoken")).to_contain_text("10:02")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"at=2024-05-01T08:02:00Z"))
    expect(page.locator(".proof-viewer")).to_be_focused()
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {third}: the bar's value")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("running sum")
    page.keyboard.press("Escape")
    expect(page.locator("#chart")).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?metric=detections&interval=60" + REST))
    expect(page.locator("#frames-title")).to_have_text("Busiest frame per label")


def test_a_bar_steps_to_its_neighbours_and_zooms_in(place: Place, visit: Visits) -> None:
    film(place)
    window = visit(place)
    page = window.open("?interval=300&at=2024-05-01T08:05:00Z")
    expect(page.locator("#frames-subtitle")).to_contain_text(re.compile("10:05.10:10"))
    page.locator("#bar-next").click()
    expect(page.locator("#frames-subtitle")).to_contain_text(re.compile("10:10.10:15"))
    page.locator("#bar-zoom").click()
    expect(page).to_have_url(re.compile(r"\?from=2024-05-01T08:10:00Z&to=2024-05-01T08:15:00Z" + REST))
    window.settled()
    assert len(window.chart_values()["car"]) == 60  # it is filmed every five seconds, whatever is stored
    page.go_back()
    window.settled()
    page.locator("#bar-close").click()
    expect(page.locator("#frames-title")).to_have_text("Busiest frame per label")


def test_a_growing_bar_keeps_the_frame_on_display(place: Place, visit: Visits) -> None:
    film(place, frames=30)
    page = visit(place).open("?interval=300&metric=detections&at=2024-05-01T08:00:00Z")
    page.locator(".proof-viewer").focus()
    for number in (2, 3, 4):
        page.keyboard.press("ArrowRight")
        expect(page.locator(".proof-caption")).to_contain_text(re.compile(rf"No\. {number}\b"))
    shown = page.locator(".proof-caption").inner_text()
    few = int(page.locator(".proof-sum").inner_text().split("is ")[1].split(":")[0])
    film(place, frames=36)
    expect(page.locator(".proof-sum")).not_to_contain_text(f"is {few}:")
    expect(page.locator(".proof-sum")).to_contain_text("the bar's value")
    expect(page.locator(".proof-caption")).to_have_text(
        re.compile(re.escape(shown.split("No.")[0].split("\n")[0]))
    )
    expect(page.locator(".proof-caption")).to_contain_text(re.compile(r"No\. 4\b"))
    expect(page.locator(".proof-viewer")).to_be_focused()


def test_the_mean_is_proved_by_its_division(place: Place, visit: Visits) -> None:
    counts = film(place)
    first = sum(one.detections for one in counts if one.interval_start_ms == START_MS)
    page = visit(place).open("?interval=60&metric=mean_per_frame&at=2024-05-01T08:00:00Z")
    equation = f"{first} detections ÷ 12 frames analysed = {first / 12:.2f} per frame."
    expect(page.locator(".proof-list")).to_contain_text(equation)
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {first}: all detections behind this bar")


def test_the_peak_is_proved_by_the_frame_that_reaches_it(place: Place, visit: Visits) -> None:
    counts = film(place)
    of_bar = [one for one in counts if one.interval_start_ms < START_MS + 300_000]
    peak = max(one.peak for one in of_bar)
    page = visit(place).open("?interval=300&metric=peak&at=2024-05-01T08:00:00Z")
    expect(page.locator("#frames-subtitle")).to_contain_text(f"peak in one frame {peak}, ")
    expect(page.locator(".proof-list")).to_contain_text("so far")  # more is still loading
    load_all(page)
    total = sum(one.detections for one in of_bar)
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {total}: all detections behind this bar")
    expect(page.locator(".proof-list")).to_contain_text(
        re.compile(rf"The highest count of one label in one frame is {peak} . car\.$")
    )
    assert page.locator(".proof-entry .what", has_text=re.compile(f"^{peak} . car")).count() > 0


def test_a_sum_that_differs_from_the_bar_is_reported(place: Place, visit: Visits) -> None:
    film(place)
    lines = make_lines("gate", frames=12)
    for line in lines:
        place.store.delete(line.image_path)
    counts = [
        IntervalCount(model=MODEL, source="gate", interval_start_ms=START_MS, interval_s=60, label="car",
                      frames=12, detections=999, peak=3, evidence=[])
    ]  # fmt: skip
    coverage = [Coverage(model=MODEL, source="gate", interval_start_ms=START_MS, interval_s=60, frames=12)]
    place.publish(counts, coverage, interval_s=60, model=MODEL)
    page = visit(place).open("?interval=60&metric=detections&at=2024-05-01T08:00:00Z")
    expect(page.locator(".proof-sum")).to_contain_text("the bar shows 999")
    expect(page.locator(".proof-list .time-warning")).to_contain_text("frametally aggregate")
    expect(page.locator(".proof-stage")).to_contain_text("no longer in the store")
    page.set_viewport_size({"width": 390, "height": 844})
    thumbnails = page.locator(".filmstrip .picture.missing")
    expect(thumbnails).not_to_have_count(0)
    misshapen = """(pictures) => pictures.filter((one) => one.scrollWidth > one.clientWidth
      || one.scrollHeight > one.clientWidth).length"""
    assert thumbnails.evaluate_all(misshapen) == 0, "its words do not fit into a thumbnail"


def test_the_picture_next_to_the_chart_follows_the_pointer_from_bar_to_bar(
    place: Place, visit: Visits
) -> None:
    film(place, frames=48)
    page = visit(place, viewport={"width": 1440, "height": 900}).open("?interval=60&metric=detections")
    said = page.locator("#sight figcaption")
    expect(said).to_contain_text("Busiest frame")
    expect(page.locator("#sight")).to_be_in_viewport(ratio=1)
    before = said.inner_text()
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    expect(said).to_contain_text("Busiest frame of this bar")
    expect(said).to_contain_text("10:00:")
    expect(page.locator("#sight .picture.loaded rect.box").first).to_be_attached()
    page.locator("#view-bars").focus()
    expect(said).to_have_text(before.replace("\n", ""))
    page.locator("#chart").hover(position={"x": 300, "y": 200})
    expect(said).to_contain_text("Busiest frame of this bar")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_an_opened_bar_plays_its_objects_unless_motion_is_reduced(
    place: Place, visit: Visits, motion: str
) -> None:
    publish_objects(place, JPEG)
    page = visit(place, reduced_motion=motion).open("?metric=objects&interval=60")
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    crop = page.locator(".proof-stage .picture.crop.loaded")
    expect(crop).to_have_count(1)
    assert crop.evaluate("one => one.querySelector('img').offsetWidth > 2 * one.offsetWidth"), "it is a crop"
    play = page.locator(".proof-play")
    if motion == "reduce":
        expect(play).to_contain_text("Play")
        expect(page.locator(".proof-counter")).to_have_text("1 of 30")
        return
    expect(play).to_contain_text("Pause")
    expect(page.locator(".proof-counter")).to_have_text("3 of 30")
    page.keyboard.press("Space")
    expect(play).to_contain_text("Play")


def test_an_object_shows_its_best_view_and_its_first_frame(place: Place, visit: Visits) -> None:
    publish_objects(place, JPEG)
    page = visit(place).open("?metric=objects&interval=60&at=2024-05-01T08:00:00Z")
    expect(page.locator("#frames-title")).to_have_text("The objects behind this bar")
    expect(page.locator(".proof-picture")).to_have_count(2)
    expect(page.locator(".proof-picture").nth(0)).to_contain_text("best view")
    expect(page.locator(".proof-picture").nth(1)).to_contain_text("first seen")
    expect(page.locator(".proof-stage rect.box")).to_have_count(2)
    load_all(page)
    assert sums(page) == list(range(1, 31))
    expect(page.locator(".proof-sum")).to_have_text("✓ The sum is 30: the bar's value")
