"""The contract of every frame log.

For guarantees of the SQLite log alone see `test_sqlite_log.py`; for those of Kafka, `test_kafka_log.py`.
"""

import inspect
import itertools
import tempfile
import threading
import time
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kafka.admin import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError
from serving.needs import server
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.memory import ManualClock, MemoryLog

from frametally.adapters.sqlite.file_log import SqliteLog
from frametally.adapters_by_url import open_frame_log
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.ports.frame_log import FrameLog, LeaseLost, LogConsumer, LogRecord, NoSuchTopic

TOPIC, GROUP, PARTITIONS = "frames", "frametally-yolo", 6
ResultT = TypeVar("ResultT")

LEASE_S = 10.0
PATIENCE_S = 30.0
"""How long to wait for spontaneous events: a real server has other work meanwhile."""


def new_sqlite_log(stack: ExitStack, clock: ManualClock) -> FrameLog:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    log = SqliteLog(f"sqlite:///{folder}/made on opening/log.sqlite", lease_s=LEASE_S, clock=clock)
    return stack.enter_context(closing(log))


class KafkaSpace:
    """An empty Kafka log: its topics and groups have a unique prefix.

    Its leases run in real time.
    """

    def __init__(self, stack: ExitStack, lease_s: float) -> None:
        self._space = f"test-{uuid.uuid4().hex[:12]}-"
        self._log = stack.enter_context(closing(open_frame_log(server("kafka")["URL"], lease_s=lease_s)))
        self._made: list[str] = []
        stack.callback(self._remove)
        self.url = self._log.url

    def _remove(self) -> None:
        with closing(KafkaAdminClient(bootstrap_servers=self.url.removeprefix("kafka://"))) as admin:
            for topic in self._made:
                with suppress(UnknownTopicOrPartitionError):
                    admin.delete_topics([topic])

    def subscribe(self, topic: str, group: str, **callbacks: Callable[[list[int]], None]) -> LogConsumer:
        with self._plain_names():
            return self._log.subscribe(self._space + topic, self._space + group, **callbacks)

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        self._made.append(self._space + topic)
        with self._plain_names():
            self._log.create_topic(self._space + topic, partitions, keep_s=keep_s)

    def committed(self, topic: str, group: str) -> dict[int, int]:
        with self._plain_names():
            return self._log.committed(self._space + topic, self._space + group)

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._log, name)

        def of_topic(topic: str, *rest: object) -> object:
            with self._plain_names():
                return method(self._space + topic, *rest)

        return of_topic

    @contextmanager
    def _plain_names(self) -> Iterator[None]:
        try:
            yield
        except FrametallyError as error:
            error.args = (str(error).replace(self._space, ""),)
            raise


class RealClock(ManualClock):
    """Runs in real time: `advance` waits for part of a lease or longer.

    Leases are short in tests that wait for their end, and long in the others.
    """

    def __init__(self, lease_s: float) -> None:
        super().__init__()
        self.lease_s = lease_s

    def advance(self, seconds: float) -> None:
        time.sleep(self.lease_s * (1.3 if seconds > LEASE_S else 0.4))


def new_kafka_log(stack: ExitStack, clock: ManualClock) -> FrameLog:
    return KafkaSpace(stack, getattr(clock, "lease_s", 10.0))  # type: ignore[return-value]


# To add an adapter, add a line: how to make an empty log, closed and removed with the stack.
ADAPTERS: dict[str, Callable[[ExitStack, ManualClock], FrameLog]] = {
    "sqlite": new_sqlite_log,
    "memory": lambda stack, clock: MemoryLog(lease_s=LEASE_S, clock=clock),
    "kafka": new_kafka_log,
}
EMBEDDED, SERVERS = ["sqlite", "memory"], [pytest.param("kafka", marks=pytest.mark.services)]
embedded = pytest.mark.parametrize("adapter", EMBEDDED)
on_a_server = pytest.mark.parametrize("adapter", SERVERS)


