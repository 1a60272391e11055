"""The frame log on Apache Kafka, for many hosts."""

from __future__ import annotations

import itertools
import logging
import threading
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Unpack

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    FencedInstanceIdError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
    RebalanceInProgressError,
    TopicAlreadyExistsError,
    UnknownMemberIdError,
    for_code,
)
from kafka.structs import MemberState

from frametally.adapters.kafka.access import KafkaAccess, explain, explained, no_right, read_kafka_access
from frametally.adapters.kafka.probe import check_reachable
from frametally.errors import Misconfigured, Retryable
from frametally.ports.frame_log import GroupCallbacks, LeaseLost, LogRecord, NoSuchTopic
from frametally.rules.times import HOUR_S, WEEK_MS
from frametally.settings.access import LogAccess

_LEAST_POLL_S = 0.005
_JOIN_S = 1.0
_LEAVE_S = 2.0
_BOOTSTRAP_S = 8.0
_LONGEST_HEARTBEAT_S = 0.5
_FETCH_BYTES = 8 * 1024
"""Per partition and request: the client returns all it has of one partition before it turns to the next."""


class _Changed(Exception):
    """Interrupts a poll: this member's partitions have changed."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Remembers lost partitions, for the polling thread."""

    def __init__(self) -> None:
        self.revoked: set[int] = set()
        self.closing = False

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.revoked |= {topic_partition.partition for topic_partition in revoked}
        self._interrupt()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._interrupt()

    def _interrupt(self) -> None:
        if not self.closing:
            raise _Changed


