"""Delay of live detections: the newest results on the log, compared with the announced frames."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from contextlib import closing

from frametally.errors import Poison
from frametally.ports.frame_log import FrameLog, LogConsumer, LogRecord, NoSuchTopic
from frametally.records import FrameDetections, decode
from frametally_live.feed_records import FeedTold

LATE_MS = 5000
"""A feed is late if its announcements or results lag this far behind the event time."""
_MOST_BACK = 1000
_POLL_S = 0.1


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


def newest_results(log: FrameLog, topic: str, *, within_s: float) -> dict[str, int] | None:
    """Return the event time of each source's newest result, in ms, from the last results.

    Return None if the log did not deliver them in time. Raises `Retryable`.
    """
    try:
        ends = log.end_offsets(topic)
        partitions = {
            partition
            for partition, offset in _begins(log, topic, _MOST_BACK).items()
            if offset < ends[partition]
        }
    except NoSuchTopic:
        return {}
    newest: dict[str, int] = {}
    until_s = time.monotonic() + within_s
    with closing(subscribe_to_end(log, topic, back=_MOST_BACK)) as consumer:
        while partitions:
            if time.monotonic() > until_s:
                return None
            records = consumer.poll(timeout_s=_POLL_S)
            note_newest(newest, records)
            partitions -= {
                record.partition for record in records if record.offset + 1 >= ends[record.partition]
            }
    return newest


def note_newest(newest: dict[str, int], records: Iterable[LogRecord]) -> None:
    """Record the event times of newer results in `newest`; skip records that are not results."""
    for record in records:
        try:
            result = decode(record.value, FrameDetections)
        except Poison:
            continue
        newest[result.source] = max(newest.get(result.source, 0), result.captured_at_ms)


def shown_lag_ms(report: FeedTold, newest_ms: int | None) -> int | None:
    """Return the delay of a camera's detections after their event time, or None if unknown."""
    if report.state != "running" or report.captured_at_ms is None or newest_ms is None:
        return None
    return (report.lag_ms or 0) + max(0, report.captured_at_ms - newest_ms)


def is_late(report: FeedTold, shown_ms: int | None) -> bool:
    """Return whether the announcements or the detections of a running camera are late."""
    return report.state == "running" and max(report.lag_ms or 0, shown_ms or 0) > LATE_MS


def _begins(log: FrameLog, topic: str, back: int) -> dict[int, int]:
    begins = log.begin_offsets(topic) if back else {}
    return {
        partition: max(begins.get(partition, 0), end - back)
        for partition, end in log.end_offsets(topic).items()
    }
