"""A streamed video's frames are announced as by the producer, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.memory import ManualClock
from tests.fakes.records import make_segment
from tests.kit.clips import with_patches, write_clip
from tests.kit.messages import records_on
from tests.videos.video_records import make_facts, make_video

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Poison, Retryable
from frametally.media.forgetting import Target, forget
from frametally.media.manifests import find_manifest
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Extent
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.process.reports import NoProgress
from frametally.process.retrying import GivenUp, Patience
from frametally.records import FrameAnnouncement, FrameDetections, MediaManifest, decode, encode
from frametally.settings.loading import Settings
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds import video_stream
from frametally_live.feeds.feed_messages import FeedRun, FeedWish, Teller, TellingPatience, Wishes
from frametally_live.feeds.video_stream import REMOVED, VideoStream
from frametally_producer.reading.video_file import TimedFrame, Video
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_videos.jobs.frames_job import make_frames
from frametally_videos.records import VideoRecord

START_MS = 1_772_409_597_000
FRAMES, FPS = 30, 10
WALL_S = 1_800_000_000.0
MODEL = "pixels-1"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Three seconds; the patch is at a different place in each frame."""
    pictures = (with_patches((number, number), side_px=12) for number in range(FRAMES))
    path = tmp_path_factory.mktemp("footage") / "clip.mp4"
    return write_clip(path, pictures, fps=FPS, options={"g": "7"}).read_bytes()


class ScriptedWishes(Wishes):
    """The user's requests, by how often the stream has asked; each wait advances the test's clock."""

    def __init__(self, feed: Feed, script: Iterable[tuple[int, FeedWish]], clock: ManualClock) -> None:
        super().__init__(feed, lease_s=1e9, clock=clock)
        self._script = sorted(script, key=lambda step: step[0])
        self._time = clock
        self._asked = 0

    @property
    def is_end_wanted(self) -> bool:
        self._asked += 1
        while self._script and self._script[0][0] <= self._asked:
            self.hear(self._script.pop(0)[1])
        return super().is_end_wanted

    def wait(self, seconds: float) -> None:
        self._time.now_s += seconds


class Place:
    """A store and a log with one video."""

    def __init__(self, folder: Path, clip: bytes, **values: Any) -> None:
        usual = {"sample_fps": "5", "log_partitions": 2, **values}
        self.settings = Settings(data_dir=folder, **usual).resolved()
        self.store: ObjectStore = open_object_store(self.settings.store_url)
        self.log: FrameLog = open_frame_log(self.settings.log_url)
        facts = make_facts(started_at_ms=START_MS, duration_s=FRAMES / FPS, frames=FRAMES, fps=float(FPS))
        self.video = make_video(facts=facts, sha256=hashlib.sha256(clip).hexdigest(), size_bytes=len(clip))
        self.store.put(keys.original_key(self.video.id), clip)
        self.put(self.video)
        self.told: list[FeedTold] = []

    def close(self) -> None:
        self.log.close()
        self.store.close()

    def put(self, video: VideoRecord) -> None:
        self.video = video
        self.store.put(video.key, encode(video))

    def stream(
        self,
        *script: tuple[int, FeedWish],
        log: Any = None,
        store: Any = None,
        clock: ManualClock | None = None,
        **values: Any,
    ) -> str:
        """Stream it by the test's clock; return why it ended."""
        feed = Feed(id="f", kind="video", source="gate", name="Gate", video_id=self.video.id)
        feed = feed._replace(**values)
        clock = clock or ManualClock()
        wishes = ScriptedWishes(feed, script, clock)
        teller = Teller(feed.told, self.told.append, clock=clock)
        patience = TellingPatience(teller, lambda line: None, lambda: wishes.is_end_wanted)
        run = FeedRun(self.settings, store or self.store, log or self.log, patience, teller)
        return VideoStream(feed, run, wishes, clock=clock, wall_clock=lambda: WALL_S + clock.now_s).run()

    def batch(self) -> None:
        make_frames(
            StagePorts(self.settings, self.store, self.log),
            self.video,
            NoProgress(),
            Patience(print, lambda: False),
        )

    def announced(self, topic: str | None = None) -> list[bytes]:
        """All messages of a topic, by event time."""
        found = messages_of(self.log, topic or self.settings.live_topic)
        return sorted(found, key=lambda one: decode(one, FrameAnnouncement).captured_at_ms)

    def manifest(self) -> MediaManifest:
        found = find_manifest(self.store, self.video.sha256)
        assert found is not None
        return found

    def detect(self, *topics: str, leave_out: int = 0) -> list[bytes]:
        """Write a segment of the announcements on these topics; return its lines, by event time."""
        lines = {}
        for topic in topics:
            for message in self.announced(topic):
                frame = decode(message, FrameAnnouncement)
                values = {name: getattr(frame, name) for name in SHARED}
                lines[frame.image_path] = FrameDetections(**values, model=MODEL, detections=[])
        chosen = sorted(lines.values(), key=lambda line: line.captured_at_ms)[leave_out:]
        number = next(SEGMENTS)
        data = make_segment(chosen, [], number, next_offset=number + 1, model=MODEL, log_id="l", topic="t")
        self.store.put(keys.segment_key(MODEL, "l", "t", 0, number), data)
        return [encode(line) for line in chosen]