class Member:
    """A consumer that records its calls and messages; it leaves the group when the stack closes."""

    def __init__(self, stack: ExitStack, log: FrameLog, *, topic: str = TOPIC, group: str = GROUP) -> None:
        self.told: list[tuple[str, list[int]]] = []
        self.records: list[LogRecord] = []
        self.at_revocation: Callable[[list[int]], None] = lambda partitions: None
        self.real = isinstance(log, KafkaSpace)
        self.consumer: LogConsumer = log.subscribe(
            topic,
            group,
            on_assigned=lambda partitions: self.told.append(("assigned", partitions)),
            on_revoked=self._revoked,
        )
        stack.callback(self.consumer.close)

    def _revoked(self, partitions: list[int]) -> None:
        self.told.append(("revoked", partitions))
        self.at_revocation(partitions)

    def poll(self, max_records: int = 500) -> list[LogRecord]:
        records = self.consumer.poll(timeout_s=0.3 * self.real, max_records=max_records)
        self.records += records
        return records

    def drain(self, expected: int = 0) -> list[LogRecord]:
        """All messages that arrive: `expected` ones, and then perhaps more."""
        found: list[LogRecord] = []
        by_s = time.monotonic() + PATIENCE_S * self.real
        while (records := self.poll()) or (len(found) < expected and time.monotonic() < by_s):
            found += records
        return found

    def assignment(self) -> set[int]:
        return self.consumer.assignment()


def take_part(member: Member) -> None:
    member.consumer.poll(timeout_s=0.02 * member.real, max_records=0)


def until(reached: Callable[[], bool], *members: Member) -> None:
    """Let these members take part until the group gets there."""
    by_s = time.monotonic() + PATIENCE_S * members[0].real
    while True:
        side_by_side(take_part, *members)
        if reached() or time.monotonic() > by_s:
            return


def side_by_side(act: Callable[[Member], ResultT], *members: Member) -> list[ResultT]:
    """Run all calls at once: on a server a change waits until every member has polled."""
    with ThreadPoolExecutor(len(members)) as pool:
        return list(pool.map(act, members))


def settle(*members: Member) -> None:
    """Let every member poll until none has a partition to give back or to take."""
    for member in members * 3:
        member.consumer.poll(timeout_s=0, max_records=0)
    if members[0].real:
        sizes = [PARTITIONS // len(members) + (n < PARTITIONS % len(members)) for n in range(len(members))]
        until(lambda: sorted((len(m.assignment()) for m in members), reverse=True) == sizes, *members)
        until(lambda: True, *members)  # the member that gave up a partition has joined again


def messages(count: int) -> list[tuple[bytes, bytes]]:
    return [(b"camera %d" % (n % 60), b"frame %d" % n) for n in range(count)]


def commit_all(log: FrameLog, member: Member) -> None:
    ends = log.end_offsets(TOPIC)
    for partition in member.assignment():
        member.consumer.commit(partition, ends[partition])


@pytest.fixture(params=[*EMBEDDED, *SERVERS])
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock(request: pytest.FixtureRequest, adapter: str) -> ManualClock:
    if adapter in EMBEDDED:
        return ManualClock()
    waits = "clock" in inspect.signature(request.function).parameters
    return RealClock(2.0 if waits else 10.0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def log(adapter: str, stack: ExitStack, clock: ManualClock) -> FrameLog:
    opened = ADAPTERS[adapter](stack, clock)
    opened.create_topic(TOPIC, PARTITIONS)
    return opened


# Topics and offsets.


def test_a_topic_is_made_once_and_stays_as_it_is(log: FrameLog) -> None:
    first = log.log_id(TOPIC)
    log.publish(TOPIC, messages(10))
    log.create_topic(TOPIC, 2)
    assert log.partitions(TOPIC) == PARTITIONS
    assert log.log_id(TOPIC) == first
    assert sum(log.end_offsets(TOPIC).values()) == 10


def test_every_topic_and_every_log_has_its_own_identity(
    adapter: str, stack: ExitStack, clock: ManualClock
) -> None:
    identities = set()
    for _ in range(2):
        log = ADAPTERS[adapter](stack, clock)
        for topic in ("frames", "others"):
            log.create_topic(topic, 1)
            identities.add(log.log_id(topic))
    assert len(identities) == 2 * 2


def test_a_missing_topic_is_named_with_the_remedy(log: FrameLog) -> None:
    calls: list[Callable[[], object]] = [
        lambda: log.partitions("nothing"),
        lambda: log.log_id("nothing"),
        lambda: log.publish("nothing", messages(1)),
        lambda: log.begin_offsets("nothing"),
        lambda: log.end_offsets("nothing"),
        lambda: log.committed("nothing", GROUP),
        lambda: log.subscribe("nothing", GROUP, on_assigned=print, on_revoked=print),
        lambda: log.trim("nothing"),
    ]
    for call in calls:
        with pytest.raises(NoSuchTopic, match="no topic 'nothing': run `frametally produce` first"):
            call()
    with pytest.raises(Misconfigured, match="at least 1"):
        log.create_topic("nothing", 0)


def test_a_topic_created_by_another_client_is_found(stack: ExitStack, log: FrameLog) -> None:
    with pytest.raises(Misconfigured):
        log.partitions("later")
    log.create_topic("later", 3)
    assert log.partitions("later") == 3
    assert log.begin_offsets("later") == log.end_offsets("later") == {0: 0, 1: 0, 2: 0}


keyed = st.tuples(st.binary(max_size=3), st.binary(max_size=40))


publishing = given(calls=st.lists(st.lists(keyed, max_size=12), max_size=5), partitions=st.integers(1, 4))


@embedded
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.too_slow])
@publishing
def test_offsets_are_dense_and_a_key_keeps_its_order_however_publishing_is_split(
    adapter: str, calls: list[list[tuple[bytes, bytes]]], partitions: int
) -> None:
    check_offsets_and_order(adapter, calls, partitions)


