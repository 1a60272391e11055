"""Capturing a camera: its frames are in the store and on the log, once, and losses are named."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from tests.fakes.records import make_frame, make_manifest
from tests.kit.away import Switched
from tests.kit.clips import jpeg_of
from tests.kit.waiting import until
from tests.live.capturing import (
    Capturing,
    all_in_the_books,
    announcements_in,
    count_decoded,
    here,
    live_of,
    lost_of,
    manifests_of,
    overflow_is_named,
    run_frametally,
)
from tests.live.showing import LAUNCHES, RtspCamera, Speaker
from tests.live.test_camera_opening import MULTIPART, jpeg, motion_jpeg, part_of, request_of
from tests.videos.test_work_kills import children_of

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Retryable
from frametally.live_records import LiveMinute, Outage, PictureDoubt
from frametally.media.manifests import find_manifest
from frametally.records import Detection, FrameAnnouncement, decode, encode
from frametally.rules import blank_stretches
from frametally.rules.blank_stretches import BLANK_MS, FROZEN_MS
from frametally.rules.times import DAY_MS
from frametally.segments.results import make_results_topic, result_message
from frametally_live.book import LiveBook
from frametally_live.cameras import picture_doubts
from frametally_live.cameras.camera_form import add_camera, read_camera
from frametally_live.cameras.picture_doubts import DAMAGED_MS, PictureDoubts
from frametally_live.cameras.stream_clock import CaptureClock, CaptureTime
from frametally_live.feeds import camera_capture
from frametally_live.feeds.doubt_results import DoubtResults


@contextmanager
def spoken(folder: Path, speak: Callable[[socket.socket], None]) -> Iterator[tuple[Speaker, Capturing]]:
    """Capture a camera over HTTP that answers so."""
    with (
        Speaker(speak) as server,
        Capturing(here(folder), f"http://127.0.0.1:{server.port}/video") as capturing,
    ):
        yield server, capturing


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "transport"), [("h264", "tcp"), ("h264", "udp"), ("hevc", "tcp"), ("mjpeg", "udp")]
)
def test_frames_of_an_rtsp_camera_are_in_the_books_by_its_own_clock(
    tmp_path: Path, code: str, transport: str
) -> None:
    settings = here(tmp_path)
    with (
        RtspCamera(LAUNCHES[code]) as camera,
        Capturing(settings, camera.address, transport=transport) as capturing,
    ):
        capturing.until_frames(25)
    assert capturing.failure is None
    all_in_the_books(settings)
    announced = announcements_in(settings)
    assert {one.time_source for one in announced} == {"stream_clock"}
    steps = {b.captured_at_ms - a.captured_at_ms for a, b in pairwise(announced)}
    assert steps <= set(range(95, 106))
    assert abs(capturing.heard.told.drift_ms or 0) < 5000
    assert {one.time_source for one in manifests_of(capturing.store)} == {"stream_clock"}


@pytest.mark.parametrize("drift_ms", [-40_000, 40_000])
def test_a_cameras_delay_is_that_of_its_pictures_however_wrong_its_clock_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drift_ms: int
) -> None:
    hear = CaptureClock.time_of

    def by_a_wrong_clock(
        self: CaptureClock, position_ms: int, *, stream_ms: int | None, arrived_at_ms: int
    ) -> CaptureTime:
        told_ms = None if stream_ms is None else stream_ms + drift_ms
        return hear(self, position_ms, stream_ms=told_ms, arrived_at_ms=arrived_at_ms)

    monkeypatch.setattr(CaptureClock, "time_of", by_a_wrong_clock)
    with RtspCamera() as camera, Capturing(here(tmp_path), camera.address) as capturing:
        capturing.until_frames(5)
        until(lambda: capturing.heard.told.lag_ms is not None)
        told = capturing.heard.told
    assert told.drift_ms is not None
    assert abs(told.drift_ms - drift_ms) < 20_000
    assert told.lag_ms is not None
    assert -2000 < told.lag_ms < 30_000


def test_a_killed_camera_leaves_an_outage_with_its_times_and_recovers_by_itself(tmp_path: Path) -> None:
    settings = here(tmp_path)
    with RtspCamera() as camera, Capturing(settings, camera.address) as capturing:
        capturing.until_frames(3)
        camera.kill()
        until(lambda: capturing.heard.told.away_since_ms is not None)
        camera.start()
        until(lambda: capturing.heard.told.away_since_ms is None)
        capturing.until_frames(3)
        assert capturing.heard.told.away_since_ms is None
    all_in_the_books(settings)
    times = [one.captured_at_ms for one in announcements_in(settings)]
    gap = max(pairwise(times), key=lambda pair: pair[1] - pair[0])
    assert gap[1] - gap[0] > 150  # its frames are 100 ms apart
    outages = [one for manifest in manifests_of(capturing.store) for one in live_of(manifest).outages]
    assert gap in {(one.from_ms, one.to_ms) for one in outages}
    newest = max(map(live_of, manifests_of(capturing.store)), key=lambda live: live.minute_ms)
    assert all(one.to_ms is not None for one in newest.outages)
    assert all(reason.startswith("The camera ") for reason in capturing.heard.reasons)


def test_a_camera_redirected_to_a_refused_address_waits_and_recovers_by_itself(tmp_path: Path) -> None:
    """As behind a router's log-in page, which then disappears."""
    show = motion_jpeg((64, 48) for _ in count())
    is_redirected = threading.Event()
    is_redirected.set()

    def speak(connection: socket.socket) -> None:
        if not is_redirected.is_set():
            show(connection)
        else:
            request_of(connection)
            connection.sendall(b"HTTP/1.0 302 Found\r\nLocation: http://169.254.169.254/login\r\n\r\n")

    with spoken(tmp_path, speak) as (server, capturing):
        until(lambda: capturing.failure or server.visits > 1)
        assert capturing.failure is None
        assert capturing.heard.told.state == "waiting"
        assert (
            "leads to an address that is not allowed: frametally does not allow cameras at"
            in capturing.heard.told.reason
        )
        is_redirected.clear()
        capturing.until_frames(3)