SHARED = (
    "image_path",
    "source",
    "frame_index",
    "captured_at_ms",
    "time_source",
    "width_px",
    "height_px",
    "media",
)
SEGMENTS = itertools.count()


def messages_of(log: FrameLog, topic: str) -> list[bytes]:
    return [record.value for record in records_on(log, topic)]


@pytest.fixture
def place(tmp_path: Path, clip: bytes) -> Iterator[Place]:
    with closing(Place(tmp_path, clip)) as opened:
        yield opened


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory, clip: bytes) -> tuple[list[bytes], bytes]:
    """The producer's announcements of it, and its manifest then."""
    with closing(Place(tmp_path_factory.mktemp("batch"), clip)) as quiet:
        quiet.batch()
        return quiet.announced("frames"), encode(quiet.manifest())


def test_a_stream_announces_the_same_bytes_as_a_batch(place: Place, batch: tuple[list[bytes], bytes]) -> None:
    assert place.stream() == ""
    assert place.announced() == batch[0]
    assert len(batch[0]) == FRAMES * 5 // FPS
    assert encode(place.manifest()) == batch[1]
    assert {told.state for told in place.told} == {"running"}
    announced = [told.frames_announced for told in place.told]
    assert announced == sorted(announced)
    assert announced[0] == 1
    assert messages_of(place.log, "processed-frames") == []


def test_a_time_lapse_is_not_streamed_at_another_speed(place: Place) -> None:
    with pytest.raises(GivenUp):
        place.stream((3, FeedWish("stop")))
    manifest = find_manifest(place.store, place.video.sha256)
    assert manifest is not None
    place.store.put(manifest.key, encode(msgspec.structs.replace(manifest, pace="frame 60")))
    with pytest.raises(Poison, match="time-lapse or slow motion"):
        place.stream()


