"""Defines days, hours and the epoch of all times, and converts times."""

from __future__ import annotations

import datetime
import zoneinfo
from functools import lru_cache

HOUR_S = 3600
DAY_S = 24 * HOUR_S
HOUR_MS = HOUR_S * 1000
DAY_MS = DAY_S * 1000
WEEK_S = 7 * DAY_S
WEEK_MS = WEEK_S * 1000
MONDAY_TO_1970_MS = 3 * DAY_MS
"""1970 began on a Thursday: the time since the Monday of that week."""

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MILLISECOND = datetime.timedelta(milliseconds=1)

FIRST_MS = (datetime.datetime(1000, 1, 1, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
NEXT_MS = (datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
"""Event times are in `[FIRST_MS, NEXT_MS)`: years of four digits, which fit the day of a key."""

_YEAR_1_MS = (datetime.datetime(1, 1, 2, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
"""From here to `NEXT_MS`, a datetime can express every time in every zone."""


def iso_moment_ms(text: str, zone: datetime.tzinfo) -> int:
    """Return the time of an ISO 8601 text in ms; without an offset it is in `zone`.

    In a repeated hour, it is the first one; in a skipped hour, it moves forward by the gap.

    Raises:
        ValueError: The text is not a valid time.
    """
    return moment_ms(datetime.datetime.fromisoformat(text), zone)


def moment_ms(moment: datetime.datetime, zone: datetime.tzinfo) -> int:
    """Return a moment in milliseconds since 1970 UTC; without an offset it is in `zone`.

    It raises `ValueError` and handles skipped and repeated hours as `iso_moment_ms` does.
    """
    try:
        return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - EPOCH) // MILLISECOND
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error


ENDS_TOO_EARLY = (
    "The end must be later than the beginning.",
    "Choose a later `to`; the range stops just before it.",
)
"""The problem with a range whose end `to` is not after its beginning, and the remedy."""


def event_bound_ms(time_ms: int) -> int:
    """Return the end of a range, moved into `[FIRST_MS, NEXT_MS]`.

    Raises:
        ValueError: It is outside the years 1 to 9999, as a time in seconds or microseconds would be.
    """
    if not _YEAR_1_MS - 2 * DAY_MS <= time_ms <= NEXT_MS + 2 * DAY_MS:
        raise ValueError("outside the years 1 to 9999")
    return clamped_ms(time_ms)


def clamped_ms(time_ms: int) -> int:
    """Return the nearest time in `[FIRST_MS, NEXT_MS]`; no event times are beyond it."""
    return max(FIRST_MS, min(time_ms, NEXT_MS))


def local_time(time_ms: int, zone: datetime.tzinfo) -> datetime.datetime:
    """Return a time as the clocks of `zone` show it, with the right `fold` in a repeated hour.

    Do not add to it: Python's `+` on a local time loses `fold`. A time beyond the range of a datetime becomes
    the nearest one within it.
    """
    return (EPOCH + max(_YEAR_1_MS, min(time_ms, NEXT_MS)) * MILLISECOND).astimezone(zone)


@lru_cache(maxsize=10_000)
def offset_at(zone: datetime.tzinfo, time_ms: int) -> int:
    """Return the milliseconds by which local time is ahead of UTC."""
    if zone is datetime.UTC:
        return 0
    offset = local_time(time_ms, zone).utcoffset() or datetime.timedelta()
    return int(offset.total_seconds() * 1000)


def days_of_span(first_ms: int, last_ms: int) -> range:
    """Return the UTC days from `first_ms` to `last_ms`, as whole days since 1970."""
    return range(first_ms // DAY_MS, last_ms // DAY_MS + 1)


def in_range(time_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    """Return whether a time is in `[from_ms, to_ms)`; None leaves that end open."""
    return (from_ms is None or time_ms >= from_ms) and (to_ms is None or time_ms < to_ms)


def is_day_in_range(day_start_ms: int, from_ms: int | None, to_ms: int | None) -> bool:
    """Return whether a UTC day overlaps `[from_ms, to_ms)`."""
    return (from_ms is None or day_start_ms + DAY_MS > from_ms) and (to_ms is None or day_start_ms < to_ms)


@lru_cache(maxsize=1024)
def utc_date(day: int) -> str:
    """Return the date, `YYYY-MM-DD`, of a day by its number since 1970-01-01."""
    return datetime.date.fromordinal(EPOCH.toordinal() + day).isoformat()


def utc(time_ms: int) -> str:
    """Return a time in UTC as text, to the second."""
    return local_time(time_ms, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def utc_range(from_ms: int, to_ms: int) -> str:
    """Return a range in UTC as text, to the second, or to the millisecond if its ends would be the same."""
    first, end = utc(from_ms), utc(to_ms)
    if first == end:
        first, end = (f"{utc(ms)[:-1]}.{ms % 1000:03d}Z" for ms in (from_ms, to_ms))
    return f"{first} to {end}"


def is_ahead(moment_ms: int, now_ms: int) -> bool:
    """Return whether footage is dated more than a day ahead, further than a wrong time zone explains."""
    return moment_ms > now_ms + DAY_MS


CHECK_CLOCK = "a clock was or is wrong; check this one with `date`"
"""The remedy for a time in the future."""
RECORD_VERSION = 1
MOST_TIME_MS = 10**15
"""Event times are in `[-MOST_TIME_MS, MOST_TIME_MS]`; a record beyond is damaged."""


def known_timezone(name: str) -> str:
    """Return the IANA name of a time zone. Raises `ValueError` if there is no such zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name[:80]!r} is not an IANA time zone; write it like Europe/Berlin") from error
    return name
