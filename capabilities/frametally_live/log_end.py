"""Reads the last messages of a topic, in a group that commits nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing

from frametally.errors import Retryable
from frametally.ports.frame_log import FrameLog, LogConsumer, LogRecord

_POLL_S = 0.1
_SILENT_S = 30.0
"""A new group of Kafka takes a while to start."""


def subscribe_to_end(log: FrameLog, topic: str, *, back: int = 0) -> LogConsumer:
    """Return a consumer of a topic's end, in a separate group.

    `back`: the maximum number of messages before the end at which it begins, in each partition.
    """
    consumers: list[LogConsumer] = []

    def begin(partitions: list[int]) -> None:
        for partition, offset in _begins(log, topic, back).items():
            if partition in partitions:
                consumers[0].seek(partition, offset)

    group = f"frametally-watch-{uuid.uuid4()}"
    consumers.append(log.subscribe(topic, group, on_assigned=begin, on_revoked=lambda _: None))
    return consumers[0]


def read_to_end(log: FrameLog, topic: str, *, back: int) -> Iterator[list[LogRecord]]:
    """Yield the last messages of a topic, at most `back` of each partition, up to its end now.

    Raises `Retryable`, also if the log does not deliver them in time, and `NoSuchTopic`.
    """
    begins, ends = _begins(log, topic, back), log.end_offsets(topic)
    partitions = {partition for partition, offset in begins.items() if offset < ends[partition]}
    if not partitions:
        return
    with closing(subscribe_to_end(log, topic, back=back)) as consumer:
        heard_at_s = time.monotonic()
        while partitions:
            records = consumer.poll(timeout_s=_POLL_S)
            heard_at_s = time.monotonic() if records else heard_at_s
            if time.monotonic() - heard_at_s > _SILENT_S:
                raise Retryable(f"the log has delivered nothing of {topic} for {_SILENT_S:g} s")
            yield records
            partitions -= {
                record.partition for record in records if record.offset + 1 >= ends[record.partition]
            }


def _begins(log: FrameLog, topic: str, back: int) -> dict[int, int]:
    begins = log.begin_offsets(topic) if back else {}
    return {
        partition: max(begins.get(partition, 0), end - back)
        for partition, end in log.end_offsets(topic).items()
    }
