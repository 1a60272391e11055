"""Manages a worker's partitions: where their chains end, which batch is due, and its result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from frametally.ports.frame_log import LogRecord
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp
from frametally.segments.chain import ChainBroken, ChainEnd, PutResult, SegmentChain
from frametally.settings.loading import Settings
from frametally_consumer.worker.assigned import AssignedPartition, Batch, Outcome
from frametally_consumer.worker.pipeline import Pipeline, Taken
from frametally_consumer.worker.report import ConsumeReport

T = TypeVar("T")

_LIVE_BATCH_S = 2.0
"""Live frames should be counted within 10 s, of which the job and the index need a part."""


@dataclass
class Partitions:
    """The partitions of one worker, for its main thread."""

    settings: Settings
    store: ObjectStore
    pipeline: Pipeline
    progress: Progress
    model: str

    def __post_init__(self) -> None:
        self.stopped: dict[int, Skipped] = {}
        self.report = ConsumeReport(self.model)
        batch_s = self.settings.batch_s
        self._batch_s = min(batch_s, _LIVE_BATCH_S) if self.settings.is_live else batch_s
        self._held: dict[int, AssignedPartition] = {}

    def __iter__(self) -> Iterator[AssignedPartition]:
        """Iterate over the currently held partitions, which may be dropped meanwhile."""
        return iter(list(self._held.values()))

    @property
    def settled(self) -> bool:
        """Whether everything taken from the log is in a chain and committed."""
        return all(assigned.settled for assigned in self)

    @property
    def full(self) -> bool:
        """Whether to take no more for now, because a chain's end is unknown or two batches wait."""
        return any(
            assigned.place is None or assigned.is_full(self.settings.batch_frames) for assigned in self
        )

    @property
    def held_messages(self) -> int:
        """How many messages' outcomes are held."""
        return sum(assigned.held_messages for assigned in self)

    def assign(self, partition: int, *, log_id: str, log_begin: int, committed_offset: int) -> None:
        """Add a partition that the group assigned to this worker, and look up the end of its chain."""
        self.stopped.pop(partition, None)
        chain = SegmentChain(
            self.store,
            model=self.model,
            log_id=log_id,
            topic=self.settings.topic,
            partition=partition,
        )
        assigned = AssignedPartition(partition, chain, log_begin=log_begin)
        self._held[partition] = assigned
        self._look_up(assigned, committed_offset)

    def drop(self, partition: int) -> None:
        """Drop a partition that another worker has now, with all its unfinished work."""
        assigned = self._held.pop(partition, None)
        if assigned is not None:
            assigned.dropped = True

    def take(self, record: LogRecord) -> Taken | None:
        """Take a polled message, or return None if it is not wanted."""
        assigned = self._held.get(record.partition)
        if assigned is None or not assigned.wants(record.offset):
            return None
        lost = assigned.take(record.offset)
        if lost:
            self._say_lost(record.partition, *lost)
        return Taken(assigned, record)

    def hold(self, message: Taken, outcome: Outcome | None) -> None:
        """Hold a message's outcome, which is None only in a dropped partition."""
        if outcome is not None and not message.assigned.dropped:
            message.assigned.add(message.record.offset, outcome)

    def write_due(self, *, everything: bool) -> None:
        """Write the batches that are due, or all of them."""
        for assigned in self:
            if assigned.at_limit and assigned.writing is None:
                self._look_up(assigned, assigned.arrived_to)
            batch = assigned.next_batch(
                batch_frames=self.settings.batch_frames,
                batch_s=self._batch_s,
                everything=everything,
            )
            if batch is not None:
                self._write(assigned, batch)

    def _look_up(self, assigned: AssignedPartition, committed_offset: int) -> None:
        assigned.place = None

        def looked_up(result: Callable[[], ChainEnd]) -> None:
            place = self._outcome(assigned, result)
            failpoints.passing("consumer.looked-up")
            if place is not None and not assigned.dropped:
                self._start(assigned, place, committed_offset)

        self.pipeline.look_up(assigned, committed_offset, looked_up)

    def _start(self, assigned: AssignedPartition, place: ChainEnd, committed_offset: int) -> None:
        if place.next_offset < committed_offset:
            until = committed_offset if place.limit is None else min(place.limit, committed_offset)
            self.progress.say(
                f"partition {assigned.partition}: offsets {place.next_offset} to {until - 1} are "
                "committed, but their segments are not in the store (was it emptied, or restored from an "
                "older copy?): the consumer detects their frames again if the log still has them"
            )
        assigned.start_at(place)
        if assigned.read_to > place.next_offset:
            self._say_lost(assigned.partition, place.next_offset, assigned.read_to)
        if place.next_offset != committed_offset:
            assigned.uncommitted = place.next_offset

    def _write(self, assigned: AssignedPartition, batch: Batch) -> None:
        def written(result: Callable[[], PutResult]) -> None:
            put = self._outcome(assigned, result)
            if put is None:
                return
            if put.adopted:
                self.report.segments_adopted += 1
            else:
                self.report.count(assigned.partition, batch)
            if not assigned.dropped:
                assigned.advance(put.next_offset)
                failpoints.passing("consumer.written")

        self.pipeline.write(assigned, batch, written)

    def _outcome(self, assigned: AssignedPartition, result: Callable[[], T]) -> T | None:
        """Return the result of a job of the chain; None if it was given up or the partition has to stop."""
        try:
            return result()
        except GivenUp:
            return None
        except ChainBroken as error:
            if not assigned.dropped:
                self.drop(assigned.partition)
                self.stopped[assigned.partition] = Skipped(f"partition {assigned.partition}", str(error))
                self.progress.say(str(error))
            return None

    def _say_lost(self, partition: int, first_offset: int, next_offset: int) -> None:
        lost = Skipped(
            f"partition {partition}",
            f"the log no longer has offsets {first_offset} to {next_offset - 1}, and no segment covers them; "
            f"run `frametally redetect --model {self.model}` to detect their frames, and raise "
            "FRAMETALLY_LOG_RETENTION_H",
        )
        self.report.lost.append(lost)
        self.progress.say(f"{lost.name}: {lost.reason}")
