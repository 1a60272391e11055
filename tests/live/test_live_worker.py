"""`frametally live work` runs feeds in separate processes, including those that are stopped at once."""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.kit.messages import records_on
from tests.kit.processes import run_program
from tests.kit.waiting import until
from tests.producer.conftest import encode_video
from tests.videos.video_place import VideoPlace

from frametally.adapters_by_url import open_frame_log
from frametally.errors import Retryable
from frametally.process.meters import METERS
from frametally.records import FrameAnnouncement, decode
from frametally.settings.loading import load_settings
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed, TooManyStreams
from frametally_live.feeds.feed_worker import work
from frametally_live.feeds.stream_form import start_stream
from frametally_videos.records import VideoRecord

pytestmark = pytest.mark.timeout(300)

FRAMES = 10
PATIENCE_S = 120.0


class Place(VideoPlace):
    """A data folder with videos, and a worker that runs their streams."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "data", sample_fps="all", streams=2)
        self._folder = folder
        self.feeds = LiveBook(self.settings.catalogue_url)
        self.log = open_frame_log(self.settings.log_url)

    def close(self) -> None:
        self.log.close()
        self.feeds.close()
        super().close()

    def film(self, name: str, frames: int = FRAMES) -> VideoRecord:
        clip = encode_video(self._folder / f"{name}.mp4", frames, codec="libx264", size_px=(64, 48))
        return self.upload(clip, source="Gate", start_time="2026-03-01T10:00:00Z")

    def start(self, video: VideoRecord) -> Feed:
        return start_stream(self.catalogue, self.feeds, self.settings, video.id, speed=16.0).feed

    def now(self, feed: Feed) -> Feed:
        found = self.feeds.feed(feed.id)
        assert found is not None
        return found

    def announced(self, video: VideoRecord) -> list[int]:
        """The frames of a video on the live topic."""
        records = records_on(self.log, self.settings.live_topic)
        found = [decode(record.value, FrameAnnouncement) for record in records]
        return sorted(one.frame_index for one in found if one.media == video.sha256)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as opened:
        yield opened


@pytest.fixture
def worker(place: Place) -> Iterator[None]:
    stop = threading.Event()
    values = {"settings": place.settings, "book": place.feeds, "say": print, "should_stop": stop.is_set}
    thread = threading.Thread(target=work, kwargs=values)
    thread.start()
    yield
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


class RefusingBook(LiveBook):
    """Feeds whose database refuses once."""

    refusals = 1

    def claim_feed(self, *args: Any, **options: Any) -> Feed | None:
        if self.refusals:
            self.refusals -= 1
            raise Retryable("the database refuses", part="video catalogue")
        return super().claim_feed(*args, **options)


def test_a_worker_without_its_database_waits_and_reports_when_it_is_back(place: Place) -> None:
    lines: list[str] = []
    with closing(RefusingBook(place.settings.catalogue_url)) as book:
        work(settings=place.settings, book=book, say=lines.append, should_stop=lambda: len(lines) > 1)
    assert lines == [
        "waiting, then trying again: the database refuses",
        "no longer waiting: the video catalogue is responding again",
    ]
    absence = METERS.absence("video catalogue")
    assert absence is not None and absence.back_since_ms is not None


@pytest.mark.thorough
@pytest.mark.usefixtures("worker")
def test_a_stream_stopped_during_its_start_is_over_and_the_next_one_is_another(place: Place) -> None:
    video = place.film("gate")
    first = place.start(video)
    until(lambda: place.now(first).worker)
    assert place.now(first).told.state == "starting"
    place.feeds.ask_feed(first.id, "stop")
    again = place.start(video)
    assert again.id != first.id
    until(lambda: place.now(again).is_over)
    assert place.now(again).told.state == "ended"
    assert place.announced(video) == list(range(FRAMES))


@pytest.mark.thorough
def test_a_camera_with_a_new_address_is_opened_there_and_stays_the_same_camera(
    place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("FRAMETALLY_LIVE_ALLOW", "127.0.0.1")
    place.settings = load_settings("producer", data_dir=place.settings.data_dir)
    request.getfixturevalue("worker")
    camera = place.feeds.put_camera(
        Feed(str(uuid.uuid4()), "camera", "gate", "Gate", address="rtsp://127.0.0.1:1/stream")
    )
    assert camera is not None
    until(lambda: "127.0.0.1:1 " in place.now(camera).told.reason)
    place.feeds.change_camera(camera._replace(address="rtsp://127.0.0.1:2/stream"))
    until(lambda: "127.0.0.1:2 " in place.now(camera).told.reason)
    assert place.now(camera).wanted == "run"


@pytest.mark.usefixtures("worker")
def test_a_stream_stopped_during_its_start_ends_as_a_stopped_one(place: Place) -> None:
    feed = place.start(place.film("gate", 100))
    until(lambda: place.now(feed).worker)
    place.feeds.ask_feed(feed.id, "stop")
    until(lambda: place.now(feed).is_over)
    assert (place.now(feed).told.state, place.now(feed).told.reason) == ("ended", "")


@pytest.mark.thorough
@pytest.mark.usefixtures("worker")
def test_two_videos_of_one_source_can_stream_at_once_and_a_third_waits_its_turn(place: Place) -> None:
    videos = [place.film(name, frames) for name, frames in (("a", 10), ("b", 11), ("c", 12))]
    assert len({video.source for video in videos}) == 1
    feeds = [place.start(video) for video in videos[:2]]
    with pytest.raises(TooManyStreams) as refused:
        place.start(videos[2])
    assert sorted(feed.id for feed in refused.value.running) == sorted(feed.id for feed in feeds)
    until(lambda: all(place.now(feed).is_over for feed in feeds))
    third = place.start(videos[2])
    until(lambda: place.now(third).is_over)
    assert [place.announced(video) for video in videos] == [[*range(10)], [*range(11)], [*range(12)]]


@pytest.mark.thorough
def test_the_process_that_runs_streams_loads_no_decoder() -> None:
    said = run_program(
        [sys.executable, "-c", "import sys, frametally_live.feeds.feed_worker; print(*sys.modules)"]
    )
    assert {"av", "cv2", "numpy"}.isdisjoint(said.stdout.split())
