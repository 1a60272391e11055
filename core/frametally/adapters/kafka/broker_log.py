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

from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaTimeoutError,
    NotCoordinatorError,
    TopicAlreadyExistsError,
    for_code,
)

from frametally.adapters.kafka.access import explained, no_right, read_kafka_access
from frametally.adapters.kafka.consumer_group import KafkaGroupConsumer
from frametally.adapters.kafka.probe import check_reachable
from frametally.errors import Misconfigured, Retryable
from frametally.ports.frame_log import GroupCallbacks, NoSuchTopic
from frametally.rules.times import HOUR_S, WEEK_MS
from frametally.settings.access import LogAccess

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