def test_damaged_pictures_are_reported_while_the_camera_continues(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8)
    cut = jpeg_of(noise)[:900]

    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(MULTIPART)
        for number in count():
            connection.sendall(part_of(cut) + part_of(jpeg(64, 48, number)))
            time.sleep(0.1)

    with spoken(tmp_path, speak) as (_, capturing):
        capturing.until_frames(3)
        until(lambda: "Some of its pictures are damaged and left out." in capturing.heard.reasons)
        assert capturing.heard.told.state == "running"
    assert sum(live_of(one).pieces_damaged for one in manifests_of(capturing.store)) > 0


def test_a_frozen_picture_is_reported_while_the_camera_continues_and_is_in_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blank_stretches, "FROZEN_MS", 300)
    monkeypatch.setattr(picture_doubts, "BLANK_MS", 300)

    still = jpeg_of(next(frozen()))

    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(MULTIPART)
        while True:
            connection.sendall(part_of(still))
            time.sleep(0.1)

    with spoken(tmp_path, speak) as (_, capturing):
        until(lambda: any("does not change" in reason for reason in capturing.heard.reasons))
        assert capturing.heard.told.state == "running"
    [doubt] = {
        (one.what, one.from_ms) for minute in manifests_of(capturing.store) for one in live_of(minute).doubts
    }
    assert doubt[0] == "frozen"


