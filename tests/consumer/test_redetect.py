"""Stored frames that another model detects again, and their books."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands import frametally
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame, make_manifest, make_segment
from tests.fakes.said import Said
from tests.kit.clips import jpeg_of
from tests.kit.consuming import consume_all
from tests.kit.messages import records_on

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.books.offsets import read_logs
from frametally.books.status import Status, read_status
from frametally.books.verdict import BEHIND, BROKEN, SETTLED
from frametally.errors import Misconfigured
from frametally.files.opencv import cv2
from frametally.media.stored_images import bitmap_of
from frametally.ports.frame_log import NoSuchTopic, consumer_group
from frametally.ports.opened import Ports
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, MediaManifest, decode, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.segments.dead_letters import list_dead_letters
from frametally.segments.redetect import redetect
from frametally.settings.loading import Settings, load_settings
from frametally.undo_records import Tombstone
from frametally_consumer.load import load_detector
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

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
    store.put(key, jpeg_of(picture))


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
    bounds.setdefault("model", load_detector(settings).model_id)
    return redetect(settings=settings, store=store, log=log, progress=NoProgress(), **bounds)


def announced(log: MemoryLog, topic: str) -> list[FrameAnnouncement]:
    found = [decode(record.value, FrameAnnouncement) for record in records_on(log, topic)]
    return sorted(found, key=lambda one: (one.source, one.captured_at_ms))


def drain(
    settings: Settings, store: MemoryStore, log: MemoryLog, topic: str, said: Said | None = None
) -> Any:
    return consume_all(settings.model_copy(update={"topic": topic}), store, log, progress=said)


def test_every_announced_frame_is_announced_again_unchanged(settings: Settings, store: MemoryStore) -> None:
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


def test_the_model_then_has_every_frame_and_a_repeat_announces_none(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    topic = announce(settings, store, log).topic
    announce(settings, store, log)  # twice before any detection: harmless
    report = drain(settings, store, log, topic)
    assert report.dead_letters == []
    paths = {frame.image_path for key in list_segments(store) for frame in read_segment(store, key).frames()}
    assert len(paths) == FRAMES + 2
    again = announce(settings, store, log)
    assert (again.announced, again.known) == (0, FRAMES + 2)
    other = announce(settings, store, log, model="pixels-opencv-u8-00000000")
    assert other.announced == FRAMES + 2


@pytest.mark.parametrize("topic", ["frames", "harbour"])
def test_a_consumer_of_another_model_leaves_the_topic_alone(
    settings: Settings, store: MemoryStore, topic: str
) -> None:
    log, model = MemoryLog(), load_detector(settings).model_id
    theirs = announce(settings.model_copy(update={"topic": topic}), store, log, model="pixels-00000000").topic
    with pytest.raises(Misconfigured, match=f"topic {theirs} is for another .* redetect --model {model}`"):
        drain(settings, store, log, theirs)
    assert log.committed(theirs, consumer_group(model)) == {}


def test_a_log_is_new_only_if_its_own_topic_had_an_earlier_one(
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


def test_frames_of_several_days_are_known_whichever_segments_hold_them(settings: Settings) -> None:
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
    lines = [make_frame(ms, number, media=medium, size_px=(32, 24), model=model) for ms, number in frames]
    data = make_segment(lines, [], first_offset, model=model, log_id="log")
    store.put(keys.segment_key(model, "log", "frames", 0, first_offset), data)


@pytest.mark.thorough
def test_memory_depends_on_the_largest_day_and_not_on_the_archive(settings: Settings) -> None:
    one, eight = (most_bytes(settings, days) for days in (1, 8))
    assert eight < 2 * one


def most_bytes(settings: Settings, days: int) -> int:
    """The most memory for an archive of this many days, with a video of 1,000 detected frames on each."""
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


def test_source_and_time_select_frames(settings: Settings, store: MemoryStore) -> None:
    log = MemoryLog()
    assert announce(settings, store, log, source="Dock").announced == 2
    assert announce(settings, store, log, source="cam", from_ms=2_000, to_ms=5_000).announced == 3
    with pytest.raises(
        Misconfigured, match="no footage from source 'yard' has been produced; sources: Cam, Dock"
    ):
        announce(settings, store, log, source="yard")


def test_forgotten_frames_stay_forgotten(settings: Settings, store: MemoryStore) -> None:
    stone = Tombstone(media=VIDEO, name="film.mp4", source="cam", why="forget", from_ms=3_000, to_ms=9_000)
    store.put(keys.tombstone_key(VIDEO, 3_000, 9_000), encode(stone))
    assert announce(settings, store, MemoryLog(), source="cam").announced == FRAMES - 6


def test_footage_produced_again_after_it_was_forgotten_is_detected_again(
    settings: Settings, store: MemoryStore
) -> None:
    log = MemoryLog()
    drain(settings, store, log, announce(settings, store, log).topic)
    stone = Tombstone(media=VIDEO, name="film.mp4", source="cam", why="forget", from_ms=None, to_ms=None)
    store.put(keys.tombstone_key(VIDEO, None, None), encode(stone))
    store.put(keys.media_key(VIDEO), encode(manifest(revision=1)))
    again = announce(settings, store, log)
    assert (again.announced, again.known) == (FRAMES, 2)


def test_a_frame_that_the_store_lost_or_damaged_is_listed(settings: Settings, store: MemoryStore) -> None:
    store.put(keys.image_key("cam", 2_000, VIDEO, 2), b"no picture")
    store.delete("images/dock/1970-01-01/20000-efefefefefef-0.jpg")
    report = announce(settings, store, MemoryLog())
    assert report.announced == FRAMES
    assert ["not a JPEG" in skipped.reason for skipped in report.skipped].count(True) == 1
    assert len(report.skipped) == 2
    assert all("produce film.mp4 again" in skipped.reason for skipped in report.skipped)


NO_MODELS = [
    "",
    "zz",
    "../x-0a1b2c3d",
    "A-0a1b2c3d",
    "a" * 83 + "-0a1b2c3d",
    "a/b-0a1b2c3d",
    "a-0a1b2c3",
    "a-0A1b2c3d",
]


@pytest.mark.parametrize("model", NO_MODELS)
def test_an_invalid_model_id_is_refused_with_the_models_that_have_detected(
    settings: Settings, store: MemoryStore, model: str
) -> None:
    log = MemoryLog()
    with pytest.raises(Misconfigured, match=r"is not a model ID.*have detected here: none$"):
        announce(settings, store, log, model=model)
    topic = announce(settings, store, log).topic
    drain(settings, store, log, topic)
    known = load_detector(settings).model_id
    with pytest.raises(Misconfigured, match=f"have detected here: {known}$"):
        announce(settings, store, log, model=model)
    with pytest.raises(NoSuchTopic):
        log.end_offsets(keys.redetect_topic(settings.topic, model))
    assert announce(settings, store, log, model=known[:-8] + "0a1b2c3d").announced, "one that will detect"


IN_BOOKS = 6


class Archive:
    """Six stored frames that were announced earlier, on the embedded parts; no model has seen them."""

    def __init__(self, folder: Path, topic: str = "frames") -> None:
        self.settings: Settings = load_settings(data_dir=folder, detector="pixels", log_partitions=2)
        self.store = open_object_store(self.settings.store_url)
        self.log = open_frame_log(self.settings.log_url)
        self.index = open_count_index(self.settings.index_url)
        self.ledger = open_ledger(self.settings.ledger_url)
        self.model = load_detector(self.settings).model_id
        self.log.create_topic(topic, 2)
        picture = np.zeros((24, 32, 3), np.uint8)
        picture[4:16, 6:20] = 255
        self.jpeg = jpeg_of(picture)
        self.announcements = [self.frame(number) for number in range(IN_BOOKS)]
        manifest = make_manifest(
            IN_BOOKS,
            media=VIDEO,
            name="film.mp4",
            source_name="cam",
            sampling="all",
            start_ms=0,
            span_ms=(0, 1_000 * (IN_BOOKS - 1)),
            announced_frames=bitmap_of(range(IN_BOOKS)),
        )
        self.store.put(keys.media_key(VIDEO), encode(manifest))
        self.publish(topic)

    def frame(self, number: int) -> FrameAnnouncement:
        path = keys.image_key("cam", 1_000 * number, VIDEO, number)
        self.store.put(path, self.jpeg)
        return make_announcement(make_frame(1_000 * number, number, media=VIDEO, size_px=(32, 24)), self.jpeg)

    def publish(self, topic: str) -> None:
        many = [
            (keys.frame_log_key(one.source, one.captured_at_ms), encode(one)) for one in self.announcements
        ]
        self.log.publish(topic, many)

    def announce_again(self, settings: Settings | None = None, **chosen: Any) -> str:
        return redetect(
            settings=settings or self.settings,
            store=self.store,
            log=self.log,
            model=self.model,
            progress=NoProgress(),
            **chosen,
        ).topic

    def drain(self, topic: str) -> None:
        consume_all(self.settings.model_copy(update={"topic": topic}), self.store, self.log)

    def count(self) -> None:
        aggregate(settings=self.settings, store=self.store, progress=NoProgress())
        index_runs(store=self.store, index=self.index, progress=NoProgress())

    def status(self) -> Status:
        ports = Ports(settings=self.settings, store=self.store, log=self.log, index=self.index)
        return read_status(ports, self.ledger, model=self.model)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        yield archive


def test_the_command_selects_by_source_and_time_and_says_how_to_detect_the_announced_frames(
    archive: Archive,
) -> None:
    data_dir = ["--data-dir", archive.settings.data_dir]
    times = ["--from", "1970-01-01T00:00:02Z", "--to", "1970-01-01T00:00:05Z"]
    chosen = ["redetect", "--model", archive.model, "--source", "cam", *times, *data_dir]
    _, said, note = frametally(*chosen)
    assert f"note: {archive.model} has detected nothing here yet; models that have: none" in note
    assert f"frames: 3 announced for {archive.model}, 0 already analysed" in said
    topic = f"redetect-{archive.model}"
    assert f"frametally consume --until-caught-up --topic {topic}" in said
    assert sum(archive.log.end_offsets(topic).values()) == 3
    archive.drain(topic)
    assert "note:" not in frametally(*chosen).err
    refused = frametally("redetect", "--model", archive.model, "--source", "yard", *data_dir, code=2)
    assert "no footage from source 'yard'" in refused.err


def test_frames_pending_on_the_models_own_topic_are_behind_with_the_command_that_drains_it(
    archive: Archive,
) -> None:
    topic = archive.announce_again()
    status = archive.status()
    assert status.exit_code == BEHIND
    assert (status.log_messages, status.log_committed) == (IN_BOOKS, 0)
    assert status.behind[0].line == (
        f"the log, topic {topic}: {IN_BOOKS} messages to detect; run `frametally consume --until-caught-up "
        f"--topic {topic}`"
    )


def test_a_model_used_only_on_the_archive_is_settled_once_that_is_counted(archive: Archive) -> None:
    archive.drain(archive.announce_again())
    archive.count()
    status = archive.status()
    assert (status.behind, status.broken, status.lost) == ([], [], [])
    assert status.exit_code == SETTLED
    assert (status.log_messages, status.log_committed) == (IN_BOOKS, IN_BOOKS)


def test_frames_that_such_a_model_has_not_seen_are_behind_but_not_broken(archive: Archive) -> None:
    archive.drain(archive.announce_again(to_ms=2_000))
    archive.count()
    status = archive.status()
    assert status.broken == []
    assert [finding.line for finding in status.behind] == [
        f"cam: 4 frames to detect; run `frametally redetect --model {archive.model}`"
    ]


def test_a_model_that_reads_both_topics_has_both_in_its_books(archive: Archive) -> None:
    archive.drain("frames")
    topic = archive.announce_again()
    archive.publish(topic)
    archive.drain(topic)
    archive.publish("frames")
    status = archive.status()
    assert (status.log_messages, status.log_committed) == (3 * IN_BOOKS, 2 * IN_BOOKS)
    assert status.behind[0].line == (
        f"the log: {IN_BOOKS} messages to detect; run `frametally consume --until-caught-up`"
    )


def test_a_dead_letter_goes_back_to_its_original_topic(archive: Archive) -> None:
    lost = archive.announcements[2].image_path
    topic = archive.announce_again()
    archive.store.delete(lost)
    archive.drain(topic)
    (entry,) = list_dead_letters(archive.store)
    assert entry.header.topic == topic
    archive.store.put(lost, archive.jpeg)
    said = frametally("dead-letters", "replay", "--data-dir", archive.settings.data_dir).out
    assert f"frametally consume --until-caught-up --topic {topic}" in said
    archive.drain(topic)
    (entry,) = list_dead_letters(archive.store)
    assert entry.state == "detected"
    archive.count()
    assert archive.status().exit_code == SETTLED


def test_doctor_shows_the_models_topic(archive: Archive) -> None:
    archive.drain("frames")
    archive.status()  # the ledger learns about the model
    topic = archive.announce_again()
    archive.log.create_topic(topic, 2)
    archive.publish(topic)
    printed = frametally("doctor", "--data-dir", archive.settings.data_dir, "--json", code=None).out
    assert f"topic {topic}" in printed
    assert f"{IN_BOOKS} messages" in printed


def test_two_deployments_on_one_log_use_their_own_topics_to_announce_again(archive: Archive) -> None:
    theirs = archive.settings.model_copy(update={"topic": "harbour"})
    topics = [archive.announce_again(), archive.announce_again(theirs)]
    assert topics == [f"redetect-{archive.model}", f"redetect-harbour-{archive.model}"]
    archive.drain(topics[0])
    assert archive.log.committed(topics[1], consumer_group(archive.model)) == {}
    for settings, topic in zip((archive.settings, theirs), topics, strict=True):
        positions, _ = read_logs(archive.log, settings, archive.model, [])
        assert [position.topic for position in positions] == [topic]


@pytest.mark.thorough
def test_consume_ends_with_6_if_the_log_removed_messages_and_its_remedy_brings_all_frames_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    monkeypatch.setenv("FRAMETALLY_LOG_PARTITIONS", "1")
    settings = load_settings(data_dir=tmp_path / "data")
    there = ["--data-dir", settings.data_dir]

    def produced(name: str, number: int) -> None:
        (tmp_path / name).mkdir()
        for shade in range(number):
            picture = np.full((40, 60, 3), 20 * shade + len(name), np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{name}_20260501_08000{shade}.png"), picture)
        pattern = ["--time-pattern", f"{name}_%Y%m%d_%H%M%S"]
        frametally("produce", tmp_path / name, *pattern, *there)

    produced("gate", 3)
    with closing(open_frame_log(settings.log_url)) as log:
        nothing: dict[str, Any] = dict.fromkeys(("on_assigned", "on_revoked"), lambda _: None)
        with closing(log.subscribe(settings.topic, "somebody-else", **nothing)) as consumer:
            while not (records := consumer.poll(timeout_s=0.1, max_records=10)):
                pass
            consumer.commit(0, records[-1].offset + 1)
        assert log.trim(settings.topic) == 3
    produced("yard", 2)
    assert "2 messages to detect" in frametally("status", *there, code=BEHIND).out
    said = frametally("consume", "--until-caught-up", *there, code=PART_DONE)
    remedy = f"frametally redetect --model {said.out.split()[-1]}"
    assert "detections: 2 frames" in said.out
    assert said.err.count("no longer has offsets 0 to 2") == said.err.count(f"run `{remedy}`") == 1
    said_by_status = frametally("status", *there, code=BROKEN).out
    assert f"run `{remedy}`" in " ".join(said_by_status.split())
    assert "needs you: 3 messages" in said_by_status
    [topic] = re.findall(r"--topic (\S+?)`?\s", frametally(*remedy.split()[1:], *there).out)
    frametally("consume", "--until-caught-up", "--topic", topic, *there)
    for stage in ("aggregate", "index"):
        frametally(stage, *there)
    assert "lost" not in frametally("status", *there, code=SETTLED).out
