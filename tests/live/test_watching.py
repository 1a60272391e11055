"""`/ws/stream`: a viewer gets the newest frame with its boxes as fast as it accepts them, and the state."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask
from starlette.types import Message
from tests.fakes.memory import ManualClock
from tests.fakes.records import make_frame
from tests.kit.away import Switched
from tests.kit.waiting import until
from tests.live.watching import CAR, JPEG, START_MS, Scene, Shown, Watch, Watcher, described, open_socket
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import Place, Serving
from websockets.exceptions import ConnectionClosed

from frametally import keys
from frametally.errors import Retryable
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.records import Detection, FrameDetections
from frametally_live.viewers import relay, viewer_sockets
from frametally_live.viewers.result_pictures import FeedName, Pictures
from frametally_live.viewers.viewer_messages import CLOSED_BECAUSE, PicturedResult, StreamTold, Wake
from frametally_live.viewers.viewer_sockets import ViewerSockets
from frametally_web.app import parts_of
from frametally_web.sockets import talking

LONG_S = 60.0
NOBODY = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check for streams more often than twice a second, and end sooner, because each test waits for that."""
    monkeypatch.setattr("frametally_live.viewers.relay._LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("frametally_live.feeds.result_reader._POLL_S", 0.05)


@pytest.fixture
def scene(place: Place) -> Scene:
    return Scene(place)


@pytest.fixture
def app(scene: Scene) -> Flask:
    return scene.place.app()


@pytest.fixture
def sockets(app: Flask) -> ViewerSockets:
    return cast("ViewerSockets", parts_of(app).sockets["/ws/stream"])


@pytest.fixture
def watch(app: Flask, serving: Serving) -> Iterator[Callable[..., Watcher]]:
    url = serving(app)
    with ExitStack() as stack:

        def make(asked: str, **options: Any) -> Watcher:
            opened = open_socket(f"{url.replace('http', 'ws', 1)}/ws/stream?{asked}", **options)
            return Watcher(stack.enter_context(opened))

        yield make


class Gate:
    """A video that is streamed, and its frames by number."""

    def __init__(self, scene: Scene) -> None:
        self.record = make_video(1, facts=make_facts(started_at_ms=START_MS))
        self.feed = scene.stream(self.record)
        self.asked = f"video_id={self.record.id}"
        self._scene = scene

    def result(self, number: int, **values: Any) -> FrameDetections:
        return self._scene.result(number, media=self.record.sha256, source=self.record.source, **values)

    def show(self, *numbers: int) -> None:
        self._scene.show(*(self.result(number) for number in numbers))


@pytest.fixture
def gate(scene: Scene) -> Gate:
    return Gate(scene)


def begun(gate: Gate, watcher: Watcher, first: int = 0) -> Shown:
    """The next frame for a viewer; results from before the relay listens reach no viewer."""
    for number in itertools.count(first):
        gate.show(number)
        with contextlib.suppress(TimeoutError):
            while not isinstance(one := watcher.next(0.3), Shown):
                pass
            watcher.ack(one)
            return one
    raise AssertionError


def see(watcher: Watcher, number: int) -> None:
    """Acknowledge frames until this one is shown."""
    while (shown := watcher.frame()).header["captured_at_ms"] < START_MS + 100 * number:
        watcher.ack(shown)
    watcher.ack(shown)


def test_a_frame_comes_with_its_boxes_its_picture_and_its_position_in_the_video(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    told = viewer.state()
    described("stream", "state").validate(told)
    assert (told["state"], told["duration_s"], told["viewers"]) == ("running", 60.0, 1)
    begun(gate, viewer)
    faint = Detection(label="car", confidence=0.1, box=(0.0, 0.0, 9.0, 9.0))
    scene.show(gate.result(70_000, detections=[CAR, faint]), jpeg=b"\xff\xd8 another")
    shown = viewer.frame()
    while shown.jpeg == JPEG:  # some may be in progress
        viewer.ack(shown)
        shown = viewer.frame()
    header = shown.header
    described("stream", "frame").validate(header)
    assert shown.jpeg == b"\xff\xd8 another"
    known = {name: header[name] for name in ("n", "sent_at_ms", "left_out")}
    assert header == known | {
        "type": "frame",
        "stream_id": gate.feed.id,
        "image_path": keys.image_key("gate", START_MS + 7_000_000, gate.record.sha256, 70_000),
        "captured_at_ms": START_MS + 7_000_000,
        "position_s": 7_000.0,
        "due_at_ms": None,
        "width_px": 64,
        "height_px": 48,
        "model": "pixels-1",
        "boxes": [["car", 0.9, 1.0, 2.0, 30.0, 20.0, None]],
    }


@pytest.mark.thorough
def test_a_frame_of_a_video_has_its_due_time_at_the_streams_speed(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    begun(gate, viewer)
    scene.tell(gate.feed, state="paused", position_s=10.0, due_at_ms=5_000_000)
    viewer.state(lambda one: one["state"] == "paused")
    viewer.ack(viewer.frames[-1])  # others may have arrived meanwhile
    gate.show(120)
    shown = viewer.frame()
    while shown.header["position_s"] != 12.0:
        viewer.ack(shown)
        shown = viewer.frame()
    assert shown.header["due_at_ms"] == 5_002_000


def test_json_frames_have_the_same_content_with_the_picture_in_base64(gate: Gate, watch: Watch) -> None:
    binary, text = watch(gate.asked), watch(f"{gate.asked}&format=json")
    header = begun(gate, binary).header
    told = text.next()
    while isinstance(told, Shown) or told["type"] != "frame":
        told = text.next()
    described("stream", "frame").validate(told)
    assert base64.b64decode(told.pop("image")) == JPEG
    assert told.keys() == header.keys()


@pytest.mark.thorough
def test_a_slow_viewer_never_gets_an_old_frame_and_learns_how_many_were_left_out(
    gate: Gate, watch: Watch
) -> None:
    """After two unacknowledged frames nothing follows; then the newest does, however many arrived.

    Another viewer, who acknowledges all, shows when the newest has arrived, so that no clock decides.
    """
    slow, lively = watch(gate.asked), watch(gate.asked)
    begun(gate, lively)
    gate.show(900)
    see(slow, 900)  # until its first acknowledgement it only listens
    see(lively, 900)
    before = len(slow.frames)
    open_frames: list[Shown] = []
    number = 1000
    for pause_frames in (10, 30, 3):
        for _ in range(pause_frames):
            number += 1
            gate.show(number)
            see(lively, number)
        while len(open_frames) < 2:
            open_frames.append(slow.frame())
        slow.ack(open_frames.pop())  # and the one before it
        open_frames.clear()
        newest = slow.frame()
        assert newest.header["captured_at_ms"] == START_MS + 100 * number, "the newest that there is"
        slow.ack(newest)
    headers = [one.header for one in slow.frames]
    sent = [header["n"] for header in headers]
    assert sent == sorted(set(sent))
    assert len(sent) - before == 9, "in each pause two, and then the newest"
    for header in headers:
        assert header["left_out"] == header["n"] - sent[0] - sent.index(header["n"])


def test_a_listener_gets_every_frame_that_its_socket_can_take(gate: Gate, watch: Watch) -> None:
    listener, lively = watch(f"{gate.asked}&format=json"), watch(gate.asked)
    begun(gate, lively)
    gate.show(2000)
    see(lively, 2000)
    while not _is_frame(listener.next(), 2000):
        pass
    for number in range(2001, 2011):
        gate.show(number)
        see(lively, number)
        while (told := cast("dict[str, Any]", listener.next()))["type"] != "frame":
            pass
        assert _is_frame(told, number), "each, as it comes"
        assert told["left_out"] == 0


def test_a_listener_gets_every_frame_detected_at_once(gate: Gate, watch: Watch) -> None:
    """As if detection began late: across a turn of 5 s, after which results are in another partition."""
    listener = watch(gate.asked)
    with watch(gate.asked).connection as other:
        begun(gate, Watcher(other))
    gate.show(2000)
    while not see_number(listener, 2000):
        pass
    for first in (2001, 2041, 2061):
        gate.show(*range(first, first + 15))
        shown = [listener.frame().header for _ in range(15)]
        assert [one["captured_at_ms"] for one in shown] == [
            START_MS + 100 * number for number in range(first, first + 15)
        ]
        assert shown[-1]["left_out"] == 0


def see_number(watcher: Watcher, number: int) -> bool:
    return bool(watcher.frame().header["captured_at_ms"] == START_MS + 100 * number)


def _is_frame(told: Any, number: int) -> bool:
    return told["type"] == "frame" and told["captured_at_ms"] == START_MS + 100 * number


@pytest.mark.thorough
def test_a_viewer_that_reads_nothing_delays_nobody_and_then_gets_the_newest_frame(
    gate: Gate, watch: Watch
) -> None:
    stuck, lively = watch(gate.asked, max_queue=1), watch(gate.asked)
    begun(gate, lively)
    last = 2120
    for number in range(2000, last + 1):
        gate.show(number)
        see(lively, number)
    while stuck.frame().header["captured_at_ms"] < START_MS + 100 * last:
        pass
    assert stuck.frames[-1].header["left_out"] > 0, "the system holds so much and no more"
    assert [shown.header["left_out"] for shown in lively.frames] == [0] * len(lively.frames)


@pytest.mark.thorough
def test_a_viewer_sees_a_video_to_its_end_even_if_detection_is_late(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    begun(gate, viewer)
    gate.show(20)
    see(viewer, 20)
    scene.end(gate.feed, state="ended", captured_at_ms=START_MS + 10_000, position_s=10.0)
    told = viewer.state(lambda one: "is still running" in (one["reason"] or ""))
    assert (told["state"], told["reason"]) == (
        "running",
        "The stream has ended; detection of its last 8 s is still running.",
    )
    for number in range(21, 101):
        gate.show(number)
    last = viewer.frame()
    while last.header["captured_at_ms"] < START_MS + 10_000:
        viewer.ack(last)
        last = viewer.frame()
    assert viewer.state(lambda one: one["state"] == "ended")["reason"] is None
    assert viewer.closed_by() == 1000


@pytest.mark.thorough
def test_a_viewer_that_arrives_at_the_end_of_a_stream_sees_its_last_frame(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    viewer.state()
    last = gate.result(100)
    scene.write(last)
    scene.end(gate.feed, state="ended", captured_at_ms=last.captured_at_ms, image_path=last.image_path)
    assert viewer.frame().header["captured_at_ms"] == last.captured_at_ms
    assert viewer.closed_by() == 1000


@pytest.mark.thorough
def test_a_stream_ends_even_where_nothing_detects_its_frames(
    scene: Scene, gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_LONGEST_SILENT_S", 0.2)
    viewer = watch(gate.asked)
    viewer.state()
    scene.end(gate.feed, state="ended", captured_at_ms=START_MS + 10_000)
    reason = viewer.state(lambda one: one["state"] == "ended")["reason"]
    assert reason == "Its last 10 s were detected too late to be shown here."
    assert viewer.closed_by() == 1000


@pytest.mark.thorough
def test_the_state_says_how_far_pictures_are_behind_and_why(
    scene: Scene, gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_LONGEST_UNDETECTED_S", 0.2)
    viewer = watch(gate.asked)
    assert viewer.state()["behind_ms"] is None
    begun(gate, viewer)
    monkeypatch.setattr(viewer_sockets, "_TELL_EVERY_S", 0.2)
    scene.tell(gate.feed, state="running", captured_at_ms=START_MS + 90_000)
    gate.show(20)  # 88 s of the video before that
    told = viewer.state(lambda one: (one["behind_ms"] or 0) > 1000)
    assert told["state"] == "running"
    assert told["reason"].startswith("Pictures are at least 5 s behind because detection is too slow")
    gate.show(900)
    assert viewer.state(lambda one: one["behind_ms"] == 0)["reason"] is None


@pytest.mark.thorough
def test_a_paused_viewer_gets_nothing_then_the_newest_frame_and_pauses_nobody_else(
    gate: Gate, watch: Watch
) -> None:
    one, other = watch(gate.asked), watch(gate.asked)
    begun(gate, one)
    one.say(type="pause")
    one.say(type="ack", n=one.frames[-1].header["n"])
    for number in range(3000, 3005):
        gate.show(number)
        see(other, number)
    before = len(one.frames)
    with contextlib.suppress(TimeoutError):
        while True:
            one.next(1.0)
    assert all(shown.header["captured_at_ms"] < START_MS + 300_400 for shown in one.frames[before:])
    one.say(type="resume")
    newest = one.frame()
    assert newest.header["captured_at_ms"] == START_MS + 300_400
    assert newest.header["left_out"] <= 1, "what came while it wanted none is not left out"


def test_late_results_of_another_partition_are_left_out_and_a_jump_back_is_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    shown: list[tuple[int, int]] = []
    told: list[str] = []
    seen = threading.Semaphore(0)

    def show(name: FeedName, frame: PicturedResult) -> None:
        shown.append((frame.n, frame.result.frame_index))
        seen.release()

    pictures = Pictures(place.store, show, told.append, clock=clock)
    name = FeedName(source="cam")
    pictures.watch([name])

    def came(number: int, *, is_shown: bool = True) -> None:
        result = make_frame(START_MS + 100 * number, number)
        place.store.put(result.image_path, JPEG)
        pictures.take(name, result)
        assert not is_shown or seen.acquire(timeout=LONG_S)

    came(50)
    came(51)
    came(48, is_shown=False)
    came(52)
    clock.advance(1.5)
    came(10)
    came(11)
    pictures.close()
    assert shown == [(1, 50), (2, 51), (4, 52), (5, 10), (6, 11)]


def test_a_paused_stream_that_is_taken_back_at_once_shows_that_frame(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    begun(gate, viewer)
    gate.show(900)
    see(viewer, 900)
    gate.show(899, 700)  # 899 waited in another partition, or was shown before the jump back
    scene.tell(gate.feed, state="paused", captured_at_ms=START_MS + 70_000, position_s=70.0)
    assert viewer.frame().header["captured_at_ms"] == START_MS + 70_000


def test_a_viewer_of_a_paused_stream_sees_the_frame_at_which_it_paused(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    stands, other = gate.result(700), gate.result(701)
    paused = {"state": "paused", "captured_at_ms": stands.captured_at_ms, "image_path": stands.image_path}
    scene.tell(gate.feed, **paused)
    first = watch(gate.asked)
    assert first.state()["state"] == "paused"
    scene.write(stands, other)  # its segment may arrive after the reader
    shown = first.frame()
    assert shown.header["captured_at_ms"] == stands.captured_at_ms
    assert [box[0] for box in shown.header["boxes"]] == ["car"]
    assert (shown.header["due_at_ms"], shown.jpeg) == (None, JPEG)
    another = watch(gate.asked)
    assert another.frame().header["image_path"] == stands.image_path
    for viewer in (first, another):
        viewer.connection.close()
    again = watch(gate.asked)
    shown = again.frame()
    assert shown.header["image_path"] == stands.image_path
    again.ack(shown)
    scene.tell(gate.feed, state="running")
    begun(gate, again, 702)
    assert again.frames[1].header["captured_at_ms"] >= START_MS + 70_200, "where it stood is shown once"


@pytest.mark.thorough
def test_a_viewer_that_waits_for_a_paused_frame_learns_and_sees_that_the_stream_continues(
    scene: Scene, gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def away(*_: object) -> None:
        asked.set()
        answered.wait()

    monkeypatch.setattr(relay, "find_shown", away)
    scene.tell(gate.feed, state="paused")
    try:
        viewer = watch(gate.asked)
        assert asked.wait(LONG_S)
        scene.tell(gate.feed, state="running")
        viewer.state(lambda told: told["state"] == "running")
        begun(gate, viewer, 700)
    finally:
        answered.set()


@pytest.mark.thorough
def test_a_paused_frame_is_not_shown_after_later_ones(place: Place) -> None:
    shown = threading.Semaphore(0)
    came: list[int] = []

    def show(_: FeedName, frame: PicturedResult) -> None:
        came.append(frame.result.frame_index)
        shown.release()

    pictures = Pictures(place.store, show, lambda _: None)
    name = FeedName(source="cam")
    pictures.watch([name])
    stood, sought = (make_frame(START_MS + 100 * number, number) for number in (9, 5))
    for one in (stood, sought):
        place.store.put(one.image_path, JPEG)

    def found_too_late() -> FrameDetections:
        pictures.take(name, sought)
        return stood

    pictures.begin(name, found_too_late)
    assert shown.acquire(timeout=LONG_S)
    pictures.begin(name, lambda: stood)
    pictures._pool.shutdown()
    assert came == [5]


def test_nothing_is_shown_while_the_store_is_unavailable_and_then_the_newest_frame(place: Place) -> None:
    store, shown = Switched(place.store, Retryable("away")), []
    told: list[str] = []
    seen = threading.Event()

    def show(name: FeedName, frame: PicturedResult) -> None:
        shown.append(frame.result.frame_index)
        seen.set()

    pictures = Pictures(cast("ObjectStore", store), show, told.append)
    name = FeedName(source="cam")
    pictures.watch([name])
    for number in range(20):
        result = make_frame(START_MS + 100 * number, number)
        place.store.put(result.image_path, JPEG)
        pictures.take(name, result)
    until(lambda: "The store is not responding." in told)
    assert not shown
    store.error = None
    assert seen.wait(LONG_S)
    pictures.close()
    assert shown == [19]
    assert told[-1] == ""


def test_a_viewer_does_not_wait_for_a_forgotten_frame(scene: Scene, gate: Gate, watch: Watch) -> None:
    viewer = watch(gate.asked)
    begun(gate, viewer)
    scene.publish(gate.result(4000))
    gate.show(4001)
    see(viewer, 4001)
    assert not any(one.header["captured_at_ms"] == START_MS + 400_000 for one in viewer.frames)


def test_a_camera_is_watched_by_its_source_and_shows_nothing_of_a_video_of_that_source(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    scene.camera("gate")
    camera, video = watch("source=gate"), watch(gate.asked)
    assert camera.state()["duration_s"] is None
    begun(gate, video)
    scene.show(scene.result(1, media="cd" * 32, source="gate"))
    header = camera.frame().header
    assert (header["position_s"], header["captured_at_ms"]) == (None, START_MS + 100)
    assert header["due_at_ms"] == START_MS + 100
    assert all(one.header["position_s"] is not None for one in video.frames)


def test_results_of_another_model_than_the_requested_one_are_not_shown(scene: Scene, watch: Watch) -> None:
    record = make_video(1, facts=make_facts(started_at_ms=START_MS))
    scene.stream(record, model="fine-1")
    viewer = watch(f"video_id={record.id}")
    viewer.state()
    shown: list[Shown] = []
    for number in itertools.count():
        both = [
            scene.result(number, media=record.sha256, source="gate", model=model)
            for model in ("fine-1", "pixels-1")
        ]
        scene.show(*both)
        with contextlib.suppress(TimeoutError):
            one = viewer.next(0.3)
            if isinstance(one, Shown):
                shown.append(one)
                viewer.ack(one)
        if len(shown) == 3:
            break
    assert {one.header["model"] for one in shown} == {"fine-1"}


@pytest.mark.thorough
def test_every_change_of_state_is_sent_and_the_socket_closes_after_the_end(
    scene: Scene, gate: Gate, watch: Watch
) -> None:
    viewer = watch(gate.asked)
    assert viewer.state()["state"] == "running"
    scene.tell(gate.feed, state="paused", position_s=4.5)
    assert viewer.state(lambda one: one["state"] == "paused")["position_s"] == 4.5
    scene.tell(gate.feed, state="waiting", reason="The store is away.")
    assert viewer.state(lambda one: one["state"] == "waiting")["reason"] == "The store is away."
    scene.end(gate.feed, state="failed", reason="It cannot be decoded.")
    assert viewer.state(lambda one: one["state"] == "failed")["reason"] == "It cannot be decoded."
    assert viewer.closed_by() == 1000


@pytest.mark.thorough
def test_a_state_is_sent_every_few_seconds_even_without_a_change(
    gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer_sockets, "_TELL_EVERY_S", 0.2)
    viewer = watch(gate.asked)
    assert [viewer.state()["state"] for _ in range(5)] == ["running"] * 5


@pytest.mark.thorough
def test_viewers_wait_and_learn_why_while_nothing_detects_the_announced_frames(
    scene: Scene, gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_LONGEST_UNDETECTED_S", 0.2)
    viewer = watch(gate.asked)
    assert viewer.state()["state"] == "running"
    scene.tell(gate.feed, state="running", frames_announced=20)
    assert "frametally consume --live" in viewer.state(lambda one: one["state"] == "waiting")["reason"]
    begun(gate, viewer)
    assert viewer.state(lambda one: one["state"] == "running")["reason"] is None


def test_viewers_wait_while_the_log_is_unavailable_and_then_see_what_comes_next(
    scene: Scene, gate: Gate, serving: Serving
) -> None:
    real = scene.place.log
    log = Switched(real, Retryable("away"))
    scene.place.log = cast("FrameLog", log)
    app = scene.place.app()
    scene.place.log = real
    url = serving(app).replace("http", "ws", 1)
    with open_socket(f"{url}/ws/stream?{gate.asked}") as connection:
        viewer = Watcher(connection)
        told = viewer.state(lambda one: one["state"] == "waiting")
        assert told["reason"] == "The log is not responding."
        log.error = None
        viewer.state(lambda one: one["state"] == "running")
        begun(gate, viewer)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (f"video_id={NOBODY}", 4404),
        ("video_id=1", 4404),
        ("video_id=%00", 4404),
        ("source=nowhere", 4404),
        ("", 1008),
        ("source=gate&video_id=" + NOBODY, 1008),
        ("source=gate&source=gate", 1008),
        ("source=gate&format=xml", 1008),
        ("source=gate&loud=1", 1008),
    ],
)
def test_a_request_for_an_unknown_stream_is_closed(watch: Watch, asked: str, code: int) -> None:
    viewer = watch(asked)
    assert viewer.closed_by() == code
    assert viewer.connection.close_reason == CLOSED_BECAUSE[code]


def test_a_video_without_a_stream_gives_a_clear_error(scene: Scene, watch: Watch) -> None:
    (video_id,) = stored(scene.place, make_video(7))
    viewer = watch(f"video_id={video_id}")
    assert viewer.closed_by() == 4409
    assert viewer.connection.close_reason == "the video is not being streamed: start a stream first"
    feed = scene.stream(make_video(7))
    scene.end(feed, state="ended")
    assert watch(f"video_id={video_id}").closed_by() == 4409


def test_a_reload_shows_the_same_stream_again(gate: Gate, watch: Watch, sockets: ViewerSockets) -> None:
    first = watch(gate.asked)
    begun(gate, first)
    first.connection.close()
    until(lambda: not sockets.is_watching)
    assert begun(gate, watch(gate.asked)).header["stream_id"] == gate.feed.id


def test_another_sites_page_sees_nothing(gate: Gate, watch: Watch) -> None:
    assert watch(gate.asked, origin="https://evil.example").closed_by() == 1008
    crossed = {"Sec-Fetch-Site": "cross-site"}
    assert watch(gate.asked, additional_headers=crossed).closed_by() == 1008


@pytest.mark.thorough
@pytest.mark.parametrize(
    "said",
    [
        "hello",
        '{"type":"pong"}',
        '{"type":"ack"}',
        '{"type":"ack","n":"1"}',
        '{"type":"ack","n":1}',  # nothing was sent yet
        '{"type":"pause","n":1}',
        b'{"type":"pause"}',
        '{"type":"pause"}' + " " * 1100,
        "[" * 1000,
    ],
)
def test_a_viewer_that_sends_anything_else_is_disconnected(
    gate: Gate, watch: Watch, said: str | bytes
) -> None:
    viewer = watch(gate.asked)
    viewer.state()
    viewer.connection.send(said)
    assert viewer.closed_by() == 1003


def test_a_viewer_that_acknowledges_every_frame_stays_connected_however_fast_they_come(
    gate: Gate, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many frames a second a stream has: the limit is on messages that the viewer did not ask for."""
    monkeypatch.setattr(talking, "_MOST_UNASKED_IN_SECOND", 0)
    viewer = watch(gate.asked)
    begun(gate, viewer)
    for number in range(2000, 2010):
        gate.show(number)
        see(viewer, number)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "said", ['{"type":"ack","n":%d}', '{"type":"pause"}', '{"type":"resume"}'], ids=["ack", "pause", "resume"]
)
def test_a_viewer_that_sends_too_much_is_disconnected_even_if_the_messages_are_valid(
    gate: Gate, watch: Watch, said: str
) -> None:
    viewer = watch(gate.asked)
    number = begun(gate, viewer).header["n"]
    with pytest.raises(ConnectionClosed):
        for _ in range(100_000):
            viewer.connection.send(said % number if "%d" in said else said)
    assert viewer.closed_by() == 1008


def test_a_viewer_that_the_server_has_given_up_is_not_a_dashboard_error(
    gate: Gate, sockets: ViewerSockets
) -> None:
    """For a moment uvicorn sends nothing more to a client that answers no ping, and has not
    reported it yet."""
    is_opened = False

    async def receive() -> Message:
        nonlocal is_opened
        if is_opened:
            await asyncio.Event().wait()
        is_opened = True
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")

    scope = {
        "type": "websocket",
        "path": "/ws/stream",
        "query_string": gate.asked.encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    with ThreadPoolExecutor(1) as other:  # after a browser's tests, this thread has a loop
        other.submit(asyncio.run, sockets(scope, receive, send)).result()
    assert sockets.open == 0


@pytest.mark.thorough
def test_at_most_five_hundred_sockets_are_served_and_fifty_per_address(
    gate: Gate, watch: Watch, sockets: ViewerSockets
) -> None:
    """Viewers behind a proxy are distinguished by its headers."""
    before = threading.active_count()
    of_one = [watch(gate.asked) for _ in range(51)]
    assert of_one[-1].closed_by() == 1013
    came = [
        watch(gate.asked, additional_headers={"X-Forwarded-For": f"6.6.6.6, 198.51.100.{number // 40}"})
        for number in range(949)
    ]
    until(lambda: sockets.open == 500)
    assert came[-1].closed_by() == 1013
    for one in [*of_one, *came]:
        one.connection.socket.close()
    until(lambda: sockets.open == 0)
    until(lambda: not sockets.is_watching)
    until(lambda: threading.active_count() <= before + 45)


def test_viewers_leave_nothing_in_the_log(
    scene: Scene, gate: Gate, watch: Watch, sockets: ViewerSockets
) -> None:
    viewer = watch(gate.asked)
    begun(gate, viewer)
    viewer.connection.close()
    until(lambda: not sockets.is_watching)

    def has_rows() -> bool:
        with contextlib.closing(sqlite3.connect(scene.place.settings.data_dir / "log.sqlite")) as file:
            tables = ("member", "assignment", "consumer_group", "committed")
            return any(file.execute(f"SELECT 1 FROM {name}").fetchall() for name in tables)  # noqa: S608

    until(lambda: not has_rows())


def test_a_stream_that_ends_while_its_state_is_sent_reports_its_end_before_the_socket_closes() -> None:
    sent: list[str] = []
    channel: Any = SimpleNamespace(newest=None, is_over=False)
    numbers = dict.fromkeys(("position_s", "duration_s", "fps", "behind_ms", "reason"))
    channel.told = lambda: StreamTold(state="ended" if channel.is_over else "running", viewers=1, **numbers)

    class Socket:
        async def send_text(self, text: str) -> None:
            sent.append(json.loads(text)["state"])
            channel.is_over = True
            channel.wake.set()

    async def watch() -> int:
        channel.wake = Wake()
        socket: Any = Socket()
        return await viewer_sockets._Viewer(
            socket, channel, channel.wake, cast(Any, None), as_json=True
        ).tell()

    with ThreadPoolExecutor(1) as thread:  # a browser's tests may have left a loop running in this one
        assert thread.submit(asyncio.run, watch()).result() == talking.OVER
    assert sent == ["running", "ended"]


@pytest.mark.parametrize(
    ("seen_before", "first_sent", "left_out"), [(0, 8, 7), (0, 1, 0), (5, 5, 0), (5, 9, 3)]
)
def test_frames_before_the_first_one_sent_to_a_viewer_count_as_left_out(
    seen_before: int, first_sent: int, left_out: int
) -> None:
    told: list[int] = []

    def frame(n: int) -> Any:
        return SimpleNamespace(n=n)

    class Message:
        def as_text(self, *, sent_at_ms: int, left_out: int) -> str:
            told.append(left_out)
            return ""

    class Socket:
        async def send_text(self, text: str) -> None: ...

    async def watch() -> None:
        channel: Any = SimpleNamespace(newest=frame(seen_before) if seen_before else None)
        socket, encoded = cast(Any, Socket()), cast(Any, lambda *_: Message())
        await viewer_sockets._Viewer(socket, channel, Wake(), encoded, as_json=True)._send(frame(first_sent))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, watch()).result()
    assert told == [left_out]