@on_a_server
@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.too_slow])
@publishing
def test_offsets_are_dense_and_a_key_keeps_its_order_on_a_server(
    adapter: str, calls: list[list[tuple[bytes, bytes]]], partitions: int
) -> None:
    check_offsets_and_order(adapter, calls, partitions)


def check_offsets_and_order(adapter: str, calls: list[list[tuple[bytes, bytes]]], partitions: int) -> None:
    expected: dict[int, list[tuple[bytes, bytes]]] = defaultdict(list)
    for key, value in itertools.chain.from_iterable(calls):
        expected[zlib.crc32(key) % partitions].append((key, value))
    with ExitStack() as stack:
        log = ADAPTERS[adapter](stack, ManualClock())
        log.create_topic(TOPIC, partitions)
        for call in calls:
            log.publish(TOPIC, iter(call))
        got = Member(stack, log).drain(sum(map(len, calls)))
        for partition in range(partitions):
            rows = [record for record in got if record.partition == partition]
            assert [record.offset for record in rows] == list(range(len(expected[partition])))
            assert [(record.key, record.value) for record in rows] == expected[partition]
        assert log.end_offsets(TOPIC) == {p: len(expected[p]) for p in range(partitions)}


def test_many_messages_published_at_once_keep_their_order_in_the_log(log: FrameLog, stack: ExitStack) -> None:
    log.publish(TOPIC, ((b"one key", b"%d" % n) for n in range(3456)))
    assert [record.value for record in Member(stack, log).drain(3456)] == [b"%d" % n for n in range(3456)]


