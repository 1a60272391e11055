"""In Chromium, with the real commands: a stream shows boxes at the right frames, and obeys its controls."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.live.numbered_films import FILMS, NOTE_ALL, READ, is_of_frame
from tests.live.showing import RtspCamera
from tests.videos.filmed_video import wait_until, wait_until_loaded
from tests.web.browser import Browser, Page, Visits, expect

pytestmark = pytest.mark.thorough

SEED = int(os.environ.get("FAULTS_SEED", "18"))
TIMES = 20
LOOK_BACK_MS = 5000  # how far back the page looks to find how late frames arrive
STREAM = ".live-stream"
SETTINGS = {
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_SAMPLE_FPS": "all",
    "FRAMETALLY_STREAMS": "1",
    "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
    "FRAMETALLY_INTERVAL_S": "1",
}


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command, until the block ends."""
    command = [sys.executable, "-m", "frametally", *arguments, "--data-dir", str(folder / "data")]
    with subprocess.Popen(
        command, env=os.environ | SETTINGS, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


class Deployment:
    """A dashboard, a stream worker and a live consumer; uploads are not processed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        server = stack.enter_context(running(folder, "serve", "--alone", "--port", "0"))
        assert server.stdout is not None
        found = next(filter(None, (re.search(r"http://\S+", line) for line in server.stdout)))
        self.url = found[0].rstrip("/")
        stack.enter_context(running(folder, "live", "work"))
        self._consumer = stack.enter_context(running(folder, "consume", "--live"))
        self.ids = self._upload()

    def _upload(self) -> dict[str, str]:
        """Upload all films; return their ids by their names."""
        names = {f"film-{number}": name for number, name in enumerate(FILMS)}
        for source, name in names.items():
            (self._folder / f"{source}.mp4").write_bytes(FILMS[name].make())
        paths = map(str, self._folder.glob("*.mp4"))
        command = [sys.executable, "-m", "frametally", "upload", *paths, "--url", self.url]
        subprocess.run(command, check=True)
        return {names[one["source"]]: one["id"] for one in self.ask("videos")["videos"]}

    def ask(self, what: str) -> Any:
        """Return an answer of the API."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{what}", timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def are_detected(self, source: str) -> bool:
        """Whether all announced frames of a source are in segments."""
        books = next((one for one in self.ask("status")["sources"] if one["source"] == source), None)
        return books is not None and 0 < books["announced"] == books["detected"]

    @contextmanager
    def nobody_detects(self) -> Iterator[None]:
        """Pause the consumer and all its processes until the block ends."""
        os.killpg(self._consumer.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._consumer.pid, signal.SIGCONT)

    def count(self) -> None:
        """Count the detections, and index them."""
        for command in ("aggregate", "index"):
            with running(self._folder, command) as process:
                assert process.wait(120) == 0


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Deployment]:
    assert browser.is_connected()  # without one nothing needs to be started
    with ExitStack() as stack:
        yield Deployment(tmp_path_factory.mktemp("streamed"), stack)


class Seen(NamedTuple):
    """The number in a picture, the place of the box over it, and the time of both."""

    number: int
    box_left: float
    at_ms: int


def see(page: Page, picture: str, boxes: str) -> Seen:
    number, left, at_ms = page.evaluate(READ, [picture, boxes])
    return Seen(number, -1000.0 if left is None else left, at_ms)


