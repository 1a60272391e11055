"""The live pages, in a browser."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from tests.kit.clips import jpeg_of
from tests.live.watched_cameras import film_wall, publish_fast_cars
from tests.live.watching import LEASE_S, START_MS, Scene
from tests.videos.filmed_video import wait_until
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_facts, make_video
from tests.web.browser import Page, Place, Visits, expect

from frametally.records import Detection
from frametally_live.feed_records import Feed, FeedTold

if TYPE_CHECKING:
    from frametally_videos.records import VideoRecord

SIZE_PX = (320, 180)
STREAM = ".live-stream"
OBJECT = """() => {
    const canvas = document.querySelector(".live-canvas");
    const row = new OffscreenCanvas(canvas.width, 1).getContext("2d", {willReadFrequently: true});
    row.drawImage(canvas, 0, -90);
    const {data} = row.getImageData(0, 0, canvas.width, 1);
    let left = 0;
    while (left < canvas.width && data[4 * left] < 150) left += 1;
    const box = document.querySelector(".live-stream .boxes rect");
    return [left, box ? Number(box.getAttribute("x")) : null, Number(canvas.dataset.n)];
}"""
"""The place of the object in the picture, that of the box, and the frame's number."""


def left_of(number: int) -> int:
    return 10 + 4 * number % 240


def drawn(number: int) -> bytes:
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 40, np.uint8)
    picture[80:100, left_of(number) : left_of(number) + 40] = 230
    return jpeg_of(picture)


class Streamer:
    """Plays the stream worker and the consumer: claims the request, and reports ten frames a second."""

    def __init__(self, scene: Scene, record: VideoRecord) -> None:
        self._scene = scene
        self._record = record
        self._ended = threading.Event()
        self.is_silent = threading.Event()
        self.feed: Feed | None = None

    @contextmanager
    def at_work(self) -> Iterator[Streamer]:
        thread = threading.Thread(target=self._run)
        thread.start()
        yield self
        self._ended.set()
        thread.join()

    def _run(self) -> None:
        feeds = self._scene.place.feeds
        number = 0
        while not self._ended.wait(0.1):
            if self.feed is None:
                self.feed = feeds.claim_feed("worker", ["video"], lease_s=LEASE_S)
                continue
            wanted = feeds.renew_feed(self.feed, self._told(number, self.feed), lease_s=LEASE_S)
            if wanted is None or wanted.wanted == "stop":
                feeds.release_feed(self.feed, FeedTold("ended"))
                self.feed = None
                continue
            self.feed = wanted
            if wanted.seek_s is not None:
                number = round(wanted.seek_s * 10)
            if wanted.wanted == "run" and not self.is_silent.is_set():
                number += 1
                self._show(number)

    def _told(self, number: int, feed: Feed) -> FeedTold:
        return FeedTold(
            "paused" if feed.wanted == "pause" else "running",
            position_s=number / 10,
            frames_per_s=10.0,
            due_at_ms=round(time.time() * 1000),
        )

    def _show(self, number: int) -> None:
        box = Detection(label="car", confidence=0.9, box=(float(left_of(number)), 80.0, 40.0, 20.0))
        result = self._scene.result(
            number, media=self._record.sha256, source=self._record.source, detections=[box]
        )
        sized = msgspec.structs.replace(result, width_px=SIZE_PX[0], height_px=SIZE_PX[1])
        self._scene.show(sized, jpeg=drawn(number))


@pytest.fixture
def streamed(place: Place) -> Iterator[Streamer]:
    scene = Scene(place)
    facts = make_facts(started_at_ms=START_MS, width_px=64, height_px=48)
    record = make_video(1, facts=facts)
    stored(place, record)
    with Streamer(scene, record).at_work() as streamer:
        yield streamer


@pytest.fixture
def opened(place: Place, streamed: Streamer, visit: Visits) -> Callable[..., Page]:
    def opens(**context: Any) -> Page:
        return visit(place, **context).open(f"videos?v={make_video(1).id}", wait_for=STREAM)

    return opens


def object_and_box(page: Page) -> tuple[int, float, int]:
    """The places of both in the drawn frame, from its pixels."""
    left, box, n = page.evaluate(OBJECT)
    return left, box, n


