"""An archive can be counted with another model: stored frames are announced again, on a topic of its own."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.fakes.memory import MemoryLog, MemoryStore

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.opencv import cv2
from frametally.media.stored_images import bitmap_of
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, FrameDetections, MediaManifest, decode, encode
from frametally.segments.contents import encode_segment, list_segments, read_segment
from frametally.segments.redetect import redetect
from frametally.settings.loading import Settings, load_settings
from frametally.undo_records import Tombstone
from frametally_consumer.load import load_detector
from frametally_consumer.worker.loop import consume

VIDEO = "ab" * 32
FRAMES = 12


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path, detector="pixels", log_partitions=2, batch_frames=4)


@pytest.fixture
def store() -> MemoryStore:
    """A video of 12 frames, a second apart, and two pictures of another source."""
    store = MemoryStore()
    for number in range(FRAMES):
        put_frame(store, keys.image_key("cam", 1_000 * number, VIDEO, number))
    put_frame(store, keys.image_key("cam", 500, VIDEO, 99))  # never announced
    put_frame(store, keys.image_key("cam", 500, "cd" * 32, 0))  # of another medium
    store.put(keys.media_key(VIDEO), encode(manifest()))
    names = [f"{ms}-{'ef' * 6}" for ms in (20_000, 30_000)]
    for name in names:
        put_frame(store, f"images/dock/1970-01-01/{name}-0.jpg")
    store.put(
        keys.media_key("12" * 32),
        encode(
            manifest(
                sha256="12" * 32,
                source="dock",
                source_name="Dock",
                kind="pictures",
                announced_frames=b"",
                announced_pictures=names,
                time_source="exif",
            )
        ),
    )
    return store


def put_frame(store: MemoryStore, key: str) -> None:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[4:16, 6:20] = 255
    store.put(key, cv2.imencode(".jpg", picture)[1].tobytes())


def manifest(**changes: Any) -> MediaManifest:
    fields: dict[str, Any] = {
        "sha256": VIDEO,
        "name": "film.mp4",
        "source": "cam",
        "source_name": "Cam",
        "kind": "video",
        "time_source": "start_time",
        "sampling": "all",
        "start_ms": 0,
        "first_captured_at_ms": 0,
        "last_captured_at_ms": 1_000 * (FRAMES - 1),
        "frames_expected": FRAMES,
        "frames_put": FRAMES,
        "frames_announced": FRAMES,
        "state": "complete",
        "announced_frames": bitmap_of(range(FRAMES)),
    }
    return MediaManifest(**(fields | changes))


def announce(settings: Settings, store: MemoryStore, log: MemoryLog, **bounds: Any) -> Any:
    model = load_detector(settings).model_id
    return redetect(settings=settings, store=store, log=log, model=model, progress=NoProgress(), **bounds)


def announced(log: MemoryLog, topic: str) -> list[FrameAnnouncement]:
    consumer = log.subscribe(topic, "reader", on_assigned=lambda _: None, on_revoked=lambda _: None)
    found = []
    while records := consumer.poll(timeout_s=0.01):
        found += [decode(record.value, FrameAnnouncement) for record in records]
    consumer.close()
    return sorted(found, key=lambda one: (one.source, one.captured_at_ms))


class Said(NoProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def drain(
    settings: Settings, store: MemoryStore, log: MemoryLog, topic: str, said: Said | None = None
) -> Any:
    return consume(
        settings=settings.model_copy(update={"topic": topic}),
        store=store,
        log=log,
        detector=load_detector(settings),
        progress=said or NoProgress(),
        until_caught_up=True,
    )


def test_every_announced_frame_is_announced_again_as_it_was(settings: Settings, store: MemoryStore) -> None:
    log = MemoryLog()
    report = announce(settings, store, log)
    assert (report.announced, report.known, report.skipped) == (FRAMES + 2, 0, [])
    assert report.topic == f"redetect-{load_detector(settings).model_id}"
    found = announced(log, report.topic)
    assert [one.frame_index for one in found] == [*range(FRAMES), 0, 0]
    assert [one.time_source for one in found] == ["start_time"] * FRAMES + ["exif"] * 2
    assert {(one.media, one.width_px, one.height_px) for one in found} == {
        (VIDEO, 32, 24),
        ("12" * 32, 32, 24),
    }


def test_the_model_then_has_every_frame_and_nothing_is_announced_for_it_any_more(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    topic = announce(settings, store, log).topic
    announce(settings, store, log)  # twice before anyone detects: harmless
    report = drain(settings, store, log, topic)
    assert report.dead_letters == []
    paths = {frame.image_path for key in list_segments(store) for frame in read_segment(store, key).frames()}
    assert len(paths) == FRAMES + 2
    again = announce(settings, store, log)
    assert (again.announced, again.known) == (0, FRAMES + 2)
    other = announce(settings.model_copy(update={"min_confidence": 0.3}), store, log)
    assert other.announced == FRAMES + 2


def test_a_log_is_new_only_beside_an_earlier_one_of_its_own_topic(
    settings: Settings, store: MemoryStore
) -> None:
    log, said = MemoryLog(), Said()
    topic = announce(settings, store, log).topic
    log.create_topic("frames", 2)
    log.publish("frames", [(one.source.encode(), encode(one)) for one in announced(log, topic)[:5]])
    assert drain(settings, store, log, "frames").frames == 5
    assert drain(settings, store, log, topic, said).frames == FRAMES + 2
    assert said.lines == []
    drain(settings, store, MemoryLog(), topic, said)
    (line,) = said.lines
    assert line.startswith("this log is new (")


def test_frames_of_several_days_are_known_whichever_segments_have_them(settings: Settings) -> None:
    store, midnight_ms = MemoryStore(), 86_400_000
    times = [midnight_ms + 1_000 * second for second in range(-4, 4)]
    for number, ms in enumerate(times):
        put_frame(store, keys.image_key("cam", ms, VIDEO, number))
    spans = {"first_captured_at_ms": times[0], "last_captured_at_ms": times[-1], "start_ms": times[0]}
    changes: dict[str, Any] = {"announced_frames": bitmap_of(range(len(times)))}
    store.put(keys.media_key(VIDEO), encode(manifest(**spans, **changes)))
    model = load_detector(settings).model_id
    put_segment(store, model, 0, [(times[2], 2), (times[5], 5)])
    put_segment(store, model, 2, [(times[6], 6)])
    log = MemoryLog()
    report = announce(settings, store, log)
    assert (report.announced, report.known) == (5, 3)
    assert [one.frame_index for one in announced(log, report.topic)] == [0, 1, 3, 4, 7]


def put_segment(
    store: MemoryStore, model: str, first_offset: int, frames: list[tuple[int, int]], medium: str = VIDEO
) -> None:
    """A segment of frames, each given by its event time and its index."""
    lines = [
        FrameDetections(
            image_path=keys.image_key("cam", ms, medium, number),
            source="cam",
            frame_index=number,
            captured_at_ms=ms,
            time_source="start_time",
            width_px=32,
            height_px=24,
            media=medium,
            model=model,
            detections=[],
        )
        for ms, number in frames
    ]
    data = encode_segment(
        model=model,
        log_id="log",
        topic="frames",
        partition=0,
        first_offset=first_offset,
        next_offset=first_offset + len(frames),
        frames=lines,
        dead_letters=[],
    )
    store.put(keys.segment_key(model, "log", "frames", 0, first_offset), data)


@pytest.mark.thorough
def test_memory_follows_the_largest_day_not_the_archive(settings: Settings) -> None:
    one, eight = (most_bytes(settings, days) for days in (1, 8))
    assert eight < 2 * one


def most_bytes(settings: Settings, days: int) -> int:
    """Most memory that an archive of so many days takes, a video of 1,000 detected frames on each."""
    store, model = MemoryStore(), load_detector(settings).model_id
    for day in range(days):
        medium, start_ms = f"{day:02x}" * 32, 86_400_000 * day
        frames = [(start_ms + 1_000 * number, number) for number in range(1_000)]
        for ms, number in frames:
            store.put(keys.image_key("cam", ms, medium, number), b"")
        times = {"first_captured_at_ms": start_ms, "last_captured_at_ms": frames[-1][0], "start_ms": start_ms}
        bitmap = bitmap_of(range(1_000))
        store.put(keys.media_key(medium), encode(manifest(sha256=medium, announced_frames=bitmap, **times)))
        put_segment(store, model, 1_000 * day, frames, medium)
    tracemalloc.start()
    try:
        report = announce(settings, store, MemoryLog())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (report.announced, report.known) == (0, 1_000 * days)
    return most


def test_source_and_time_choose_frames(settings: Settings, store: MemoryStore) -> None:
    log = MemoryLog()
    assert announce(settings, store, log, source="Dock").announced == 2
    assert announce(settings, store, log, source="cam", from_ms=2_000, to_ms=5_000).announced == 3
    with pytest.raises(
        Misconfigured, match="no medium of source 'yard' has been produced; there are: cam, dock"
    ):
        announce(settings, store, log, source="yard")


def test_what_is_forgotten_stays_forgotten(settings: Settings, store: MemoryStore) -> None:
    stone = Tombstone(media=VIDEO, name="film.mp4", source="cam", why="forget", from_ms=3_000, to_ms=9_000)
    store.put(keys.tombstone_key(VIDEO, 3_000, 9_000), encode(stone))
    assert announce(settings, store, MemoryLog(), source="cam").announced == FRAMES - 6


def test_what_was_produced_again_after_it_was_forgotten_is_detected_again(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    drain(settings, store, log, announce(settings, store, log).topic)
    stone = Tombstone(media=VIDEO, name="film.mp4", source="cam", why="forget", from_ms=None, to_ms=None)
    store.put(keys.tombstone_key(VIDEO, None, None), encode(stone))
    store.put(keys.media_key(VIDEO), encode(manifest(revision=1)))
    again = announce(settings, store, log)
    assert (again.announced, again.known) == (FRAMES, 2)


def test_a_frame_that_the_store_lost_or_spoiled_is_listed(settings: Settings, store: MemoryStore) -> None:
    store.put(keys.image_key("cam", 2_000, VIDEO, 2), b"no picture")
    store.delete("images/dock/1970-01-01/20000-efefefefefef-0.jpg")
    report = announce(settings, store, MemoryLog())
    assert report.announced == FRAMES
    assert ["not a JPEG" in skipped.reason for skipped in report.skipped].count(True) == 1
    assert len(report.skipped) == 2
    assert all("produce film.mp4 again" in skipped.reason for skipped in report.skipped)


@pytest.mark.parametrize("model", ["", "../x", "A", "a" * 92, "a/b"])
def test_what_is_no_model_id_is_refused(settings: Settings, store: MemoryStore, model: str) -> None:
    with pytest.raises(Misconfigured, match="is no model id"):
        redetect(settings=settings, store=store, log=MemoryLog(), model=model, progress=NoProgress())
