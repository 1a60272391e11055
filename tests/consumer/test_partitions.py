"""How a worker handles its partitions, including one whose chain lacks a segment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.fakes.memory import MemoryStore

from frametally.ports.frame_log import LogRecord
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter
from frametally.segments.chain import ChainBroken, ChainEnd, PutResult, SegmentChain
from frametally.settings.loading import load_settings
from frametally_consumer.worker.assigned import AssignedPartition
from frametally_consumer.worker.loop import Partitions
from frametally_consumer.worker.pipeline import Pipeline


class Answers:
    """A pipeline that holds requests until the test answers."""

    def __init__(self) -> None:
        self.asked: list[Callable[[Callable[[], Any]], None]] = []

    def look_up(self, assigned: Any, committed_offset: int, done: Any) -> None:
        self.asked.append(done)

    def write(self, assigned: Any, batch: Any, done: Any) -> None:
        self.asked.append(done)

    def answer(self, result: object) -> None:
        self.asked.pop(0)(lambda: result)


@pytest.fixture
def pipeline() -> Answers:
    return Answers()


@pytest.fixture
def partitions(tmp_path: Path, pipeline: Answers) -> Partitions:
    settings = load_settings("consumer", data_dir=tmp_path, batch_frames=2)
    return Partitions(
        settings=settings,
        store=MemoryStore(),
        pipeline=cast("Pipeline", pipeline),
        progress=NoProgress(),
        model="m-1",
    )


def assign(partitions: Partitions) -> None:
    partitions.assign(0, log_id="log", log_begin=0, committed_offset=0)


def begin(partitions: Partitions, pipeline: Answers) -> None:
    assign(partitions)
    pipeline.answer(ChainEnd(0, None))
    next(iter(partitions)).seek_to = None  # the offset is committed


def take(partitions: Partitions, *offsets: int) -> None:
    for offset in offsets:
        taken = partitions.take(LogRecord(0, offset, b"", b""))
        assert taken is not None
        partitions.hold(taken, outcome(offset))


def test_nothing_more_is_taken_before_the_chains_end_is_known_or_while_two_batches_wait(
    partitions: Partitions, pipeline: Answers
) -> None:
    assert not partitions.full
    assign(partitions)
    assert partitions.full
    pipeline.asked.clear()
    begin(partitions, pipeline)
    assert not partitions.full
    take(partitions, 0, 1, 2, 3)
    assert partitions.full


def test_a_partition_that_now_belongs_to_another_worker_is_not_started(
    partitions: Partitions, pipeline: Answers
) -> None:
    assign(partitions)
    [assigned] = partitions
    partitions.drop(0)
    pipeline.answer(ChainEnd(7, None))
    assert (assigned.dropped, assigned.place, list(partitions)) == (True, None, [])


def test_work_in_progress_on_a_partition_that_moved_to_another_worker_is_dropped(
    partitions: Partitions, pipeline: Answers
) -> None:
    begin(partitions, pipeline)
    [assigned] = partitions
    taken = partitions.take(LogRecord(0, 0, b"", b""))
    assert taken is not None
    partitions.drop(0)
    partitions.hold(taken, outcome(0))
    assert assigned.held_messages == 0


@pytest.mark.parametrize("adopted", [True, False])
def test_another_workers_segment_is_adopted_in_place_of_this_workers(
    partitions: Partitions, pipeline: Answers, adopted: bool
) -> None:
    begin(partitions, pipeline)
    take(partitions, 0, 1)
    partitions.write_due(everything=True)
    pipeline.answer(PutResult(2, adopted))
    report = partitions.report
    assert (report.segments_adopted, report.segments_written) == ((1, 0) if adopted else (0, 1))
    assert partitions.settled or next(iter(partitions)).uncommitted == 2


def test_a_stopped_partition_resumes_once_the_group_assigns_it_again(
    partitions: Partitions, pipeline: Answers
) -> None:
    def broken() -> ChainEnd:
        raise ChainBroken("a segment is missing")

    assign(partitions)
    pipeline.asked.pop(0)(broken)
    assert list(partitions.stopped) == [0]
    assign(partitions)
    assert partitions.stopped == {}


def assigned_at(place: ChainEnd, *, log_begin: int = 0) -> AssignedPartition:
    chain = SegmentChain(MemoryStore(), model="m-1", log_id="log", topic="frames", partition=0)
    assigned = AssignedPartition(0, chain, log_begin=log_begin)
    assigned.start_at(place)
    assigned.seek_to = None  # the offset is committed
    return assigned


def outcome(offset: int) -> DeadLetter:
    return DeadLetter(offset=offset, message=b"", source=None, image_path=None, stage="parse", reason="none")


def take_offsets(assigned: AssignedPartition, *offsets: int) -> None:
    for offset in offsets:
        assert assigned.wants(offset)
        assigned.take(offset)


def whole_batch(assigned: AssignedPartition) -> tuple[int, int, list[int]] | None:
    batch = assigned.next_batch(batch_frames=100, batch_s=1000.0, everything=True)
    return batch and (batch.first_offset, batch.next_offset, list(batch.outcomes))


@pytest.mark.parametrize("detected_before_the_jump", [0, 1, 3])
def test_a_log_that_jumps_past_the_limit_ends_the_batch_at_the_limit(detected_before_the_jump: int) -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take_offsets(assigned, 0, 1, 2)
    for offset in range(detected_before_the_jump):
        assigned.add(offset, outcome(offset))
    assert not assigned.wants(9), "what lies above the limit stands in a segment, or comes after it"
    for offset in range(detected_before_the_jump, 3):
        assert assigned.arrived_to != 6, "what is still being detected is not there yet"
        assigned.add(offset, outcome(offset))
    assert assigned.arrived_to == 6
    assert whole_batch(assigned) == (0, 6, [0, 1, 2])
    assigned.advance(6)
    assert assigned.at_limit
    assert assigned.seek_to is None, "the log has given all that is below the limit"
    assert not assigned.settled, "the chain goes on behind the segment that was there"


def test_a_log_without_any_message_below_the_limit_gives_an_empty_batch() -> None:
    assigned = assigned_at(ChainEnd(2, 6))
    assert not assigned.wants(9)
    assert whole_batch(assigned) == (2, 6, [])


def test_a_jump_waits_for_the_batch_in_progress() -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take_offsets(assigned, 0, 1)
    assigned.add(0, outcome(0))
    assert whole_batch(assigned) == (0, 1, [0])
    assert not assigned.wants(9)
    assigned.advance(1)
    assert whole_batch(assigned) is None
    assigned.add(1, outcome(1))
    assert whole_batch(assigned) == (1, 6, [1])


def test_a_jump_follows_another_workers_segment_that_ends_with_the_logs_messages() -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take_offsets(assigned, 0, 1)
    assigned.add(0, outcome(0))
    assert whole_batch(assigned) == (0, 1, [0])
    assert not assigned.wants(9)
    assigned.advance(2)  # the existing one, instead of ours
    assert whole_batch(assigned) == (2, 6, [])
