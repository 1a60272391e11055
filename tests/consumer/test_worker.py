"""The worker's loop: every message ends in exactly one segment, as detections or as a dead letter."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.said import Said
from tests.kit.clips import grey_jpeg
from tests.kit.consuming import consume_all
from tests.kit.stand_ins import Around, Watched

from frametally import keys
from frametally.errors import Retryable
from frametally.ports.frame_log import consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.records import Detection, FrameAnnouncement, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.worker.loop import ConsumeReport, consume

TOPIC = "frames"


class BrightDetector:
    """One box per picture; its confidence is the picture's brightness."""

    model_id = "bright-1"

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        return [
            [
                Detection(
                    label="light", confidence=round(float(image.mean()) / 255, 4), box=(0.0, 0.0, 8.0, 8.0)
                )
            ]
            for image in images
        ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, batch_frames=4, batch_s=1000.0, log_partitions=2)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create_topic(TOPIC, 2)
    return log


def announcement(store: ObjectStore, number: int, **changes: object) -> FrameAnnouncement:
    data = grey_jpeg(64, 48, number % 250)
    path = keys.image_key("cam", 1_000 * number, "ab" * 32, number)
    store.put(path, data, if_absent=True)
    fields = {
        "image_path": path,
        "source": "cam",
        "frame_index": number,
        "captured_at_ms": 1_000 * number,
        "time_source": "start_time",
        "width_px": 64,
        "height_px": 48,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "media": "ab" * 32,
    }
    return FrameAnnouncement(**(fields | changes))  # type: ignore[arg-type]


