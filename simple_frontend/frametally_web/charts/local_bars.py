"""Bars of local time, even when the clocks change, and the periods with which a range can be compared.

A range is split into spans of one offset from UTC, and each is a separate query to the index, without a time
zone. A bar of up to an hour is elapsed time. A longer bar is wall-clock time, from the first instant at which
local clocks show its start to the first at which they show its end. Periods match by equal clock times.
"""

from __future__ import annotations

import datetime
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frametally.actions.problems import bad_parameter
from frametally.rules.times import (
    DAY_MS,
    DAY_S,
    HOUR_MS,
    HOUR_S,
    MONDAY_TO_1970_MS,
    WEEK_MS,
    WEEK_S,
    offset_at,
)
from frametally.rules.week_parts import joined, ranges_of
from frametally_web.charts import answers
from frametally_web.requests.query import ALL_TIMES, ChosenTimes

SECOND_S = 1
"""The stored interval when seconds are read."""

MOST_MS = 600_000
"""Longest footage, from its first second to its last, that is charted by the second."""

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
        next_ms = min(probe_ms - probe_ms % DAY_MS + DAY_MS, to_ms)  # offsets of midnights are cached
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


def chosen_ranges(
    times: ChosenTimes, zone: datetime.tzinfo, from_ms: int, to_ms: int
) -> list[tuple[int, int]] | None:
    """Return the parts of `[from_ms, to_ms)` in the chosen hours and weekdays; None if all is chosen."""
    if not times.week_parts(0):
        return None
    parts = (
        ranges_of(times.week_parts(span.offset_ms), span.from_ms, span.to_ms)
        for span in spans(zone, from_ms, to_ms)
    )
    return joined(chain.from_iterable(parts))


def touches(chosen: Ranges | None, from_ms: int, to_ms: int) -> bool:
    """Return whether `[from_ms, to_ms)` contains any chosen time."""
    if chosen is None:
        return True
    following = bisect_right(chosen, from_ms, key=lambda span: span[1])
    return following < len(chosen) and chosen[following][0] < to_ms


