"""Delay of live detections: the newest results on the log, compared with the announced frames."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from frametally.errors import Poison
from frametally.ports.frame_log import FrameLog, LogRecord, NoSuchTopic
from frametally.records import FrameDetections, decode
from frametally_live.feed_records import LATE_MS, FeedTold
from frametally_live.log_end import read_to_end

_MOST_BACK = 1000


def newest_results(log: FrameLog, topic: str, *, within_s: float) -> dict[str, int] | None:
    """Return the event time of each source's newest result, in ms, from the last results.

    Return None if the log did not deliver them in time. Raises `Retryable`.
    """
    newest: dict[str, int] = {}
    until_s = time.monotonic() + within_s
    with suppress(NoSuchTopic):
        for records in read_to_end(log, topic, back=_MOST_BACK):
            if time.monotonic() > until_s:
                return None
            note_newest(newest, records)
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
