"""The consumer's loop: fetch, decode, detect, write segments, commit."""

from __future__ import annotations

import contextlib
import hashlib
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from frametally import keys
from frametally.chain import ChainBroken, SegmentChain
from frametally.errors import Poison, Retryable
from frametally.frame_log import FrameLog, LeaseLost, LogConsumer, LogRecord, consumer_group
from frametally.object_store import ObjectMissing, ObjectStore
from frametally.opencv import decode_image
from frametally.records import DeadLetter, FrameAnnouncement, FrameDetections, decode
from frametally.reports import Progress, Skipped
from frametally.settings import Settings
from frametally_consumer.detector import Detector

T = TypeVar("T")

# Messages handled between two polls: the lease is renewed by polling, and 16 frames take well under a
# second on the slowest detector measured (28 frames a second).
_CHUNK_MESSAGES = 16
_POLL_S = 0.1
_REPORT_EVERY_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_SAY_EVERY_S = 60.0


class ConsumeReport(NamedTuple):
    """What one call of `consume` did.

    Attributes:
        model: The detector's model id.
        frames: Messages that became detections, in segments that this worker wrote.
        segments_written: Segments that this worker put.
        segments_adopted: Segments of other workers that it went on after.
        dead_letters: What it set aside in its segments.
        stopped: Partitions that cannot go on, each with its reason.
    """

    model: str
    frames: int
    segments_written: int
    segments_adopted: int
    dead_letters: list[Skipped]
    stopped: list[Skipped]


