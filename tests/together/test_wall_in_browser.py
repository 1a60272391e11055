"""In Chromium: the wall shows each camera's state, one of them large; cameras are added and removed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.fakes.records import make_coverage
from tests.live.test_watching_in_browser import SIZE_PX, drawn, left_of, object_and_box
from tests.live.watching import START_MS, Scene
from tests.videos.filmed_video import wait_until
from tests.web.browser import Page, Place, Visits, expect
from tests.web.conftest import MODEL

from frametally.records import Detection
from frametally_live.cameras.camera_form import CameraTrial
from frametally_live.feed_records import Feed
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine

READY = "#live-page[data-state=ready]"
CAMERA = ".live-camera"


@pytest.fixture
def scene(place: Place) -> Scene:
    return Scene(place)


def show(scene: Scene, feed: Feed, number: int) -> str:
    """A frame of a camera with its detections; return its key."""
    box = Detection(label="car", confidence=0.9, box=(float(left_of(number)), 80.0, 40.0, 20.0))
    result = scene.result(number, media="cd" * 32, source=feed.source, detections=[box])
    sized = msgspec.structs.replace(result, width_px=SIZE_PX[0], height_px=SIZE_PX[1])
    scene.show(sized, jpeg=drawn(number))
    return sized.image_path


_BACKGROUND = "element => getComputedStyle(element).backgroundColor"
_BORDER = "element => getComputedStyle(element).borderTopColor"


@pytest.mark.thorough
def test_without_cameras_one_sentence_explains_how_to_add_one_and_it_works(
    scene: Scene, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(scene.place).open("live", wait_for="#live-page[data-state=empty]")
    expect(page.locator("#nothing")).to_contain_text("add one by its address")
    plain, add = (page.get_by_role("button", name=name) for name in ("Find cameras", "+ Add camera"))
    plain.hover()
    pointed_at = plain.evaluate(_BACKGROUND)
    add.click()
    # The button that does not stand out here is as legible under the pointer as the one beside it.
    expect(add).to_have_css("background-color", pointed_at)
    # What nobody has filled in yet is not marked as wrong.
    untouched = page.get_by_label("Transport").evaluate(_BORDER)
    expect(page.get_by_label("Address")).to_have_css("border-top-color", untouched)
    page.get_by_label("Name").fill("Gate 1")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_label("Address")).not_to_have_css("border-top-color", untouched)
    page.get_by_label("Address").fill("rtsp://anna:geheim@10.1.2.3/")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#add-said")).to_contain_text("contains a user name or password")
    assert "geheim" not in page.locator("#add-said").inner_text()
    page.get_by_label("Address").fill("rtsp://10.1.2.3/stream")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(CAMERA)).to_contain_text("Gate 1")
    expect(page.locator(CAMERA)).to_have_attribute("data-standing", "waiting")
    # The reason for refusing an address is next to its field.
    page.get_by_role("button", name="Edit address: Gate 1").click()
    address = page.locator(CAMERA).get_by_role("textbox", name="Address")
    expect(address).to_be_focused()
    expect(address).to_have_value("rtsp://10.1.2.3/stream")
    address.fill("rtsp://anna:geheim@10.1.2.4/")
    page.keyboard.press("Enter")
    said = page.locator(f"{CAMERA} .form-said")
    expect(said).to_contain_text("contains a user name or password")
    expect(address).to_have_attribute("aria-invalid", "true")
    assert "geheim" not in said.inner_text()
    address.fill("rtsp://10.1.2.4/")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Edit address: Gate 1")).to_be_focused()
    [camera] = scene.place.feeds.feeds("camera")
    assert camera.address == "rtsp://10.1.2.4/"
    page.get_by_role("button", name="Try now: Gate 1").click()
    expect(page.locator(f"{CAMERA} [role=status]")).to_be_visible()
    # A running camera is deleted at once after a confirmation.
    page.get_by_role("button", name="Delete Gate 1").click()
    expect(page.locator(CAMERA)).to_contain_text("Its footage and counts stay")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Delete Gate 1")).to_be_focused()
    page.get_by_role("button", name="Stop Gate 1").click()
    expect(page.locator(CAMERA)).to_have_attribute("data-standing", "ended")
    for _sure in range(2):
        page.get_by_role("button", name="Delete Gate 1").click()
    expect(page.locator("#live-page")).to_have_attribute("data-state", "empty")


@pytest.mark.thorough
def test_the_page_says_that_a_camera_is_being_tried_and_then_what_it_shows(
    scene: Scene, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    answers = threading.Event()

    def try_feed(_: Feed) -> CameraTrial:
        assert answers.wait(60)
        return CameraTrial("it shows 1280 x 720 pixels, 25 frames a second", True)

    scene.place.try_feed = try_feed
    page = visit(scene.place).open("live", wait_for="#live-page[data-state=empty]")
    page.get_by_role("button", name="+ Add camera").click()
    page.get_by_label("Name").fill("Gate 1")
    page.get_by_label("Address").fill("rtsp://10.1.2.3/stream")
    page.get_by_role("button", name="Add", exact=True).click()
    tried = page.locator("#add-tried")
    expect(tried).to_have_text("Connecting to the camera (this can take up to 10 s)\N{HORIZONTAL ELLIPSIS}")
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_disabled()
    answers.set()
    expect(tried).to_have_text("Gate 1 was added. It shows 1280 x 720 pixels, 25 frames a second.")
    expect(page.locator("#add")).to_be_hidden()
    expect(page.locator(f"{CAMERA} .live-reason code")).to_have_text("frametally live work")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, "live-tried-phone")
    page.get_by_role("button", name="+ Add camera").click()
    expect(tried).to_be_hidden()


@pytest.mark.thorough
def test_a_camera_is_previewed_before_it_is_added(scene: Scene, visit: Visits) -> None:
    sight = CameraTrial("it shows 320 x 180 pixels", True, drawn(1))
    scene.place.try_feed = lambda _: sight
    page = visit(scene.place).open("live", wait_for="#live-page[data-state=empty]")
    page.get_by_role("button", name="+ Add camera").click()
    page.get_by_label("Name").fill("Gate 1")
    page.get_by_label("Address").fill("rtsp://10.1.2.3/stream")
    page.get_by_role("button", name="Preview").click()
    shown = page.get_by_role("img", name="Camera picture")
    expect(shown).to_be_visible()
    assert shown.evaluate("({width, height}) => [width, height]") == [*SIZE_PX]
    expect(page.locator("#add-tried")).to_have_text("It shows 320 x 180 pixels.")
    expect(page.locator(CAMERA)).to_have_count(0)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(CAMERA)).to_contain_text("Gate 1")
    expect(shown).to_be_hidden()


def test_a_camera_is_live_then_late_then_gone_since_a_time_and_recovers(scene: Scene, visit: Visits) -> None:
    feed = scene.camera("gate-1")
    path = show(scene, feed, 1)
    scene.tell(feed, state="running", image_path=path, lag_ms=800, frames_per_s=9.8)
    window = visit(scene.place)
    window.page.clock.install()
    page = window.open("live", wait_for=READY)

    def tell(**values: Any) -> None:
        """Add news of the camera, and advance the clock to the page's next poll."""
        scene.tell(feed, image_path=path, **values)
        page.clock.fast_forward(2000)

    sign = page.locator(".live-sign")
    expect(sign).to_have_text("Live, 0.8 s behind")
    expect(page.locator(".live-facts")).to_contain_text("9.8 frames/s")
    expect(page.locator(".live-facts")).not_to_contain_text("taken")
    tell(state="running", lag_ms=800, taken_per_s=4.2, offered_per_s=5.0)
    expect(page.locator(".live-facts")).to_contain_text("4.2 of 5.0 frames/s used")
    expect(page.locator(f"{CAMERA} img")).to_be_visible()
    tell(state="running", lag_ms=9000)
    expect(sign).to_have_text("Late, 9.0 s behind")
    gone_ms = round(time.time() * 1000)
    tell(state="waiting", reason="It does not answer.", away_since_ms=gone_ms, packets_lost=3)
    expect(sign).to_have_text(re.compile(r"Disconnected since \d\d:\d\d:\d\d"))
    expect(page.locator(".live-reason")).to_have_text("It does not answer.")
    expect(page.locator(".live-facts")).to_contain_text("3 packets lost")
    tell(state="running", lag_ms=100)
    expect(sign).to_have_text("Live, 0.1 s behind")


