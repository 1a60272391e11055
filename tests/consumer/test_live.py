"""Live frames are detected and reported at once, and are in the books like all others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.commands import frametally
from tests.consumer.test_redetect import IN_BOOKS, Archive
from tests.consumer.test_worker import BrightDetector, announcement
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.said import Said
from tests.kit.messages import records_on

from frametally import keys
from frametally.adapters.sqlite.file_log import SqliteLog
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.books.verdict import BEHIND, SETTLED
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.frame_log import FrameLog, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.records import Detection, FrameAnnouncement, FrameDetections, decode, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.segments.dead_letters import list_dead_letters
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.worker.loop import ConsumeReport, consume

LIVE, RESULTS = "video-frames", "processed-frames"
GROUP = consumer_group("bright-1", live=True)
PATIENCE_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Batches that never fill up, and never time out."""
    return load_settings(data_dir=tmp_path, topic=LIVE, batch_frames=1000, batch_s=1000.0, log_partitions=3)


@pytest.fixture(params=["sqlite", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FrameLog]:
    made = MemoryLog() if request.param == "memory" else SqliteLog(f"sqlite:///{tmp_path}/log.sqlite")
    with closing(made) as opened:
        opened.create_topic(LIVE, 3)
        yield opened


def made(store: ObjectStore, number: int) -> FrameAnnouncement:
    """A stored frame of one of two sources."""
    source = f"gate-{number % 2}"
    path = keys.image_key(source, 1_000 * number, "ab" * 32, number)
    plain = announcement(store, number)
    store.put(path, store.get(plain.image_path))
    return msgspec.structs.replace(plain, source=source, image_path=path)


def announce(log: FrameLog, store: ObjectStore, numbers: Sequence[int]) -> list[FrameAnnouncement]:
    frames = [made(store, number) for number in numbers]
    log.publish(LIVE, [(keys.frame_log_key(one.source, one.captured_at_ms), encode(one)) for one in frames])
    return frames


def detect(
    settings: Settings,
    store: ObjectStore,
    log: FrameLog,
    *,
    results: FrameLog | None = None,
    detector: BrightDetector | None = None,
    progress: Said | None = None,
    stop: Callable[[], bool] | None = None,
) -> ConsumeReport:
    """Run until told to stop, or until all frames are detected."""
    return consume(
        settings=settings,
        store=store,
        log=log,
        detector=detector or BrightDetector(),
        progress=progress or Said(),
        until_caught_up=stop is None,
        should_stop=stop or (lambda: False),
        results=results or log,
    )


def lines(store: ObjectStore) -> list[bytes]:
    return [line for key in list_segments(store) for line in read_segment(store, key).frame_lines]


def reached(log: FrameLog) -> bool:
    return log.committed(LIVE, GROUP) == {p: end for p, end in log.end_offsets(LIVE).items() if end}


class Away:
    """A log that fails at `method` as long as there is an `error`."""

    def __init__(self, inner: FrameLog, method: str, error: FrametallyError) -> None:
        self._inner, self._method = inner, method
        self.error: FrametallyError | None = error

    def __getattr__(self, name: str) -> object:
        if name == self._method and self.error is not None:
            raise self.error
        return getattr(self._inner, name)


def test_a_frames_result_has_the_bytes_of_its_segments_line(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    announce(log, store, range(40))
    assert detect(settings, store, log).frames == 40
    assert sorted(record.value for record in records_on(log, RESULTS)) == sorted(lines(store))
    assert reached(log)


def test_a_sources_results_come_in_the_order_of_its_frames(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    announce(log, store, range(60))
    detect(settings, store, log)
    by_partition: dict[tuple[int, str], list[int]] = {}
    for record in records_on(log, RESULTS):
        frame = decode(record.value, FrameDetections)
        assert record.key == keys.frame_log_key(frame.source, frame.captured_at_ms)
        by_partition.setdefault((record.partition, frame.source), []).append(frame.captured_at_ms)
    assert len(by_partition) > 2
    assert all(times == sorted(times) for times in by_partition.values())


def test_a_result_is_published_before_the_next_detection_and_before_any_segment(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    frames = announce(log, store, [0, 2, 4])
    seen: list[tuple[int, list[str]]] = []

    class Watched(BrightDetector):
        """Go on to the next frame only when a viewer has seen the result of the last."""

        def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
            until_s = time.monotonic() + PATIENCE_S
            while len(records_on(log, RESULTS) if seen else []) < len(seen) and time.monotonic() < until_s:
                time.sleep(0.01)
            seen.append((len(records_on(log, RESULTS)) if seen else 0, list(list_segments(store))))
            return super().detect(images)

    detect(settings, store, log, detector=Watched())
    assert seen == [(number, []) for number in range(len(frames))]


@pytest.mark.thorough
def test_a_frame_is_soon_in_a_segment_even_if_no_batch_is_full(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    announce(log, store, [0])
    until_s = time.monotonic() + PATIENCE_S
    found: list[str] = []

    def is_there() -> bool:
        found[:] = list(list_segments(store))
        return bool(found) or time.monotonic() > until_s

    detect(settings, store, log, stop=is_there)
    assert found, "nobody told it to write what it has in hand"


def test_an_invalid_message_gives_a_dead_letter_and_no_result(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    announce(log, store, range(4))
    gone = made(store, 50)
    store.delete(gone.image_path)
    log.publish(LIVE, [(b"gate-0/0", b"no message"), (b"gate-0/0", encode(gone))])
    announce(log, store, range(4, 8))
    report = detect(settings, store, log)
    assert (report.frames, len(report.dead_letters)) == (8, 2)
    letters = [letter for key in list_segments(store) for letter in read_segment(store, key).dead_letters()]
    assert sorted(letter.stage for letter in letters) == ["fetch", "parse"]
    assert sorted(record.value for record in records_on(log, RESULTS)) == sorted(lines(store))


@pytest.mark.parametrize("method", ["create_topic", "publish"])
@pytest.mark.parametrize("error", [Retryable("no answer"), Misconfigured("no right to write")])
def test_a_log_that_accepts_no_results_loses_no_segment_and_is_reported_in_one_line(
    settings: Settings, store: MemoryStore, log: FrameLog, method: str, error: FrametallyError
) -> None:
    announce(log, store, range(20))
    progress = Said()
    results: FrameLog = Away(log, method, error)  # type: ignore[assignment]
    report = detect(settings, store, log, results=results, progress=progress)
    assert (report.frames, report.unfinished) == (20, False)
    assert len(lines(store)) == 20
    assert reached(log)
    assert progress.lines == [
        f"results cannot be published on 'processed-frames' at the moment; they are in the segments: {error}"
    ]


@pytest.mark.thorough
def test_results_resume_once_the_log_accepts_them(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    away = Away(log, "publish", Retryable("no answer"))
    progress = Said()
    until_s = time.monotonic() + PATIENCE_S
    announced: list[int] = []

    def goes_on() -> bool:
        if progress.lines:
            away.error = None
        if away.error is None or not announced:
            announced.append(len(announced))
            announce(log, store, announced[-1:])
            time.sleep(0.05)
        return bool(away.error is None and records_on(log, RESULTS)) or time.monotonic() > until_s

    detect(settings, store, log, results=away, progress=progress, stop=goes_on)  # type: ignore[arg-type]
    assert {record.value for record in records_on(log, RESULTS)} <= set(lines(store))
    assert records_on(log, RESULTS)


@pytest.mark.thorough
def test_a_log_that_hangs_on_results_delays_no_segment(settings: Settings, store: MemoryStore) -> None:
    log, hanging, asked = MemoryLog(), threading.Event(), threading.Event()
    log.create_topic(LIVE, 3)
    announce(log, store, range(20))

    class Hanging:
        def create_topic(self, *args: object, **kwargs: object) -> None:
            asked.set()
            hanging.wait()

        def publish(self, *args: object) -> None: ...

    report = detect(settings, store, log, results=Hanging())  # type: ignore[arg-type]
    hanging.set()
    assert asked.is_set()
    assert (report.frames, report.unfinished) == (20, True)
    assert len(lines(store)) == 20
    assert reached(log)


def test_a_repeated_detection_publishes_its_result_again(
    settings: Settings, store: MemoryStore, log: FrameLog
) -> None:
    announce(log, store, range(6))
    detect(settings, store, log)
    first = sorted(record.value for record in records_on(log, RESULTS))
    for key in list_segments(store):
        store.delete(key)
    detect(settings, store, log)
    assert sorted(record.value for record in records_on(log, RESULTS)) == sorted(2 * first)
    assert sorted(lines(store)) == first


def test_a_live_frame_does_not_wait_for_a_hundred_thousand_announced_earlier_on_another_topic(
    settings: Settings, store: MemoryStore
) -> None:
    asked: list[tuple[str, str]] = []

    class Noted(MemoryLog):
        """Record each request by topic."""

        def __getattribute__(self, name: str) -> object:
            found = super().__getattribute__(name)
            if name.startswith("_") or not callable(found) or name == "clock":
                return found
            return lambda *args, **kwargs: (asked.append((name, str(*args[:1]))), found(*args, **kwargs))[1]

    log = Noted()
    log.create_topic("frames", 3)
    log.create_topic(LIVE, 3)
    backlog = [announcement(store, number) for number in range(10)]
    log.publish("frames", ((b"%d" % number, encode(backlog[number % 10])) for number in range(100_000)))
    announce(log, store, [11])
    asked.clear()
    detect(settings, store, log)
    assert [decode(record.value, FrameDetections).frame_index for record in records_on(log, RESULTS)] == [11]
    assert len(lines(store)) == 1
    assert log.committed(LIVE, GROUP)
    assert {topic for _, topic in asked if topic} == {LIVE, RESULTS}, "it asks nothing of that topic"
    for group in (GROUP, consumer_group("bright-1")):
        assert log.committed("frames", group) == {}


def test_live_frames_have_another_group_than_a_batch_of_the_same_model() -> None:
    assert consumer_group("m") != consumer_group("m", live=True)
    assert consumer_group("m", live=True).startswith(consumer_group(""))


def test_results_on_a_topic_for_frames_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMETALLY_TOPIC", RESULTS)
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    said = frametally("consume", "--live", "--until-caught-up", "--data-dir", tmp_path, code=2).err
    assert f"FRAMETALLY_TOPIC={RESULTS} is the topic on which frames are announced, and live results" in said


def test_live_and_another_topic_cannot_be_combined(tmp_path: Path) -> None:
    said = frametally("consume", "--live", "--topic", "frames", "--data-dir", tmp_path, code=2).err
    assert "use either --live or --topic" in said


def test_a_missing_topic_is_drained_only_if_it_is_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    command = ["consume", "--until-caught-up", "--data-dir", str(tmp_path)]
    for _ in range(2):  # a refused name is not created, either
        said = frametally(*command, "--topic", "fraems", code=2).err
        assert "--topic fraems: the log has no such topic" in said
    assert "0 frames" in frametally(*command).out


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_drains_the_live_topic_and_publishes_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    settings = load_settings(data_dir=tmp_path)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
    ):
        log.create_topic(LIVE, 2)
        announce(log, store, range(9))
        command = ["consume", "--live", "--until-caught-up", "--workers", workers]
        frametally(*command, "--data-dir", tmp_path)
        # If a lease expires meanwhile, as on a busy machine, another worker sends the result again.
        assert sorted({record.value for record in records_on(log, RESULTS)}) == sorted(lines(store))
        assert len(lines(store)) == 9


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (["--engine", "spark"], {}, "needs --live"),
        (["--live", "--engine", "spark"], {}, "Spark can read only from Kafka"),
        (["--live", "--engine", "spark", "--workers", "2"], {}, "FRAMETALLY_SPARK_MASTER"),
        (["--live"], {"FRAMETALLY_STREAM_ENGINE": "flink"}, "FRAMETALLY_STREAM_ENGINE"),
    ],
)
def test_an_impossible_engine_is_one_line(
    arguments: list[str],
    environment: dict[str, str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ({"FRAMETALLY_DETECTOR": "pixels"} | environment).items():
        monkeypatch.setenv(name, value)
    assert line in frametally("consume", *arguments, "--data-dir", tmp_path, code=2).err


LIVE_LOG = "video-frames"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Six frames, announced for a batch; the live topic is empty."""
    archive = Archive(tmp_path)
    archive.log.create_topic(LIVE_LOG, 2)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        yield archive


@pytest.mark.parametrize("order", [["frames", LIVE_LOG], [LIVE_LOG, "frames"]])
def test_frames_announced_on_both_topics_count_once_and_are_settled_when_both_are_detected(
    archive: Archive, order: list[str]
) -> None:
    archive.publish(LIVE_LOG)
    archive.drain(order[0])
    archive.count()
    half = archive.status()
    assert half.exit_code == BEHIND
    other = "the log" if order[1] == "frames" else f"the log, topic {LIVE_LOG}"
    command = "frametally consume " + ("--live" if order[1] == LIVE_LOG else "--until-caught-up")
    assert [finding.line for finding in half.behind] == [
        f"{other}: {IN_BOOKS} messages to detect; run `{command}`"
    ]
    assert [line.command for line in half.stages if line.stage == "consume"] == [command]
    archive.drain(order[1])
    archive.count()
    status = archive.status()
    assert (status.behind, status.broken, status.lost) == ([], [], [])
    assert status.exit_code == SETTLED
    assert (status.log_messages, status.log_committed) == (2 * IN_BOOKS, 2 * IN_BOOKS)
    [books] = status.sources
    assert [books.expected, books.announced, books.detected, books.counted, books.indexed] == [IN_BOOKS] * 5
    bar = ("--source", "cam", "--label", "white", "--interval-start", "1970-01-01T00:00:00Z")
    proved = json.loads(frametally("explain", *bar, "--json", "--data-dir", archive.settings.data_dir).out)
    assert [frame["image_path"] for frame in proved["frames"]] == [
        one.image_path for one in archive.announcements
    ], "each frame is behind the bar once"


def test_frames_announced_only_live_are_behind_until_they_are_detected(tmp_path: Path) -> None:
    archive = Archive(tmp_path, topic=LIVE_LOG)
    with closing(archive.log), closing(archive.store), closing(archive.index), closing(archive.ledger):
        status = archive.status()
        assert (status.exit_code, status.broken) == (BEHIND, [])
        assert status.behind[0].line == (
            f"the log, topic {LIVE_LOG}: {IN_BOOKS} messages to detect; run `frametally consume --live`"
        )
        archive.drain(LIVE_LOG)
        archive.count()
        assert archive.status().exit_code == SETTLED


def test_frames_pending_for_a_batch_are_behind_even_if_the_model_was_only_used_live(archive: Archive) -> None:
    archive.publish(LIVE_LOG)
    archive.drain(LIVE_LOG)
    archive.count()
    assert [finding.line for finding in archive.status().behind] == [
        f"the log: {IN_BOOKS} messages to detect; run `frametally consume --until-caught-up`"
    ]


def test_a_model_used_only_on_reannounced_frames_is_not_behind_on_live_ones(archive: Archive) -> None:
    archive.publish(LIVE_LOG)
    archive.drain(archive.announce_again())
    archive.count()
    status = archive.status()
    assert (status.exit_code, status.behind) == (SETTLED, [])


def test_a_live_frame_detected_on_the_other_topic_leaves_no_open_dead_letter(archive: Archive) -> None:
    archive.drain("frames")
    archive.store.delete(archive.announcements[2].image_path)
    archive.log.publish(LIVE_LOG, [(b"cam/0", b"no message")])
    archive.publish(LIVE_LOG)
    archive.drain(LIVE_LOG)
    archive.count()
    status = archive.status()
    assert status.exit_code == SETTLED
    assert {entry.header.topic for entry in list_dead_letters(archive.store)} == {LIVE_LOG}
    assert sorted(entry.state for entry in list_dead_letters(archive.store)) == ["detected", "waiting"]
    assert (status.unidentified_dead_letters, sum(status.dead_letters.values())) == (1, 1)


def test_a_live_dead_letter_goes_back_to_its_topic_with_the_command_that_detects_it(archive: Archive) -> None:
    lost = archive.announcements[2].image_path
    archive.store.delete(lost)
    archive.publish(LIVE_LOG)
    archive.drain(LIVE_LOG)
    archive.store.put(lost, archive.jpeg)
    said = frametally("dead-letters", "replay", "--data-dir", archive.settings.data_dir).out
    assert f"topic {LIVE_LOG}: run frametally consume --live\n" in said
    archive.drain(LIVE_LOG)
    (entry,) = list_dead_letters(archive.store)
    assert (entry.header.topic, entry.state) == (LIVE_LOG, "detected")


def test_doctor_checks_both_live_topics(archive: Archive) -> None:
    def rows() -> dict[str, str]:
        done = frametally("doctor", "--data-dir", archive.settings.data_dir, "--json", code=None)
        return {row["name"]: row["value"] for row in json.loads(done.out)["rows"] if row["area"] == "log"}

    archive.publish(LIVE_LOG)
    found = rows()
    assert found[f"topic {LIVE_LOG}"] == f"{IN_BOOKS} messages"
    assert "topic processed-frames" not in found
    archive.log.create_topic("processed-frames", 2)
    assert rows()["topic processed-frames"] == "0 messages"
