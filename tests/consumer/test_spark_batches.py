"""Spark detects and commits the same as the consumer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.consumer.test_worker import announcement
from tests.fakes.said import Said
from tests.kit.consuming import consume_all
from tests.kit.messages import records_on
from tests.kit.stand_ins import Around

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Retryable
from frametally.ports.frame_log import FrameLog, LogRecord, consumer_group
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.environment import environment_of
from frametally.settings.loading import load_settings
from frametally_consumer.detectors.boxes import MIN_CONFIDENCE, PixelDetector
from frametally_consumer.spark import batches
from frametally_consumer.spark.batches import BatchDone, BatchWork, detect_rows
from frametally_consumer.spark.streaming import _Engine
from frametally_consumer.worker.report import ConsumeReport

TOPIC = "video-frames"
MESSAGES = 12


class Place:
    """The messages of one partition, and the place of their segments."""

    def __init__(self, folder: Path) -> None:
        self.settings = load_settings(
            data_dir=folder, topic=TOPIC, detector="pixels", log_partitions=1, batch_frames=1000
        ).resolved()
        self.environment: dict[str, str] = {}
        self.store: ObjectStore = open_object_store(self.settings.store_url)
        self.records = [self.record(number) for number in range(MESSAGES)]

    def record(self, offset: int) -> LogRecord:
        if offset % 5 == 3:
            return LogRecord(0, offset, b"", b"no announcement")
        frame = announcement(self.store, offset)
        return LogRecord(0, offset, keys.frame_log_key(frame.source, frame.captured_at_ms), encode(frame))

    def work(self, *, begin: int = 0, committed: int | None = None) -> BatchWork:
        return BatchWork("log-1", {0: begin}, {} if committed is None else {0: committed}, 1, None)

    def detect(self, records: Sequence[LogRecord], work: BatchWork) -> list[batches.BatchDone]:
        """Like a process of Spark, by its environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "_opened", [])
            for name, value in (environment_of(self.settings) | self.environment).items():
                patch.setenv(name, value)
            return list(
                detect_rows(work, [(one.partition, one.offset, one.key, one.value) for one in records])
            )

    def detected(self) -> tuple[list[bytes], list[bytes]]:
        """Lines and dead letters of all segments, which must be adjacent."""
        lines, letters, end = [], [], 0
        for key in list_segments(self.store):
            segment = read_segment(self.store, key)
            assert segment.header.first_offset == end
            end = segment.header.next_offset
            lines += segment.frame_lines
            letters += [encode(letter) for letter in segment.dead_letters()]
        assert end == MESSAGES
        return lines, letters

    def told(self) -> list[bytes]:
        """The messages on the topic of results."""
        with closing(open_frame_log(self.settings.log_url)) as log:
            return [record.value for record in records_on(log, self.settings.results_topic)]


@pytest.fixture
def expected(tmp_path: Path) -> tuple[list[bytes], list[bytes]]:
    """The output of our own consumer for the same messages."""
    place = Place(tmp_path / "ours")
    with closing(place.store), closing(open_frame_log(place.settings.log_url)) as log:
        log.create_topic(TOPIC, 1)
        log.publish(TOPIC, [(record.key, record.value) for record in place.records])
        consume_all(
            place.settings, place.store, log, PixelDetector(min_confidence=MIN_CONFIDENCE), progress=Said()
        )
        return place.detected()


@given(st.sets(st.integers(1, MESSAGES - 1)), st.lists(st.booleans(), min_size=MESSAGES, max_size=MESSAGES))
@examples(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_batches_and_retries_of_messages_give_the_segments_that_the_consumer_writes(
    tmp_path_factory: pytest.TempPathFactory,
    expected: tuple[list[bytes], list[bytes]],
    borders: set[int],
    again: list[bool],
) -> None:
    place = Place(tmp_path_factory.mktemp("spark"))
    with closing(place.store):
        for begin, end in pairwise([0, *sorted(borders), MESSAGES]):
            for _ in range(1 + again[begin]):
                (done,) = place.detect(place.records[begin:end], place.work())
                assert (done.next_offset, done.failure) == (end, "")
        lines, letters = place.detected()
        assert (lines, len(letters)) == (expected[0], len(expected[1]))
        assert set(place.told()) == set(lines)


def test_messages_already_covered_by_segments_are_detected_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with closing(place.store):
        place.detect(place.records[:6], place.work())
        (done,) = place.detect(place.records, place.work(committed=2))
        assert (done.report.frames, done.next_offset) == (5, MESSAGES)
        assert len(place.detected()[0]) == 10


def test_a_permanent_error_is_reported_and_nothing_is_committed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.environment["FRAMETALLY_TOPIC"] = "processed-frames"
    with closing(place.store):
        (done,) = place.detect(place.records, place.work())
    assert done.next_offset is None
    assert "is the topic on which frames are announced" in done.failure


COMMITTED_TOPIC, MODEL = "video-frames", "tiny-1"


class Member(Around):
    """A member of the group that cannot commit while `is_away`."""

    is_away = False

    def commit(self, partition: int, offset: int) -> None:
        if self.is_away:
            raise Retryable("the log does not answer for now")
        self.inner.commit(partition, offset)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FrameLog]:
    with closing(open_frame_log(load_settings(data_dir=tmp_path).resolved().log_url)) as opened:
        yield opened


@pytest.fixture
def engine(log: FrameLog, tmp_path: Path) -> Iterator[_Engine]:
    settings = load_settings(data_dir=tmp_path, topic=COMMITTED_TOPIC, log_partitions=2).resolved()
    with closing(open_object_store(settings.store_url)) as store:
        yield _Engine(None, settings, MODEL, None, store, log, Said(), lambda: False)


@pytest.fixture
def member(engine: _Engine) -> Iterator[Any]:
    with closing(engine._join()) as joined:
        while len(engine._held) < 2:
            joined.poll(timeout_s=0.1)
        yield Member(joined)


def done(partition: int, next_offset: int) -> BatchDone:
    return BatchDone(partition, next_offset, ConsumeReport(MODEL))


def committed(log: FrameLog) -> dict[int, int]:
    return log.committed(COMMITTED_TOPIC, consumer_group(MODEL, live=True))


def test_an_offset_that_failed_to_commit_is_committed_at_the_next_check_without_a_new_batch(
    log: FrameLog, engine: _Engine, member: Any
) -> None:
    member.is_away = True
    for one in (done(0, 5), done(1, 7), done(0, 6)):
        engine._done.put(one)
    for _ in range(3):
        engine._commit(member)
        assert committed(log) == {}
    member.is_away = False
    engine._commit(member)
    assert committed(log) == {0: 6, 1: 7}


def test_nothing_is_committed_for_a_partition_that_moved_to_another_member(
    log: FrameLog, engine: _Engine, member: Any
) -> None:
    member.is_away = True
    engine._done.put(done(0, 5))
    engine._commit(member)
    engine._leave([0])
    engine._held.add(0)  # it resumes: others have gone on meanwhile
    member.inner.commit(0, 9)
    member.is_away = False
    engine._commit(member)
    assert committed(log) == {0: 9}
