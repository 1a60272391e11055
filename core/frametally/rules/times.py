"""Days, hours and the moment from which every time is counted."""

from __future__ import annotations

import datetime

HOUR_S = 3600
DAY_S = 24 * HOUR_S
HOUR_MS = HOUR_S * 1000
DAY_MS = DAY_S * 1000
WEEK_S = 7 * DAY_S
WEEK_MS = WEEK_S * 1000
MONDAY_TO_1970_MS = 3 * DAY_MS
"""1970 began on a Thursday: so much of a week had passed, from its Monday on."""

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)

FIRST_MS = (datetime.datetime(1000, 1, 1, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
NEXT_MS = (datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
"""Event times lie in `[FIRST_MS, NEXT_MS)`, the years of four digits: what the day of a key can hold."""


def days_of_span(first_ms: int, last_ms: int) -> range:
    """Return the UTC days from that of `first_ms` to that of `last_ms`, as whole days since 1970."""
    return range(first_ms // DAY_MS, last_ms // DAY_MS + 1)


def in_range(time_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    """Return whether a time is of `[from_ms, to_ms)`; None leaves that end open."""
    return (from_ms is None or time_ms >= from_ms) and (to_ms is None or time_ms < to_ms)


def is_day_in_range(day_start_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    """Return whether a UTC day has something of `[from_ms, to_ms)`."""
    return (from_ms is None or day_start_ms + DAY_MS > from_ms) and (to_ms is None or day_start_ms < to_ms)


def utc(time_ms: int) -> str:
    """Return a time for people, UTC, to the second."""
    return datetime.datetime.fromtimestamp(time_ms // 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
