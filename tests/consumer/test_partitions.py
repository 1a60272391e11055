"""What a worker does with its partitions, where the pipeline behind them answers as the test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.consumer.test_assigned import outcome
from tests.fakes.memory import MemoryStore

from frametally.ports.frame_log import LogRecord
from frametally.process.reports import NoProgress
from frametally.segments.chain import ChainBroken, ChainEnd, PutResult
from frametally.settings.loading import load_settings
from frametally_consumer.worker.partitions import Partitions
from frametally_consumer.worker.pipeline import Pipeline


class Answers:
    """A pipeline that keeps what is asked of it until the test answers."""

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
    next(iter(partitions)).seek_to = None  # the log has been told


def take(partitions: Partitions, *offsets: int) -> None:
    for offset in offsets:
        taken = partitions.take(LogRecord(0, offset, b"", b""))
        assert taken is not None
        partitions.hold(taken, outcome(offset))


def test_no_more_is_taken_before_a_chains_end_is_known_or_while_two_batches_wait(
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


def test_a_partition_that_is_anothers_by_now_is_not_begun(partitions: Partitions, pipeline: Answers) -> None:
    assign(partitions)
    [assigned] = partitions
    partitions.drop(0)
    pipeline.answer(ChainEnd(7, None))
    assert (assigned.dropped, assigned.place, list(partitions)) == (True, None, [])


@pytest.mark.parametrize("adopted", [True, False])
def test_a_segment_of_another_worker_is_adopted_and_none_of_this_ones_work(
    partitions: Partitions, pipeline: Answers, adopted: bool
) -> None:
    begin(partitions, pipeline)
    take(partitions, 0, 1)
    partitions.write_due(everything=True)
    pipeline.answer(PutResult(2, adopted))
    report = partitions.report
    assert (report.segments_adopted, report.segments_written) == ((1, 0) if adopted else (0, 1))
    assert partitions.settled or next(iter(partitions)).uncommitted == 2


def test_a_partition_that_stopped_is_taken_up_again_once_the_group_gives_it_back(
    partitions: Partitions, pipeline: Answers
) -> None:
    def broken() -> ChainEnd:
        raise ChainBroken("a segment is missing")

    assign(partitions)
    pipeline.asked.pop(0)(broken)
    assert list(partitions.stopped) == [0]
    assign(partitions)
    assert partitions.stopped == {}
