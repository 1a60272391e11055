"""Handles parts of the week: chosen hours of chosen weekdays.

Parts are `(from_ms, to_ms)` since Monday 00:00, sorted, separate and within one week. No parts mean the whole
week. Queries of an index use the UTC week, so local parts are shifted to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from frametally.rules.times import DAY_MS, MONDAY_TO_1970_MS, WEEK_MS

WeekParts = tuple[tuple[int, int], ...]
MINUTE_MS = 60_000


def parts_of_week(hours: tuple[int, int] | None, weekdays: Collection[int]) -> WeekParts:
    """Return the parts of the week for some hours of some weekdays.

    Args:
        hours: First and end minute of the day, where the end may be on the next day; None for all day.
        weekdays: Days on which the hours begin, 1 for Monday; empty for every day.
    """
    from_minute, to_minute = hours or (0, DAY_MS // MINUTE_MS)
    length_ms = (to_minute - from_minute) * MINUTE_MS
    if length_ms <= 0:
        length_ms += DAY_MS
    starts_ms = [(day - 1) * DAY_MS + from_minute * MINUTE_MS for day in weekdays or range(1, 8)]
    return _within_a_week((start_ms, start_ms + length_ms) for start_ms in starts_ms)


def shift(parts: WeekParts, by_ms: int) -> WeekParts:
    """Return the parts shifted by `by_ms`, wrapping around the week."""
    return _within_a_week((from_ms + by_ms, to_ms + by_ms) for from_ms, to_ms in parts)


def holds(parts: WeekParts, at_ms: int) -> bool:
    """Return whether a moment, in milliseconds since 1970, is in these parts of the week."""
    of_week_ms = (at_ms + MONDAY_TO_1970_MS) % WEEK_MS
    return not parts or any(from_ms <= of_week_ms < to_ms for from_ms, to_ms in parts)


def ranges_of(parts: WeekParts, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of `[from_ms, to_ms)` in these parts of the week, in order."""
    if not parts:
        yield from_ms, to_ms
        return
    monday_ms = from_ms - (from_ms + MONDAY_TO_1970_MS) % WEEK_MS
    while monday_ms < to_ms:
        for first_ms, end_ms in parts:
            part_ms = max(monday_ms + first_ms, from_ms), min(monday_ms + end_ms, to_ms)
            if part_ms[0] < part_ms[1]:
                yield part_ms
        monday_ms += WEEK_MS


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted ranges with touching ones merged."""
    ranges_ms: list[tuple[int, int]] = []
    for from_ms, to_ms in ranges:
        if ranges_ms and from_ms <= ranges_ms[-1][1]:
            ranges_ms[-1] = ranges_ms[-1][0], max(to_ms, ranges_ms[-1][1])
        else:
            ranges_ms.append((from_ms, to_ms))
    return ranges_ms


def _within_a_week(parts: Iterable[tuple[int, int]]) -> WeekParts:
    cut: list[tuple[int, int]] = []
    for from_ms, to_ms in parts:
        first_ms = from_ms % WEEK_MS
        end_ms = first_ms + to_ms - from_ms
        cut.append((first_ms, min(end_ms, WEEK_MS)))
        if end_ms > WEEK_MS:
            cut.append((0, end_ms - WEEK_MS))
    week_parts = tuple(joined(sorted(cut)))
    return () if week_parts == ((0, WEEK_MS),) else week_parts
