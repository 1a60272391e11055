"""How late what is live is found: the newest results on the log, beside what is announced."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing

from frametally.errors import Poison
from frametally.ports.frame_log import FrameLog, LogConsumer, LogRecord, NoSuchTopic
from frametally.records import FrameDetections, decode
from frametally_live.feed_records import FeedTold

LATE_MS = 5000
"""Whose frames are announced, or whose results are told, so long after they were filmed, is late."""
_MOST_BACK = 1000
_POLL_S = 0.1


def subscribe_to_end(log: FrameLog, topic: str, *, back: int = 0) -> LogConsumer:
    """Return a consumer of a topic's end, in a group of its own.

    Args:
        log: Whose topic.
        topic: Its name.
        back: With how many messages before the end it begins, at most, in each partition.
    """
    consumers: list[LogConsumer] = []

    def begin(partitions: list[int]) -> None:
        for partition, offset in _begins(log, topic, back).items():
            if partition in partitions:
                consumers[0].seek(partition, offset)

    group = f"frametally-watch-{uuid.uuid4()}"
    consumers.append(log.subscribe(topic, group, on_assigned=begin, on_revoked=lambda _: None))
    return consumers[0]


def newest_results(
    log: FrameLog, topic: str, *, within_s: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, int] | None:
    """Return the event time of each source's newest result, in ms, of those that came last.

    None: the log did not give them in time. Raises `Retryable`.
    """
    try:
        ends = log.end_offsets(topic)
        left = {one for one, offset in _begins(log, topic, _MOST_BACK).items() if offset < ends[one]}
    except NoSuchTopic:
        return {}
    newest: dict[str, int] = {}
    until_s = clock() + within_s
    with closing(subscribe_to_end(log, topic, back=_MOST_BACK)) as consumer:
        while left:
            if clock() > until_s:
                return None
            records = consumer.poll(timeout_s=_POLL_S)
            note_newest(newest, records)
            left -= {record.partition for record in records if record.offset + 1 >= ends[record.partition]}
    return newest


def note_newest(newest: dict[str, int], records: Iterable[LogRecord]) -> None:
    """Note in `newest` the event times of results that are newer; what is none is left out."""
    for record in records:
        try:
            result = decode(record.value, FrameDetections)
        except Poison:
            continue
        newest[result.source] = max(newest.get(result.source, 0), result.captured_at_ms)


def shown_lag_ms(told: FeedTold, newest_ms: int | None) -> int | None:
    """Return by how much what is found in a camera's frames comes after their event time; None: not known.

    Args:
        told: How the camera stands.
        newest_ms: Event time of its newest result.
    """
    if told.state != "running" or told.captured_at_ms is None or newest_ms is None:
        return None
    return (told.lag_ms or 0) + max(0, told.captured_at_ms - newest_ms)


def is_late(told: FeedTold, shown_ms: int | None) -> bool:
    """Return whether a camera that runs is late: its frames' announcement, or what is found in them."""
    return told.state == "running" and max(told.lag_ms or 0, shown_ms or 0) > LATE_MS


def _begins(log: FrameLog, topic: str, back: int) -> dict[int, int]:
    begins = log.begin_offsets(topic) if back else {}
    return {one: max(begins.get(one, 0), end - back) for one, end in log.end_offsets(topic).items()}