@embedded
def test_a_topic_with_a_retention_time_loses_older_messages_even_unread_ones(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    log.create_topic("results", 2, keep_s=60)
    for second in range(0, 600, 3):
        log.publish("results", [(b"%d" % (second % 7), b"%d" % second)])
        log.publish(TOPIC, [(b"key", b"%d" % second)])
        begin, ends = log.begin_offsets("results"), log.end_offsets("results")
        assert sum(ends.values()) - sum(begin.values()) <= 60 / 3 * 1.25 + 1, "it grows"
        clock.advance(3)
    left = sorted(int(record.value) for record in Member(stack, log, topic="results").drain())
    assert left[-1] == 597
    assert left[0] <= 597 - 57, "those of the last minute are there"
    assert left == list(range(left[0], 600, 3)), "and nothing is missing among them"
    assert len(Member(stack, log).drain()) == 200, "other topics keep all"


# Reading.


def test_a_poll_without_messages_returns_nothing(log: FrameLog, stack: ExitStack) -> None:
    member = Member(stack, log)
    until(lambda: bool(member.assignment()), member)
    assert member.consumer.poll(timeout_s=0.02) == []
    assert member.assignment() == set(range(PARTITIONS))


def test_a_waiting_poll_gets_messages_published_meanwhile(log: FrameLog, stack: ExitStack) -> None:
    member = Member(stack, log)
    member.poll()
    publisher = threading.Timer(0.05, log.publish, (TOPIC, messages(1)))
    publisher.start()
    assert [record.value for record in member.consumer.poll(timeout_s=30)] == [b"frame 0"]
    publisher.join()


def test_no_partition_starves_behind_a_long_one(log: FrameLog, stack: ExitStack) -> None:
    long = next(key for key in (b"%d" % n for n in range(100)) if zlib.crc32(key) % PARTITIONS == 0)
    log.publish(TOPIC, [(long, b"x")] * 500)
    log.publish(TOPIC, messages(60))
    member = Member(stack, log)
    seen: set[int] = set()
    for _ in range(PARTITIONS + 1):
        records = member.poll(max_records=10)
        assert len(records) == 10 or member.real
        seen |= {record.partition for record in records}
    if (
        member.real
    ):  # Kafka's client delivers its messages of one partition, a megabyte at most, then the next
        seen |= {record.partition for record in member.drain(560 - len(member.records))}
    assert seen == set(range(PARTITIONS))


def test_seek_sets_the_next_polls_position_even_during_assignment(log: FrameLog, stack: ExitStack) -> None:
    log.publish(TOPIC, [(b"key", b"%d" % n) for n in range(10)])
    (partition,) = (p for p, end in log.end_offsets(TOPIC).items() if end)
    consumer = log.subscribe(
        TOPIC, GROUP, on_assigned=lambda partitions: consumer.seek(partition, 7), on_revoked=print
    )
    stack.callback(consumer.close)
    within_s = PATIENCE_S * isinstance(log, KafkaSpace)
    assert [record.offset for record in consumer.poll(timeout_s=within_s)] == [7, 8, 9]
    consumer.seek(partition, 2)
    assert [record.offset for record in consumer.poll(timeout_s=within_s, max_records=3)] == [2, 3, 4]
    assert [record.offset for record in consumer.poll(timeout_s=within_s)] == [5, 6, 7, 8, 9]


def test_a_group_resumes_at_its_commit_independently_of_other_groups_and_topics(
    log: FrameLog, stack: ExitStack
) -> None:
    log.create_topic("others", 2)
    log.publish(TOPIC, messages(100))
    log.publish("others", messages(50))
    first = Member(stack, log)
    assert len(first.drain(100)) == 100
    commit_all(log, first)
    first.consumer.close()
    log.publish(TOPIC, messages(7))

    again = Member(stack, log)
    assert len(again.drain(7)) == 7
    again.consumer.close()
    assert len(Member(stack, log, group="another").drain(107)) == 107
    assert len(Member(stack, log, topic="others").drain(50)) == 50
    assert sum(log.committed(TOPIC, GROUP).values()) == 100
    assert log.committed(TOPIC, "another") == log.committed("others", GROUP) == {}


def test_a_commit_moves_the_offset_forwards_or_back(log: FrameLog, stack: ExitStack) -> None:
    log.publish(TOPIC, messages(60))
    member = Member(stack, log)
    member.drain(60)
    for offset in (5, 3):
        member.consumer.commit(0, offset)
        assert log.committed(TOPIC, GROUP) == {0: offset}


# The group.


def test_two_members_share_evenly_and_the_newcomer_starts_at_the_others_commit(
    log: FrameLog, stack: ExitStack
) -> None:
    log.publish(TOPIC, messages(120))
    first, second = Member(stack, log), Member(stack, log)
    assert len(first.drain(120)) == 120
    assert first.told == [("assigned", list(range(PARTITIONS)))]

    def commit_all_but_two(partitions: list[int]) -> None:
        ends = log.end_offsets(TOPIC)
        for partition in partitions:
            first.consumer.commit(partition, ends[partition] - 2)

    first.at_revocation = commit_all_but_two
    assert second.poll() == []  # the first one still has all
    until(lambda: len(first.told) > 1, first)
    moved = first.told[-1][1]
    assert first.told[1:] == [("revoked", moved)]
    with pytest.raises(LeaseLost):
        first.consumer.commit(moved[0], 1)
    assert len(second.drain(2 * len(moved))) == 2 * len(moved) == PARTITIONS
    assert {record.partition for record in second.records} == second.assignment() == set(moved)
    assert first.assignment() == set(range(PARTITIONS)) - set(moved)


@embedded
@pytest.mark.parametrize("count", [2, 3, 4, 6, 7])
def test_shares_are_even_and_disjoint_for_any_number_of_members(
    log: FrameLog, stack: ExitStack, count: int
) -> None:
    check_shares(log, stack, count)


@on_a_server
@pytest.mark.parametrize("count", [2, 4])
def test_shares_are_even_and_disjoint_on_a_server(log: FrameLog, stack: ExitStack, count: int) -> None:
    check_shares(log, stack, count)


def check_shares(log: FrameLog, stack: ExitStack, count: int) -> None:
    members = [Member(stack, log) for _ in range(count)]
    settle(*members)
    sizes = Counter(len(member.assignment()) for member in members)
    assert sorted(itertools.chain.from_iterable(m.assignment() for m in members)) == list(range(PARTITIONS))
    assert max(sizes) - min(sizes) <= 1


def test_a_member_that_leaves_is_replaced_at_once(log: FrameLog, stack: ExitStack) -> None:
    first, second = Member(stack, log), Member(stack, log)
    settle(first, second)
    first.consumer.close()
    first.consumer.close()
    until(lambda: len(second.assignment()) == PARTITIONS, second)
    assert second.assignment() == set(range(PARTITIONS))


def test_an_expired_lease_hands_over_and_the_late_commit_is_refused(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    log.publish(TOPIC, messages(60))
    zombie, heir = Member(stack, log), Member(stack, log)
    assert len(zombie.drain(60)) == 60
    zombie.consumer.commit(0, 4)
    clock.advance(LEASE_S + 1)

    assert len(heir.drain(56)) == 56
    assert heir.assignment() == set(range(PARTITIONS))
    commit_all(log, heir)
    for partition in range(PARTITIONS):
        with pytest.raises(LeaseLost, match=f"partition {partition} no longer belongs to this consumer"):
            zombie.consumer.commit(partition, 1)
    assert log.committed(TOPIC, GROUP) == log.end_offsets(TOPIC)

    refused = []

    def commit_late(partitions: list[int]) -> None:
        for partition in partitions:
            with pytest.raises(LeaseLost):
                zombie.consumer.commit(partition, 2)
            refused.append(partition)

    zombie.at_revocation = commit_late
    zombie.poll()  # it notices, and joins again
    assert zombie.told[-1] == ("revoked", list(range(PARTITIONS)))
    assert refused == list(range(PARTITIONS))
    assert zombie.assignment() == set()
    settle(heir, zombie)
    assert len(zombie.assignment()) == len(heir.assignment()) == PARTITIONS // 2
    zombie.consumer.commit(min(zombie.assignment()), 9)


@embedded
def test_an_expired_lease_hands_over_at_once(log: FrameLog, stack: ExitStack, clock: ManualClock) -> None:
    dead, heir = Member(stack, log), Member(stack, log)
    settle(dead, heir)
    clock.advance(LEASE_S * 0.9)
    heir.poll()
    assert len(heir.assignment()) == PARTITIONS // 2
    clock.advance(LEASE_S * 0.2)
    heir.poll()
    assert heir.assignment() == set(range(PARTITIONS))


def test_a_partition_that_comes_back_counts_as_a_new_assignment(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    log.publish(TOPIC, messages(60))
    sleeper, other = Member(stack, log), Member(stack, log)
    sleeper.drain(60)
    clock.advance(LEASE_S + 1)
    other.drain(60)
    commit_all(log, other)
    other.consumer.close()

    refused = []

    def commit_late(partitions: list[int]) -> None:
        for partition in partitions:
            with pytest.raises(LeaseLost):
                sleeper.consumer.commit(partition, 1)
            refused.append(partition)

    commit_late([0])
    sleeper.at_revocation = commit_late
    assert sleeper.poll() == []
    until(lambda: len(sleeper.told) == 3, sleeper)
    everything = list(range(PARTITIONS))
    assert sleeper.told[1:] == [("revoked", everything), ("assigned", everything)]
    assert refused == [0, *everything]
    sleeper.consumer.commit(0, 1)


@embedded
def test_a_late_member_that_was_not_replaced_goes_on(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    log.publish(TOPIC, messages(60))
    member = Member(stack, log)
    member.poll(max_records=10)
    clock.advance(10 * LEASE_S)
    member.consumer.commit(0, 3)
    assert len(member.drain()) == 50
    assert member.told == [("assigned", list(range(PARTITIONS)))]


def test_polling_renews_the_lease(log: FrameLog, stack: ExitStack, clock: ManualClock) -> None:
    member, waiting = Member(stack, log), Member(stack, log, group=GROUP)
    settle(member)
    settle(member, waiting)
    for _ in range(4):
        clock.advance(LEASE_S * 0.9)
        member.poll()
        waiting.poll()
    assert ("revoked", list(range(PARTITIONS))) not in member.told
    assert len(member.assignment()) == len(waiting.assignment()) == PARTITIONS // 2


def test_a_poll_for_no_messages_renews_the_lease_and_takes_none(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    member, waiting = Member(stack, log), Member(stack, log)
    log.publish(TOPIC, messages(20))
    until(lambda: bool(member.told), member)
    assert member.poll(max_records=0) == []
    assert member.told == [("assigned", list(range(PARTITIONS)))]
    settle(member, waiting)
    for _ in range(4):
        clock.advance(LEASE_S * 0.9)
        assert side_by_side(lambda one: one.poll(max_records=0), member, waiting) == [[], []]
    assert ("revoked", list(range(PARTITIONS))) not in member.told
    of_each = Counter(zlib.crc32(key) % PARTITIONS for key, _ in messages(20))
    members = (member, waiting)
    expected = [sum(of_each[partition] for partition in one.assignment()) for one in members]
    by_s = time.monotonic() + PATIENCE_S
    while sum(len(one.records) for one in members) < 20 and time.monotonic() < by_s:
        side_by_side(Member.poll, *members)
    assert [len(one.records) for one in members] == expected
    assert sum(expected) == 20


def test_an_unassigned_partition_allows_no_commit_and_no_seek(log: FrameLog, stack: ExitStack) -> None:
    member, other = Member(stack, log), Member(stack, log)
    settle(other)
    for partition in (0, PARTITIONS):
        with pytest.raises(LeaseLost):
            member.consumer.commit(partition, 1)
        with pytest.raises(LeaseLost):
            member.consumer.seek(partition, 1)


def test_a_failing_callback_leaves_no_partition_unowned(log: FrameLog, stack: ExitStack) -> None:
    first, second = Member(stack, log), Member(stack, log)
    settle(first)
    second.poll()

    def fail(partitions: list[int]) -> None:
        raise RuntimeError("the disk is full")

    first.at_revocation = fail
    for _ in range(2):
        with pytest.raises(RuntimeError):
            until(lambda: False, first, second)
    first.consumer.close()
    until(lambda: len(second.assignment()) == PARTITIONS, second)
    assert second.assignment() == set(range(PARTITIONS))


def test_a_failed_callback_is_called_again_at_the_next_poll(
    log: FrameLog, stack: ExitStack, clock: ManualClock
) -> None:
    log.publish(TOPIC, messages(60))
    sleeper, other = Member(stack, log), Member(stack, log)
    sleeper.drain(60)
    clock.advance(LEASE_S + 1)
    settle(other)
    other.consumer.close()

    def fail(partitions: list[int]) -> None:
        raise RuntimeError("the disk is full")

    sleeper.at_revocation = fail
    for _ in range(2):
        with pytest.raises(RuntimeError):
            until(lambda: False, sleeper)
    sleeper.at_revocation = lambda partitions: None
    assert len(sleeper.drain(60)) == 60
    assert sleeper.told[-1] == ("assigned", list(range(PARTITIONS)))


def test_an_assignment_whose_callback_failed_is_repeated_before_anything_is_read(
    log: FrameLog, stack: ExitStack
) -> None:
    log.publish(TOPIC, messages(60))
    calls: list[list[int]] = []

    def fail_once(partitions: list[int]) -> None:
        calls.append(partitions)
        if len(calls) == 1:
            raise RuntimeError("the store is away")

    consumer = stack.enter_context(
        closing(log.subscribe(TOPIC, GROUP, on_assigned=fail_once, on_revoked=calls.append))
    )
    within_s = PATIENCE_S * isinstance(log, KafkaSpace)
    with pytest.raises(RuntimeError):
        consumer.poll(timeout_s=within_s)
    assert consumer.assignment() == set()
    found = 0
    while found < 60:
        more = consumer.poll(timeout_s=within_s)
        assert more
        found += len(more)
    assert found == 60
    assert calls == [list(range(PARTITIONS))] * 2
    consumer.commit(0, 1)


members_and_deeds = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["poll", "commit", "leave", "publish", "wait", "expire"])),
    max_size=40,
)


@embedded  # on a server: tests/services/test_kafka_log.py, test_kafka_chaos.py
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.too_slow])
@given(deeds=members_and_deeds)
def test_a_partitions_commits_form_one_chain_whoever_polls_sleeps_or_leaves(
    adapter: str, deeds: list[tuple[int, str]]
) -> None:
    """A commit that succeeds covers exactly the messages after the one before: no gap, no repetition."""
    clock, chain = ManualClock(), dict.fromkeys(range(3), 0)
    with ExitStack() as stack:
        log = ADAPTERS[adapter](stack, clock)
        log.create_topic(TOPIC, 3)
        members = [Member(stack, log) for _ in range(3)]
        in_hand: list[dict[int, tuple[int, int]]] = [{}, {}, {}]  # per member: partition -> first, next

        def commit(member: int) -> None:
            for partition, (first, following) in list(in_hand[member].items()):
                try:
                    members[member].consumer.commit(partition, following)
                except LeaseLost:
                    continue
                assert first == chain[partition]
                chain[partition] = following
                in_hand[member][partition] = (following, following)

        def poll(member: int) -> None:
            for record in members[member].poll(max_records=4):
                first, following = in_hand[member].get(record.partition, (record.offset, record.offset))
                assert record.offset == following
                in_hand[member][record.partition] = (first, following + 1)

        def drop(member: int, revoked: list[int]) -> None:
            for partition in revoked:
                in_hand[member].pop(partition, None)

        def join(member: int) -> None:
            in_hand[member].clear()
            members[member] = Member(stack, log)
            members[member].at_revocation = lambda gone: drop(member, gone)

        for member in range(3):
            join(member)
        for member, deed in deeds:
            match deed:
                case "poll":
                    poll(member)
                case "commit":
                    commit(member)
                case "publish":
                    log.publish(TOPIC, messages(8))
                case "wait":
                    clock.advance(LEASE_S / 3)
                case "expire":
                    clock.advance(LEASE_S + 1)
                case "leave":
                    members[member].consumer.close()
                    join(member)
        for member in (0, 1, 2) * 12:
            poll(member)
            commit(member)
        while any(log.end_offsets(TOPIC)[p] > chain[p] for p in chain):
            for member in range(3):
                poll(member)
                commit(member)
        assert log.committed(TOPIC, GROUP) == {p: end for p, end in chain.items() if end}
        assert sorted(p for member in members for p in member.assignment()) == [0, 1, 2]