def test_the_same_picture_before_and_after_an_outage_does_not_count_as_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blank_stretches, "FROZEN_MS", 1500)
    monkeypatch.setattr(picture_doubts, "BLANK_MS", 1500)

    still = jpeg_of(next(frozen()))

    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(MULTIPART + part_of(still) * 3)

    with spoken(tmp_path, speak) as (server, capturing):
        began_s = time.monotonic()
        until(lambda: capturing.failure or (server.visits > 3 and time.monotonic() - began_s > 3))
    assert capturing.failure is None
    assert [doubt for minute in manifests_of(capturing.store) for doubt in live_of(minute).doubts] == []


def test_an_outage_lists_all_its_reasons_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_capture, "_FIRST_REOPENING_S", 0.01)
    monkeypatch.setattr(camera_capture, "_LONGEST_REOPENING_S", 0.01)
    picture = MULTIPART + part_of(jpeg(64, 48, 90)) * 3
    redirect = b"HTTP/1.0 302 Found\r\nLocation: http://169.254.169.254/login\r\n\r\n"
    html = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
    answers = [picture, redirect, redirect, html, redirect, picture]

    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answers.pop(0))
        if not answers:
            time.sleep(3)

    with spoken(tmp_path, speak) as (_, capturing):
        until(lambda: not answers and capturing.heard.told.away_since_ms is None)
        capturing.until_frames(0)
    ended = [
        outage
        for minute in manifests_of(capturing.store)
        for outage in live_of(minute).outages
        if outage.to_ms is not None
    ]
    reasons = ended[0].reason.split("; then it ")
    assert [reason.split(":")[0] for reason in reasons] == [
        "ended its stream",
        "leads to an address that is not allowed",
        "answers with text/html; over HTTP, frametally reads HLS and Motion JPEG (multipart/x-mixed-replace)",
    ]


@pytest.mark.thorough
def test_a_camera_that_sends_more_frames_than_needed_reports_none_as_left_out(tmp_path: Path) -> None:
    with RtspCamera() as camera, Capturing(here(tmp_path), camera.address, sample_fps="5") as capturing:
        until(
            lambda: (
                capturing.failure or (capturing.heard.told.taken_per_s and capturing.heard.told.offered_per_s)
            )
        )
        told = capturing.heard.told
    assert told.offered_per_s is not None
    assert told.offered_per_s <= 5.0
    assert not told.leaves_out


