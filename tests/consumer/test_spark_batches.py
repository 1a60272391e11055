"""A task of Spark's detects a micro-batch as the consumer does: however messages are cut into batches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from tests.consumer.test_worker import Lines, announcement

from frametally import keys
from frametally.opening import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog, LogRecord
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.environment import environment_of
from frametally.settings.loading import load_settings
from frametally_consumer.detectors.pixel import PixelDetector
from frametally_consumer.spark import batches
from frametally_consumer.spark.batches import BatchWork, detect_rows
from frametally_consumer.worker.loop import consume

TOPIC = "video-frames"
MESSAGES = 12


class Place:
    """Messages of one partition, and where their segments go."""

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
        """As a process of Spark's does, by its environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "_opened", [])
            for name, value in (environment_of(self.settings) | self.environment).items():
                patch.setenv(name, value)
            return list(
                detect_rows(work, [(one.partition, one.offset, one.key, one.value) for one in records])
            )

    def detected(self) -> tuple[list[bytes], list[bytes]]:
        """Lines and dead letters of all segments, which follow one another."""
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
        """What is on the topic of results."""
        with closing(open_frame_log(self.settings.log_url)) as log:
            return [record.value for record in everything(log, self.settings.results_topic)]


def everything(log: FrameLog, topic: str) -> list[LogRecord]:
    records: list[LogRecord] = []
    member = log.subscribe(topic, "reader", on_assigned=lambda _: None, on_revoked=lambda _: None)
    with closing(member):
        while len(records) < sum(log.end_offsets(topic).values()):
            records += member.poll(timeout_s=5)
    return records


@pytest.fixture
def expected(tmp_path: Path) -> tuple[list[bytes], list[bytes]]:
    """What our own consumer makes of the same messages."""
    place = Place(tmp_path / "ours")
    with closing(place.store), closing(open_frame_log(place.settings.log_url)) as log:
        log.create_topic(TOPIC, 1)
        log.publish(TOPIC, [(record.key, record.value) for record in place.records])
        consume(
            settings=place.settings,
            store=place.store,
            log=log,
            detector=PixelDetector(min_confidence=place.settings.min_confidence),
            progress=Lines(),
            until_caught_up=True,
        )
        return place.detected()


@given(st.sets(st.integers(1, MESSAGES - 1)), st.lists(st.booleans(), min_size=MESSAGES, max_size=MESSAGES))
@examples(
    max_examples=6,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_however_messages_are_cut_into_batches_and_tried_again_their_segments_hold_what_the_consumer_finds(
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


def test_messages_that_segments_cover_already_are_detected_once(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    with closing(place.store):
        place.detect(place.records[:6], place.work())
        (done,) = place.detect(place.records, place.work(committed=2))
        assert (done.report.frames, done.next_offset) == (5, MESSAGES)
        assert len(place.detected()[0]) == 10


def test_what_cannot_be_at_all_is_said_and_nothing_is_committed(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    place.environment["FRAMETALLY_RESULTS_TOPIC"] = TOPIC
    with closing(place.store):
        (done,) = place.detect(place.records, place.work())
    assert done.next_offset is None
    assert "frames are announced on that topic" in done.failure