@pytest.mark.thorough
def test_concurrent_publishers_and_consumers_lose_nothing_and_keep_each_keys_order(
    log: FrameLog, stack: ExitStack
) -> None:
    published = [[(b"publisher %d" % n, b"%d" % i) for i in range(300)] for n in range(4)]
    members = [Member(stack, log) for _ in range(2)]
    settle(*members)
    got: list[list[LogRecord]] = [[], []]
    total = sum(map(len, published))

    def publish(mine: list[tuple[bytes, bytes]]) -> None:
        for start in range(0, len(mine), 50):
            log.publish(TOPIC, mine[start : start + 50])

    def commit(member: Member, record: LogRecord) -> None:
        try:
            member.consumer.commit(record.partition, record.offset + 1)
        except Retryable:
            member.consumer.poll(timeout_s=0.01, max_records=0)
            commit(member, record)

    def consume(n: int) -> None:
        while sum(log.committed(TOPIC, GROUP).values()) < total:
            for record in members[n].consumer.poll(timeout_s=0.01, max_records=20):
                got[n].append(record)
                commit(members[n], record)

    at_once(*(partial(publish, mine) for mine in published), *(partial(consume, n) for n in range(2)))
    by_key: dict[bytes, list[bytes]] = defaultdict(list)
    for record in got[0] + got[1]:
        by_key[record.key].append(record.value)
    assert by_key == {mine[0][0]: [value for _, value in mine] for mine in published}


