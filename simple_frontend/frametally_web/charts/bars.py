"""Bars of local time: where they begin and end, on the days on which the clocks change too.

A range is split into spans of one offset from UTC. Each is a query of its own to the index, without a time
zone. A bar of up to an hour is elapsed time. A longer one is wall-clock time: it goes
from the first moment at which local clocks show its start to the first at which they show its end.
"""

from __future__ import annotations

import datetime
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from frametally.rules.times import DAY_MS, HOUR_S, MONDAY_TO_1970_MS, WEEK_S, local_time
from frametally.rules.week_parts import joined, ranges_of
from frametally_web.requests.query import ChosenTimes

Ranges = Sequence[tuple[int, int]]
"""Event times `[from_ms, to_ms)` that do not touch, in order."""


class Span(NamedTuple):
    """A range in which local time is UTC plus `offset_ms`."""

    from_ms: int
    to_ms: int
    offset_ms: int


def spans(zone: datetime.tzinfo, from_ms: int, to_ms: int) -> list[Span]:
    """Return `[from_ms, to_ms)` as spans of one offset each, in order."""
    spans_so_far: list[Span] = []
    start_ms = probe_ms = from_ms
    offset_ms = offset_at(zone, from_ms)
    while probe_ms < to_ms:
        next_ms = min(probe_ms + DAY_MS, to_ms)
        next_offset_ms = offset_at(zone, next_ms)
        while offset_ms != next_offset_ms:
            change_ms = _first(partial(_has_left, zone, offset_ms), probe_ms, next_ms)
            if change_ms >= to_ms:
                break
            spans_so_far.append(Span(start_ms, change_ms, offset_ms))
            start_ms = probe_ms = change_ms
            offset_ms = offset_at(zone, change_ms)
        probe_ms = next_ms
    return [*spans_so_far, Span(start_ms, to_ms, offset_ms)]


def offset_at(zone: datetime.tzinfo, ms: int) -> int:
    """Return the milliseconds by which local time is ahead of UTC."""
    if zone is datetime.UTC:
        return 0
    offset = local_time(ms, zone).utcoffset() or datetime.timedelta()
    return int(offset.total_seconds() * 1000)


def chosen_ranges(
    times: ChosenTimes, zone: datetime.tzinfo, from_ms: int, to_ms: int
) -> list[tuple[int, int]] | None:
    """Return what of `[from_ms, to_ms)` is of the hours and weekdays chosen; None: all of it."""
    if not times.week_parts(0):
        return None
    parts = (
        ranges_of(times.week_parts(span.offset_ms), span.from_ms, span.to_ms)
        for span in spans(zone, from_ms, to_ms)
    )
    return joined(chain.from_iterable(parts))


def touches(chosen: Ranges | None, from_ms: int, to_ms: int) -> bool:
    """Return whether `[from_ms, to_ms)` has something that is chosen."""
    if chosen is None:
        return True
    following = bisect_right(chosen, from_ms, key=lambda span: span[1])
    return following < len(chosen) and chosen[following][0] < to_ms


def cut(ranges: Ranges, chosen: Ranges | None) -> list[tuple[int, int]]:
    """Return what of some ranges is chosen."""
    if chosen is None:
        return [*ranges]
    pieces: list[tuple[int, int]] = []
    for from_ms, to_ms in ranges:
        first = bisect_right(chosen, from_ms, key=lambda span: span[1])
        following = bisect_left(chosen, to_ms, key=lambda span: span[0])
        pieces += [(max(span[0], from_ms), min(span[1], to_ms)) for span in chosen[first:following]]
    return pieces


def _has_left(zone: datetime.tzinfo, offset_ms: int, ms: int) -> bool:
    return offset_at(zone, ms) != offset_ms


def _shows(zone: datetime.tzinfo, wall_ms: int, ms: int) -> bool:
    """Return whether the clocks show `wall_ms` or later."""
    return ms + offset_at(zone, ms) >= wall_ms