def wait_for_frames(page: Page, more: int = 3) -> int:
    """Wait until this many more are drawn."""
    canvas = page.locator(".live-canvas")
    expect(canvas).to_have_attribute("data-n", re.compile(r"\d"))
    first = int(canvas.get_attribute("data-n") or 0)
    wait_until(page, lambda: int(canvas.get_attribute("data-n") or 0) >= first + more)
    return first


@pytest.mark.thorough
def test_a_stream_starts_its_boxes_follow_their_objects_and_it_stops(
    opened: Callable[..., Page], picture: Callable[[Page, str], None]
) -> None:
    page = opened()
    page.get_by_role("button", name="Start stream").click()
    wait_for_frames(page)
    seen = set()
    for _ in range(10):
        left, box, n = object_and_box(page)
        assert abs(left - box) <= 2, "box and picture are of one frame"
        seen.add(left)
        wait_for_frames(page, 1)
        assert n > 0
    assert len(seen) > 5
    expect(page.locator(".live-words")).to_have_text("Live")
    expect(page.locator(".live-pace")).to_have_text(re.compile(r"frames/s · .* behind · \d+ skipped"))
    picture(page, "stream")
    page.get_by_role("button", name="Stop stream").click()
    expect(page.locator(STREAM)).to_have_attribute("data-state", "ended")
    expect(page.get_by_role("button", name="Start stream")).to_be_visible()


@pytest.mark.thorough
def test_a_stream_can_be_paused_sought_and_resumed_and_found_again_after_a_reload(
    opened: Callable[..., Page],
) -> None:
    page = opened()
    page.get_by_role("button", name="Start stream").click()
    wait_for_frames(page)
    page.get_by_role("button", name="Pause stream").click()
    expect(page.locator(".live-words")).to_have_text("Paused")
    place = page.get_by_label("Address of the stream")
    place.fill("42")
    place.dispatch_event("change")
    page.get_by_role("button", name="Resume stream").click()
    canvas = page.locator(".live-canvas")
    wait_until(page, lambda: float(canvas.get_attribute("data-position") or 0) > 42)
    page.reload()
    wait_for_frames(page)
    assert float(canvas.get_attribute("data-position") or 0) > 42


def test_a_disconnected_viewer_is_informed_and_sees_the_stream_again(
    place: Place, opened: Callable[..., Page]
) -> None:
    page = opened()
    page.get_by_role("button", name="Start stream").click()
    wait_for_frames(page)
    page.context.set_offline(offline=True)
    expect(page.locator(".live-words")).to_have_text(re.compile("keep trying"), timeout=60_000)
    page.context.set_offline(offline=False)
    wait_for_frames(page)
    expect(page.locator(".live-words")).to_have_text("Live")


@pytest.mark.thorough
def test_boxes_can_be_switched_off_and_on(opened: Callable[..., Page]) -> None:
    page = opened()
    page.get_by_role("button", name="Start stream").click()
    wait_for_frames(page)
    page.locator(STREAM).get_by_label("Boxes").uncheck()
    expect(page.locator(f"{STREAM} .boxes")).to_have_count(0)
    page.locator(STREAM).get_by_label("Boxes").check()
    expect(page.locator(f"{STREAM} .boxes")).to_have_count(1)


def focused(page: Page) -> str:
    """The name of the focused element, as a button shows it."""
    found: str = page.evaluate(
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    )
    return found


def reach(page: Page, name: str) -> None:
    """Press Tab until an element with this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"no Tab leads to {name}")


@pytest.mark.thorough
def test_cameras_can_be_added_enlarged_and_left_with_the_keyboard_only(place: Place, visit: Visits) -> None:
    film_wall(place)
    publish_fast_cars(place)
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
    reach(page, "Analyse 10 frames a second: Gate-1")
    page.keyboard.press("Enter")
    card = page.locator(".live-camera[data-source=gate-1]")
    expect(card.get_by_text("unique objects: car at least 7")).to_be_visible()
    expect(card.get_by_text("Objects move too fast for 5 frames a second")).to_be_hidden()
    assert [one.sample_fps for one in place.feeds.feeds("camera") if one.source == "gate-1"] == ["10"]
