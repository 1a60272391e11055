"""Browsing a bar's frames: large, near, the empty ones as well, from the peak, played, by swiping."""

from __future__ import annotations

import re
import time

import pytest
from tests.kit.clips import grey_jpeg
from tests.web.browser import Locator, Page, Place, Visits, expect
from tests.web.counted_footage import make_lines, publish_lines

from frametally import keys

WIDE_JPEG = grey_jpeg(1280, 960, 90)
BAR = "?metric=detections&interval=300&at=2024-05-01T08:00:00Z"


def film(place: Place, frames: int = 60, step_ms: int = 5000) -> list[int]:
    """Frames of one bar, all of them in the store; return the number of counted boxes in each."""
    lines = make_lines("gate", frames=frames, step_ms=step_ms)
    publish_lines(place, lines)
    for line in lines:
        place.store.put(line.image_path, WIDE_JPEG)
    counts = place.settings.counted_boxes().rule()
    return [sum(counts(box) for box in line.detections) for line in lines]


def number(page: Page) -> int:
    """The position of the displayed frame in the bar, from 1."""
    return int(re.search(r"No\. (\d+)", page.locator(".proof-caption").inner_text())[1])


def expect_number(page: Page, wanted: int) -> None:
    expect(page.locator(".proof-caption")).to_contain_text(re.compile(rf"No\. {wanted}\b"))


def width(picture: Locator) -> float:
    return picture.bounding_box()["width"]


@pytest.mark.thorough
def test_the_large_view_goes_through_all_frames_of_the_bar(place: Place, visit: Visits) -> None:
    with_boxes = sum(count > 0 for count in film(place))
    page = visit(place).open(BAR)
    page.locator(".proof-picture").click()
    dialog = page.locator("#lightbox")
    following = dialog.get_by_role("button", name="Next frame")
    assert with_boxes > 24  # more than one page
    for wanted in range(2, with_boxes + 1):
        expect(following).to_be_enabled()
        page.keyboard.press("ArrowRight")
        expect_number(page, wanted)
    expect(following).to_be_disabled()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator(".proof-viewer")).to_be_focused()  # its picture has disappeared meanwhile


@pytest.mark.thorough
def test_the_large_view_zooms_and_pans_and_the_names_keep_their_size(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open(BAR)
    page.locator(".proof-picture").click()
    picture = page.locator("#lightbox .picture")
    stage = page.locator(".lightbox-stage")
    whole = width(picture)
    name_px = page.locator("#lightbox .plate").first.evaluate("(one) => one.getBoundingClientRect().height")
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert width(picture) == pytest.approx(2.25 * whole, rel=0.01)
    scaled = "(name, px) => Math.abs(name.getBoundingClientRect().height - px) < 1"
    expect(page.locator("#lightbox .plate").first).to_be_attached()
    page.wait_for_function(f"(px) => ({scaled})(document.querySelector('#lightbox .plate'), px)", arg=name_px)
    before = stage.evaluate("(one) => [one.scrollLeft, one.scrollTop]")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 150, steps=4)
    page.mouse.up()
    after = stage.evaluate("(one) => [one.scrollLeft, one.scrollTop]")
    assert after == [pytest.approx(before[0] + 50, abs=2), pytest.approx(before[1] + 50, abs=2)]
    page.keyboard.press("0")
    assert width(picture) == pytest.approx(whole, rel=0.01)
    page.mouse.wheel(0, -400)
    expect(stage).to_have_class(re.compile("closer"))
    page.keyboard.press("0")
    page.mouse.dblclick(box["x"] + 300, box["y"] + 200)
    assert width(picture) == pytest.approx(2.5 * whole, rel=0.01)
    page.mouse.dblclick(box["x"] + 300, box["y"] + 200)
    assert width(picture) == pytest.approx(whole, rel=0.01)