@pytest.mark.parametrize(("most_bytes", "ahead"), [(24_000_000, 15), (2 * 3 * 64 * 48, 2), (0, 1)])
def test_frames_are_decoded_a_few_ahead_and_large_ones_one_by_one(
    place: Place, monkeypatch: pytest.MonkeyPatch, most_bytes: int, ahead: int
) -> None:
    decoded = 0
    shown: list[int] = []
    make, add = Video.frames, FrameWriter.add

    def counted(video: Video) -> Iterator[TimedFrame]:
        nonlocal decoded
        for frame in make(video):
            decoded += 1
            yield frame

    def noted(writer: FrameWriter, frame: NewFrame) -> None:
        shown.append(decoded)
        add(writer, frame)

    monkeypatch.setattr(video_stream, "_MOST_BYTES_AHEAD", most_bytes)
    monkeypatch.setattr(Video, "frames", counted)
    monkeypatch.setattr(FrameWriter, "add", noted)
    assert place.stream() == ""
    # Except for the first, frames are known to be taken one frame later.
    needed = [1, *range(4, FRAMES + 1, 2)]
    assert shown == [ahead * -(-number // ahead) for number in needed]


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_frames_are_announced_at_their_own_pace(place: Place, speed: float) -> None:
    clock = ManualClock()
    came: list[float] = []

    class Timed:
        def __getattr__(self, name: str) -> Any:
            return getattr(place.log, name)

        def publish(self, topic: str, messages: Any) -> None:
            came.extend(clock.now_s for _ in messages)
            place.log.publish(topic, messages)

    feed = Feed(id="f", kind="video", source="gate", name="Gate", video_id=place.video.id, speed=speed)
    wishes = ScriptedWishes(feed, (), clock)
    teller = Teller(feed.told, place.told.append, clock=clock)
    patience = TellingPatience(teller, lambda line: None, lambda: False)
    log: Any = Timed()
    run = FeedRun(place.settings, place.store, log, patience, teller)
    VideoStream(feed, run, wishes, clock=clock).run()
    assert came == pytest.approx([number / 5 / speed for number in range(15)])


class Slow:
    """A log that is slow for each message."""

    def __init__(self, log: FrameLog, clock: ManualClock, seconds: float) -> None:
        self._log = log
        self._clock = clock
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def publish(self, topic: str, messages: Any) -> None:
        self._clock.now_s += self._seconds
        self._log.publish(topic, messages)


def begun_at_s(told: Iterable[FeedTold], speed: float = 1.0) -> list[float]:
    """Due times of the video's beginning in the messages, by the clock of the test."""
    return [
        round(one.due_at_ms / 1000 - WALL_S - (one.position_s or 0) / speed, 2)
        for one in told
        if one.due_at_ms is not None
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("is_replayed", [False, True])
def test_the_due_time_of_a_frame_is_reported_however_late_it_is(
    place: Place, speed: float, is_replayed: bool
) -> None:
    if is_replayed:
        place.batch()
        place.detect("frames")
    clock = ManualClock()
    place.stream(log=Slow(place.log, clock, 0.3), clock=clock, speed=speed)
    due_at_s = begun_at_s(place.told, speed)
    assert len(due_at_s) > 1
    assert set(due_at_s) == {0.0}


def test_no_frame_is_due_during_a_pause_or_a_seek(place: Place) -> None:
    place.stream((20, FeedWish("pause")), (40, FeedWish("run")), (60, FeedWish("run", 1.0)))
    changes = itertools.groupby(place.told, lambda told: (told.state, told.due_at_ms is None))
    assert [change for change, _ in changes] == [
        ("running", False),
        ("paused", True),
        ("running", False),
        ("running", True),
        ("running", False),
    ]
    first, second, third = sorted(set(begun_at_s(place.told)))
    assert first == 0
    assert third > second > 1
    sought = next(told for told in place.told if told.state == "running" and told.due_at_ms is None)
    assert sought.position_s == 1.0


@pytest.mark.parametrize("is_replayed", [False, True])
def test_a_paused_stream_shows_the_position_that_is_sought_even_beyond_the_end(
    place: Place, is_replayed: bool
) -> None:
    if is_replayed:
        place.batch()
        place.detect("frames")
    sought_s = {10: 1.0, 60: 3.4, 110: 0.4, 160: 3.4}
    place.stream(
        (5, FeedWish("pause")),
        *((asked, FeedWish("pause", place_s)) for asked, place_s in sought_s.items()),
        (210, FeedWish("run")),
    )
    stood = [told for told in place.told if told.state == "paused"]
    stood_ms = [
        at_ms - START_MS for at_ms, _ in itertools.groupby(told.captured_at_ms or 0 for told in stood)
    ]
    assert stood_ms[-4:] == [1000, 2800, 400, 2800]
    assert place.told[-1].state == "paused", "it goes on from there to its end"


WISHES = st.builds(
    FeedWish, st.sampled_from(["run", "pause"]), st.one_of(st.none(), st.floats(0, FRAMES / FPS + 0.5))
)


@pytest.mark.thorough
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 120), WISHES), max_size=6), st.booleans())
def test_after_any_pauses_and_seeks_each_frame_equals_that_of_the_batch(
    clip: bytes, batch: tuple[list[bytes], bytes], script: list[tuple[int, FeedWish]], batch_first: bool
) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = stack.enter_context(closing(Place(folder, clip)))
        if batch_first:
            place.batch()
            place.detect("frames", leave_out=4)
        place.stream(*script, (400, FeedWish("run")))
        announced = place.announced()
        assert set(announced) <= set(batch[0])
        known = set(announced) | set(place.announced("frames") if batch_first else [])
        assert (place.manifest().state == "complete") == (known == set(batch[0]))
        place.batch()
        assert set(announced) | set(place.announced("frames")) == set(batch[0])
        assert encode(place.manifest()) == batch[1]


def test_skipped_frames_are_left_to_the_batch_and_frames_seen_twice_count_once(
    place: Place, batch: tuple[list[bytes], bytes]
) -> None:
    place.stream((20, FeedWish("run", 2.0)))
    left_out = set(batch[0]) - set(place.announced())
    assert left_out
    assert place.manifest().state == "producing"
    place.batch()
    assert set(place.announced("frames")) == left_out, "what was streamed is known"
    assert encode(place.manifest()) == batch[1]