class KafkaGroupConsumer:
    """One member of a group; see `LogConsumer`."""

    def __init__(
        self,
        access: KafkaAccess,
        *,
        url: str,
        topic: str,
        group: str,
        lease_s: float,
        **callbacks: Unpack[GroupCallbacks],
    ) -> None:
        """Create a member that joins at its first poll; `url` is the log's, for messages."""
        self._access = access
        self._url = url
        self._topic = topic
        self._group = group
        self._callbacks = callbacks
        self._listener = _Listener()
        self._assigned: set[int] = set()
        self._late: dict[int, int] = {}
        session_s = access.session_timeout_s or lease_s
        try:
            self._kafka = KafkaConsumer(
                **access.client_options(),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                partition_assignment_strategy=[CooperativeStickyAssignor],
                session_timeout_ms=round(session_s * 1000),
                heartbeat_interval_ms=round(min(_LONGEST_HEARTBEAT_S, session_s / 10) * 1000),
                max_poll_interval_ms=round(lease_s * 1000),
                max_partition_fetch_bytes=_FETCH_BYTES,
                bootstrap_timeout_ms=round(_BOOTSTRAP_S * 1000),
            )
            self._kafka.subscribe([topic], listener=self._listener)
            # The leader assigns the partitions it knows, so a member must know the topic before it joins.
            self._kafka.partitions_for_topic(topic)
        except KafkaError as error:
            raise self._explained(error) from error

    def poll(self, *, timeout_s: float, max_records: int = 500) -> list[LogRecord]:
        began_s = time.monotonic()
        while True:
            self._tell()
            # Wait until joining has ended: without a poll at that time, it would start again.
            within_s = timeout_s if self._is_member else max(timeout_s, _JOIN_S)
            left_s = began_s + within_s - time.monotonic()
            try:
                records_by_partition = self._take(max(left_s, _LEAST_POLL_S), max_records)
            except KafkaError as error:
                if not isinstance(error.__cause__, _Changed):
                    raise self._explained(error) from error
                continue
            if (
                records_by_partition
                or left_s <= 0
                or (self._is_member and began_s + timeout_s <= time.monotonic())
            ):
                return [
                    LogRecord(
                        topic_partition.partition, record.offset, record.key or b"", record.value or b""
                    )
                    for topic_partition, records in records_by_partition.items()
                    for record in records
                    if topic_partition.partition in self._assigned
                ]

    def seek(self, partition: int, offset: int) -> None:
        """Make `offset` the next one that `poll` returns. Raises `LeaseLost` if it is not assigned."""
        try:
            if partition in self._assigned:
                self._kafka.seek(TopicPartition(self._topic, partition), offset)
                return
        except (AssertionError, IllegalStateError):
            pass  # lost in the meantime
        raise LeaseLost(partition, self._group)

    def commit(self, partition: int, offset: int) -> None:
        """Record that everything below `offset` is done.

        While the group rebalances, Kafka accepts no commit. A later poll then makes it, unless the partition
        goes to another member.

        Raises:
            LeaseLost: The partition no longer belongs to this member.
            Retryable: Kafka is unavailable for now.
        """
        if partition not in self._assigned:
            raise LeaseLost(partition, self._group)
        if self._commit_now(partition, offset):
            self._late.pop(partition, None)
        else:
            self._late[partition] = offset

    def assignment(self) -> set[int]:
        return set(self._assigned)

    def close(self) -> None:
        """Leave the group and close the connections; a second call does nothing."""
        self._listener.closing = True
        self._assigned.clear()
        self._kafka.close(autocommit=False, timeout_ms=round(_LEAVE_S * 1000))

    @property
    def _is_member(self) -> bool:
        """Whether the group has assigned its partitions, as far as this member knows."""
        return bool(self._kafka.group_metadata().state == MemberState.STABLE)

    def _take(self, timeout_s: float, max_records: int) -> dict[TopicPartition, list[Any]]:
        timeout_ms = round(timeout_s * 1000)
        if max_records > 0:
            records_by_partition: dict[TopicPartition, list[Any]] = self._kafka.poll(
                timeout_ms=timeout_ms, max_records=max_records
            )
            return records_by_partition
        paused = self._kafka.assignment()
        self._kafka.pause(*paused)
        try:
            self._kafka.poll(timeout_ms=timeout_ms, max_records=1)
        finally:
            self._kafka.resume(*(paused & self._kafka.assignment()))
        return {}

    def _tell(self) -> None:
        """Make late commits, and call back about all changes since the last poll."""
        self._commit_late()
        revoked = self._listener.revoked & self._assigned
        if revoked:
            self._callbacks["on_revoked"](sorted(revoked))
            self._assigned -= revoked
            self._late = {
                partition: offset for partition, offset in self._late.items() if partition in self._assigned
            }
        self._listener.revoked.clear()
        assignment = {topic_partition.partition for topic_partition in self._kafka.assignment()}
        new_partitions = assignment - self._assigned
        if new_partitions:
            self._assigned |= new_partitions
            try:
                self._callbacks["on_assigned"](sorted(new_partitions))
            except BaseException:
                self._assigned -= new_partitions  # they are assigned again at the next poll
                raise

    def _commit_now(self, partition: int, offset: int) -> bool:
        """Commit, and return whether Kafka accepted it, which it does not while the group rebalances."""
        try:
            self._kafka.commit({TopicPartition(self._topic, partition): OffsetAndMetadata(offset, "", -1)})
        except RebalanceInProgressError:
            return False
        except CommitFailedError as error:
            if error.args and isinstance(error.args[0], RebalanceInProgressError):
                return False
            raise LeaseLost(partition, self._group) from error
        except (FencedInstanceIdError, IllegalGenerationError, UnknownMemberIdError) as error:
            raise LeaseLost(partition, self._group) from error
        except KafkaError as error:
            raise self._explained(error) from error
        return True

    def _commit_late(self) -> None:
        for partition, offset in list(self._late.items()) if self._is_member else ():
            with suppress(LeaseLost):
                self.commit(partition, offset)

    def _explained(self, error: KafkaError) -> Exception:
        return explain(error, self._access, self._url, self._topic, f"read, as group {self._group!r},")


_CHUNK_MESSAGES = 1000
_CONNECT_S = 8.0
_CREATE_S = 10.0
_COORDINATOR_S = 5.0
_LEAST_FILE_MS = 60_000

# The library logs every broken connection to standard error; we raise what matters, in our words.
logging.getLogger("kafka").addHandler(logging.NullHandler())


class _Topic(NamedTuple):
    log_id: str
    partitions: int
    rights: frozenset[str]


def _keeping(keep_s: float | None) -> dict[str, str]:
    """Return the settings of a topic that keeps messages that long; None leaves it to the broker.

    Kafka removes whole files, but never the one that it writes to, so no file spans more than that time.
    """
    if keep_s is None:
        return {}
    keep_ms = round(keep_s * 1000)
    return {"retention.ms": str(keep_ms), "segment.ms": str(min(max(keep_ms, _LEAST_FILE_MS), WEEK_MS))}