@pytest.mark.thorough
def test_a_bar_of_zero_shows_the_frames_that_were_checked(place: Place, visit: Visits) -> None:
    place.labels_to_count = ["car", "bus", "zebra"]
    film(place)
    page = visit(place).open(f"{BAR}&label=zebra")
    page.get_by_role("button", name="Show the 60 frames analysed").click()
    expect(page).to_have_url(re.compile(r"empty=1"))
    expect(page.locator(".proof-caption")).to_contain_text("nothing counted")
    expect(page.locator(".proof-caption")).to_contain_text("No. 1 of 60")
    expect(page.locator(".proof-stage .picture.loaded")).to_be_visible()
    # A link goes there as well.
    other = visit(place).open(page.url.partition("/")[2].partition("/")[2].partition("/")[2])
    expect(other.locator(".proof-caption")).to_contain_text("No. 1 of 60")


def test_unavailable_frames_are_not_called_a_zero(place: Place, visit: Visits) -> None:
    film(place)
    for info in list(place.store.list(keys.METADATA)):
        place.store.delete(info.key)
    page = visit(place).open(BAR)
    expect(page.locator("#frames")).to_contain_text("The frames cannot be shown")
    expect(page.locator("#frames")).not_to_contain_text("zero")


@pytest.mark.thorough
def test_frames_without_a_box_are_shown_with_the_others_and_add_nothing(place: Place, visit: Visits) -> None:
    counts = film(place)
    page = visit(place).open(BAR)
    expect_number(page, 1)
    page.locator(".proof-viewer").focus()
    page.keyboard.press("ArrowRight")
    expect_number(page, 2)
    second = [position for position, count in enumerate(counts, 1) if count][1]
    page.get_by_label("Also show frames without a counted box").check()
    expect(page.locator(".proof-caption")).to_contain_text(f"No. {second} of 60")  # the same frame
    expect(page.get_by_label("Also show frames without a counted box")).to_be_focused()
    more = page.locator(".proof-list button", has_text="Show more")
    while more.is_visible():
        before = page.locator(".proof-entry").count()
        more.dispatch_event("click")
        expect(page.locator(".proof-entry").nth(before)).to_be_attached()
    assert page.locator(".proof-entry .adds").all_text_contents() == [f"+{count}" for count in counts]
    expect(page.locator(".proof-sum")).to_have_text(f"✓ The sum is {sum(counts)}: the bar's value")
    page.get_by_label("Also show frames without a counted box").uncheck()
    expect(page).not_to_have_url(re.compile("empty"))
    expect_number(page, 2)


@pytest.mark.thorough
def test_a_peak_opens_at_its_peak_and_earlier_frames_can_be_reached(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open(BAR.replace("detections", "peak"))
    expect(page.locator(".proof-caption")).to_contain_text("car")
    peak = page.locator(".proof-entry[aria-current] .what").inner_text()
    assert re.match(r"3 . car", peak)
    adds = int(page.locator(".proof-entry[aria-current] .adds").inner_text().removeprefix("+"))
    page.locator(".proof-viewer").focus()
    steps = 0
    previous = page.get_by_role("button", name="Previous frame")
    while previous.is_enabled():
        before = page.locator(".proof-caption").inner_text()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".proof-caption")).not_to_have_text(before, use_inner_text=True)
        steps += 1
        assert steps < 60
    expect_number(page, 1)
    first = page.locator(".proof-entry").first
    assert first.locator(".adds").inner_text() == first.locator(".running").inner_text().replace("= ", "+")
    page.get_by_role("button", name="Go to the busiest frame").click()
    expect(page.locator(".proof-caption")).to_contain_text(peak)
    assert adds >= 3