class Bars:
    """Bars of one length in one time zone."""

    def __init__(self, interval_s: int, zone: datetime.tzinfo) -> None:
        """Bars of `interval_s` seconds; those of whole weeks begin on Mondays."""
        self._interval_ms = interval_s * 1000
        self._zone = zone
        self._shift_ms = MONDAY_TO_1970_MS if interval_s % WEEK_S == 0 else 0
        self._is_wall_clock = interval_s > HOUR_S
        self._instants: dict[int, int] = {}

    def offset_ms(self, span: Span) -> int:
        """Return the offset for the index: bars start where time plus this is a multiple of their length."""
        return span.offset_ms + self._shift_ms

    def bar_of(self, ms: int, span: Span, *, is_first: bool, is_last: bool) -> tuple[int, int]:
        """Return start and end of the bar that holds `ms`, a moment of `span`.

        The start of a bar that the index made, which may lie before the span, is such a moment too. The start
        of the first span of a range, and the end of the last, is not a change of clocks.
        """
        if not self._is_wall_clock:
            start_ms = ms - (ms + self.offset_ms(span)) % self._interval_ms
            end_ms = start_ms + self._interval_ms
            if not is_first:
                start_ms = max(start_ms, span.from_ms)
            return start_ms, end_ms if is_last else min(end_ms, span.to_ms)
        ms = max(ms, span.from_ms)
        local_ms = ms + self.offset_ms(span)
        start = local_ms - local_ms % self._interval_ms
        # Clocks that were put back may have shown its end before.
        while ms >= self._instant(start + self._interval_ms):
            start += self._interval_ms
        return self._instant(start), self._instant(start + self._interval_ms)

    def bars_of(
        self, starts_ms: Iterable[int], span: Span, *, is_first: bool, is_last: bool
    ) -> dict[int, tuple[int, int]]:
        """Return `bar_of` for each of some starts that the index has made with the offset of `span`."""
        length_ms = self._interval_ms
        # With no change of clocks within a day before it, a bar is where the index has it.
        first_ms, last_ms = span.from_ms + DAY_MS, span.to_ms - length_ms
        return {
            start_ms: (start_ms, start_ms + length_ms)
            if first_ms < start_ms < last_ms
            else self.bar_of(start_ms, span, is_first=is_first, is_last=is_last)
            for start_ms in starts_ms
        }

    def over(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """Yield start and end of every bar of `[from_ms, to_ms)`, in order."""
        ms = from_ms
        if self._is_wall_clock:
            # Such a bar finds its own change of clocks: millennia need not be searched for them.
            while ms < to_ms:
                one_span = Span(ms, to_ms, offset_at(self._zone, ms))
                yield (bar := self.bar_of(ms, one_span, is_first=True, is_last=True))
                ms = bar[1]
            return
        of_one_offset = spans(self._zone, from_ms, to_ms)
        for number, span in enumerate(of_one_offset):
            while ms < span.to_ms:
                last = number == len(of_one_offset) - 1
                yield (bar := self.bar_of(ms, span, is_first=number == 0, is_last=last))
                ms = bar[1]

    def _instant(self, local_ms: int) -> int:
        """Return the first moment at which local clocks show `local_ms` (plus the shift) or later."""
        instant_ms = self._instants.get(local_ms)
        if instant_ms is None:
            wall_ms = local_ms - self._shift_ms
            # Offsets lie within a day: somewhere round there the clocks show it.
            around = [wall_ms - offset_at(self._zone, wall_ms + side) for side in (-DAY_MS, DAY_MS)]
            low, high = min(around), max(around)
            shows = partial(_shows, self._zone, wall_ms)
            instant_ms = low if shows(low) else _first(shows, low, max(high, low + 1))
            self._instants[local_ms] = instant_ms
        return instant_ms


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first whole second, in milliseconds, in `(low, high]` from which on `holds`."""
    while high - low > 1000:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high // 1000 * 1000