class StreamPage:
    """The page of a film as a stream; the server's messages about its frames are kept by frame number."""

    def __init__(self, deployment: Deployment, visit: Visits, name: str) -> None:
        self.film = FILMS[name]
        self.window = visit(None, url=deployment.url)
        self.headers: dict[int, dict[str, Any]] = {}
        self.window.page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        self.page = self.window.open(f"videos?v={deployment.ids[name]}", wait_for=STREAM)

    def _hear(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
            self.headers[self.film.number_at(header["position_s"])] = header

    def start(self) -> None:
        self.page.get_by_role("button", name="Start stream").click()
        self.await_picture()

    def await_picture(self) -> None:
        expect(self.page.locator(".live-canvas")).to_have_attribute(
            "data-n", re.compile(r"\d"), timeout=60_000
        )

    def see(self) -> Seen:
        seen = see(self.page, ".live-canvas", STREAM)
        assert is_of_frame(seen.box_left, seen.number, within=0), seen
        return seen

    def wait_for(self, is_it: Callable[[int], bool]) -> None:
        wait_until(self.page, lambda: is_it(self.see().number))


@pytest.mark.timeout(600)
def test_boxes_match_their_objects_in_a_stream_and_at_random_times_in_its_stored_frames(
    deployment: Deployment, visit: Visits
) -> None:
    """The films have no detections yet: the live consumer detects them while they are watched."""
    for name in FILMS:
        watch(deployment, visit, name)
    for name in FILMS:
        look_at_stored(deployment, visit, name)


def watch(deployment: Deployment, visit: Visits, name: str) -> None:
    """A whole film as a stream: boxes always match the frame, and the page says how late it is."""
    stream = StreamPage(deployment, visit, name)
    stream.page.evaluate(NOTE_ALL)
    stream.start()
    expect(stream.page.locator(STREAM)).to_have_attribute("data-state", "ended", timeout=60_000)
    noted = stream.page.evaluate("window.noted")
    drawn = [Seen(number, left, at_ms) for number, left, at_ms in noted["drawn"]]
    assert len(drawn) > 5, "boxes move, and what they are about with them"
    assert all(is_of_frame(one.box_left, one.number, within=0) for one in drawn), drawn
    numbers = [one.number for one in drawn]
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(stream.headers)
    assert max(one["left_out"] for one in stream.headers.values()) + len(stream.headers) <= len(
        stream.film.pts
    )
    look_at_delay(stream, drawn, noted["told"])


def look_at_delay(stream: StreamPage, drawn: list[Seen], told: list[tuple[str, int]]) -> None:
    """Each picture's number says when it was due, and thus how late it was drawn.

    The reported lateness is compared with the pictures of the same moment.
    """
    dues_ms = {number: header["due_at_ms"] for number, header in stream.headers.items()}
    begun_ms = [
        due_ms - 1000 * stream.film.shown_s(number)[0]
        for number, due_ms in dues_ms.items()
        if due_ms is not None
    ]
    assert max(begun_ms) - min(begun_ms) < stream.film.frame_ms, "one clock is kept to"
    late_ms = {one: one.at_ms - dues_ms[one.number] for one in drawn if dues_ms[one.number] is not None}
    assert min(late_ms.values()) > -stream.film.frame_ms, "none comes before it is due"
    looked_at = 0
    for words, there in told:
        if found := re.search(r"([\d.]+) (ms|s) behind", words):
            shown_ms, step_ms = (float(found[1]), 10) if found[2] == "ms" else (float(found[1]) * 1000, 100)
            since_ms = drawn[there - 1].at_ms - LOOK_BACK_MS
            of = sorted(late_ms[one] for one in drawn[:there] if one in late_ms and one.at_ms >= since_ms)
            expected_ms = max(of[len(of) // 2], 0)
            assert abs(shown_ms - expected_ms) <= step_ms + stream.film.frame_ms, (words, of)
            looked_at += 1
    assert looked_at, "it is told how late they come"


def is_there(page: Page, number: int, shown_s: tuple[float, float]) -> bool:
    """Whether the player shows a frame, and says that its boxes belong to it.

    It says when the frame begins, or, if the browser did not tell of the frame, where in it the seek went.
    """
    said_s = float(page.locator(".player .video-overlay").get_attribute("data-position-s") or -1)
    is_said = shown_s[0] - 0.002 < said_s < shown_s[1]
    return is_said and see(page, ".player video", ".player").number == number


def look_at_stored(deployment: Deployment, visit: Visits, name: str) -> None:
    """The same in its player, with the detections of the stream: within one frame."""
    rng = random.Random(SEED)  # noqa: S311
    film = FILMS[name]
    page = visit(None, url=deployment.url).open(f"videos?v={deployment.ids[name]}", wait_for=".player video")
    wait_until_loaded(page)
    # Positions are reported from the first frame on: no seek before that was shown.
    wait_until(page, partial(is_there, page, 0, film.shown_s(0)))
    for _ in range(TIMES):
        number = rng.randrange(len(film.pts))
        begins_s, ends_s = film.shown_s(number)
        at_s = rng.uniform(begins_s + 0.002, ends_s - 0.002)
        page.evaluate(f"document.querySelector('.player video').currentTime = {at_s}")
        wait_until(page, partial(is_there, page, number, (begins_s, ends_s)))
        seen = see(page, ".player video", ".player")
        assert is_of_frame(seen.box_left, seen.number, within=1), (seen, at_s)


def stands_at(stream: StreamPage) -> int:
    """The shown frame once pending frames have arrived: no other follows for a second."""
    number = -1
    while (shown := stream.see().number) != number:
        number = shown
        stream.page.wait_for_timeout(1000)
    return number


def test_a_stream_can_be_paused_sought_and_stopped(
    deployment: Deployment, visit: Visits, picture: Callable[..., None]
) -> None:
    stream = StreamPage(deployment, visit, next(iter(FILMS)))
    page = stream.page
    stream.start()
    page.get_by_role("button", name="Pause stream").click()
    expect(page.locator(".live-words")).to_have_text("Paused")
    assert stands_at(stream) < len(stream.film.pts) - 10, "it stands before its end"
    place = page.get_by_label("Address of the stream")
    words = page.locator(".live-words")
    for seek_s, number in (
        (4, 100),
        (1, 25),
        (7, 175),
        (2, 50),
        (1, 25),
    ):  # as soon as the one before is seen
        place.fill(str(seek_s))
        stream.wait_for(number.__eq__)
    expect(words).to_have_text("Paused")
    assert stands_at(stream) == 25
    expect(words).to_have_text("Paused")
    page.reload()
    stream.await_picture()
    assert stands_at(stream) == 25, "who comes to a paused stream sees where it stands"
    expect(words).to_have_text("Paused")
    page.get_by_role("button", name="Resume stream").click()
    stream.wait_for(lambda number: number > 25)
    place.fill("4")
    stream.wait_for(lambda number: number >= 100)
    picture(page, "stream-real")
    page.get_by_role("button", name="Stop stream").click()
    expect(page.locator(STREAM)).to_have_attribute("data-state", "ended")
    assert stands_at(stream) < len(stream.film.pts) - 10, "it stands before its end"


@pytest.mark.timeout(600)
def test_a_camera_captured_in_time_and_detected_late_is_shown_as_late(
    deployment: Deployment, visit: Visits, picture: Callable[..., None]
) -> None:
    window = visit(None, url=deployment.url)
    with RtspCamera() as camera:
        page = window.open("live", wait_for="#live-page[data-state]")
        page.get_by_role("button", name="+ Add camera").click()
        page.get_by_label("Name").fill("Gate 2")
        page.get_by_label("Address").fill(camera.address)
        page.get_by_role("button", name="Add", exact=True).click()
        card = page.locator(".live-camera[data-source=gate-2]")
        expect(card.locator(".live-sign")).to_have_text(re.compile("^Live, "), timeout=60_000)
        page.get_by_role("button", name="Gate 2", exact=True).click()
        words = page.locator(".live-large .live-words")
        expect(words).to_have_text("Live", timeout=60_000)
        with deployment.nobody_detects():
            expect(card).to_have_attribute("data-standing", "late", timeout=60_000)
            expect(card.locator(".live-facts")).to_contain_text("shown")
            expect(words).to_have_text(re.compile("^Late|^Waiting"))
            picture(page, "wall-late-real")
        expect(card).to_have_attribute("data-standing", "live", timeout=60_000)
        page.get_by_role("button", name="Stop Gate 2").click()
        expect(card.locator(".live-sign")).to_have_text("Stopped", timeout=60_000)
        for _sure in range(2):
            page.get_by_role("button", name="Delete Gate 2").click()
        expect(card).to_have_count(0)


@pytest.mark.timeout(600)
def test_an_interrupted_camera_shows_since_when_it_is_gone_and_the_chart_has_the_gap(
    deployment: Deployment, visit: Visits, picture: Callable[..., None]
) -> None:
    begins_ms = time.time() * 1000 // 1000 * 1000
    window = visit(None, url=deployment.url)
    with RtspCamera() as camera:
        page = window.open("live", wait_for="#live-page[data-state=empty]")
        page.get_by_role("button", name="+ Add camera").click()
        page.get_by_label("Name").fill("Gate 1")
        page.get_by_label("Address").fill(camera.address)
        page.get_by_role("button", name="Add", exact=True).click()
        sign = page.locator(".live-sign")
        there, gone = re.compile("^(Live|Late), "), re.compile(r"^Disconnected since \d\d:\d\d:\d\d$")
        expect(sign).to_have_text(there, timeout=60_000)
        camera.kill()
        cut_ms = time.time() * 1000
        expect(sign).to_have_text(gone, timeout=60_000)
        expect(page.locator(".live-reason")).to_contain_text("not responding", timeout=60_000)
        picture(page, "wall-gone")
        page.wait_for_timeout(2000)
        back_ms = time.time() * 1000
        camera.start()
        expect(sign).to_have_text(there, timeout=60_000)
        page.get_by_role("button", name="Stop Gate 1").click()
        expect(sign).to_have_text("Stopped", timeout=60_000)
    wait_until(page, lambda: deployment.are_detected("gate-1"))
    deployment.count()
    of = f"?source=gate-1&interval=1&timezone=UTC&from={begins_ms:.0f}&to={time.time() * 1000:.0f}"
    page = window.open(of)
    picture(page, "chart-cut")
    expect(page.locator("#legend .key .name", has_text="no footage")).to_have_count(1)
    spans = window.chart_spans()
    assert any(end <= cut_ms + 1000 for _, end in spans), "there is footage before"
    assert any(begin >= back_ms - 1000 for begin, _ in spans), "and after"
    assert not [span for span in spans if cut_ms + 1000 <= span[0] and span[1] <= back_ms], "none between"