def cut(ranges: Ranges, chosen: Ranges | None) -> list[tuple[int, int]]:
    """Return the chosen parts of some ranges."""
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
        """Take bars of `interval_s` seconds; those of whole weeks begin on Mondays."""
        self._interval_ms = interval_s * 1000
        self._zone = zone
        self._shift_ms = MONDAY_TO_1970_MS if interval_s % WEEK_S == 0 else 0
        self._is_wall_clock = interval_s > HOUR_S
        self._instants: dict[int, int] = {}

    def offset_ms(self, span: Span) -> int:
        """Return the offset for the index: bars start where time plus this is a multiple of their length."""
        return span.offset_ms + self._shift_ms

    def bar_of(self, ms: int, span: Span, *, is_first: bool, is_last: bool) -> tuple[int, int]:
        """Return the start and the end of the bar that contains `ms`, a time of `span`.

        `ms` may also be the start of one of the index's bars, even if that is before the span. The start of a
        range's first span, and the end of its last, is not a change of clocks.
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
        # If the clocks were set back, they may have shown its end before.
        while ms >= self._instant(start + self._interval_ms):
            start += self._interval_ms
        return self._instant(start), self._instant(start + self._interval_ms)

    def moved(
        self, starts_ms: NDArray[np.integer[Any]], span: Span, *, is_first: bool, is_last: bool
    ) -> dict[int, tuple[int, int]]:
        """Return `bar_of` for the index's bar starts in `span` whose bars differ from the index's."""
        length_ms = self._interval_ms
        # Unless the clocks changed within the day before, a bar is where the index has it.
        first_ms, last_ms = span.from_ms + DAY_MS, span.to_ms - length_ms
        near = np.unique(starts_ms[(starts_ms <= first_ms) | (starts_ms >= last_ms)]).tolist()
        bars = {
            start_ms: self.bar_of(start_ms, span, is_first=is_first, is_last=is_last) for start_ms in near
        }
        return {start_ms: bar for start_ms, bar in bars.items() if bar != (start_ms, start_ms + length_ms)}

    def over(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of every bar of `[from_ms, to_ms)`, in order."""
        ms = from_ms
        if self._is_wall_clock:
            # Such a bar finds its own change of clocks, so there is no search through millennia.
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
        """Return the first instant at which local clocks show `local_ms` (plus the shift) or later."""
        instant_ms = self._instants.get(local_ms)
        if instant_ms is None:
            wall_ms = local_ms - self._shift_ms
            # Offsets are less than a day, so the instant is within a day of it.
            around = [wall_ms - offset_at(self._zone, wall_ms + side) for side in (-DAY_MS, DAY_MS)]
            low, high = min(around), max(around)
            shows = partial(_shows, self._zone, wall_ms)
            instant_ms = low if shows(low) else _first(shows, low, max(high, low + 1))
            self._instants[local_ms] = instant_ms
        return instant_ms


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first whole second, in milliseconds, in `(low, high]` from which on `holds` is true."""
    while high - low > 1000:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high // 1000 * 1000


Unanalysed = Mapping[str, Sequence[tuple[int, int]]]
"""Event times `[from_ms, to_ms)` in the requested range that were filmed but not counted, by source."""


def bars_not_analysed(
    unanalysed: Unanalysed,
    *,
    interval_s: int,
    zone: datetime.tzinfo,
    by_source: bool,
    coverage: Iterable[answers.FramesAnalysed | answers.NotWithin | answers.ShowsNothing],
) -> list[answers.NotAnalysed]:
    """Return the bars with such times but without coverage, by start and source."""
    bars = Bars(interval_s, zone)
    analysed = {(bucket.start_ms, bucket.source) for bucket in coverage}
    ends: dict[tuple[int, str | None], int] = {}
    for of_source, ranges in unanalysed.items():
        source = of_source if by_source else None
        for from_ms, to_ms in ranges:
            for start_ms, end_ms in bars.over(from_ms, to_ms):
                if (start_ms, source) not in analysed:
                    ends[start_ms, source] = end_ms
    return [
        answers.NotAnalysed(start_ms=start_ms, end_ms=ends[start_ms, source], source=source)
        for start_ms, source in sorted(ends, key=lambda place: (place[0], place[1] or ""))
    ]


def hours_not_analysed(
    unanalysed: Unanalysed, *, zone: datetime.tzinfo, cells: Iterable[answers.WeekCell]
) -> list[answers.WeekHourNotAnalysed]:
    """Return the hours of the week with such times but without a cell, by weekday and hour."""
    bars = Bars(HOUR_S, zone)
    hours: set[int] = set()
    for ranges in unanalysed.values():
        for from_ms, to_ms in ranges:
            for start_ms, _ in bars.over(from_ms, to_ms):
                hours.add((start_ms + offset_at(zone, start_ms) + MONDAY_TO_1970_MS) % WEEK_MS // HOUR_MS)
    analysed = {(cell.weekday - 1) * DAY_MS // HOUR_MS + cell.hour for cell in cells}
    return [
        answers.WeekHourNotAnalysed(weekday=hour // 24 + 1, hour=hour % 24)
        for hour in sorted(hours - analysed)
    ]


DEFAULT_BARS = 120
_BARS_BY_SECOND = MOST_MS // 1000 + 1  # both ends may split one

_COMMON_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(HOUR_S, 7200, 10_800, 21_600, 43_200, DAY_S, 2 * DAY_S, WEEK_S, 2 * WEEK_S, 4 * WEEK_S),
)


def bar_count(from_ms: int, to_ms: int, interval_s: int) -> int:
    """Return how many intervals `[from_ms, to_ms)` touches; intervals start at multiples since the epoch."""
    interval_ms = interval_s * 1000
    return -(-to_ms // interval_ms) - from_ms // interval_ms


def bar_choices(base_intervals_s: Sequence[int], from_ms: int, to_ms: int, *, max_bars: int) -> list[int]:
    """Return sensible bar lengths in seconds, ascending: multiples of a stored base, at most `max_bars` bars.

    The last is the first length that covers the whole range; it is included whatever `max_bars` is.
    """
    intervals_s: list[int] = []
    for interval_s in _candidates(base_intervals_s):
        as_long_as_the_range = interval_s * 1000 >= to_ms - from_ms
        if as_long_as_the_range or bar_count(from_ms, to_ms, interval_s) <= max_bars:
            intervals_s.append(interval_s)
        if as_long_as_the_range:
            break
    return intervals_s


def default_intervals(
    base_intervals_s: Sequence[int],
    from_ms: int,
    to_ms: int,
    *,
    max_bars: int,
    times: ChosenTimes = ALL_TIMES,
) -> list[int]:
    """Return the sensible bar lengths in seconds that give at most `DEFAULT_BARS` bars, shortest first.

    Ranges of ten minutes or less have bars of a second, if a base is that short. A bar divides the hours of
    `times`, or is whole days.
    """
    is_by_second = SECOND_S in base_intervals_s and to_ms - from_ms <= MOST_MS
    most = _BARS_BY_SECOND if is_by_second else DEFAULT_BARS
    intervals_s = bar_choices(base_intervals_s, from_ms, to_ms, max_bars=min(most, max_bars))
    borders_s = [minute * 60 for minute in times.hours or ()]
    return [
        interval_s
        for interval_s in intervals_s
        if interval_s >= DAY_S or all(border % interval_s == 0 for border in borders_s)
    ] or intervals_s


def base_of(
    base_intervals_s: Sequence[int],
    interval_s: int | None,
    from_ms: int | None,
    to_ms: int | None,
    offsets_ms: Collection[int] = (),
    zone: str = "UTC",
    *,
    lacking_s: Sequence[int] = (),
    times: ChosenTimes = ALL_TIMES,
    times_ms: Collection[int] = (),
) -> int:
    """Return the stored base interval to read: the coarsest that divides the request.

    It divides the interval, the zone's offsets and, if possible, the range's ends. If no base divides the
    ends, it is the finest that divides the rest, and the range ends as near to the request as possible.

    If `interval_s` is None, any bar is possible; if `from_ms` or `to_ms` is None, the data set that end.
    `offsets_ms` are the zone's offsets from UTC in the range; `lacking_s` are stored bases that are not read
    because they lack footage of it; `times` are counted, which begin and end at `times_ms` of the week.

    Raises:
        Problem: 400 if no base divides the interval, the offsets or the times; it lists the existing bases.
    """
    dividing = [base for base in base_intervals_s if interval_s is None or interval_s % base == 0]
    bases_text = ", ".join(str(base) for base in sorted(base_intervals_s))
    whole = " that has all footage of this range" if lacking_s else ""
    again = "".join(
        f" For {base} run `frametally aggregate --interval {base}` and `frametally index`."
        for base in lacking_s
    )
    if not dividing:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} is not a multiple of a stored interval{whole}.",
            remedy=f"Choose a multiple of one of these (seconds): {bases_text}.{again}",
            instead=[str(min(-(-(interval_s or 0) // base) * base for base in base_intervals_s))],
        )
    in_zone = [base for base in dividing if all(offset % (base * 1000) == 0 for offset in offsets_ms)]
    if not in_zone:
        raise bad_parameter(
            "timezone",
            f"In {zone}, bars would not begin on the boundaries of the stored intervals ({bases_text} "
            "seconds).",
            remedy="Choose timezone=UTC or a zone that is whole hours from it, or count with an "
            f"interval of 900 seconds or less.{again}",
        )
    in_zone = [base for base in in_zone if all(border % (base * 1000) == 0 for border in times_ms)]
    if not in_zone:
        raise bad_parameter(
            times.parameter,
            f"The chosen times are not on the boundaries of the stored intervals{whole} ({bases_text} "
            "seconds).",
            remedy=f"Choose times on these boundaries, such as whole hours.{again}",
        )
    borders_ms = [border for border in (from_ms, to_ms) if border is not None]
    on_borders = [base for base in in_zone if all(border % (base * 1000) == 0 for border in borders_ms)]
    return max(on_borders) if on_borders else min(in_zone)


def _candidates(base_intervals_s: Sequence[int]) -> Iterator[int]:
    uncommon = set(base_intervals_s).difference(_COMMON_S)
    multiples = {base * factor for base in uncommon for factor in (1, 2, 5, 10)}
    for interval_s in sorted(multiples.union(_COMMON_S)):
        if any(interval_s % base == 0 for base in base_intervals_s):
            yield interval_s
    # Every base divides a day, so whole weeks are always possible.
    weeks = 8
    while True:
        yield weeks * WEEK_S
        weeks *= 2


_Period = Literal["previous", "day", "week"]
PERIOD_NAMES: dict[str, str] = {
    "previous": "the period before",
    "day": "a day earlier",
    "week": "a week earlier",
}
# How many days earlier a period is, and how long a range may be: the fraction allows for clock changes.
_DAYS: dict[_Period, tuple[int, float]] = {"day": (1, 1.05), "week": (7, 7.1)}
_MOST_DAYS = 40_000


def other_periods(
    from_ms: int, to_ms: int, interval_s: int, zone: datetime.tzinfo
) -> list[answers.OtherPeriod]:
    """Return the periods with which bars of `interval_s` over `[from_ms, to_ms)` can be compared."""
    if not 0 < to_ms - from_ms <= _MOST_DAYS * DAY_MS:
        return []
    own_spans = spans(zone, from_ms, to_ms)
    periods = [_previous(own_spans, interval_s, zone)]
    for compare, (days, most_days) in _DAYS.items():
        if to_ms - from_ms <= most_days * DAY_MS:
            periods.append(_period(compare, own_spans, list(_clocks_earlier(own_spans, days * DAY_MS, zone))))
    return periods


def weeks_earlier(from_ms: int, to_ms: int, weeks: int, zone: datetime.tzinfo) -> answers.OtherPeriod:
    """Return the period with the same clock times, this many whole weeks earlier."""
    own_spans = spans(zone, from_ms, to_ms)
    return _period("week", own_spans, [*_clocks_earlier(own_spans, weeks * 7 * DAY_MS, zone)])


def _previous(own_spans: Sequence[Span], interval_s: int, zone: datetime.tzinfo) -> answers.OtherPeriod:
    """Return the preceding period of the same length, in whole bars, so that bars match."""
    interval_ms = interval_s * 1000
    first, last = own_spans[0], own_spans[-1]
    if interval_s > HOUR_S:  # such bars are of local time
        local_ms = last.to_ms + last.offset_ms - first.from_ms - first.offset_ms
        earlier_ms = math.ceil(local_ms / interval_ms) * interval_ms
        return _period("previous", own_spans, list(_clocks_earlier(own_spans, earlier_ms, zone)))
    earlier_ms = math.ceil((last.to_ms - first.from_ms) / interval_ms) * interval_ms
    return _period("previous", own_spans, [answers.Shift(from_ms=first.from_ms, earlier_ms=earlier_ms)])


def _period(compare: _Period, own_spans: Sequence[Span], shifts: list[answers.Shift]) -> answers.OtherPeriod:
    of_clocks = [shift for shift in shifts if shift.earlier_ms is not None]
    return answers.OtherPeriod(
        compare=compare,
        name=PERIOD_NAMES[compare],
        from_ms=own_spans[0].from_ms - (of_clocks[0].earlier_ms or 0),
        to_ms=own_spans[-1].to_ms - (of_clocks[-1].earlier_ms or 0),
        shifts=shifts,
    )


def _clocks_earlier(own_spans: Sequence[Span], by_ms: int, zone: datetime.tzinfo) -> Iterator[answers.Shift]:
    """Yield shifts: from when on, and by how much, times are after those with clocks `by_ms` earlier.

    If clocks showed a time twice, its first occurrence counts; if they never showed it, there is none.
    """
    first_ms, last_ms = own_spans[0].from_ms - by_ms, own_spans[-1].to_ms - by_ms
    earlier_spans = spans(zone, first_ms - DAY_MS, last_ms + DAY_MS)
    for span in own_spans:
        at_ms, end_ms = (ms + span.offset_ms - by_ms for ms in (span.from_ms, span.to_ms))
        to_here_ms = by_ms - span.offset_ms
        for earlier_span in earlier_spans:
            start_ms = max(at_ms, earlier_span.from_ms + earlier_span.offset_ms)
            next_ms = min(end_ms, earlier_span.to_ms + earlier_span.offset_ms)
            if start_ms >= next_ms:
                continue
            if start_ms > at_ms:
                yield answers.Shift(from_ms=at_ms + to_here_ms, earlier_ms=None)
            yield answers.Shift(from_ms=start_ms + to_here_ms, earlier_ms=to_here_ms + earlier_span.offset_ms)
            at_ms = next_ms
