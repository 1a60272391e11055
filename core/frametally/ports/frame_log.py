"""The frame log port: topics of ordered partitions, consumer groups with committed offsets, as in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol, TypedDict, Unpack

from frametally.errors import FrametallyError, Misconfigured


class LogRecord(NamedTuple):
    """One message as a consumer receives it."""

    partition: int
    offset: int
    key: bytes
    value: bytes


class NoSuchTopic(Misconfigured):
    """The log has no topic of that name."""

    def __init__(self, url: str, topic: str) -> None:
        super().__init__(
            f"{url} has no topic {topic!r}: run `frametally produce` first, or set FRAMETALLY_TOPIC"
        )


class LeaseLost(FrametallyError):
    """The partition no longer belongs to this consumer: its late commit was refused."""

    def __init__(self, partition: int, group: str) -> None:
        super().__init__(
            f"partition {partition} no longer belongs to this consumer in group {group!r}: drop its "
            "unfinished work and poll again"
        )


class GroupCallbacks(TypedDict):
    """The callbacks of a consumer's `poll` for changed partitions; both may call `seek` and `commit`.

    `on_revoked` also runs for partitions that this member has already lost.
    """

    on_assigned: Callable[[list[int]], None]
    on_revoked: Callable[[list[int]], None]


def consumer_group(model_id: str, *, live: bool = False) -> str:
    """Return the consumer group of a model: each model sees all frames.

    `live` topics have a separate group: a Kafka group pauses while it rebalances, and batch consumers that
    come and go must not delay what people watch.
    """
    return f"frametally-live-{model_id}" if live else f"frametally-{model_id}"


class LogConsumer(Protocol):
    """One member of a consumer group. Only one thread may use it at a time."""

    def poll(self, *, timeout_s: float, max_records: int = 500) -> list[LogRecord]:
        """Return the next messages of the assigned partitions, in order within each; [] after `timeout_s`.

        Takes part in the group: keeps its leases, and calls `on_revoked` and `on_assigned` when the group has
        changed, before it returns any message of a newly assigned partition. A new assignment starts at the
        committed offset, or else at the partition's beginning.

        `max_records=0` returns no message, so that a busy consumer can keep its leases.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Make `offset` the next one that `poll` returns for an assigned partition."""

    def commit(self, partition: int, offset: int) -> None:
        """Record that everything below `offset` is done.

        Raises:
            LeaseLost: Another member has taken the partition since it was assigned here.
        """

    def assignment(self) -> set[int]:
        """Return the partitions assigned at the last poll."""

    def close(self) -> None:
        """Leave the group, so that other members take over at once."""


class ConsumedLog(Protocol):
    """The part of a log that a reader needs; raises the same errors as `FrameLog`."""

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        """Create the topic if it does not exist; leave an existing one as it is.

        Args:
            topic: Its name.
            partitions: Its number of partitions.
            keep_s: How long to keep messages at least, in seconds; they are removed some time later, read or
                not. None keeps them until `trim`, or as long as the server's setting says.

        Raises:
            Misconfigured: Fewer than one partition, or no permission.
        """

    def log_id(self, topic: str) -> str:
        """Return an identity of the topic that changes when it is created again. Raises `NoSuchTopic`."""

    def begin_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset of each partition's oldest message, or its end offset if it has none."""

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Return the offset that each partition's next message will get."""

    def committed(self, topic: str, group: str) -> dict[int, int]:
        """Return the group's committed offset of each partition that has one."""

    def subscribe(self, topic: str, group: str, **callbacks: Unpack[GroupCallbacks]) -> LogConsumer:
        """Join the group at the first poll."""


class FrameLog(ConsumedLog, Protocol):
    """The interface of every log adapter.

    All methods may raise `Retryable` (the log is unavailable); those that take a topic raise `NoSuchTopic`.
    """

    url: str

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `NoSuchTopic`."""

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Append `(key, value)` messages durably; messages with the same key go to one partition, in order.

        Raises:
            Misconfigured: No permission to write, or a message is too large.
            Retryable: The log is unavailable or full; earlier messages of this call may be stored.
        """

    def trim(self, topic: str) -> int:
        """Remove the messages that all groups with commits have committed; return how many."""

    def close(self) -> None:
        """Release connections."""
