"""Workers, a log and a store in one process, driven step by step in any order: the result is always one
chain.

The workers are real ones; only their threads are replaced: a job that they gave to a thread ends when the
test says so, in the way that it says.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.examples import examples
from tests.fakes.memory import ManualClock, MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame

import frametally_consumer.worker.loop as worker_module
from frametally.errors import Retryable
from frametally.ports.frame_log import consumer_group
from frametally.process import failpoints
from frametally.process.reports import NoProgress
from frametally.process.retrying import GivenUp
from frametally.records import DeadLetter, FrameAnnouncement, FrameDetections, encode
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings
from frametally_consumer.worker.pipeline import parse

TOPIC, MODEL, PARTITIONS, LEASE_S = "frames", "model-1", 2, 10.0
EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", examples(100)))
CONSUMER_FAILPOINTS = [name for name in failpoints.FAILPOINTS if name.startswith(("consumer.", "chain."))]


class Killed(BaseException):
    """Simulates the end of the worker's process."""


class FaultyStore(MemoryStore):
    """Puts fail when the test says so: before they take effect, or after."""

    fails: str | None = None

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        fails, self.fails = self.fails, None
        if fails == "before":
            raise Retryable("the store does not answer")
        stored = super().put(key, data, if_absent=if_absent, durable=durable)
        if fails == "after":
            raise Retryable("the connection broke after the put")
        return stored


class SteppedPipeline:
    """Replaces the worker's threads: jobs wait here until the test runs the first of a kind."""

    def __init__(self) -> None:
        self.detecting: deque[Callable[[], None]] = deque()
        self.writing: deque[tuple[Any, Callable[[], Any], Callable[[Callable[[], Any]], None]]] = deque()
        self.ended: deque[Callable[[], None]] = deque()
        self.messages = 0

    @property
    def is_idle(self) -> bool:
        return not (self.detecting or self.writing or self.ended)

    def submit(self, taken: Sequence[Any], then: Callable[..., None]) -> Sequence[Any]:
        while taken and self.messages < 6:
            chunk, taken = list(taken[:3]), taken[3:]
            self.messages += len(chunk)

            def detected(chunk: list[Any] = chunk) -> None:
                self.messages -= len(chunk)
                for one in chunk:
                    then(one, outcome_of(one.record))

            self.detecting.append(detected)
        return taken

    def look_up(self, assigned: Any, committed_offset: int, then: Callable[..., None]) -> None:
        self.writing.append((assigned, lambda: assigned.chain.resume(committed_offset), then))

    def write(self, assigned: Any, batch: Any, then: Callable[..., None]) -> None:
        def put() -> Any:
            return assigned.chain.put(
                first_offset=batch.first_offset,
                next_offset=batch.next_offset,
                frames=batch.frames,
                dead_letters=batch.dead_letters,
                image_paths=batch.held,
            )

        self.writing.append((assigned, put, then))

    def detect_one(self) -> None:
        if self.detecting:
            self.ended.append(self.detecting.popleft())

    def write_one(self) -> None:
        if not self.writing:
            return
        assigned, action, then = self.writing[0]
        try:
            if assigned.dropped:
                raise GivenUp("dropped")
            value = action()
        except Retryable:
            return  # tried again
        except Exception as error:
            self.writing.popleft()
            self.ended.append(lambda error=error: then(lambda: _raise(error)))
            return
        self.writing.popleft()
        self.ended.append(lambda: then(lambda: value))

    def hear(self, *, timeout_s: float) -> None:
        while self.ended:
            self.ended.popleft()()

    def close(self, *, within_s: float) -> bool:
        return True


def _raise(error: Exception) -> None:
    raise error


def announced(number: int) -> FrameAnnouncement:
    return make_announcement(make_frame(1000 * number, number))


def outcome_of(record: Any) -> FrameDetections | DeadLetter:
    frame = parse(record)
    if isinstance(frame, DeadLetter):
        return frame
    shared = {name: getattr(frame, name) for name in FrameAnnouncement.__struct_fields__}
    for name in ("bytes", "sha256", "screened"):
        del shared[name]
    return FrameDetections(**shared, model=MODEL, detections=[])


class Detector:
    model_id = MODEL

    def detect(self, images: Sequence[Any]) -> list[Any]:
        raise AssertionError("the pipeline is stepped")


class SteppedWorker:
    """A worker whose every step the test triggers."""

    def __init__(self, store: MemoryStore, log: MemoryLog, number: int, batch_frames: int = 4) -> None:
        config = Settings(batch_frames=batch_frames, batch_s=1e-9, topic=TOPIC, log_partitions=PARTITIONS)
        self.worker = worker_module._Worker(
            config, store, log, Detector(), NoProgress(), lambda: False, results=None, test_again=None
        )
        self.worker._pipeline.close(within_s=0)
        self.pipeline = SteppedPipeline()
        self.worker._pipeline = self.worker._partitions.pipeline = self.pipeline  # type: ignore[assignment]
        self.consumer: Any = self.worker._join()
        self.consumer._member = f"{number:04d}"

    def step(self) -> None:
        self.worker._step(self.consumer, until_caught_up=True)

    def go_on(self) -> None:
        self.pipeline.detect_one()
        self.pipeline.write_one()
        self.step()

    @property
    def stopped(self) -> list[Any]:
        return list(self.worker._partitions.stopped.values())


