"""What micro-batches of Spark have done is committed, also after the log was away; no Spark runs here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.consumer.test_worker import Lines

from frametally.errors import Retryable
from frametally.opening import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog, LogConsumer, consumer_group
from frametally.settings.loading import load_settings
from frametally_consumer.spark.batches import BatchDone
from frametally_consumer.spark.streaming import _Engine
from frametally_consumer.worker.report import ConsumeReport

TOPIC, MODEL = "video-frames", "tiny-1"


class Member:
    """A member of the group by which nothing can be committed while `is_away`."""

    def __init__(self, inner: LogConsumer) -> None:
        self.inner = inner
        self.is_away = False

    def commit(self, partition: int, offset: int) -> None:
        if self.is_away:
            raise Retryable("the log does not answer for now")
        self.inner.commit(partition, offset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[FrameLog]:
    with closing(open_frame_log(load_settings(data_dir=tmp_path).resolved().log_url)) as opened:
        yield opened


@pytest.fixture
def engine(log: FrameLog, tmp_path: Path) -> Iterator[_Engine]:
    settings = load_settings(data_dir=tmp_path, topic=TOPIC, log_partitions=2).resolved()
    with closing(open_object_store(settings.store_url)) as store:
        yield _Engine(None, settings, MODEL, None, store, log, Lines(), lambda: False)


@pytest.fixture
def member(engine: _Engine) -> Iterator[Any]:
    with closing(engine._join()) as joined:
        while len(engine._held) < 2:
            joined.poll(timeout_s=0.1)
        yield Member(joined)


def done(partition: int, next_offset: int) -> BatchDone:
    return BatchDone(partition, next_offset, ConsumeReport(MODEL))


def committed(log: FrameLog) -> dict[int, int]:
    return log.committed(TOPIC, consumer_group(MODEL, live=True))


def test_what_could_not_be_committed_is_with_the_next_look_though_no_batch_follows(
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


def test_of_a_partition_that_went_to_another_nothing_is_committed_any_more(
    log: FrameLog, engine: _Engine, member: Any
) -> None:
    member.is_away = True
    engine._done.put(done(0, 5))
    engine._commit(member)
    engine._leave([0])
    engine._held.add(0)  # it comes back: others have gone on meanwhile
    member.inner.commit(0, 9)
    member.is_away = False
    engine._commit(member)
    assert committed(log) == {0: 9}
