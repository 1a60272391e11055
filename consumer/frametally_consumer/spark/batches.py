"""Detects a micro-batch of one partition in a Spark task, with the consumer's loop.

The loop sees the messages as a log that ends with them. So the chain of segments, dead letters, results and
crash handling are exactly those of `worker.loop`.
"""

from __future__ import annotations

import bisect
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Unpack

from frametally.adapters_by_url import open_object_store
from frametally.errors import FrametallyError
from frametally.ports.frame_log import GroupCallbacks, LogConsumer, LogRecord
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.settings.loading import Settings, load_settings
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.detectors.yolo import NetworkModel
from frametally_consumer.load import load_detector
from frametally_consumer.supervisor import settings_of_each
from frametally_consumer.worker.live_results import open_results
from frametally_consumer.worker.loop import consume
from frametally_consumer.worker.report import ConsumeReport

_POLL_S = 0.02


@dataclass(frozen=True)
class BatchWork:
    """The input of a task in addition to its messages; the settings come from its environment.

    Attributes:
        begins: Offset of each partition's oldest message at the start of the query.
        committed: The group's committed offset of each partition at the start of the query.
        at_a_time: How many tasks run at once and share the cores.
    """

    log_id: str
    begins: dict[int, int]
    committed: dict[int, int]
    at_a_time: int
    model: NetworkModel | None


class BatchDone(NamedTuple):
    """The outcome of a micro-batch's messages of one partition.

    Attributes:
        next_offset: Offset to commit, below which all messages are in segments, or None if there is none.
        failure: Why the task could not work at all, or empty.
    """

    partition: int
    next_offset: int | None
    report: ConsumeReport
    said: tuple[str, ...] = ()
    failure: str = ""


def detect_batches(work: BatchWork, batches: Iterable[Any]) -> Iterator[Any]:
    """Run `detect_rows` on the rows of Arrow batches, and yield the outcomes as batches."""
    import pyarrow as pa

    rows = (row for batch in batches for row in zip(*map(pa.Array.to_pylist, batch.columns), strict=True))
    for done in detect_rows(work, rows):
        yield pa.RecordBatch.from_pydict({"done": [pickle.dumps(done)]})


def detect_rows(work: BatchWork, rows: Iterable[Any]) -> Iterator[BatchDone]:
    """Detect the frames announced in rows of a Kafka source (`partition`, `offset`, `key`, `value`)."""
    records = (LogRecord(row[0], row[1], bytes(row[2] or b""), bytes(row[3] or b"")) for row in rows)
    for partition, of_one in groupby(records, lambda record: record.partition):
        lines = _Lines()
        log = BatchLog(list(of_one), work)
        try:
            report = _detect(log, work, lines)
        except FrametallyError as error:
            yield BatchDone(partition, None, ConsumeReport(""), tuple(lines.said), str(error))
            return
        yield BatchDone(partition, log.committed_offset, report, tuple(lines.said))


def _detect(log: BatchLog, work: BatchWork, progress: Progress) -> ConsumeReport:
    tools = _tools(work)
    with open_results(tools.settings) as results:
        return consume(
            settings=tools.settings,
            store=tools.store,
            log=log,
            detector=tools.detector,
            progress=progress,
            until_caught_up=True,
            results=results,
        )


class _Tools(NamedTuple):
    """The resources that a Spark process keeps open for its batches."""

    settings: Settings
    store: ObjectStore
    detector: Detector


_opened: list[_Tools] = []


def _tools(work: BatchWork) -> _Tools:
    """Return the resources that the first batch opened; a Spark process has only one run and model."""
    if not _opened:
        settings = settings_of_each(load_settings("consumer").resolved(), work.at_a_time)
        store = open_object_store(settings.store_url, settings.store_access)
        _opened.append(_Tools(settings, store, load_detector(settings, work.model)))
    return _opened[0]


class _Lines:
    """Collects distinct lines for people."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, done: int, total: int | None, note: str = "") -> None:
        del done, total, note

    def say(self, line: str) -> None:
        if line not in self.said:
            self.said.append(line)


class BatchLog:
    """Presents consecutive messages of one partition as a log that ends with them, and as its consumer.

    Attributes:
        committed_offset: The group's last committed offset, or None.
    """

    def __init__(self, records: Sequence[LogRecord], work: BatchWork) -> None:
        """Take at least one message."""
        self._records = records
        self._work = work
        self._partition = records[0].partition
        self._end_offset = records[-1].offset + 1
        self._at = 0
        self._on_assigned: Callable[[list[int]], None] | None = None
        self.committed_offset = work.committed.get(self._partition)

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        """Do nothing, as the topic already has messages."""

    def log_id(self, topic: str) -> str:
        """Return the identity of the messages' topic."""
        return self._work.log_id

    def begin_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset of the partition's oldest message at the start of the query."""
        return {self._partition: self._work.begins[self._partition]}

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset after the last message."""
        return {self._partition: self._end_offset}

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return the last committed offset."""
        return {} if self.committed_offset is None else {self._partition: self.committed_offset}

    def subscribe(self, topic: str, group: str, **callbacks: Unpack[GroupCallbacks]) -> LogConsumer:
        """Return itself; the partition is assigned at the first poll and never revoked."""
        self._on_assigned = callbacks["on_assigned"]
        return self

    def poll(self, *, timeout_s: float, max_records: int = 500) -> list[LogRecord]:
        """Return the next messages."""
        if self._on_assigned is not None:
            on_assigned, self._on_assigned = self._on_assigned, None
            on_assigned([self._partition])
        records = list(self._records[self._at : self._at + max_records])
        self._at += len(records)
        if not records:
            time.sleep(min(timeout_s, _POLL_S))
        return records

    def seek(self, partition: int, offset: int) -> None:
        """Continue at the first message that is not below `offset`."""
        self._at = bisect.bisect_left(self._records, offset, key=lambda record: record.offset)

    def commit(self, partition: int, offset: int) -> None:
        """Record the offset; the process that runs the query commits it."""
        self.committed_offset = offset

    def assignment(self) -> set[int]:
        """Return the only partition."""
        return {self._partition}

    def close(self) -> None:
        """Do nothing: nothing is open."""