@pytest.mark.thorough
def test_the_last_hour_of_each_camera_is_shown_as_counted_with_its_outages_as_gaps(
    scene: Scene, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    feed = scene.camera("gate-1")
    scene.camera("yard")
    scene.tell(feed, state="running", image_path=show(scene, feed, 1), captured_at_ms=START_MS)
    page = visit(scene.place).open("live?camera=gate-1", wait_for=READY)
    counted = page.locator(f"{CAMERA}[data-source=gate-1] .live-hour")
    expect(counted.locator(".live-counted")).to_have_text("No counts for the last hour yet.")
    minute_ms = round(time.time() * 1000) // 60_000 * 60_000
    first_ms = minute_ms - 49 * 60_000
    black = [
        make_coverage(
            first_ms + minute * 60_000, 0, model=MODEL, source="gate-1", blank=[("black", 300, 60_000)]
        )
        for minute in range(20, 23)
    ]
    scene.place.film(
        {"car": 6, "person": 2},
        source="gate-1",
        start_ms=first_ms,
        intervals=50,
        interval_s=60,
        filmed=lambda minute: not 20 <= minute < 30,
        also=([], black),
    )
    expect(counted.locator(".live-counted")).to_have_text(
        re.compile(
            r"^The last hour, peak in one frame: car \d+ · person \d+ · no footage for 7 mins · 3 mins black$"
        )
    )
    expect(counted.locator("svg .no-footage")).to_have_count(2)  # before it began, and in between
    large = page.locator(".live-large .live-counted")
    expect(large).to_have_text(re.compile(r"^The last 10 minutes, peak in one frame: \w+ \d+"))
    other = page.locator(f"{CAMERA}[data-source=yard] .live-counted")
    expect(other).to_have_text("No counts for the last hour yet.")
    picture(page, "wall-counted")
    counted.get_by_role("link").click()
    page.locator("#dashboard[data-state=ready]").wait_for()
    assert "source=gate-1" in page.url


@pytest.mark.thorough
@pytest.mark.parametrize("width_px", [1280, 390])
def test_a_camera_can_be_enlarged_with_its_boxes_and_lines_even_on_a_phone(
    scene: Scene, visit: Visits, picture: Callable[[Page, str], None], width_px: int
) -> None:
    feeds = [scene.camera(source) for source in ("gate-1", "yard")]
    line = DrawnLine(
        name="stop line", points=((0, 60), (320, 60)), width_px=320, height_px=180, inward="to_right"
    )
    change_drawing(scene.place.store, "gate-1", lambda drawing: with_shapes(drawing, [line]))
    for feed in feeds:
        scene.tell(
            feed,
            state="running",
            image_path=show(scene, feed, 1),
            captured_at_ms=START_MS + 100,
            lag_ms=90,
            frames_per_s=10.0,
        )
    page = visit(scene.place, viewport={"width": width_px, "height": 900}).open("live", wait_for=READY)
    page.get_by_role("button", name="Gate-1", exact=True).click()
    canvas = page.locator(".live-large .live-canvas")
    number = 2

    def is_shown() -> bool:
        nonlocal number
        number += 1
        show(scene, feeds[0], number)
        page.wait_for_timeout(100)
        return int(canvas.get_attribute("data-n") or 0) >= 3

    wait_until(page, is_shown)
    left, box, _ = object_and_box(page)
    assert abs(left - box) <= 2
    expect(page.locator(".live-large .shapes")).to_have_count(1)
    expect(page.locator(".live-large .live-words")).to_have_text("Live")
    expect(page.locator(".live-large .live-counted")).to_contain_text("No counts for the last 10")
    assert page.evaluate("document.documentElement.scrollWidth") <= width_px
    picture(page, f"wall-{width_px}")
    page.go_back()
    expect(page.locator("#large")).to_be_hidden()


@pytest.mark.thorough
def test_where_cameras_cannot_be_changed_no_button_does(place: Place, visit: Visits) -> None:
    place.settings = place.settings.model_copy(update={"web_uploads": False})
    scene = Scene(place)
    scene.camera("gate-1")
    page = visit(place).open("live", wait_for=READY)
    expect(page.locator("#live-off")).to_contain_text("cannot be changed")
    expect(page.get_by_role("button", name="+ Add camera")).to_be_hidden()
    expect(page.get_by_role("button", name="Stop Gate-1")).to_be_hidden()
