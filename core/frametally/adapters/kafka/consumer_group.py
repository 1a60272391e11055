"""Consumer groups on Kafka: one member, which learns of its partitions in the polling thread.

Kafka's client calls its listener in a separate thread, which must not call anything that waits. So the
listener only interrupts the current poll by an exception, which the client raises once its own records are
right. The callbacks then run in the caller's thread, and may commit and seek:

1. If a member has to give up partitions, the others wait until it joins again, which its next poll does after
   `on_revoked`. So a commit in that callback still counts.
2. A member that was considered dead learns so at its next poll; its commits until then are refused.
3. A callback that fails is called again at the next poll, before Kafka hears of this member again.

Kafka itself accepts a commit for any partition from any member of the group's current generation; this module
checks that the partition belongs to the member.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Unpack

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    FencedInstanceIdError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState

from frametally.adapters.kafka.access import KafkaAccess, explain
from frametally.ports.frame_log import GroupCallbacks, LeaseLost, LogRecord

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
            # Wait until joining has ended: if nobody polled then, it would start again.
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
            pass  # lost meanwhile
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
