"""Checks rules on the values of intervals (counts, crossings, occupancy, speed) in changed days.

The intervals and their counts come from the same functions as the chart's.
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from frametally import keys
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.rules.known import Metric
from frametally.rules.places import FLOWS, ZONES, Place, series_model, source_of
from frametally.rules.times import DAY_MS, HOUR_S, days_of_span
from frametally_alerts.conditions.round_input import Counted, CountPorts, Looked, counted_for, sources_of
from frametally_alerts.rules import AlertFinding, AlertRule, Scope
from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.flows.day_columns import DIRECTIONS, NOT_MEASURED
from frametally_traffic.geometry.speed import SpeedDistribution
from frametally_web.charts.answers import CountBucket, FramesAnalysed
from frametally_web.charts.local_bars import Bars, spans
from frametally_web.charts.measures import MOST_OF_SOURCES, Chart, Reader
from frametally_web.charts.totals import known_part, metric_of
from frametally_web.requests.query import ALL_TIMES


class Stretch(NamedTuple):
    """The first consecutive intervals that fulfil a rule, with the value furthest beyond the threshold."""

    start_ms: int
    end_ms: int
    value: float


def lasting_ms(rule: AlertRule) -> int:
    """Return how long a rule must be fulfilled, which is at least one interval."""
    return max(rule.duration_s, rule.interval_s) * 1000


def settling_ms(rule: AlertRule) -> int:
    """Return how long after its end an interval counts as complete if no newer footage arrives."""
    return max(rule.interval_s * 1000, _SETTLED_MS)


def intervals_over(rule: AlertRule, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """Return the rule's intervals, by the clock of its time zone, from the one that contains `from_ms` on."""
    return [*Bars(rule.interval_s, _zone(rule)).over(from_ms, to_ms)]


def fulfils(rule: AlertRule, value: float | None) -> bool:
    """Return whether a value fulfils a rule; an unknown one (not filmed, not measured) does not."""
    threshold = rule.threshold or 0.0
    return value is not None and (value < threshold if rule.below else value >= threshold)


def find_stretches(
    rule: AlertRule, values: Mapping[int, float], bars: Sequence[tuple[int, int]], from_ms: int, to_ms: int
) -> list[Stretch]:
    """Return the times in `[from_ms, to_ms)` at which a rule begins to be fulfilled for its duration.

    Whether a stretch begins at a time depends only on the interval before it and on those of its duration, so
    changed counts affect only nearby stretches. `bars` are the rule's intervals, and `values` their values by
    start.
    """
    places = {start_ms: place for place, (start_ms, _) in enumerate(bars)}
    number = lasting_ms(rule) // (rule.interval_s * 1000)

    def is_fulfilled(place: int) -> bool:
        return fulfils(rule, values.get(bars[place][0]))

    stretches = []
    for start_ms in sorted(values):
        place = places.get(start_ms, len(bars))
        if place + number > len(bars) or not from_ms <= start_ms < to_ms or not is_fulfilled(place):
            continue
        if (not place or not is_fulfilled(place - 1)) and all(
            map(is_fulfilled, range(place, place + number))
        ):
            stretch = bars[place : place + number]
            of_all = [values[bar_ms] for bar_ms, _ in stretch]
            worst = min(of_all) if rule.below else max(of_all)
            stretches.append(Stretch(start_ms, stretch[-1][1], worst))
    return stretches


