"""Runs the consumer's loop: reads messages, has them detected and written as segments, and commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from frametally.errors import Retryable
from frametally.ports.frame_log import (
    ConsumedLog,
    FrameLog,
    LeaseLost,
    LogConsumer,
    LogRecord,
    consumer_group,
)
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped, log_step
from frametally.process.retrying import Backoff, GivenUp, Patience
from frametally.segments.chain import ChainBroken, ChainEnd, PutResult, SegmentChain, logs_with_segments
from frametally.segments.redetect import refuse_topic_of_another
from frametally.settings.loading import Settings
from frametally.telemetry.traces import TRACES
from frametally_consumer.detectors.protocol import Detector
from frametally_consumer.worker.assigned import AssignedPartition, Batch, Outcome
from frametally_consumer.worker.first_frames import FirstFrames, TestAgain
from frametally_consumer.worker.live_results import Results
from frametally_consumer.worker.pipeline import CHUNK_MESSAGES, Pipeline, Taken
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
        """Iterate over the currently held partitions, which may be dropped in the meantime."""
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
                log_step("detected", media=(frame.media for frame in batch.frames), frames=len(batch.frames))
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


__all__ = ["ConsumeReport", "consume"]

_POLL_S = 0.1
_HEAR_S = 0.05
_REPORT_EVERY_S = 0.5
_STOP_WITHIN_S, _CLOSE_WITHIN_S = 6.0, 1.0
"""Limits after the signal to stop: the process has 10 s, in which it also leaves the group and ends."""


def consume(
    *,
    settings: Settings,
    store: ObjectStore,
    log: ConsumedLog,
    detector: Detector,
    progress: Progress,
    until_caught_up: bool,
    should_stop: Callable[[], bool] = lambda: False,
    results: FrameLog | None = None,
    test_again: TestAgain | None = None,
) -> ConsumeReport:
    """Detect announced frames until asked to stop, or until the group has committed all of them.

    While the store or the log is unavailable, it waits and reports this once a minute. It creates a missing
    topic, so a consumer may start before any producer. Other threads also call `progress` and `should_stop`.

    Once `should_stop()` is true, current work is finished before the return, as far as possible within 6 s;
    the rest is not committed and comes again. Each frame's result is sent on `results`, if given, as soon as
    it is known; this must not be `log`, whose calls must not wait for it. `test_again` is called with each
    source once 100 of its frames are detected. Raises `Misconfigured` as `test_again` does, and for an
    unusable store, log or failpoint, or another model's topic.
    """
    failpoints.arm()
    worker = _Worker(settings, store, log, detector, progress, should_stop, results, test_again)
    return worker.run(until_caught_up)


@dataclass
class _Worker:
    """One member of the group.

    Only the main thread uses the `LogConsumer` and the held messages. It never waits for the store or the
    detector, so they cannot cost it its lease.
    """

    settings: Settings
    store: ObjectStore
    log: ConsumedLog
    detector: Detector
    progress: Progress
    should_stop: Callable[[], bool]
    results: FrameLog | None
    test_again: TestAgain | None

    def __post_init__(self) -> None:
        settings, model = self.settings, self.detector.model_id
        refuse_topic_of_another(settings.topic, model)
        TRACES.begin(settings.traces_url)
        self._log_id = ""
        self._group = consumer_group(model, live=settings.is_live)
        self._over = threading.Event()
        self._patience = Patience(self.progress.say, self._over.is_set)
        self._results = None if self.results is None else Results(settings, self.results, self.progress.say)
        self._pipeline = Pipeline(
            store=self.store,
            detector=self.detector,
            max_pixels=settings.max_image_megapixels * 1_000_000,
            patience=self._patience,
            tell=self._results.tell if self._results is not None else None,
        )
        self._partitions = Partitions(settings, self.store, self._pipeline, self.progress, model)
        self._waiting: Sequence[Taken] = []  # polled but not submitted yet
        self._log_backoff = Backoff()
        self._log_away_until_s = 0.0
        self._drained = False
        self._stop_by_s: float | None = None
        self._reported_at_s = -_REPORT_EVERY_S

    def run(self, until_caught_up: bool) -> ConsumeReport:
        """Work until there is nothing more to do.

        The order of effects for each partition guarantees that no frame is lost or counted twice:

        1. At assignment, look up the end of its chain, and begin to read there (`SegmentChain.resume`).
        2. Take messages from the log, in order.
        3. Fetch, check and decode their frames, and detect objects in them; set the others aside as dead
           letters. All of this is only in memory (`Pipeline.submit`). Send results to viewers, without
           waiting (`Results.tell`).
        4. Hold outcomes in order. Put those of a batch durably as a segment if none begins there yet; if one
           does, read and check it (`SegmentChain.put`).
        5. Drop what that segment covers. Only now is the partition's next batch made: it begins where the
           segment ends (`AssignedPartition.advance`).
        6. Commit the end of that segment.

        A crash at any point leaves a chain that ends at or above the committed offset. Step 1 finds that end,
        so nothing is skipped or repeated. A partition that goes to another worker is dropped with all
        unfinished work; step 4 of the other worker finds a put in progress at that time. Raises
        `Misconfigured` for an unusable store or log.
        """
        try:
            consumer = self._join()
            if consumer is not None:
                with closing(consumer):
                    while not self._is_done(until_caught_up):
                        self._step(consumer, until_caught_up)
        except BaseException:
            self._over.set()
            self._pipeline.close(within_s=0.0)
            if self._results is not None:
                self._results.close(within_s=0.0)
            raise
        self._over.set()
        ended = self._pipeline.close(within_s=_CLOSE_WITHIN_S)
        if self._results is not None:
            told_to = self._stop_by_s is not None
            ended &= self._results.close(within_s=_CLOSE_WITHIN_S if told_to else _STOP_WITHIN_S)
        TRACES.flush()
        report = self._partitions.report
        report.stopped, report.unfinished = list(self._partitions.stopped.values()), not ended
        return report

    def _join(self) -> LogConsumer | None:
        """Return the group's new member once log and store are available, or None if stopped before."""

        def join() -> LogConsumer:
            self.log.create_topic(self.settings.topic, self.settings.log_partitions)
            self._log_id = self.log.log_id(self.settings.topic)
            return self.log.subscribe(
                self.settings.topic, self._group, on_assigned=self._assigned, on_revoked=self._revoked
            )

        try:
            known = self._patience.until_done(
                "look-up",
                lambda: logs_with_segments(self.store, self.detector.model_id, self.settings.topic),
                self.should_stop,
            )
            consumer = self._patience.until_done("log", join, self.should_stop)
        except GivenUp:
            return None
        self._pipeline.first_frames = FirstFrames(
            self.detector.model_id,
            self.progress.say,
            self.settings.counted_boxes().rule(),
            is_new=not known,
            test_again=self.test_again,
        )
        if known and self._log_id not in known:
            self.progress.say(
                f"this log is new ({self._log_id}), but the store has segments from {len(known)} earlier "
                "logs: frames that were announced only in those logs will not come again. If `frametally "
                "status` shows missing frames, delete the manifests of their media from media/ in the "
                "store and produce them again"
            )
        return consumer

    def _step(self, consumer: LogConsumer, until_caught_up: bool) -> None:
        stopping = self._is_stopping()
        full = stopping or bool(self._waiting) or self._partitions.full
        under_way = not self._pipeline.is_idle
        polled = self._poll(consumer, 0 if full else CHUNK_MESSAGES, timeout_s=0.0 if under_way else _POLL_S)
        self._waiting = self._pipeline.submit(self._waiting, self._partitions.hold)
        self._pipeline.hear(timeout_s=_HEAR_S if under_way and not polled else 0.0)
        self._drained = polled == 0 and not (full or self._waiting or self._pipeline.messages)
        flush = self._time_to_flush() if stopping else until_caught_up and self._drained
        self._partitions.write_due(everything=flush)
        self._seek_and_commit(consumer)
        self._report(now=flush)

    def _is_stopping(self) -> bool:
        if self._stop_by_s is None and self.should_stop():
            self._stop_by_s = time.monotonic() + _STOP_WITHIN_S
            self._waiting = []
        return self._stop_by_s is not None

    def _time_to_flush(self) -> bool:
        """Return whether to write everything held after a stop was requested.

        It is true once detection has finished, or after half of the time.
        """
        if self._stop_by_s is None:
            return False
        return not self._pipeline.messages or time.monotonic() > self._stop_by_s - _STOP_WITHIN_S / 2

    def _is_done(self, until_caught_up: bool) -> bool:
        at_rest = self._pipeline.is_idle and self._partitions.settled
        if self._stop_by_s is not None:
            return at_rest or time.monotonic() >= self._stop_by_s
        return until_caught_up and self._drained and at_rest and self._caught_up()

    def _poll(self, consumer: LogConsumer, most: int, *, timeout_s: float) -> int | None:
        """Take up to `most` messages (0 keeps the lease); return how many, None if the log is unavailable."""
        if time.monotonic() < self._log_away_until_s:
            time.sleep(_HEAR_S)
            return None
        try:
            records = consumer.poll(timeout_s=timeout_s, max_records=most)
        except Retryable as error:
            self._log_is_away(error)
            return None
        self._log_backoff.reset()
        self._patience.answered("log")
        messages = [message for message in map(self._partitions.take, records) if message is not None]
        if messages:
            failpoints.passing("consumer.polled")
            self._waiting = [*self._waiting, *messages]
        return len(records)

    def _log_is_away(self, error: Retryable) -> None:
        self._patience.tell("log", error)
        self._log_away_until_s = time.monotonic() + self._log_backoff.next_s()

    def _assigned(self, partitions: list[int]) -> None:
        begin = self.log.begin_offsets(self.settings.topic)
        # Read it before looking up the chain, as a segment exists before its offset is committed.
        committed = self.log.committed(self.settings.topic, self._group)
        failpoints.passing("consumer.assigned")
        for partition in partitions:
            self._partitions.assign(
                partition,
                log_id=self._log_id,
                log_begin=begin[partition],
                committed_offset=committed.get(partition, 0),
            )

    def _revoked(self, partitions: list[int]) -> None:
        for partition in partitions:
            self._partitions.drop(partition)

    def _seek_and_commit(self, consumer: LogConsumer) -> None:
        for assigned in self._partitions:
            try:
                if assigned.seek_to is not None:
                    consumer.seek(assigned.partition, assigned.seek_to)
                    assigned.seek_to = None
                if assigned.uncommitted is not None and time.monotonic() >= self._log_away_until_s:
                    consumer.commit(assigned.partition, assigned.uncommitted)
                    assigned.uncommitted = None
                    failpoints.passing("consumer.committed")
            except LeaseLost:
                # Another worker has it now and finds our segment when it looks up the chain's end.
                self._partitions.drop(assigned.partition)
            except Retryable as error:
                self._log_is_away(error)

    def _caught_up(self) -> bool:
        offsets = self._group_offsets()
        if offsets is None:
            return False
        ends, committed = offsets
        return all(
            committed.get(partition, 0) >= end or partition in self._partitions.stopped
            for partition, end in ends.items()
        )

    def _report(self, *, now: bool) -> None:
        if not now and time.monotonic() - self._reported_at_s < _REPORT_EVERY_S:
            return
        self._reported_at_s = time.monotonic()
        offsets = self._group_offsets()
        if offsets is not None:
            ends, committed = offsets
            done = sum(committed.values()) + self._partitions.held_messages
            self.progress.update(done, sum(ends.values()))

    def _group_offsets(self) -> tuple[dict[int, int], dict[int, int]] | None:
        """Return each partition's end and committed offset, or None while the log is unavailable."""
        try:
            ends = self.log.end_offsets(self.settings.topic)
            return ends, self.log.committed(self.settings.topic, self._group)
        except Retryable as error:
            self._log_is_away(error)
            return None