class Protocol(RuleBasedStateMachine):
    """Up to three workers of one group; killed ones are gone, except a put in progress."""

    @initialize()
    def begin(self) -> None:
        self.clock = ManualClock()
        self.store = FaultyStore()
        self.log = MemoryLog(lease_s=LEASE_S, clock=self.clock)
        self.log.create_topic(TOPIC, PARTITIONS)
        self.topic = self.log._topic(TOPIC)
        self.group = self.topic.group(consumer_group(MODEL))
        self.workers: list[SteppedWorker] = []
        self.on_their_way: list[SteppedWorker] = []
        self.topic.log_id = "log-1"  # a test must be deterministic
        self.started = 0
        self.next_number = 0
        self.removed: set[tuple[int, int]] = set()
        self.meddled_with: set[int] = set()
        self.crash_at: str | None = None
        failpoints.passing, self.before = self.passing, failpoints.passing

    def teardown(self) -> None:
        if hasattr(self, "before"):
            try:
                self.finish()
            finally:
                failpoints.passing = self.before

    def start(self, batch_frames: int = 4) -> None:
        self.workers.append(SteppedWorker(self.store, self.log, self.started, batch_frames))
        self.started += 1

    def passing(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = None
            raise Killed

    def worker(self, choice: int) -> SteppedWorker:
        if not self.workers:
            self.start()
        return self.workers[choice % len(self.workers)]

    # The log.

    @rule(number=st.integers(1, 15), bad=st.integers(0, 3), again=st.integers(0, 3), seed=st.integers(0, 999))
    def deliver(self, number: int, bad: int, again: int, seed: int) -> None:
        """New frames, then some repeated ones, and unreadable messages."""
        numbers = list(range(self.next_number, self.next_number + number))
        self.next_number += number
        numbers += [(seed + one * 7) % self.next_number for one in range(again)]
        self.log.publish(TOPIC, [(str(one // 3).encode(), encode(announced(one))) for one in numbers])
        self.log.publish(TOPIC, [(str(seed + one).encode(), b"\xff") for one in range(bad)])

    @rule(
        what=st.sampled_from(["reset", "reset", "retention", "empty"]),
        partition=st.integers(0, 1),
        share=st.floats(0, 1),
    )
    def calamity(self, what: str, partition: int, share: float) -> None:
        """An operator sets the committed offset; the log removes messages; the store is emptied."""
        if what == "reset":
            self.meddled_with.add(partition)
            self.group.committed[partition] = int(share * self.log.end_offsets(TOPIC)[partition])
        elif what == "retention":
            begin = self.topic.begin[partition]
            count = int(share * len(self.topic.messages[partition]) / 2)
            self.removed |= {(partition, offset) for offset in range(begin, begin + count)}
            del self.topic.messages[partition][:count]
            self.topic.begin[partition] += count
        elif share > 0.7:  # without a worker, it is done again as far as the log requires
            self.meddled_with = set(range(PARTITIONS))
            self.workers.clear()
            self.on_their_way.clear()
            self.clock.advance(LEASE_S + 1)
            for key in list(list_segments(self.store)):
                self.store.delete(key)

    # The workers.

    @rule(batch_frames=st.integers(1, 7))
    def start_another(self, batch_frames: int) -> None:
        if len(self.workers) < 3:
            self.start(batch_frames)

    @rule(choice=st.integers(0, 2), batch_frames=st.integers(1, 7), times=st.integers(6, 25))
    def overtake(self, choice: int, batch_frames: int, times: int) -> None:
        """A worker hangs with puts in progress; its lease expires, and another worker takes over."""
        slow = self.worker(choice)
        for _ in range(8):
            slow.step()
            slow.pipeline.detect_one()
            if not slow.pipeline.writing or slow.pipeline.writing[0][0].place is None:
                slow.pipeline.write_one()
        self.clock.advance(LEASE_S + 1)
        fast = SteppedWorker(self.store, self.log, self.started, batch_frames)
        self.started += 1
        for _ in range(times):
            fast.go_on()
        slow.pipeline.write_one()
        slow.pipeline.hear(timeout_s=0)
        for _ in range(3):
            slow.pipeline.detect_one()
            slow.pipeline.hear(timeout_s=0)
            slow.worker._partitions.write_due(everything=True)
            slow.pipeline.write_one()
        self.workers = [*self.workers, fast][-3:]

    @rule(choice=st.integers(0, 2), times=st.integers(1, 15))
    def go_on(self, choice: int, times: int) -> None:
        worker = self.worker(choice)
        for _ in range(times):
            worker.go_on()

    @rule(choices=st.lists(st.tuples(st.integers(0, 2), st.sampled_from("sdwg")), min_size=5, max_size=30))
    def interleave(self, choices: list[tuple[int, str]]) -> None:
        """Single steps of all workers: of the main thread, of the detecting and of the writing one."""
        for choice, what in choices:
            worker = self.worker(choice)
            match what:
                case "s":
                    worker.step()
                case "d":
                    worker.pipeline.detect_one()
                case "w":
                    worker.pipeline.write_one()
                case _:
                    worker.go_on()

    @rule(choice=st.integers(0, 2), how=st.sampled_from(["before", "after"]))
    def fail_a_put(self, choice: int, how: str) -> None:
        self.store.fails = how
        self.worker(choice).pipeline.write_one()
        self.store.fails = None

    @rule(choice=st.integers(0, 2), name=st.sampled_from([*CONSUMER_FAILPOINTS, "on its way", "leave"]))
    def end(self, choice: int, name: str) -> None:
        """It is killed at a failpoint, or with a put in progress, or leaves in an orderly way."""
        worker = self.worker(choice)
        if name == "on its way":
            self.on_their_way.append(worker)
            self.workers.remove(worker)
        elif name == "leave":
            worker.consumer.close()
            self.workers.remove(worker)
        else:
            self.crash_at = name
            try:
                for _ in range(6):
                    worker.go_on()
            except Killed:
                self.workers.remove(worker)
            self.crash_at = None

    @rule()
    def the_put_arrives(self) -> None:
        if self.on_their_way:
            self.on_their_way.pop().pipeline.write_one()

    @rule(choice=st.integers(0, 2), times=st.integers(1, 15))
    def time_passes_for_all_but_one(self, choice: int, times: int) -> None:
        """The others' leases expire: they continue as zombies until they poll."""
        worker = self.worker(choice)
        self.clock.advance(LEASE_S + 1)
        for _ in range(times):
            worker.go_on()

    @rule(choice=st.integers(0, 2))
    def write_as_a_zombie(self, choice: int) -> None:
        """Puts in progress when the process was stopped continue when it wakes up."""
        worker = self.worker(choice)
        worker.pipeline.write_one()
        worker.pipeline.hear(timeout_s=0)
        worker.worker._partitions.write_due(everything=True)
        worker.pipeline.write_one()

    # The invariants.

    @invariant()
    def segments_are_one_chain(self) -> None:
        if not hasattr(self, "store"):
            return
        reached = dict.fromkeys(range(PARTITIONS), 0)
        for key in list_segments(self.store):
            segment = read_segment(self.store, key)
            header = segment.header
            partition = header.partition
            assert header.first_offset == reached[partition], "a gap or an overlap"
            lines = len(segment.frame_lines) + len(segment.dead_letter_lines)
            left_out = {
                (partition, offset) for offset in range(header.first_offset, header.next_offset)
            } & self.removed
            assert header.next_offset - header.first_offset - lines <= len(left_out), "a message was left out"
            reached[partition] = header.next_offset
        for partition, committed in self.group.committed.items():
            assert partition in self.meddled_with or committed <= reached[partition], "committed, not stored"

    @invariant()
    def a_partition_stops_only_for_what_the_log_has_removed(self) -> None:
        for worker in getattr(self, "workers", []):
            for stopped in worker.stopped:
                assert self.removed, stopped
                assert "has no entry for offset" in stopped.reason

    def finish(self) -> None:
        """A fresh worker completes it: the counts equal the model's."""
        self.clock.advance(LEASE_S + 1)
        worker = SteppedWorker(self.store, self.log, self.started)
        for _ in range(500):
            worker.go_on()
            if worker.worker._is_done(until_caught_up=True):
                break
        assert worker.worker._is_done(until_caught_up=True), "it does not come to an end"
        assert not worker.stopped
        self.segments_are_one_chain()
        ends = self.log.end_offsets(TOPIC)
        reached = dict.fromkeys(ends, 0)
        detected: set[str] = set()
        dead: set[tuple[int, int]] = set()
        for key in list_segments(self.store):
            segment = read_segment(self.store, key)
            reached[segment.header.partition] = segment.header.next_offset
            detected |= {frame.image_path for frame in segment.frames()}
            dead |= {(segment.header.partition, letter.offset) for letter in segment.dead_letters()}
        assert reached == ends
        assert {p: self.group.committed.get(p, 0) for p in ends} == ends
        still_there: set[str] = set()
        malformed: set[tuple[int, int]] = set()
        for partition, messages in enumerate(self.topic.messages):
            for offset, (_, value) in enumerate(messages, self.topic.begin[partition]):
                if value == b"\xff":
                    malformed.add((partition, offset))
                else:
                    still_there.add(value.decode().split('"image_path":"')[1].split('"')[0])
        expected = {announced(number).image_path for number in range(self.next_number)}
        assert still_there <= detected <= expected
        assert malformed <= dead
        if not self.removed:
            assert detected == expected
            assert dead == malformed


pytestmark = [pytest.mark.timeout(300 + EXAMPLES), pytest.mark.thorough]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "_POLL_S", 0.0)
    monkeypatch.setattr(worker_module, "CHUNK_MESSAGES", 5)


class TestProtocol(Protocol.TestCase):
    """Any order of deliveries, crashes, rebalances, zombies, failed puts, resets and losses."""

    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
