"""The other side of a comparison: its range, and the pairs of moments of both sides.

Of another period the same clock times lie beside each other, also where clocks change in between.
"""

from __future__ import annotations

import bisect
import datetime
import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from frametally.rules.times import DAY_MS, HOUR_S
from frametally_web.charts import answers
from frametally_web.charts.bars import Span, spans
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ChartQuery

_Period = Literal["previous", "day", "week"]
_NAMES: dict[str, str] = {"previous": "the period before", "day": "a day earlier", "week": "a week earlier"}
# Ranges up to so many days are compared with those so many days earlier; an hour more is a change of clocks.
_DAYS: dict[_Period, tuple[int, float]] = {"day": (1, 1.05), "week": (7, 7.1)}
_MOST_DAYS = 40_000


class OtherSide(NamedTuple):
    """The other side of a comparison: what to ask for, its name, and where moments of here lie in it."""

    query: ChartQuery
    name: str
    period: answers.OtherPeriod | None

    def beside_ms(self, ms: int) -> int | None:
        """Return the moment there that lies beside one here; None where clocks there did not show it."""
        if self.period is None:
            return ms
        shift = next(
            (shift for shift in reversed(self.period.shifts) if shift.from_ms <= ms), self.period.shifts[0]
        )
        return None if shift.earlier_ms is None else ms - shift.earlier_ms


def bar_at(bars: Sequence[tuple[int, int]], at_ms: int | None) -> tuple[int, int] | None:
    """Return the one of some bars, in order, that holds a moment: both sides need not begin alike."""
    if at_ms is None:
        return None
    index = bisect.bisect_right(bars, at_ms, key=lambda bar: bar[0]) - 1
    return bars[index] if index >= 0 and at_ms < bars[index][1] else None


def other_periods(
    from_ms: int, to_ms: int, interval_s: int, zone: datetime.tzinfo
) -> list[answers.OtherPeriod]:
    """Return the periods that bars of `interval_s` over `[from_ms, to_ms)` can be compared with."""
    if not 0 < to_ms - from_ms <= _MOST_DAYS * DAY_MS:
        return []
    own_spans = spans(zone, from_ms, to_ms)
    periods = [_previous(own_spans, interval_s, zone)]
    for compare, (days, most_days) in _DAYS.items():
        if to_ms - from_ms <= most_days * DAY_MS:
            periods.append(_period(compare, own_spans, list(_clocks_earlier(own_spans, days * DAY_MS, zone))))
    return periods


def other_side(counts: answers.Counts, query: ChartQuery, compare: str) -> OtherSide:
    """Return the side to compare with an answer to `query`.

    Raises:
        Problem: 400, if that cannot be compared.
    """
    selection = query.selection._replace(model=counts.model, from_ms=counts.from_ms, to_ms=counts.to_ms)
    own_query = query._replace(interval_s=counts.interval_s)
    if match := re.fullmatch("(source|model):(.+)", compare, re.DOTALL):
        kind, name = match.groups()
        if kind == "model":
            return OtherSide(
                own_query._replace(selection=selection._replace(model=name, base_s=None)), name, None
            )
        if query.by_source:
            raise bad_parameter(
                "by",
                "Separate sources cannot be compared with one source.",
                remedy="Leave `by` out, or choose one source at a time.",
            )
        return OtherSide(own_query._replace(selection=selection._replace(sources=[name])), name, None)
    period = next((comparison for comparison in counts.comparisons if comparison.compare == compare), None)
    if period is None and counts.interval_s is not None:
        raise bad_parameter(
            "compare",
            f"The range is too long to compare with {_NAMES[compare]}.",
            remedy="Choose a shorter range, or compare=previous.",
        )
    if period is not None:
        selection = selection._replace(from_ms=period.from_ms, to_ms=period.to_ms)
    return OtherSide(own_query._replace(selection=selection), _NAMES[compare], period)


def _previous(own_spans: Sequence[Span], interval_s: int, zone: datetime.tzinfo) -> answers.OtherPeriod:
    """Return as long a period, right before; in whole bars, so that bars lie beside bars."""
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
        name=_NAMES[compare],
        from_ms=own_spans[0].from_ms - (of_clocks[0].earlier_ms or 0),
        to_ms=own_spans[-1].to_ms - (of_clocks[-1].earlier_ms or 0),
        shifts=shifts,
    )


def _clocks_earlier(own_spans: Sequence[Span], by_ms: int, zone: datetime.tzinfo) -> Iterator[answers.Shift]:
    """Yield from when on a moment lies how much later than the one at which clocks showed `by_ms` less.

    Of a clock time that came twice then it is the first; of one that never came there is none.
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