class KafkaLog:
    """A frame log in `kafka://host:port,host:port`. Threads may share it."""

    def __init__(self, url: str, access: LogAccess | None = None, *, lease_s: float = 10.0) -> None:
        """Read the settings, by `read_kafka_access`, without contacting Kafka."""
        self.url = url
        self._access = read_kafka_access(url, access)
        self._retention_h = access.retention_h if access else 0
        self._lease_s = lease_s
        self._lock = threading.Lock()
        self._admin: Any = None
        self._producer: Any = None
        self._log_ids: dict[str, str] = {}

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        if partitions < 1:
            raise Misconfigured(f"topic {topic!r} cannot have {partitions} partitions; give it at least 1")
        try:
            self._describe(topic)
        except NoSuchTopic:
            if keep_s is None and self._retention_h:
                keep_s = self._retention_h * HOUR_S
            new_topic = {"num_partitions": partitions, "replication_factor": -1, "configs": _keeping(keep_s)}
            # Another process may be faster.
            with explained(self._access, self.url, topic, "create"), suppress(TopicAlreadyExistsError):
                self._connected().create_topics({topic: new_topic})
            self._wait_for(topic)

    def partitions(self, topic: str) -> int:
        return self._describe(topic).partitions

    def log_id(self, topic: str) -> str:
        """Return Kafka's id of the topic, which changes if it is created again. Raises `NoSuchTopic`."""
        return self._describe(topic).log_id

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Append `(key, value)` messages; on return, each is on all replicas that are in sync."""
        target = self._describe(topic, right="WRITE")
        source = iter(messages)
        while chunk := list(itertools.islice(source, _CHUNK_MESSAGES)):
            with explained(self._access, self.url, topic, "write to"):
                producer = self._producing()
                futures = [
                    producer.send(topic, key=key, value=value, partition=zlib.crc32(key) % target.partitions)
                    for key, value in chunk
                ]
                by_s = time.monotonic() + self._delivered_within_s + _CONNECT_S
                try:
                    for future in futures:
                        future.get(timeout=max(0.0, by_s - time.monotonic()))
                except KafkaTimeoutError:
                    self._drop_producer()  # it no longer reports its own time-out: create another
                    raise

    def begin_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets(topic, OffsetSpec.EARLIEST)

    def end_offsets(self, topic: str) -> dict[int, int]:
        return self._offsets(topic, OffsetSpec.LATEST)

    def committed(self, topic: str, group: str) -> dict[int, int]:
        return self._committed(topic, [group])[group]

    def subscribe(self, topic: str, group: str, **callbacks: Unpack[GroupCallbacks]) -> KafkaGroupConsumer:
        """Return a member of the group with its own connections; it joins at its first poll."""
        self._describe(topic, right="READ")
        return KafkaGroupConsumer(
            self._access, url=self.url, topic=topic, group=group, **callbacks, lease_s=self._lease_s
        )

    def trim(self, topic: str) -> int:
        """Remove the messages that all groups with commits have committed; return how many.

        Kafka forgets a group's commits once it has had no member for `offsets.retention.minutes` (a week).
        """
        self._describe(topic, right="READ")
        with explained(self._access, self.url, topic, "describe the groups of"):
            groups = [group["group_id"] for group in self._connected().list_groups()]
        by_group = [committed for committed in self._committed(topic, groups).values() if committed]
        if not by_group:
            return 0
        begin, end = self.begin_offsets(topic), self.end_offsets(topic)
        below = {
            partition: min(end[partition], *(committed.get(partition, 0) for committed in by_group))
            for partition in end
        }
        offsets_below = {
            partition: offset for partition, offset in below.items() if offset > begin[partition]
        }
        if not offsets_below:
            return 0
        with explained(self._access, self.url, topic, "delete messages of"):
            self._connected().delete_records(
                {TopicPartition(topic, partition): offset for partition, offset in offsets_below.items()}
            )
        return sum(offset - begin[partition] for partition, offset in offsets_below.items())

    def keep_for(self, topic: str, keep_s: float) -> None:
        """Set how long the topic keeps messages. Raises `Misconfigured` without permission to change it."""
        self._describe(topic)
        change = ConfigResource(ConfigResourceType.TOPIC, topic, _keeping(keep_s))
        with explained(self._access, self.url, topic, "change the settings of"):
            results = self._connected().alter_configs([change], raise_on_unknown=False)
        (result,) = results["topic"].values()
        if result != "OK":
            raise Misconfigured(
                f"topic {topic!r} cannot be set to keep messages for {keep_s:g} s ({result}): ask an "
                "administrator to set its retention.ms, or set FRAMETALLY_LOG_RETENTION_H=0"
            )

    def close(self) -> None:
        """Close the connections; consumers have their own and must be closed themselves."""
        with self._lock:
            if self._producer is not None:
                self._producer.close(timeout=_CONNECT_S)
            if self._admin is not None:
                self._admin.close()
            self._producer = self._admin = None

    def _offsets(self, topic: str, offset_spec: OffsetSpec) -> dict[int, int]:
        offset_specs = {
            TopicPartition(topic, p): offset_spec for p in range(self._describe(topic).partitions)
        }
        with explained(self._access, self.url, topic, "describe"):
            offsets = self._connected().list_partition_offsets(offset_specs)
        return {
            topic_partition.partition: offsets[topic_partition].offset for topic_partition in sorted(offsets)
        }

    def _committed(self, topic: str, groups: list[str]) -> dict[str, dict[int, int]]:
        target = self._describe(topic)
        everywhere = [TopicPartition(topic, partition) for partition in range(target.partitions)]
        if not groups:
            return {}
        with explained(self._access, self.url, topic, "describe"):
            by_group = self._group_offsets(dict.fromkeys(groups, everywhere))
        return {
            group: {
                topic_partition.partition: row.offset
                for topic_partition, row in sorted(offsets.items())
                if row.offset >= 0
            }
            for group, offsets in by_group.items()
        }

    def _group_offsets(self, partitions_by_group: dict[str, list[TopicPartition]]) -> Any:
        by_s = time.monotonic() + _COORDINATOR_S
        while True:
            try:
                return self._connected().list_group_offsets(partitions_by_group)
            except (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError):
                # Kafka creates its records of groups on the first request, and moves them between brokers.
                if time.monotonic() > by_s:
                    raise
                time.sleep(0.1)

    def _describe(self, topic: str, *, right: str | None = None) -> _Topic:
        """Return the topic as it is now.

        Raises:
            Misconfigured: There is none, the right is missing, or it was created again since it was first
                seen here, and continuing would mix up the offsets of the two.
        """
        with explained(self._access, self.url, topic, "describe"):
            (row,) = self._connected().describe_topics([topic])
            if row["error_code"]:
                raise for_code(row["error_code"])(topic)
        rights = frozenset(map(str, row.get("authorized_operations") or ()))
        current = _Topic(str(row["topic_id"]), len(row["partitions"]), rights)
        first_log_id = self._log_ids.setdefault(topic, current.log_id)
        if first_log_id != current.log_id:
            raise Misconfigured(
                f"topic {topic!r} was deleted and created again ({first_log_id}, now {current.log_id}), "
                "and its messages are lost; restart this command to use the new topic"
            )
        if right is not None and rights and right not in rights:
            raise no_right(self._access, {"READ": "read", "WRITE": "write to"}[right], f"topic {topic!r}")
        return current

    def _wait_for(self, topic: str) -> None:
        """Wait until a new topic is visible, which takes a moment."""
        by_s = time.monotonic() + _CREATE_S
        while True:
            try:
                self.begin_offsets(topic)
                return
            except (NoSuchTopic, Retryable):
                if time.monotonic() > by_s:
                    raise
                time.sleep(0.05)

    def _connected(self) -> Any:
        with self._lock:
            if self._admin is None:
                check_reachable(self._access)
                self._admin = KafkaAdminClient(
                    **self._access.client_options(),
                    bootstrap_timeout_ms=round(_CONNECT_S * 1000),
                    # Threads share it; by default a sixth concurrent request would be refused.
                    max_in_flight_requests_per_connection=1000,
                )
            return self._admin

    @property
    def _delivered_within_s(self) -> float:
        return max(30.0, 3 * self._access.request_timeout_s)

    def _drop_producer(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _producing(self) -> Any:
        with self._lock:
            if self._producer is None:
                check_reachable(self._access)
                self._producer = KafkaProducer(
                    **self._access.client_options(),
                    acks="all",
                    enable_idempotence=self._access.idempotent,
                    # The caller waits for all messages of a call; meanwhile these fill the batches.
                    linger_ms=5,
                    batch_size=128 * 1024,
                    max_block_ms=round(_CONNECT_S * 1000),
                    delivery_timeout_ms=round(self._delivered_within_s * 1000),
                    bootstrap_timeout_ms=round(_CONNECT_S * 1000),
                )
            return self._producer