def read_speeds(
    rule: AlertRule, ports: CountPorts, counts: Counted, sources: list[str], bars: Sequence[tuple[int, int]]
) -> dict[str, dict[int, float]]:
    """Return the V85 in km/h of each interval with a measured speed, by source."""
    from_ms, to_ms = bars[0][0], bars[-1][1]
    days = [keys.utc_day(day * DAY_MS) for day in days_of_span(from_ms, to_ms - 1)]
    starts_ms = [start_ms for start_ms, _ in bars]
    bins: defaultdict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for source in sources:
        for flows in flows_for(ports.store, counts.model, counts.base_interval_s, source, days):
            columns = flows.columns
            rows = zip(
                *(columns[f"visit_{name}"] for name in ("time", "label", "speed", "speed_missing")),
                strict=True,
            )
            for time_ms, label, speed, missing in rows:
                at_ms = flows.day_start_ms + time_ms
                if missing or not from_ms <= at_ms < to_ms:
                    continue
                if not rule.labels or flows.labels[label] in rule.labels:
                    bins[source, starts_ms[bisect_right(starts_ms, at_ms) - 1]][speed] += 1
    speeds: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for (source, start_ms), visits in bins.items():
        value = SpeedDistribution(tuple(sorted(visits.items()))).p85_km_h
        if value is not None:
            speeds[source][start_ms] = value
    return dict(speeds)


Values = Mapping[str, Mapping[int, float]]
"""The value of each interval that has one, by source and start."""

_SETTLED_MS = 600_000
"""Without newer footage, an interval is complete this long, or its own length if longer, after its end: an
alert on an interval that is still filling would need a correction."""
_WHOLE = 0.95
"""In an interval filmed for a smaller part than this, low counts mean few frames, not few objects."""
_CLOCK_CHANGE_MS = 7_200_000
"""Most by which a local day exceeds 24 hours."""
_DAYS_AT_ONCE = 31
_MOST_SOURCES = 100


def look(rule: AlertRule, ports: CountPorts, marks: Mapping[str, str]) -> Iterator[Looked]:
    """Yield a rule's findings in each range of days that have changed since the last check.

    Raises:
        Poison: The rule does not fit any counts.
        FrametallyError: See the index and the store.
    """
    counts = counted_for(rule, ports.index)
    if counts is None:
        return
    model = _series(rule, counts.model)
    days = _days(ports.index, (counts.model, model), counts.base_interval_s)
    prefix = f"{counts.model} {counts.base_interval_s} "
    noted = {int(name): mark for name, mark in marks.items() if mark.startswith(prefix)}
    first_ms = rule.since_ms - rule.since_ms % DAY_MS
    changed_days = {
        day_ms: prefix + days.get(day_ms, "")
        for day_ms in days.keys() | noted.keys()
        if day_ms >= first_ms and noted.get(day_ms) != prefix + days.get(day_ms, "")
    }
    around_ms = lasting_ms(rule) + (_CLOCK_CHANGE_MS if rule.interval_s > HOUR_S else 0)
    settled_ms = ports.now_ms - settling_ms(rule)
    for from_ms, to_ms in _ranges(sorted(changed_days)):
        yield from _of_range(
            rule, ports, counts, from_ms - around_ms, to_ms + rule.interval_s * 1000, settled_ms
        )
        # A day is checked again while its end may still be filling or is in the future.
        of_range = {day_ms: mark for day_ms, mark in changed_days.items() if from_ms <= day_ms < to_ms}
        yield Looked(
            [],
            marks={
                str(day_ms): mark if day_ms in days else None
                for day_ms, mark in of_range.items()
                if day_ms + DAY_MS + around_ms <= settled_ms or day_ms not in days
            },
        )


def _of_range(
    rule: AlertRule, ports: CountPorts, counted: Counted, from_ms: int, to_ms: int, settled_ms: int
) -> Iterator[Looked]:
    # The first bar is the one before those that are checked.
    bars = intervals_over(rule, max(from_ms, rule.since_ms) - 1, to_ms + lasting_ms(rule))
    from_ms = bars[0][1]
    sources = sources_of(rule, counted.sources)
    values = read_values(rule, ports, counted, sources, bars)
    number, ends_ms = lasting_ms(rule) // (rule.interval_s * 1000), [end_ms for _, end_ms in bars]
    label = ", ".join(rule.labels)
    for source in sources:
        until_ms = max(settled_ms, counted.sources[source].next_interval_ms - counted.base_interval_s * 1000)
        # Stretches that end later are neither reported nor withdrawn.
        last = bisect_right(ends_ms, until_ms) - number
        end_ms = max(from_ms, min(to_ms, bars[last][0] + 1)) if last >= 0 else from_ms
        stretches = find_stretches(rule, values.get(source, {}), bars, from_ms, end_ms)
        findings = [AlertFinding(source, label, *stretch) for stretch in stretches]
        yield Looked(findings, Scope(from_ms, end_ms, (source,)))
    forgotten_sources = set(rule.sources) - counted.sources.keys()
    if forgotten_sources:  # without any footage left
        yield Looked([], Scope(from_ms, to_ms, (*sorted(forgotten_sources),)))