@pytest.mark.thorough
def test_a_minute_is_in_the_books_before_its_first_frame_is_announced(tmp_path: Path) -> None:
    """A reader that counts frames then finds their medium, as one in production."""
    settings = here(tmp_path)
    store = open_object_store(settings.store_url, settings.store_access)
    log: Any = open_frame_log(settings.log_url, settings.log_access)
    publish, states = log.publish, []

    def look_and_publish(topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        messages = list(messages)
        for _, message in messages:
            manifest = find_manifest(store, decode(message, FrameAnnouncement).media)
            states.append(manifest and manifest.state)
        publish(topic, messages)

    log.publish = look_and_publish
    with RtspCamera() as camera, Capturing(settings, camera.address, log=log) as capturing:
        capturing.until_frames(5)
    assert states[:5] == ["producing"] * 5


@pytest.fixture(params=["store", "log"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Switched]:
    """The camera's store or log that becomes unavailable, by its name."""
    settings = here(tmp_path)
    if request.param == "store":
        return {"store": Switched(open_object_store(settings.store_url, settings.store_access))}
    return {"log": Switched(open_frame_log(settings.log_url, settings.log_access))}


def test_frames_wait_on_disk_while_store_or_log_is_unavailable_and_then_arrive_in_order(
    tmp_path: Path, away: dict[str, Any]
) -> None:
    settings = here(tmp_path)
    (part,) = away.values()
    with RtspCamera() as camera, Capturing(settings, camera.address, **away) as capturing:
        capturing.until_frames(5)
        part.error = Retryable("it is away")
        until(lambda: len(list((tmp_path / "data/live/gate-1").glob("*/*.jpg"))) > 5)
        part.error = None
        capturing.until_frames(10)
    all_in_the_books(settings)
    steps = [b.captured_at_ms - a.captured_at_ms for a, b in pairwise(announcements_in(settings))]
    assert max(steps) < 150
    assert capturing.heard.paths == sorted(capturing.heard.paths, key=lambda path: path.rpartition("/")[2])
    assert not any(live_of(one).losses for one in manifests_of(capturing.store))


@pytest.mark.thorough
def test_a_killed_session_leaves_its_frames_to_the_next_and_the_time_between_is_an_outage(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    with RtspCamera() as camera:
        child = subprocess.Popen(
            [sys.executable, "-c", _CAPTURE, str(tmp_path), camera.address],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for _ in range(8):
            assert child.stdout.readline()
        child.kill()
        child.communicate()
        before = announcements_in(settings)
        with Capturing(settings, camera.address) as capturing:
            until(lambda: len({live_of(one).session_ms for one in manifests_of(capturing.store)}) == 2)
    all_in_the_books(settings)
    assert {one.image_path for one in before} <= {one.image_path for one in announcements_in(settings)}
    sessions = {live_of(one).session_ms for one in manifests_of(capturing.store)}
    assert len(sessions) == 2
    newest = [one for one in manifests_of(capturing.store) if live_of(one).session_ms == max(sessions)]
    outages = [outage for one in newest for outage in live_of(one).outages]
    assert outages[0].reason == "the capturing process ended"
    assert outages[0].from_ms >= before[-1].captured_at_ms
    assert not list((tmp_path / "data/live/gate-1").iterdir())


@pytest.mark.thorough
def test_an_outage_left_open_in_the_store_is_closed_by_the_next_session(tmp_path: Path) -> None:
    settings = here(tmp_path)
    live = LiveMinute(
        session_ms=1, minute_ms=DAY_MS, outages=[Outage(DAY_MS + 5, None, "said nothing for 5 s")]
    )
    before = make_manifest(1, source="gate-1", live=live, first_captured_at_ms=DAY_MS)
    with RtspCamera() as camera:
        capturing = Capturing(settings, camera.address)
        capturing.store.put(keys.media_key(before.sha256), encode(before))
        with capturing:
            capturing.until_frames(2)
    first_ms = announcements_in(settings)[0].captured_at_ms
    after = find_manifest(capturing.store, before.sha256)
    assert after is not None
    assert [one.to_ms for one in live_of(after).outages] == [first_ms]


_CAPTURE = """
import sys
from pathlib import Path
from tests.live.capturing import Capturing, here
with Capturing(here(Path(sys.argv[1])), sys.argv[2]) as capturing:
    while True:
        capturing.until_frames(1)
        print("one more", flush=True)
"""


CHANGES = {"forget": ["--yes"], "retime": ["--start-time", "2026-05-01T08:00:00Z"]}


@pytest.fixture
def long_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute that lasts a day: none ends during the change, which would hide a mistake."""
    monkeypatch.setattr("frametally_live.cameras.minutes._MINUTE_MS", DAY_MS)


@pytest.mark.thorough
@pytest.mark.usefixtures("long_minute")
@pytest.mark.parametrize("command", CHANGES)
def test_changing_a_minute_while_it_is_captured_is_reported_and_the_camera_continues(
    tmp_path: Path, command: str
) -> None:
    settings = here(tmp_path)
    with RtspCamera() as camera, Capturing(settings, camera.address) as capturing:
        until(lambda: manifests_of(capturing.store))
        [one] = manifests_of(capturing.store)
        run_frametally(command, one.sha256, *CHANGES[command], settings=settings)
        until(lambda: any(one.sha256 != other.sha256 for other in manifests_of(capturing.store)))
        capturing.until_frames(5)
    sessions = {live_of(one).session_ms for one in manifests_of(capturing.store)}
    assert len(sessions) == (1 if command == "forget" else 2)
    assert {one.state for one in manifests_of(capturing.store)} == {"complete"}
    assert capturing.failure is None


@pytest.mark.thorough
@pytest.mark.usefixtures("long_minute")
@pytest.mark.parametrize("command", CHANGES)
def test_frames_given_up_during_an_outage_are_reported_before_the_camera_is_back(
    tmp_path: Path, command: str
) -> None:
    settings, spooled = here(tmp_path), tmp_path / "data/live/gate-1"
    log: Any = Switched(open_frame_log(settings.log_url, settings.log_access))
    with RtspCamera() as camera, Capturing(settings, camera.address, log=log) as capturing:
        capturing.until_frames(5)
        log.error = Retryable("it is away")
        until(lambda: len(list(spooled.glob("*/*.jpg"))) > 15)
        camera.kill()
        until(lambda: capturing.heard.told.away_since_ms is not None)
        waiting = {int(path.name.split(".")[1]) for path in spooled.glob("*/*.jpg")}
        [one] = manifests_of(capturing.store)
        run_frametally(command, one.sha256, *CHANGES[command], settings=settings)
        log.error = None
        until(lambda: any(live_of(one).losses for one in manifests_of(capturing.store)))
        assert capturing.heard.told.frames_lost > 15
    losses = [loss for one in manifests_of(capturing.store) for loss in live_of(one).losses]
    assert sum(loss.frames for loss in losses) == capturing.heard.told.frames_lost
    assert (min(loss.from_ms for loss in losses), max(loss.to_ms for loss in losses)) == (
        min(waiting),
        max(waiting),
    )
    assert {one.state for one in manifests_of(capturing.store)} == {"complete"}
    assert not list(spooled.iterdir())


@pytest.mark.thorough
@pytest.mark.usefixtures("long_minute")
@pytest.mark.parametrize("command", CHANGES)
def test_frames_given_up_at_the_stop_are_reported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("frametally_live.cameras.frame_upload.NOTE_EVERY_S", 3600)
    settings = here(tmp_path)
    with RtspCamera() as camera, Capturing(settings, camera.address) as capturing:
        until(lambda: manifests_of(capturing.store))
        [one] = manifests_of(capturing.store)
        run_frametally(command, one.sha256, *CHANGES[command], settings=settings)
        capturing.until_frames(5)
    losses = [loss for other in manifests_of(capturing.store) for loss in live_of(other).losses]
    assert sum(loss.frames for loss in losses) == capturing.heard.told.frames_lost >= 5
    assert max(loss.to_ms for loss in losses) == capturing.heard.told.captured_at_ms
    assert {other.state for other in manifests_of(capturing.store)} == {"complete"}
    assert not list((tmp_path / "data/live/gate-1").iterdir())


@pytest.mark.thorough
def test_frames_beyond_the_disk_limit_are_a_named_loss_and_the_newest_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: dict[str, Any]
) -> None:
    decoded = count_decoded(monkeypatch)
    settings = here(tmp_path, live_buffer_mb=16)
    (part,) = away.values()
    with RtspCamera(LAUNCHES["large"]) as camera, Capturing(settings, camera.address, **away) as capturing:
        capturing.until_frames(3)
        part.error = Retryable("it is away")
        until(lambda: lost_of(settings) > 5)
        part.error = None
        capturing.until_frames(10)
    overflow_is_named(capturing, settings, decoded)


@pytest.mark.thorough
@pytest.mark.usefixtures("long_minute")
def test_losses_of_a_corrected_minute_are_reported_in_the_next_one(tmp_path: Path) -> None:
    settings = here(tmp_path, live_buffer_mb=16)
    log: Any = Switched(open_frame_log(settings.log_url, settings.log_access))
    with RtspCamera(LAUNCHES["large"]) as camera, Capturing(settings, camera.address, log=log) as capturing:
        capturing.until_frames(3)
        log.error = Retryable("it is away")
        until(lambda: lost_of(settings) > 5)
        log.error = None
        until(lambda: any(live_of(one).losses for one in manifests_of(capturing.store)))
        [one] = manifests_of(capturing.store)
        log.error = Retryable("it is away")
        lost = lost_of(settings)
        until(lambda: lost_of(settings) > lost + 5)
        run_frametally("retime", one.sha256, *CHANGES["retime"], settings=settings)
        log.error = None
        until(lambda: len(manifests_of(capturing.store)) == 2)
    losses = [loss for other in manifests_of(capturing.store) for loss in live_of(other).losses]
    assert sum(loss.frames for loss in losses) == capturing.heard.told.frames_lost
    assert {loss.reason.partition(" ")[0] for loss in losses} == {"16", "its"}


@pytest.mark.thorough
def test_packets_lost_by_the_network_are_counted_in_the_minute(tmp_path: Path) -> None:
    settings = here(tmp_path)
    source = LAUNCHES["mjpeg"].replace("rtpjpegpay name=pay0", "rtpjpegpay")
    lossy = f"{source} ! identity drop-probability=0.1 ! capsfilter name=pay0"
    with RtspCamera(lossy) as camera, Capturing(settings, camera.address) as capturing:
        until(lambda: capturing.heard.told.packets_lost > 2)
    lost = sum(live_of(one).packets_lost for one in manifests_of(capturing.store))
    assert lost >= capturing.heard.told.packets_lost > 2


Picture = NDArray[np.uint8]
STEP_MS, SECOND_MS = 200, 1000


def pictures(level: int, noise: int) -> Iterator[Picture]:
    """A still street: only the camera's noise changes."""
    rng = np.random.default_rng(7)
    street = np.full((120, 160, 3), level, np.uint8)
    street[40:80, 30:90] = min(255, level * 2)
    while True:
        yield np.clip(street + rng.integers(-noise, noise + 1, street.shape), 0, 255).astype(np.uint8)


def told(shown: Iterator[Picture], for_ms: int, doubts: PictureDoubts | None = None, from_ms: int = 0) -> str:
    doubts = doubts or PictureDoubts()
    for at_ms in range(from_ms, from_ms + for_ms + 1, STEP_MS):
        see(doubts, next(shown), at_ms)
    return doubts.sentence


def see(doubts: PictureDoubts, picture: Picture, at_ms: int) -> None:
    doubts.look(picture, jpeg_of(picture), at_ms)


def blue() -> Iterator[Picture]:
    while True:
        yield np.full((120, 160, 3), (255, 0, 0), np.uint8)


def frozen() -> Iterator[Picture]:
    first = next(pictures(90, 4))
    while True:
        yield first


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "lasting_ms", "part"),
    [
        (lambda: pictures(2, 2), BLANK_MS, "is black"),
        (blue, BLANK_MS, "one colour"),
        (frozen, FROZEN_MS, "does not change"),
        (lambda: pictures(90, 2), FROZEN_MS, ""),
        (lambda: pictures(40, 2), FROZEN_MS, ""),
    ],
    ids=["a covered lens", "no signal", "a frozen encoder", "an empty street", "an empty street at night"],
)
def test_a_picture_that_cannot_be_a_street_is_reported_only_after_it_has_lasted(
    make: Callable[[], Iterator[Picture]], lasting_ms: int, part: str
) -> None:
    assert told(make(), lasting_ms - STEP_MS) == ""
    after = told(make(), lasting_ms)
    assert part in after
    assert bool(after) == bool(part)


@pytest.mark.thorough
def test_one_different_picture_ends_the_doubt() -> None:
    doubts = PictureDoubts()
    assert told(frozen(), FROZEN_MS, doubts)
    assert told(pictures(120, 4), SECOND_MS, doubts, FROZEN_MS + STEP_MS) == ""
    assert told(pictures(2, 2), BLANK_MS, doubts, 2 * FROZEN_MS)
    assert told(pictures(90, 4), SECOND_MS, doubts, 3 * FROZEN_MS) == ""


@pytest.mark.parametrize(("confidence", "part"), [(0.9, ""), (0.1, "is black")], ids=["counted", "weak"])
def test_a_dark_picture_with_a_counted_box_is_no_longer_black_once_the_box_is_known(
    tmp_path: Path, confidence: float, part: str
) -> None:
    settings, doubts = here(tmp_path), PictureDoubts()
    assert "is black" in told(pictures(2, 2), BLANK_MS, doubts), "by its picture: no result is known yet"
    box = [Detection(label="car", confidence=confidence, box=(1, 1, 60, 40))]
    with closing(open_frame_log(settings.log_url)) as log:
        make_results_topic(log, settings)
        for at_ms in range(0, BLANK_MS + 1, STEP_MS):
            frame = make_frame(at_ms, source="gate-1", detections=box if at_ms == 5000 else [])
            frame = replace(frame, shows="black")
            log.publish(settings.results_topic, [result_message(frame)])
        boxes = DoubtResults(log, settings, "gate-1")
        boxes.pass_to(doubts)
        until(lambda: boxes.pass_to(doubts) or doubts.known_until_ms == BLANK_MS)
        boxes.stop()
    later = told(pictures(2, 2), SECOND_MS, doubts, BLANK_MS + STEP_MS)
    assert part in later
    assert bool(later) == bool(part)


@pytest.mark.thorough
def test_a_lasting_doubt_keeps_its_start() -> None:
    doubts = PictureDoubts()
    told(frozen(), 3 * FROZEN_MS, doubts, SECOND_MS)
    assert doubts.lasting == PictureDoubt("frozen", SECOND_MS, 3 * FROZEN_MS + SECOND_MS)


def test_damaged_pictures_are_reported_until_none_has_arrived_for_a_while() -> None:
    doubts, shown = PictureDoubts(), pictures(90, 4)
    doubts.note_damage(0)
    times = count(STEP_MS, STEP_MS)
    said = []
    for at_ms in times:
        see(doubts, next(shown), at_ms)
        said.append((at_ms, doubts.sentence))
        if at_ms > DAMAGED_MS:
            break
    assert all(bool(sentence) == (at_ms < DAMAGED_MS) for at_ms, sentence in said)


def test_a_picture_of_another_size_is_another_picture() -> None:
    doubts = PictureDoubts()
    assert told(frozen(), FROZEN_MS, doubts)
    see(doubts, next(frozen())[:48, :64], FROZEN_MS + SECOND_MS)
    assert doubts.sentence == ""


def test_a_camera_process_that_dies_during_its_stop_has_all_frames_in_complete_minutes(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    command = [sys.executable, "-m", "frametally", "live", "work", "--data-dir", str(settings.data_dir)]
    environment = {"FRAMETALLY_LIVE_ALLOW": "127.0.0.1", "FRAMETALLY_SAMPLE_FPS": "all"}
    with (
        RtspCamera() as camera,
        closing(LiveBook(settings.catalogue_url)) as feeds,
        closing(open_object_store(settings.store_url)) as store,
        subprocess.Popen(command, env=os.environ | environment) as worker,
    ):
        try:
            feed, _ = add_camera(feeds, read_camera(feeds, settings, source="gate-1", address=camera.address))

            def now() -> tuple[bool, int]:
                found = feeds.feed(feed.id)
                return found.is_over, found.told.frames_announced

            until(lambda: now()[1] > 3)
            (child,) = children_of(worker.pid)
            os.kill(child, signal.SIGSTOP)
            feeds.ask_feed(feed.id, "stop")
            time.sleep(0.5)
            os.kill(child, signal.SIGKILL)
            until(lambda: now()[0])
            told = now()[1]
        finally:
            worker.terminate()
        minutes = manifests_of(store)
    assert told == sum(one.frames_announced for one in minutes)
    assert {one.state for one in minutes} == {"complete"}
    assert sum(one.frames_announced for one in minutes) == len(announcements_in(settings))