# Trimming.


def test_trim_removes_what_every_committing_group_has_committed(log: FrameLog, stack: ExitStack) -> None:
    log.publish(TOPIC, messages(120))
    ends = log.end_offsets(TOPIC)
    assert log.trim(TOPIC) == 0  # no offset is committed

    fast, slow = Member(stack, log), Member(stack, log, group="slow")
    fast.drain(120)
    slow.drain(120)
    commit_all(log, fast)
    slow.consumer.commit(0, 3)
    assert log.trim(TOPIC) == 3  # the slow group still needs all of the other partitions
    assert log.begin_offsets(TOPIC) == {0: 3, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0}

    commit_all(log, slow)
    assert log.trim(TOPIC) == 117
    assert log.trim(TOPIC) == 0
    slow.consumer.commit(0, 2)  # set back: deleted messages stay deleted
    assert log.trim(TOPIC) == 0
    assert log.begin_offsets(TOPIC) == log.end_offsets(TOPIC) == ends
    log.publish(TOPIC, messages(60))
    late = Member(stack, log, group="late").drain(60)
    assert len(late) == 60
    assert {p: min(r.offset for r in late if r.partition == p) for p in range(PARTITIONS)} == ends


def test_trim_never_goes_beyond_the_end_whatever_was_committed(log: FrameLog, stack: ExitStack) -> None:
    log.publish(TOPIC, messages(60))
    ends = log.end_offsets(TOPIC)
    member = Member(stack, log)
    member.drain(60)
    for partition in range(PARTITIONS):
        member.consumer.commit(partition, ends[partition] + 1000)
    assert log.trim(TOPIC) == 60
    assert log.begin_offsets(TOPIC) == ends


def test_a_group_whose_committed_offset_was_trimmed_starts_at_the_beginning(
    log: FrameLog, stack: ExitStack
) -> None:
    log.publish(TOPIC, messages(120))
    member, behind = Member(stack, log), Member(stack, log, group="behind")
    member.drain(120)
    behind.poll(max_records=1)
    commit_all(log, member)
    assert log.trim(TOPIC) == 120  # the other group had not committed
    log.publish(TOPIC, messages(120))
    begin = log.begin_offsets(TOPIC)
    found = behind.drain(120)
    # Kafka's client may have buffered some of the removed ones.
    assert len([record for record in found if record.offset >= begin[record.partition]]) == 120
    assert len(found) == 120 or behind.real
    behind.consumer.commit(0, 1)
    behind.consumer.close()
    again = Member(stack, log, group="behind").drain(120)
    assert min(r.offset for r in again if r.partition == 0) == begin[0]


def test_an_unknown_kind_of_log_is_named_with_the_remedy() -> None:
    with pytest.raises(Misconfigured, match=r"ftp://host.*use sqlite:///"):
        open_frame_log("ftp://host")