def consume(
    *,
    settings: Settings,
    store: ObjectStore,
    log: FrameLog,
    detector: Detector,
    progress: Progress,
    until_caught_up: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> ConsumeReport:
    """Detect what is announced until told to stop, or until the group has committed all there is.

    Args:
        settings: The topic, and the borders of a batch.
        store: Where frames lie and segments go.
        log: Where frames are announced.
        detector: What finds objects.
        progress: Told of every chunk.
        until_caught_up: End once every partition's end is committed, by this worker or others of its group.
        should_stop: Asked between chunks; what is in hand is written before the return.

    The topic is made if it is not there yet: a consumer may be started before any producer.
    """
    log.create_topic(settings.topic, settings.log_partitions)
    worker = _Worker(settings, store, log, detector, progress, should_stop)
    return worker.run(until_caught_up)


class _Loaded(NamedTuple):
    """An announced frame with its picture, (height, width, 3) uint8 BGR."""

    announcement: FrameAnnouncement
    image: np.ndarray


class _Batch:
    """The open batch of one partition: all that it holds follows the end of the chain."""

    def __init__(self, chain: SegmentChain, first_offset: int) -> None:
        self.chain = chain
        self.start_at(first_offset)

    def start_at(self, first_offset: int) -> None:
        self.first_offset = self.next_offset = first_offset
        self.opened_at_s = 0.0
        self.held: dict[int, str | None] = {}
        self.frames: dict[int, FrameDetections] = {}
        self.dead_letters: dict[int, DeadLetter] = {}

    def add(self, offset: int, outcome: FrameDetections | DeadLetter) -> None:
        if not self.held:
            self.opened_at_s = time.monotonic()
        self.held[offset] = outcome.image_path
        self.next_offset = offset + 1
        if isinstance(outcome, FrameDetections):
            self.frames[offset] = outcome
        else:
            self.dead_letters[offset] = outcome

    def drop_below(self, offset: int) -> None:
        """Keep what is at or above `offset`, as work that follows a chain that now ends there."""
        kept = [(at, self.frames.get(at) or self.dead_letters[at]) for at in self.held if at >= offset]
        opened_at_s = self.opened_at_s
        self.start_at(offset)
        for at, outcome in kept:
            self.add(at, outcome)
        self.opened_at_s = opened_at_s


class _Worker:
    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        log: FrameLog,
        detector: Detector,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._store = store
        self._log = log
        self._detector = detector
        self._progress = progress
        self._should_stop = should_stop
        self._group = consumer_group(detector.model_id)
        self._log_id = log.log_id(settings.topic)
        self._batches: dict[int, _Batch] = {}
        self._stopped: dict[int, Skipped] = {}
        self._dead_letters: list[Skipped] = []
        self._frames = self._written = self._adopted = 0
        self._reported_at_s = -_REPORT_EVERY_S

    def run(self, until_caught_up: bool) -> ConsumeReport:
        consumer = self._log.subscribe(
            self._settings.topic,
            self._group,
            on_assigned=lambda partitions: self._assigned(consumer, partitions),
            on_revoked=self._revoked,
        )
        try:
            while not self._should_stop():
                records = consumer.poll(timeout_s=_POLL_S, max_records=_CHUNK_MESSAGES)
                self._take(consumer, records)
                drained = until_caught_up and not records
                self._write_due(consumer, everything=drained)
                self._report(now=drained)
                if drained and self._caught_up():
                    break
            self._write_due(consumer, everything=True)
            self._report(now=True)
        finally:
            consumer.close()
        return ConsumeReport(
            self._detector.model_id,
            self._frames,
            self._written,
            self._adopted,
            self._dead_letters,
            list(self._stopped.values()),
        )

    def _assigned(self, consumer: LogConsumer, partitions: list[int]) -> None:
        begin = self._log.begin_offsets(self._settings.topic)
        committed = self._log.committed(self._settings.topic, self._group)
        for partition in partitions:
            chain = SegmentChain(
                self._store,
                model=self._detector.model_id,
                log_id=self._log_id,
                topic=self._settings.topic,
                partition=partition,
            )
            start = committed.get(partition, 0)
            try:
                position = self._retrying(partial(chain.resume, start))
            except ChainBroken as error:
                self._stop(partition, error)
                continue
            if begin[partition] > position:
                self._progress.say(
                    f"partition {partition}: the log begins at offset {begin[partition]}, offsets "
                    f"{position} to {begin[partition] - 1} are lost; raise the log's retention"
                )
                position = begin[partition]
            consumer.seek(partition, position)
            self._batches[partition] = _Batch(chain, position)
            if position > start:
                with contextlib.suppress(LeaseLost):  # already lost again: the next poll tells
                    consumer.commit(partition, position)

    def _revoked(self, partitions: list[int]) -> None:
        for partition in partitions:
            self._batches.pop(partition, None)

    def _stop(self, partition: int, error: ChainBroken) -> None:
        self._batches.pop(partition, None)
        self._stopped[partition] = Skipped(f"partition {partition}", str(error))
        self._progress.say(str(error))

    def _take(self, consumer: LogConsumer, records: list[LogRecord]) -> None:
        """Detect the frames of one chunk, add them to their partitions' batches, write the full ones."""
        taken = [(record, self._load(record)) for record in records if self._is_wanted(record)]
        images = [loaded.image for _, loaded in taken if isinstance(loaded, _Loaded)]
        detected = iter(self._detector.detect(images) if images else [])
        for record, loaded in taken:
            if isinstance(loaded, DeadLetter):
                outcome: FrameDetections | DeadLetter = loaded
            else:
                frame = loaded.announcement
                outcome = FrameDetections(
                    image_path=frame.image_path,
                    source=frame.source,
                    frame_index=frame.frame_index,
                    captured_at_ms=frame.captured_at_ms,
                    time_source=frame.time_source,
                    width_px=frame.width_px,
                    height_px=frame.height_px,
                    media=frame.media,
                    model=self._detector.model_id,
                    detections=next(detected),
                )
            # Asked again: a write in between may have adopted a segment that holds this message, too.
            if self._is_wanted(record):
                batch = self._batches[record.partition]
                batch.add(record.offset, outcome)
                if len(batch.held) >= self._settings.batch_frames:
                    self._write(consumer, record.partition, batch)

    def _is_wanted(self, record: LogRecord) -> bool:
        batch = self._batches.get(record.partition)
        return batch is not None and record.offset >= batch.next_offset

    def _load(self, record: LogRecord) -> _Loaded | DeadLetter:
        """The announcement with its picture, or the dead letter instead."""
        frame: FrameAnnouncement | None = None
        stage: Literal["parse", "fetch", "verify", "decode"] = "parse"
        try:
            frame = decode(record.value, FrameAnnouncement)
            image_path = keys.check_image_key(frame.image_path)
            stage = "fetch"
            data = self._retrying(lambda: self._store.get(image_path))
            stage = "verify"
            if hashlib.sha256(data).hexdigest() != frame.sha256:
                raise Poison(f"{frame.image_path} is not what was announced: its sha256 differs")
            stage = "decode"
            image = decode_image(data, self._settings.max_image_megapixels * 1_000_000)
            stage = "verify"
            if image.shape[:2] != (frame.height_px, frame.width_px):
                raise Poison(
                    f"{frame.image_path} is {image.shape[1]}x{image.shape[0]}, announced as "
                    f"{frame.width_px}x{frame.height_px}"
                )
        except (Poison, ObjectMissing) as error:
            return DeadLetter(
                offset=record.offset,
                message=record.value,
                source=frame.source if frame else None,
                image_path=frame.image_path if frame else None,
                stage=stage,
                reason=str(error),
            )
        return _Loaded(frame, image)

    def _write_due(self, consumer: LogConsumer, *, everything: bool) -> None:
        """Write the batches that are old enough, or all."""
        now_s = time.monotonic()
        for partition, batch in list(self._batches.items()):
            old = now_s - batch.opened_at_s >= self._settings.batch_s
            if batch.held and (old or everything):
                self._write(consumer, partition, batch)

    def _write(self, consumer: LogConsumer, partition: int, batch: _Batch) -> None:
        """Bring the chain up to the end of the batch, then commit.

        The order that makes "no frame lost, none counted twice" true:

        1. The segment is put, durably, if none begins there yet; it has every message of its range.
        2. If another worker's segment was there: it is read and checked, what it covers is dropped here, and
           what it does not cover becomes a batch that begins at its end (back to 1).
        3. The offset is committed.
        """
        while batch.held:
            held_before = batch.next_offset
            try:
                result = self._retrying(
                    lambda: batch.chain.put(
                        first_offset=batch.first_offset,
                        next_offset=batch.next_offset,
                        frames=list(batch.frames.values()),
                        dead_letters=list(batch.dead_letters.values()),
                        held=batch.held,
                    )
                )
            except ChainBroken as error:
                self._stop(partition, error)
                return
            if result.adopted:
                self._adopted += 1
            else:
                self._written += 1
                self._frames += len(batch.frames)
                self._dead_letters += [
                    Skipped(letter.image_path or f"message {partition}:{letter.offset}", letter.reason)
                    for letter in batch.dead_letters.values()
                ]
            batch.drop_below(result.next_offset)
            if result.next_offset > held_before:
                consumer.seek(partition, result.next_offset)
            try:
                consumer.commit(partition, result.next_offset)
            except LeaseLost:
                # The partition is another worker's by now; it finds our segment when it looks for its place.
                self._batches.pop(partition, None)
                return

    def _caught_up(self) -> bool:
        ends = self._log.end_offsets(self._settings.topic)
        committed = self._log.committed(self._settings.topic, self._group)
        return all(
            committed.get(partition, 0) >= end or partition in self._stopped
            for partition, end in ends.items()
        )

    def _report(self, *, now: bool) -> None:
        if not now and time.monotonic() - self._reported_at_s < _REPORT_EVERY_S:
            return
        self._reported_at_s = time.monotonic()
        ends = self._log.end_offsets(self._settings.topic)
        committed = self._log.committed(self._settings.topic, self._group)
        in_hand = sum(len(batch.held) for batch in self._batches.values())
        self._progress.update(sum(committed.values()) + in_hand, sum(ends.values()))

    def _retrying(self, action: Callable[[], T]) -> T:
        """What `action` returns, tried again for as long as the outside world fails for now.

        Raises:
            Retryable: It still fails, and the worker was told to stop.
        """
        pause_s = _FIRST_PAUSE_S
        said_at_s = -_SAY_EVERY_S
        while True:
            try:
                return action()
            except Retryable as error:
                if self._should_stop():
                    raise
                if time.monotonic() - said_at_s >= _SAY_EVERY_S:
                    said_at_s = time.monotonic()
                    self._progress.say(f"waiting, and trying again: {error}")
                # Jitter keeps workers that failed together from coming back together.
                time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
