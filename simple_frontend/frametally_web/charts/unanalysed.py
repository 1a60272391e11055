"""Bars and hours of the week that were filmed and not analysed: neither zeros nor without footage."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from frametally.rules.times import DAY_MS, HOUR_MS, HOUR_S, MONDAY_TO_1970_MS, WEEK_MS
from frametally_web.charts import answers
from frametally_web.charts.bars import Bars, offset_at

Unanalysed = Mapping[str, Sequence[tuple[int, int]]]
"""By source, event times `[from_ms, to_ms)` of the range asked for that were filmed and not counted."""


def bars_not_analysed(
    unanalysed: Unanalysed,
    *,
    interval_s: int,
    zone: datetime.tzinfo,
    by_source: bool,
    coverage: Iterable[answers.FramesAnalysed],
) -> list[answers.NotAnalysed]:
    """Return the bars that have some of it and no coverage, by start and source."""
    bars = Bars(interval_s, zone)
    analysed = {(one.start_ms, one.source) for one in coverage}
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
    """Return the hours of the week that have some of it and no cell, by weekday and hour."""
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
