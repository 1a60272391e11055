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
    """The partition is no longer this consumer's: its late commit was refused."""

    def __init__(self, partition: int, group: str) -> None:
        super().__init__(
            f"partition {partition} no longer belongs to this consumer in group {group!r}: drop its "
            "unfinished work and poll again"
        )


class GroupCallbacks(TypedDict):
    """The callbacks of a consumer in `poll` for changed partitions; both may call `seek` and `commit`.

    `on_revoked` also runs for partitions that were already lost to another member.
    """

    on_assigned: Callable[[list[int]], None]
    on_revoked: Callable[[list[int]], None]


def consumer_group(model_id: str, *, live: bool = False) -> str:
    """Return the consumer group of a model: each model sees all frames.

    On the topic of what is `live` it is another: a Kafka group that shares its partitions again stands still,
    and a batch whose consumers come and go is not to hold up what people watch.
    """
    return f"frametally-live-{model_id}" if live else f"frametally-{model_id}"


class LogConsumer(Protocol):
    """One member of a consumer group. Not for use by several threads at once."""

    def poll(self, *, timeout_s: float, max_records: int = 500) -> list[LogRecord]:
        """Return the next messages of the assigned partitions, in order within each; [] after `timeout_s`.

        Takes part in the group: keeps its leases, and calls `on_revoked` and `on_assigned` when the group
        has changed, before any message of a newly assigned partition is returned. A new assignment starts
        at the committed offset, or the partition's beginning.

        `max_records=0` takes part in the group and takes no message: a consumer that has enough to do keeps
        its leases by it.
        """

    def seek(self, partition: int, offset: int) -> None:
        """Make `offset` the next one that `poll` returns of an assigned partition."""

    def commit(self, partition: int, offset: int) -> None:
        """Record that all below `offset` is done.

        Raises:
            LeaseLost: The partition has gone to another member since it was assigned here.
        """

    def assignment(self) -> set[int]:
        """Return the partitions assigned at the last poll."""

    def close(self) -> None:
        """Leave the group, so that the others take over at once."""


class ConsumedLog(Protocol):
    """The part of a log that a reader needs; errors as of `FrameLog`."""

    def create_topic(self, topic: str, partitions: int, *, keep_s: float | None = None) -> None:
        """Make the topic if it is not there; an existing one stays as it is.

        Args:
            topic: Its name.
            partitions: How many it gets.
            keep_s: Seconds for which messages are kept at least, and which they are removed some
                time after, read or not; None: until `trim`, or for as long as the server is set to.

        Raises:
            Misconfigured: Fewer than one partition, or no right to do it.
        """

    def log_id(self, topic: str) -> str:
        """Return the identity of this very topic: one created again has another. Raises `NoSuchTopic`."""

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

    All methods may raise `Retryable` (the log is away for now), those that name a topic `NoSuchTopic`.
    """

    url: str

    def partitions(self, topic: str) -> int:
        """Return how many partitions the topic has. Raises `NoSuchTopic`."""

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Append `(key, value)` messages durably; those with one key to one partition, in order.

        Raises:
            Misconfigured: No right to write, or too large a message.
            Retryable: The log is away, or has no room; earlier messages of this call may be in.
        """

    def trim(self, topic: str) -> int:
        """Remove what every group that ever committed has committed; return how many messages that was."""

    def close(self) -> None:
        """Release connections."""