def test_a_stopped_stream_has_recorded_its_announced_frames_and_continues_from_there(
    place: Place, batch: tuple[list[bytes], bytes]
) -> None:
    with pytest.raises(GivenUp):
        place.stream((25, FeedWish("stop")))
    before = place.announced()
    assert 0 < len(before) < len(batch[0])
    assert place.manifest().frames_announced == len(before)
    at_s = (decode(before[-1], FrameAnnouncement).captured_at_ms - START_MS) / 1000
    place.stream(told=FeedTold("starting", position_s=at_s))
    assert set(place.announced()) == set(batch[0])
    assert len(place.announced()) <= len(batch[0]) + 1
    assert place.manifest().state == "complete"


def test_frames_in_segments_are_shown_from_there_and_not_decoded(place: Place) -> None:
    place.batch()
    lines = place.detect("frames")
    place.store.delete(keys.original_key(place.video.id))
    assert place.stream() == ""
    assert sorted(messages_of(place.log, "processed-frames")) == sorted(lines)
    assert place.announced() == []
    assert {told.state for told in place.told} == {"running"}
    place.stream(told=FeedTold("starting", position_s=2.0))
    assert len(messages_of(place.log, "processed-frames")) == len(lines) + 5


def test_frames_in_no_segment_yet_are_announced_even_if_a_batch_has_announced_them(place: Place) -> None:
    place.batch()
    lines = place.detect("frames", leave_out=4)
    place.stream()
    assert place.announced() == place.announced("frames")[:4], "no backlog delays it"
    assert sorted(messages_of(place.log, "processed-frames")) == sorted(lines)


class Away:
    """A port that fails for the next calls of one method."""

    def __init__(self, port: Any, method: str, calls: int, from_call: int = 3) -> None:
        self._port = port
        self._method = method
        self._calls = range(from_call, from_call + calls)
        self._called = 0

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._port, name)
        self._called += 1
        if self._called in self._calls:

            def fail(*arguments: object, **values: object) -> None:
                raise Retryable(f"it is away for {name}")

            return fail
        return getattr(self._port, name)


@pytest.mark.parametrize("which", ["log", "store"])
def test_a_stream_waits_for_an_unavailable_part_reports_it_and_loses_nothing(
    place: Place, batch: tuple[list[bytes], bytes], which: str
) -> None:
    method = {"log": "publish", "store": "put"}[which]
    away: dict[str, Any] = {which: Away(getattr(place, which), method, 2)}
    place.stream(**away)
    assert place.announced() == batch[0]
    waiting = [told for told in place.told if told.state == "waiting"]
    assert {told.reason for told in waiting} == {f"It is away for {method}."}
    assert place.told[-1].state == "running"


def test_a_video_without_a_time_is_refused_with_the_remedy(place: Place) -> None:
    facts = msgspec.structs.replace(place.video.facts, started_at_ms=None, time_source=None)
    place.put(msgspec.structs.replace(place.video, facts=facts))
    with pytest.raises(Poison, match="its time is unknown: set its start time"):
        place.stream()


@pytest.mark.parametrize("how", ["gone", "going"])
def test_the_stream_of_a_removed_video_ends(place: Place, how: str) -> None:
    if how == "gone":
        place.store.delete(place.video.key)
    else:
        place.put(msgspec.structs.replace(place.video, state="deleting"))
    assert place.stream() == REMOVED


def test_a_stream_fails_when_its_medium_is_forgotten(place: Place) -> None:
    class Forgetting:
        """After the fifth frame the medium is deleted, and its manifest is read again."""

        def __init__(self) -> None:
            self.published = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(place.log, name)

        def publish(self, topic: str, messages: Any) -> None:
            place.log.publish(topic, messages)
            self.published += 1
            if self.published == 5:
                forget(
                    place.store,
                    [Target(place.manifest(), None, None, Extent(0, 0))],
                    delete_images=True,
                    progress=NoProgress(),
                )

    with pytest.raises(Poison, match="was forgotten while it was being produced"):
        place.stream(log=Forgetting())
    assert find_manifest(place.store, place.video.sha256) is None


def test_a_stream_continues_under_the_new_time_of_a_corrected_video(place: Place) -> None:
    later = msgspec.structs.replace(place.video.facts, started_at_ms=START_MS + 60_000)

    class Retiming:
        def __init__(self) -> None:
            self.published = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(place.log, name)

        def publish(self, topic: str, messages: Any) -> None:
            place.log.publish(topic, messages)
            self.published += topic == "video-frames"
            if self.published == 5:
                self.published += 1
                place.put(msgspec.structs.replace(place.video, facts=later, revision=1))
                place.batch()

    place.stream(log=Retiming())
    manifest = place.manifest()
    assert (manifest.start_ms, manifest.revision, manifest.state) == (START_MS + 60_000, 1, "complete")