@pytest.mark.thorough
def test_a_bar_plays_to_its_end_and_its_sum_grows_to_its_value(place: Place, visit: Visits) -> None:
    counts = film(place, step_ms=200, frames=80)
    page = visit(place, reduced_motion="reduce").open(f"{BAR}")
    total = sum(counts)
    counter = page.locator(".proof-counter .strong")
    page.evaluate(
        "window.sums = []; const counter = document.querySelector('.proof-counter');"
        "new MutationObserver(() => window.sums.push(Number.parseInt(counter.textContent)))"
        ".observe(counter, {childList: true})"
    )
    expect(counter).not_to_have_text(str(total))  # it waits for a click, with or without reduced motion
    page.locator(".proof-viewer").focus()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(counter).to_have_text(str(total))
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    seen = page.evaluate("window.sums")
    assert seen == sorted(seen)
    running = {sum(counts[: position + 1]) for position, count in enumerate(counts) if count}
    assert set(seen) >= running - {min(running)}  # each frame was there
    expect(page).to_have_url(re.compile("frame=images"))


@pytest.mark.thorough
def test_stepping_by_hand_stops_the_playback(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open(BAR)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_number(page, 2)
    page.locator(".proof-viewer").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def swipe(page: Page, target: Locator, across: int) -> None:
    """A finger's stroke over an element; it rests before it is lifted, because a flick does not count as a
    tap."""
    box = target.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float], before_end_s: float = 0) -> None:
        event = {"type": kind, "touchPoints": points, "timestamp": time.time() - before_end_s}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", {"x": x, "y": y}, before_end_s=0.8)
    for step in (1, 2, 3, 4):
        touch("touchMove", {"x": x + across * step / 4, "y": y}, before_end_s=0.8 - step / 20)
    touch("touchEnd")


@pytest.mark.thorough
def test_a_swipe_on_a_phone_shows_the_next_frame_inline_and_large(place: Place, visit: Visits) -> None:
    film(place)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visit(place, **phone).open(BAR)
    stage = page.locator(".proof-stage")
    stage.scroll_into_view_if_needed()
    expect_number(page, 1)
    swipe(page, stage, -120)
    expect_number(page, 2)
    expect(page.locator("#lightbox")).to_be_hidden()
    swipe(page, stage, 120)
    expect_number(page, 1)
    page.locator(".proof-picture").tap()
    swipe(page, page.locator(".lightbox-stage"), -120)
    expect_number(page, 2)


@pytest.mark.thorough
def test_neighbouring_frames_are_shown_small_and_a_click_opens_them(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open(BAR)
    expect(page.locator(".filmstrip button")).to_have_count(7)
    page.locator(".filmstrip button").nth(2).click()
    expect_number(page, 3)
    expect(page.locator(".filmstrip .current")).to_have_count(1)


@pytest.mark.thorough
def test_small_pictures_are_small_files(place: Place, visit: Visits) -> None:
    film(place)
    window = visit(place)
    asked: list[str] = []
    window.page.on("request", lambda one: asked.append(one.url) if "frames/image" in one.url else None)
    page = window.open("?metric=detections&interval=300")
    page.locator(".frame-card .picture").first.scroll_into_view_if_needed()
    expect(page.locator(".frame-card .picture.loaded").first).to_be_visible()
    page.goto(f"{window.url}/{BAR}")
    expect(page.locator(".filmstrip .picture.loaded")).to_have_count(7)
    expect(page.locator(".proof-stage .picture.loaded")).to_be_visible()
    assert asked
    small = {url.removesuffix("&w=320") for url in asked if url.endswith("&w=320")}
    assert len(small) >= 7


@pytest.mark.thorough
def test_from_1100_pixels_the_proof_is_beside_the_chart(place: Place, visit: Visits) -> None:
    film(place)
    for width_px, is_beside in ((1440, True), (1100, True), (1000, False), (390, False)):
        page = visit(place, viewport={"width": width_px, "height": 900}).open(BAR)
        expect(page.locator(".proof-stage .picture.loaded")).to_be_visible()
        chart = page.locator("#chart").bounding_box()
        proof = page.locator("#frames-card").bounding_box()
        assert (proof["x"] >= chart["x"] + chart["width"]) is is_beside
        if not is_beside:
            assert proof["y"] >= chart["y"] + chart["height"]
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(overflow) <= 0
