"""The worker's loop: every message ends in exactly one segment, as detections or as a dead letter."""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.said import Said
from tests.kit.clips import grey_jpeg
from tests.kit.consuming import consume_all

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


class FailingStore:
    """A store whose calls fail when `fault` says so."""

    def __init__(self, inner: ObjectStore, fault: Callable[[str, str], None]) -> None:
        self._inner, self._fault = inner, fault

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)

        def call(*args: object, **kwargs: object) -> object:
            self._fault(name, str(args[0]) if args else "")
            return method(*args, **kwargs)

        return call


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


def publish(log: MemoryLog, messages: Sequence[bytes]) -> None:
    log.publish(TOPIC, [(str(number // 3).encode(), message) for number, message in enumerate(messages)])


def drain(
    settings: Settings, store: ObjectStore, log: MemoryLog, progress: Said | None = None
) -> ConsumeReport:
    return consume_all(settings, store, log, BrightDetector(), progress=progress or Said())


def frames_in_segments(store: ObjectStore) -> list[str]:
    return sorted(
        frame.image_path for key in list_segments(store) for frame in read_segment(store, key).frames()
    )


def assert_one_chain_each(store: ObjectStore, log: MemoryLog) -> None:
    ends = dict.fromkeys(log.end_offsets(TOPIC), 0)
    for key in list_segments(store):
        header = read_segment(store, key).header
        assert header.first_offset == ends[header.partition], "a gap or an overlap"
        assert header.frames + header.dead_letters == header.next_offset - header.first_offset
        ends[header.partition] = header.next_offset
    assert ends == log.end_offsets(TOPIC)
    committed = log.committed(TOPIC, consumer_group("bright-1"))
    assert {partition: committed.get(partition, 0) for partition in ends} == ends


def test_every_announced_frame_is_in_one_segment_and_committed(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    frames = [announcement(store, number) for number in range(30)]
    publish(log, [encode(frame) for frame in frames])
    report = drain(settings, store, log)
    assert report.frames == 30
    assert report.segments_written >= 30 // settings.batch_frames
    assert frames_in_segments(store) == sorted(frame.image_path for frame in frames)
    assert_one_chain_each(store, log)


def test_a_second_start_repeats_nothing(settings: Settings, store: MemoryStore, log: MemoryLog) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(10)])
    drain(settings, store, log)
    before = {key: store.get(key) for key in list_segments(store)}
    assert drain(settings, store, log).frames == 0
    assert {key: store.get(key) for key in list_segments(store)} == before


def test_an_empty_log_is_caught_up_at_once_even_if_nobody_has_created_the_topic(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    assert drain(settings, store, log) == ConsumeReport("bright-1", 0, 0, 0, [], [])
    assert log.partitions(TOPIC) == settings.log_partitions


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
    settings: Settings, store: MemoryStore, log: MemoryLog, kind: str, stage: str
) -> None:
    message = spoiled(store, kind)
    good = [encode(announcement(store, number)) for number in range(8)]
    publish(log, [*good[:4], message, *good[4:]])
    report = drain(settings, store, log)
    assert report.frames == 8
    [skipped] = report.dead_letters
    assert "\n" not in skipped.reason
    [letter] = [letter for key in list_segments(store) for letter in read_segment(store, key).dead_letters()]
    assert (letter.stage, letter.message, letter.reason) == (stage, message, skipped.reason)
    assert_one_chain_each(store, log)


def test_a_temporarily_unavailable_store_costs_time_but_no_frame(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(6)])
    calls = {"get": 0, "put": 0, "list": 0}

    def first_call_of_each_kind_fails(method: str, key: str) -> None:
        if method in calls:
            calls[method] += 1
            if calls[method] == 1:
                raise Retryable(f"{method}: the store did not answer")

    progress = Said()
    report = drain(settings, FailingStore(store, first_call_of_each_kind_fails), log, progress)  # type: ignore[arg-type]
    assert (report.frames, report.dead_letters) == (6, [])
    assert sum("trying again" in line for line in progress.lines) == 3
    assert_one_chain_each(store, log)


class Killed(BaseException):
    """The process is gone: no code in it may catch this."""


@pytest.mark.thorough
@pytest.mark.parametrize("survives", range(0, 26, 2))
def test_killed_at_any_store_call_the_next_worker_completes_the_chain(
    settings: Settings, store: MemoryStore, survives: int
) -> None:
    now_s = 0.0
    log = MemoryLog(clock=lambda: now_s)
    log.create_topic(TOPIC, 2)
    frames = [announcement(store, number) for number in range(20)]
    publish(log, [encode(frame) for frame in frames])
    calls = 0

    def die(method: str, key: str) -> None:
        nonlocal calls
        calls += 1
        if calls > survives:
            raise Killed

    with pytest.raises(Killed):
        drain(settings, FailingStore(store, die), log)  # type: ignore[arg-type]
    now_s += 1_000.0
    drain(settings, store, log)
    assert frames_in_segments(store) == sorted(frame.image_path for frame in frames)
    assert_one_chain_each(store, log)


class Stoppable(BrightDetector):
    """Sets `detected` after its first detection; may be slow."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.detected = threading.Event()
        self._seconds = seconds

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        self.detected.set()
        time.sleep(self._seconds)
        return super().detect(images)


def consume_until(
    stop: Callable[[], bool], settings: Settings, store: object, log: object, detector: BrightDetector
) -> ConsumeReport:
    return consume(
        settings=settings,
        store=store,  # type: ignore[arg-type]
        log=log,  # type: ignore[arg-type]
        detector=detector,
        progress=Said(),
        until_caught_up=False,
        should_stop=stop,
    )


def test_a_stopped_worker_writes_what_it_has_in_hand(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(3)])
    detector = Stoppable()
    report = consume_until(detector.detected.is_set, settings, store, log, detector)
    assert (report.frames, report.unfinished) == (3, False)
    assert_one_chain_each(store, log)


def test_a_stopped_worker_drops_a_batch_too_slow_to_finish_and_it_is_detected_later(
    settings: Settings, store: MemoryStore, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_consumer.worker.loop._STOP_WITHIN_S", 0.3)
    monkeypatch.setattr("frametally_consumer.worker.loop._CLOSE_WITHIN_S", 0.0)
    publish(log, [encode(announcement(store, number)) for number in range(9)])
    detector = Stoppable(seconds=1.5)
    report = consume_until(detector.detected.is_set, settings, store, log, detector)
    assert report.unfinished
    assert report.frames == 0
    assert log.committed(TOPIC, consumer_group("bright-1")) == {}
    assert drain(settings, store, log).frames == 9
    assert_one_chain_each(store, log)


def test_a_worker_stopped_while_the_store_is_down_ends_and_nothing_is_lost(
    settings: Settings, store: MemoryStore, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_consumer.worker.loop._STOP_WITHIN_S", 0.3)
    publish(log, [encode(announcement(store, number)) for number in range(9)])
    tried = threading.Event()

    def no_segment_can_be_put(method: str, key: str) -> None:
        if method == "put":
            tried.set()
            raise Retryable("the store did not answer")

    report = consume_until(
        tried.is_set, settings, FailingStore(store, no_segment_can_be_put), log, BrightDetector()
    )
    assert (report.frames, report.unfinished, report.dead_letters) == (0, False, [])
    assert drain(settings, store, log).frames == 9
    assert_one_chain_each(store, log)


@pytest.mark.thorough
def test_the_lease_is_kept_during_a_retried_put_and_a_slow_detection(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog(lease_s=0.4)
    log.create_topic(TOPIC, 2)
    publish(log, [encode(announcement(store, number)) for number in range(9)])
    lost = time.monotonic() + 1.5
    others: list[int] = []
    other = log.subscribe(
        TOPIC, consumer_group("bright-1"), on_assigned=others.extend, on_revoked=lambda gone: None
    )

    def away_for_a_while(method: str, key: str) -> None:
        if method == "put" and time.monotonic() < lost:
            other.poll(timeout_s=0, max_records=0)  # it would take free partitions
            raise Retryable("the store did not answer")

    report = drain(settings, FailingStore(store, away_for_a_while), log)  # type: ignore[arg-type]
    other.close()
    assert len(others) <= 1, "only its even share"
    assert report.frames + drain(settings, store, log).frames == 9
    assert_one_chain_each(store, log)


def test_while_one_batch_is_written_the_next_is_detected_and_the_one_after_is_loaded(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    log.create_topic(TOPIC, 1)
    publish(log, [encode(announcement(store, number)) for number in range(100)])
    loaded = set()
    detected_frames = 0
    seen_at_the_first_put: list[tuple[int, int]] = []

    class Counting(BrightDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
            nonlocal detected_frames
            detected_frames += len(images)
            return super().detect(images)

    def watch(method: str, key: str) -> None:
        if method == "get":
            loaded.add(key)
        if method == "put" and not seen_at_the_first_put:
            deadline_s = time.monotonic() + 20
            while (detected_frames < 32 or len(loaded) <= 32) and time.monotonic() < deadline_s:
                time.sleep(0.005)
            seen_at_the_first_put.append((detected_frames, len(loaded)))

    settings = settings.model_copy(update={"batch_frames": 16})
    report = consume_all(settings, FailingStore(store, watch), log, Counting())
    [(detected, fetched)] = seen_at_the_first_put
    assert detected >= 32
    assert fetched > 32
    assert report.frames == 100
    assert_one_chain_each(store, log)


def test_work_in_progress_is_limited_however_slow_the_detector_is(
    settings: Settings, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 64 * 48 * 3
    monkeypatch.setattr("frametally_consumer.worker.pipeline._MOST_BYTES", 20 * size)
    log = MemoryLog()
    log.create_topic(TOPIC, 1)
    publish(log, [encode(announcement(store, number)) for number in range(80)])
    fetched = detected = most = 0

    class Slow(BrightDetector):
        def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
            nonlocal detected, most
            time.sleep(0.005)
            most = max(most, fetched - detected)
            detected += len(images)
            return super().detect(images)

    def count(method: str, key: str) -> None:
        nonlocal fetched
        fetched += method == "get"

    consume_all(settings, FailingStore(store, count), log, Slow())
    assert detected == 80
    assert most <= 20


def test_an_emptied_store_is_refilled_as_far_as_the_log_reaches(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    frames = [announcement(store, number) for number in range(20)]
    publish(log, [encode(frame) for frame in frames])
    drain(settings, store, log)
    for key in list(list_segments(store)):
        store.delete(key)
    said = Said()
    assert drain(settings, store, log, said).frames == 20
    told = [line for line in said.lines if "not in the store" in line]
    assert len(told) == 2
    assert all("detects their frames again" in line for line in told)
    assert_one_chain_each(store, log)


def test_segments_missing_at_the_start_are_written_again_and_the_others_stay(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(40)])
    drain(settings, store, log)
    before = {key: store.get(key) for key in list_segments(store)}
    first, second, *_ = sorted(before)
    store.delete(first)
    store.delete(second)
    assert 0 < drain(settings, store, log).frames < 40
    assert_one_chain_each(store, log)
    after = {key: store.get(key) for key in list_segments(store)}
    assert {key: after[key] for key in before if key not in (first, second)} == {
        key: data for key, data in before.items() if key not in (first, second)
    }


def test_a_commit_in_the_middle_of_a_segment_repeats_nothing(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(30)])
    drain(settings, store, log)
    before = {key: store.get(key) for key in list_segments(store)}
    consumer = log.subscribe(
        TOPIC, consumer_group("bright-1"), on_assigned=lambda _: None, on_revoked=lambda _: None
    )
    consumer.poll(timeout_s=0)
    for partition in (0, 1):
        consumer.commit(partition, 2)
    consumer.close()
    assert drain(settings, store, log).frames == 0
    assert {key: store.get(key) for key in list_segments(store)} == before
    assert_one_chain_each(store, log)


@pytest.mark.parametrize("left", [7, 0])
def test_messages_removed_by_retention_are_reported_and_the_chain_has_no_gap(
    settings: Settings, store: MemoryStore, left: int
) -> None:
    log = MemoryLog()
    log.create_topic(TOPIC, 1)
    publish(log, [encode(announcement(store, number)) for number in range(10)])
    drain(settings, store, log)
    publish(log, [encode(announcement(store, number)) for number in range(10, 30)])
    topic = log._topic(TOPIC)
    topic.begin[0] = 30 - left
    del topic.messages[0][: 30 - left]
    said = Said()
    assert drain(settings, store, log, said).frames == left
    [line] = [line for line in said.lines if "no longer has offsets" in line]
    assert f"offsets 10 to {29 - left}" in line
    assert "RETENTION" in line
    reached = 0
    for key in list_segments(store):
        header = read_segment(store, key).header
        assert header.first_offset == reached
        reached = header.next_offset
    assert reached == 30
    assert drain(settings, store, log, said).frames == 0


def test_a_recreated_log_starts_its_own_chain_and_says_what_to_do(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(6)])
    drain(settings, store, log)
    before = {key: store.get(key) for key in list_segments(store)}
    other = MemoryLog()
    other.create_topic(TOPIC, 2)
    said = Said()
    assert drain(settings, store, other, said).frames == 0
    [line] = [line for line in said.lines if "this log is new" in line]
    assert "produce them again" in line
    publish(other, [encode(announcement(store, number)) for number in range(6, 9)])
    assert drain(settings, store, other, said).frames == 3
    after = {key: store.get(key) for key in list_segments(store)}
    assert before.items() < after.items()
    again = Said()
    drain(settings, store, other, again)
    assert again.lines == []


@pytest.mark.thorough
def test_a_full_disk_is_waited_for(settings: Settings, store: MemoryStore, log: MemoryLog) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(9)])
    full_until = time.monotonic() + 0.5

    def full(method: str, key: str) -> None:
        if method == "put" and time.monotonic() < full_until:
            raise Retryable("no space left in store folder: free some space there")

    said = Said()
    assert drain(settings, FailingStore(store, full), log, said).frames == 9  # type: ignore[arg-type]
    assert sum("free some space" in line for line in said.lines) == 1, "said once a minute"
    assert_one_chain_each(store, log)


class AwayLog:
    """A log whose consumer cannot be reached for a while."""

    def __init__(self, inner: MemoryLog, until_s: float) -> None:
        self._inner, self._until_s = inner, until_s

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def subscribe(self, *args: object, **kwargs: object) -> object:
        consumer = self._inner.subscribe(*args, **kwargs)  # type: ignore[arg-type]
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
def test_a_temporarily_unavailable_log_costs_time_but_no_frame(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(9)])
    said = Said()
    report = drain(settings, store, AwayLog(log, time.monotonic() + 0.7), said)  # type: ignore[arg-type]
    assert (report.frames, report.dead_letters) == (9, [])
    assert sum("did not answer" in line for line in said.lines) == 1
    assert_one_chain_each(store, log)


def test_a_partition_with_a_broken_chain_stops_and_the_others_go_on(
    settings: Settings, store: MemoryStore, log: MemoryLog
) -> None:
    publish(log, [encode(announcement(store, number)) for number in range(30)])
    log_id = log.log_id(TOPIC)
    store.put(keys.segment_key("bright-1", log_id, TOPIC, 0, 0), b"what is this?\n")
    report = drain(settings, store, log)
    assert [item.name for item in report.stopped] == ["partition 0"]
    assert "move that object out" in report.stopped[0].reason
    assert report.frames == log.end_offsets(TOPIC)[1]