def _zone(rule: AlertRule) -> datetime.tzinfo:
    return zoneinfo.ZoneInfo(rule.timezone or "UTC")


def _series(rule: AlertRule, model: str) -> str:
    if rule.what in ("crossings", "speed"):
        return series_model(model, FLOWS)
    return series_model(model, ZONES) if rule.zone else model


def _days(index: CountIndex, models: tuple[str, ...], base_s: int) -> dict[int, str]:
    """Return a mark of each day's counts; it changes when the counts of any of these series change."""
    marks: dict[int, str] = {}
    for model in dict.fromkeys(models):
        for day in index.counted_days(model):
            if day.base_interval_s == base_s:
                marks[day.day_ms] = f"{marks.get(day.day_ms, '')} {day.published}".strip()
    return marks


def _ranges(days: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges of consecutive days of limited length."""
    first = None
    for number, day_ms in enumerate(days):
        first = day_ms if first is None else first
        follows = number + 1 < len(days) and days[number + 1] == day_ms + DAY_MS
        if not follows or day_ms - first >= (_DAYS_AT_ONCE - 1) * DAY_MS:
            yield first, day_ms + DAY_MS
            first = None


def read_values(
    rule: AlertRule, ports: CountPorts, counts: Counted, sources: list[str], bars: Sequence[tuple[int, int]]
) -> Values:
    """Return the values that a rule compares, in the consecutive intervals `bars`."""
    if rule.what == "speed":
        return read_speeds(rule, ports, counts, sources, bars)
    names = sources
    if rule.what == "crossings":
        ways = DIRECTIONS if rule.direction == "both" else (rule.direction,)
        names = [str(Place(source, "line", (rule.line, way))) for source in sources for way in ways]
    elif rule.zone:
        names = [str(Place(source, "zone", (rule.zone,))) for source in sources]
    values: dict[str, dict[int, float]] = {}
    unmeasured: set[tuple[str, str]] = set()
    series = _series(rule, counts.model)
    for chart in _charts(rule, ports, counts, series, names, bars):
        unmeasured |= _add(values, rule, chart)
    if rule.below and rule.what == "crossings":
        _leave_out_unfit(values, rule, ports, counts, unmeasured)
    if rule.below and (rule.what == "crossings" or rule.measure == "objects"):
        for chart in _charts(rule, ports, counts, counts.model, sources, bars):
            _leave_out_unknown(values, chart)
    if rule.below and rule.what == "crossings":
        cut = [str(Place(source, "line", (rule.line, NOT_MEASURED))) for source in sources]
        for chart in _charts(rule, ports, counts, series, cut, bars):
            _leave_out_cut(values, rule, chart)
    return values


def _charts(
    rule: AlertRule,
    ports: CountPorts,
    counts: Counted,
    model: str,
    names: Sequence[str],
    bars: Sequence[tuple[int, int]],
) -> Iterator[Chart]:
    """Yield charts with the values of a rule, for some sources at a time, by source."""
    zone = _zone(rule)
    for first in range(0, len(names), _MOST_SOURCES):
        query = CountQuery(
            model, counts.base_interval_s, sources=names[first : first + _MOST_SOURCES], labels=rule.labels
        )
        reader = Reader(ports.index, query, zone, spans(zone, bars[0][0], bars[-1][1]), ALL_TIMES)
        apart: dict[str, Any] = {"by_source": True, "apart": (), "most_bars": MOST_OF_SOURCES}
        yield reader.with_measured(reader.bars(rule.interval_s, **apart), rule.interval_s, **apart)[0]


def _leave_out_unknown(values: Mapping[str, dict[int, float]], chart: Chart) -> None:
    """Drop the values of intervals in which objects of a source could not be followed.

    Only rules that wait for few need this: for many, the number that was seen is a minimum.
    """
    parts: list[FramesAnalysed | CountBucket] = [*chart.coverage, *chart.buckets]
    for part in parts:
        if part.objects_missing is not None:
            values.get(part.source or "", {}).pop(part.start_ms, None)


def _leave_out_cut(values: Mapping[str, dict[int, float]], rule: AlertRule, chart: Chart) -> None:
    """Drop the values of intervals that may reach the threshold with their unmeasured crossings."""
    for bar in chart.buckets:
        of_bars = values.get(source_of(bar.source or ""), {})
        if of_bars.get(bar.start_ms, -math.inf) + bar.detections >= (rule.threshold or 0.0):
            del of_bars[bar.start_ms]


def _leave_out_unfit(
    values: Mapping[str, dict[int, float]],
    rule: AlertRule,
    ports: CountPorts,
    counts: Counted,
    unmeasured: Iterable[tuple[str, str]],
) -> None:
    """Drop the values of intervals whose pictures the line does not fit; `unmeasured` is from `_add`."""
    for source, day in sorted(unmeasured):
        of_bars = values.get(source, {})
        for flows in flows_for(ports.store, counts.model, counts.base_interval_s, source, [day]):
            for kind, name, from_ms, to_ms in flows.unfit:
                if (kind, name) == ("line", rule.line):
                    for start_ms, end_ms in intervals_over(rule, from_ms, to_ms):
                        if from_ms < end_ms and to_ms > start_ms:
                            of_bars.pop(start_ms, None)


def _add(values: dict[str, dict[int, float]], rule: AlertRule, chart: Chart) -> set[tuple[str, str]]:
    """Add the values of a chart, with 0 for a filmed interval that has none.

    Return the sources and UTC days with intervals that may be unknown.
    """
    measure: Metric = (
        "peak" if rule.what == "occupancy" else "detections" if rule.what == "crossings" else rule.measure
    )
    filmed: set[tuple[str | None, int]] = set()
    unmeasured = set()
    blank_frames: Counter[tuple[str | None, int]] = Counter()
    for blank in chart.blank.intervals:
        blank_frames[blank.source, blank.start_ms] += blank.frames
    for part in chart.coverage:
        source = source_of(part.source or "")
        if part.objects_missing is not None:
            days = days_of_span(part.start_ms, part.end_ms - 1)
            unmeasured |= {(source, keys.utc_day(day * DAY_MS)) for day in days}
        analysed = part.frames + blank_frames[part.source, part.start_ms]
        is_whole = part.frames >= _WHOLE * analysed  # without tracking, only frames show it
        if part.covered_s is not None:
            is_whole = part.covered_s >= _WHOLE * (part.end_ms - part.start_ms) / 1000
        if is_whole or not rule.below:
            filmed.add((part.source, part.start_ms))
            of_bars = values.setdefault(source, {})
            if measure != "objects" or part.objects_missing is None:
                of_bars.setdefault(part.start_ms, 0.0)
    for bar in chart.buckets:
        if (bar.source, bar.start_ms) in filmed:
            of_bars = values[source_of(bar.source or "")]
            value = metric_of(bar, measure) if rule.below else known_part(bar, measure)
            if value is None:
                of_bars.pop(bar.start_ms, None)  # not measured: neither 0 nor the tracked value
            else:
                of_bars[bar.start_ms] = of_bars.get(bar.start_ms, 0.0) + value
    return unmeasured