class Desk:
    """Announced frames, and the workers that detect them."""

    def __init__(self, settings: Settings, store: MemoryStore, log: MemoryLog) -> None:
        self.settings, self.store, self.log = settings, store, log

    def send(self, *messages: bytes) -> None:
        self.log.publish(TOPIC, [(str(number // 3).encode(), one) for number, one in enumerate(messages)])

    def announce(self, end: int, first: int = 0) -> list[str]:
        """Announce the frames with these numbers; return their places in the store."""
        frames = [announcement(self.store, number) for number in range(first, end)]
        self.send(*map(encode, frames))
        return [frame.image_path for frame in frames]

    def drain(self, said: Said | None = None, *, store: Any = None, log: Any = None) -> ConsumeReport:
        """Detect all that is announced, with another store or log if one is given."""
        of_test = store or self.store, log or self.log
        return consume_all(self.settings, *of_test, BrightDetector(), progress=said or Said())

    def until(self, stop: Callable[[], bool], detector: BrightDetector, store: Any = None) -> ConsumeReport:
        """Detect until `stop` is true."""
        return consume(
            settings=self.settings,
            store=store or self.store,
            log=self.log,
            detector=detector,
            progress=Said(),
            until_caught_up=False,
            should_stop=stop,
        )

    def segments(self) -> dict[str, bytes]:
        return {key: self.store.get(key) for key in list_segments(self.store)}

    def frames(self) -> list[str]:
        """The frames in all segments."""
        segments = (read_segment(self.store, key) for key in list_segments(self.store))
        return sorted(frame.image_path for segment in segments for frame in segment.frames())

    def assert_one_chain_each(self) -> None:
        """Each partition's segments form one chain, from its first message to its last, and are committed."""
        ends = dict.fromkeys(self.log.end_offsets(TOPIC), 0)
        for key in list_segments(self.store):
            header = read_segment(self.store, key).header
            assert header.first_offset == ends[header.partition], "a gap or an overlap"
            assert header.frames + header.dead_letters == header.next_offset - header.first_offset
            ends[header.partition] = header.next_offset
        assert ends == self.log.end_offsets(TOPIC)
        committed = self.log.committed(TOPIC, consumer_group("bright-1"))
        assert {partition: committed.get(partition, 0) for partition in ends} == ends


@pytest.fixture
def desk(settings: Settings, store: MemoryStore, log: MemoryLog) -> Desk:
    return Desk(settings, store, log)


def test_every_announced_frame_is_in_one_segment_and_committed(desk: Desk) -> None:
    frames = desk.announce(30)
    report = desk.drain()
    assert report.frames == 30
    assert report.segments_written >= 30 // desk.settings.batch_frames
    assert desk.frames() == sorted(frames)
    desk.assert_one_chain_each()


def test_a_second_start_repeats_nothing(desk: Desk) -> None:
    desk.announce(10)
    desk.drain()
    before = desk.segments()
    assert desk.drain().frames == 0
    assert desk.segments() == before


def test_an_empty_log_is_caught_up_at_once_even_if_nobody_has_created_the_topic(desk: Desk) -> None:
    desk.log = MemoryLog()
    assert desk.drain() == ConsumeReport("bright-1", 0, 0, 0, [], [])
    assert desk.log.partitions(TOPIC) == desk.settings.log_partitions


def spoiled(store: MemoryStore, kind: str) -> bytes:
    good = announcement(store, 500)
    match kind:
        case "not JSON":
            return b"\x00\xff certainly not JSON"
        case "empty message":
            return b""
        case "missing field":
            return encode(good).replace(b'"media"', b'"medium"')
        case "unknown version":
            return encode(good).replace(b'"v":1', b'"v":7')
        case "foreign key":
            return encode(announcement(store, 500, image_path="media/secret.json"))
        case "missing object":
            store.delete(good.image_path)
            return encode(good)
        case "other bytes":
            return encode(announcement(store, 500, sha256="0" * 64))
        case "other size":
            return encode(announcement(store, 500, width_px=65))
        case _:
            data = {"no picture": b"not a picture", "empty object": b""}[kind]
            store.put(good.image_path, data)
            return encode(announcement(store, 500, sha256=hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("not JSON", "parse"),
        ("empty message", "parse"),
        ("missing field", "parse"),
        ("unknown version", "parse"),
        ("foreign key", "parse"),
        ("missing object", "fetch"),
        ("other bytes", "verify"),
        ("other size", "verify"),
        ("no picture", "decode"),
        ("empty object", "decode"),
    ],
)
def test_a_damaged_message_becomes_a_dead_letter_with_its_reason_and_the_others_go_on(
    desk: Desk, kind: str, stage: str
) -> None:
    message = spoiled(desk.store, kind)
    good = [encode(announcement(desk.store, number)) for number in range(8)]
    desk.send(*good[:4], message, *good[4:])
    report = desk.drain()
    assert report.frames == 8
    [skipped] = report.dead_letters
    assert "\n" not in skipped.reason
    segments = (read_segment(desk.store, key) for key in list_segments(desk.store))
    [letter] = [letter for segment in segments for letter in segment.dead_letters()]
    assert (letter.stage, letter.message, letter.reason) == (stage, message, skipped.reason)
    desk.assert_one_chain_each()


def test_a_temporarily_unavailable_store_costs_time_but_no_frame(desk: Desk) -> None:
    desk.announce(6)
    calls = {"before get": 0, "before put": 0, "before list": 0}

    def first_call_of_each_kind_fails(call: str, key: str) -> None:
        if call in calls:
            calls[call] += 1
            if calls[call] == 1:
                raise Retryable(f"{call}: the store did not answer")

    progress = Said()
    report = desk.drain(progress, store=Watched(desk.store, first_call_of_each_kind_fails))
    assert (report.frames, report.dead_letters) == (6, [])
    assert sum("trying again" in line for line in progress.lines) == 3
    desk.assert_one_chain_each()


class Stoppable(BrightDetector):
    """Sets `detected` after its first detection; may be slow."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.detected = threading.Event()
        self._seconds = seconds

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        self.detected.set()
        time.sleep(self._seconds)
        return super().detect(images)


def test_a_stopped_worker_writes_what_it_has_in_hand(desk: Desk) -> None:
    desk.announce(3)
    detector = Stoppable()
    report = desk.until(detector.detected.is_set, detector)
    assert (report.frames, report.unfinished) == (3, False)
    desk.assert_one_chain_each()


def test_a_stopped_worker_drops_a_batch_too_slow_to_finish_and_it_is_detected_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_consumer.worker.loop._STOP_WITHIN_S", 0.3)
    monkeypatch.setattr("frametally_consumer.worker.loop._CLOSE_WITHIN_S", 0.0)
    desk.announce(9)
    detector = Stoppable(seconds=1.5)
    report = desk.until(detector.detected.is_set, detector)
    assert report.unfinished
    assert report.frames == 0
    assert desk.log.committed(TOPIC, consumer_group("bright-1")) == {}
    assert desk.drain().frames == 9
    desk.assert_one_chain_each()


def test_a_worker_stopped_while_the_store_is_down_ends_and_nothing_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_consumer.worker.loop._STOP_WITHIN_S", 0.3)
    desk.announce(9)
    tried = threading.Event()

    def no_segment_can_be_put(call: str, key: str) -> None:
        if call == "before put":
            tried.set()
            raise Retryable("the store did not answer")

    report = desk.until(tried.is_set, BrightDetector(), Watched(desk.store, no_segment_can_be_put))
    assert (report.frames, report.unfinished, report.dead_letters) == (0, False, [])
    assert desk.drain().frames == 9
    desk.assert_one_chain_each()


@pytest.mark.thorough
def test_the_lease_is_kept_during_a_retried_put_and_a_slow_detection(desk: Desk) -> None:
    desk.log = MemoryLog(lease_s=0.4)
    desk.log.create_topic(TOPIC, 2)
    desk.announce(9)
    lost = time.monotonic() + 1.5
    others: list[int] = []
    other = desk.log.subscribe(
        TOPIC, consumer_group("bright-1"), on_assigned=others.extend, on_revoked=lambda gone: None
    )

    def away_for_a_while(call: str, key: str) -> None:
        if call == "before put" and time.monotonic() < lost:
            other.poll(timeout_s=0, max_records=0)  # it would take free partitions
            raise Retryable("the store did not answer")

    report = desk.drain(store=Watched(desk.store, away_for_a_while))
    other.close()
    assert len(others) <= 1, "only its even share"
    assert report.frames + desk.drain().frames == 9
    desk.assert_one_chain_each()


def test_while_one_batch_is_written_the_next_is_detected_and_the_one_after_is_loaded(desk: Desk) -> None:
    desk.log = MemoryLog()
    desk.log.create_topic(TOPIC, 1)
    desk.announce(100)
    loaded = set()
    detected_frames = 0
    seen_at_the_first_put: list[tuple[int, int]] = []

    class Counting(BrightDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
            nonlocal detected_frames
            detected_frames += len(images)
            return super().detect(images)

    def watch(call: str, key: str) -> None:
        if call == "before get":
            loaded.add(key)
        if call == "before put" and not seen_at_the_first_put:
            deadline_s = time.monotonic() + 20
            while (detected_frames < 32 or len(loaded) <= 32) and time.monotonic() < deadline_s:
                time.sleep(0.005)
            seen_at_the_first_put.append((detected_frames, len(loaded)))

    settings = desk.settings.model_copy(update={"batch_frames": 16})
    report = consume_all(settings, Watched(desk.store, watch), desk.log, Counting())
    [(detected, fetched)] = seen_at_the_first_put
    assert detected >= 32
    assert fetched > 32
    assert report.frames == 100
    desk.assert_one_chain_each()


def test_work_in_progress_is_limited_however_slow_the_detector_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 64 * 48 * 3
    monkeypatch.setattr("frametally_consumer.worker.pipeline._MOST_BYTES", 20 * size)
    desk.log = MemoryLog()
    desk.log.create_topic(TOPIC, 1)
    desk.announce(80)
    fetched = detected = most = 0

    class Slow(BrightDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
            nonlocal detected, most
            time.sleep(0.005)
            most = max(most, fetched - detected)
            detected += len(images)
            return super().detect(images)

    def count(call: str, key: str) -> None:
        nonlocal fetched
        fetched += call == "before get"

    consume_all(desk.settings, Watched(desk.store, count), desk.log, Slow())
    assert detected == 80
    assert most <= 20


def test_an_emptied_store_is_refilled_as_far_as_the_log_reaches(desk: Desk) -> None:
    desk.announce(20)
    desk.drain()
    for key in desk.segments():
        desk.store.delete(key)
    said = Said()
    assert desk.drain(said).frames == 20
    told = [line for line in said.lines if "not in the store" in line]
    assert len(told) == 2
    assert all("detects their frames again" in line for line in told)
    desk.assert_one_chain_each()


def test_segments_missing_at_the_start_are_written_again_and_the_others_stay(desk: Desk) -> None:
    desk.announce(40)
    desk.drain()
    before = desk.segments()
    first, second, *_ = sorted(before)
    desk.store.delete(first)
    desk.store.delete(second)
    assert 0 < desk.drain().frames < 40
    desk.assert_one_chain_each()
    after = desk.segments()
    assert {key: data for key, data in before.items() if key not in (first, second)}.items() <= after.items()


def test_a_commit_in_the_middle_of_a_segment_repeats_nothing(desk: Desk) -> None:
    desk.announce(30)
    desk.drain()
    before = desk.segments()
    consumer = desk.log.subscribe(
        TOPIC, consumer_group("bright-1"), on_assigned=lambda _: None, on_revoked=lambda _: None
    )
    consumer.poll(timeout_s=0)
    for partition in (0, 1):
        consumer.commit(partition, 2)
    consumer.close()
    assert desk.drain().frames == 0
    assert desk.segments() == before
    desk.assert_one_chain_each()


@pytest.mark.parametrize("left", [7, 0])
def test_messages_removed_by_retention_are_reported_and_the_chain_has_no_gap(desk: Desk, left: int) -> None:
    desk.log = MemoryLog()
    desk.log.create_topic(TOPIC, 1)
    desk.announce(10)
    desk.drain()
    desk.announce(30, 10)
    topic = desk.log._topic(TOPIC)
    topic.begin[0] = 30 - left
    del topic.messages[0][: 30 - left]
    said = Said()
    assert desk.drain(said).frames == left
    [line] = [line for line in said.lines if "no longer has offsets" in line]
    assert f"offsets 10 to {29 - left}" in line
    assert "RETENTION" in line
    reached = 0
    for key in list_segments(desk.store):
        header = read_segment(desk.store, key).header
        assert header.first_offset == reached
        reached = header.next_offset
    assert reached == 30
    assert desk.drain(said).frames == 0


def test_a_recreated_log_starts_its_own_chain_and_says_what_to_do(desk: Desk) -> None:
    desk.announce(6)
    desk.drain()
    before = desk.segments()
    desk.log = MemoryLog()
    desk.log.create_topic(TOPIC, 2)
    said = Said()
    assert desk.drain(said).frames == 0
    [line] = [line for line in said.lines if "this log is new" in line]
    assert "produce them again" in line
    desk.announce(9, 6)
    assert desk.drain(said).frames == 3
    after = desk.segments()
    assert before.items() < after.items()
    again = Said()
    desk.drain(again)
    assert again.lines == []


class AwayLog(Around):
    """A log whose consumer cannot be reached for a while."""

    def __init__(self, inner: MemoryLog, until_s: float) -> None:
        super().__init__(inner)
        self._until_s = until_s

    def subscribe(self, *args: object, **kwargs: object) -> object:
        consumer = self.inner.subscribe(*args, **kwargs)
        for name in ("poll", "commit"):
            setattr(consumer, name, self._away(getattr(consumer, name)))
        return consumer

    def _away(self, method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if time.monotonic() < self._until_s:
                raise Retryable("the log did not answer")
            return method(*args, **kwargs)

        return call


@pytest.mark.thorough
def test_a_temporarily_unavailable_log_costs_time_but_no_frame(desk: Desk) -> None:
    desk.announce(9)
    said = Said()
    report = desk.drain(said, log=AwayLog(desk.log, time.monotonic() + 0.7))
    assert (report.frames, report.dead_letters) == (9, [])
    assert sum("did not answer" in line for line in said.lines) == 1
    desk.assert_one_chain_each()


def test_a_partition_with_a_broken_chain_stops_and_the_others_go_on(desk: Desk) -> None:
    desk.announce(30)
    log_id = desk.log.log_id(TOPIC)
    desk.store.put(keys.segment_key("bright-1", log_id, TOPIC, 0, 0), b"what is this?\n")
    report = desk.drain()
    assert [item.name for item in report.stopped] == ["partition 0"]
    assert "move that object out" in report.stopped[0].reason
    assert report.frames == desk.log.end_offsets(TOPIC)[1]
