"""Rules over the values of intervals: counts, crossings, occupancy, speed; changed days are read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from frametally import keys
from frametally.ports.count_index import NOT_LOOKED_AT, CountIndex, CountQuery, Histogram
from frametally.rules.known import Basis, why_unknown
from frametally.rules.places import FLOWS, ZONES, Place, series_model, source_of
from frametally.rules.times import DAY_MS, days_of_span
from frametally_alerts.conditions.round_input import Counted, CountPorts, Looked, counted_for, sources_of
from frametally_alerts.rules import AlertFinding, AlertRule, Scope
from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.flows.day_columns import DIRECTIONS, NOT_MEASURED
from frametally_traffic.geometry.speed import SpeedDistribution


class Stretch(NamedTuple):
    """The first consecutive intervals that fulfil a rule, and the value furthest beyond the threshold."""

    start_ms: int
    end_ms: int
    value: float


def lasting_ms(rule: AlertRule) -> int:
    """Return how long a rule must be fulfilled: at least one interval."""
    return max(rule.duration_s, rule.interval_s) * 1000


def settling_ms(rule: AlertRule) -> int:
    """Return how long after its end an interval counts as complete if no newer footage arrives."""
    return max(rule.interval_s * 1000, _SETTLED_MS)


def find_stretches(rule: AlertRule, values: Mapping[int, float], from_ms: int, to_ms: int) -> list[Stretch]:
    """Return the times in `[from_ms, to_ms)` at which a rule begins to be fulfilled for its duration.

    An interval without a value (not filmed, not measured) fulfils nothing. Whether a stretch begins at a
    time depends on the interval before it and on those of its duration, so a change of counts changes only
    nearby stretches.
    """
    bar_ms, all_ms = rule.interval_s * 1000, lasting_ms(rule)
    threshold = rule.threshold or 0.0

    def fulfils(start_ms: int) -> bool:
        value = values.get(start_ms)
        return value is not None and (value < threshold if rule.below else value >= threshold)

    stretches = []
    for start_ms in sorted(values):
        if not from_ms <= start_ms < to_ms or not fulfils(start_ms) or fulfils(start_ms - bar_ms):
            continue
        starts = range(start_ms, start_ms + all_ms, bar_ms)
        if all(map(fulfils, starts)):
            of_all = [values[time_ms] for time_ms in starts]
            stretches.append(Stretch(start_ms, start_ms + all_ms, min(of_all) if rule.below else max(of_all)))
    return stretches


def read_speeds(
    rule: AlertRule, ports: CountPorts, counts: Counted, sources: list[str], from_ms: int, to_ms: int
) -> dict[tuple[str, str], dict[int, float]]:
    """Return by source and label the V85 in km/h of each interval with a measured speed."""
    days = [keys.utc_day(day * DAY_MS) for day in days_of_span(from_ms, to_ms - 1)]
    bar_ms = rule.interval_s * 1000
    bins: defaultdict[tuple[str, str, int], Counter[int]] = defaultdict(Counter)
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
                name = flows.labels[label]
                if rule.labels and name not in rule.labels:
                    continue
                bins[source, name if rule.labels else "", at_ms - at_ms % bar_ms][speed] += 1
    speeds: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for (source, label, start_ms), visits in bins.items():
        value = SpeedDistribution(tuple(sorted(visits.items()))).p85_km_h
        if value is not None:
            speeds[source, label][start_ms] = value
    return dict(speeds)


Values = Mapping[tuple[str, str], Mapping[int, float]]
"""By source and label: the value of each interval that has one, by its start."""

_SETTLED_MS = 600_000
"""Without newer footage an interval is complete this long after its end, or after its own length, the
longer of the two: an alert on an interval that is still filling would need a correction."""
_WHOLE = 0.95
"""An interval that was filmed for less than this has few frames, not few objects."""
_DAYS_AT_ONCE = 31
_MOST_SOURCES = 100


def look(rule: AlertRule, ports: CountPorts, marks: Mapping[str, str]) -> Iterator[Looked]:
    """Yield a rule's findings in each range of days that have changed since the last check.

    Raises:
        Poison: The rule does not fit any counts.
        FrametallyError: As the index and the store do.
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
    around_ms = lasting_ms(rule)
    settled_ms = ports.now_ms - settling_ms(rule)
    for from_ms, to_ms in _ranges(sorted(changed_days)):
        yield from _of_range(
            rule, ports, counts, from_ms - around_ms, to_ms + rule.interval_s * 1000, settled_ms
        )
        # A day whose end may still be filling, or waits for the clock, is checked again.
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
    bar_ms, around_ms = rule.interval_s * 1000, lasting_ms(rule)
    from_ms = max(from_ms, rule.since_ms)
    from_ms += -from_ms % bar_ms
    sources = sources_of(rule, counted.sources)
    values = _read(rule, ports, counted, sources, from_ms - bar_ms, to_ms + around_ms)
    by_source: defaultdict[str, list[AlertFinding]] = defaultdict(list)
    until = {
        source: max(settled_ms, counted.sources[source].next_interval_ms - counted.base_interval_s * 1000)
        for source in sources
    }
    # Starts beyond that are neither reported nor withdrawn.
    ends = {source: max(from_ms, min(to_ms, end_ms - around_ms + 1)) for source, end_ms in until.items()}
    for (source, label), of_bars in values.items():
        by_source[source] += [
            AlertFinding(source, label, stretch.start_ms, stretch.end_ms, stretch.value)
            for stretch in find_stretches(rule, of_bars, from_ms, ends[source])
        ]
    for source in sources:
        yield Looked(by_source[source], Scope(from_ms, ends[source], (source,)))
    forgotten_sources = set(rule.sources) - counted.sources.keys()
    if forgotten_sources:  # all of their footage was forgotten
        yield Looked([], Scope(from_ms, to_ms, (*sorted(forgotten_sources),)))


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
    """Yield ranges of consecutive days, none of them too long."""
    first = None
    for number, day_ms in enumerate(days):
        first = day_ms if first is None else first
        follows = number + 1 < len(days) and days[number + 1] == day_ms + DAY_MS
        if not follows or day_ms - first >= (_DAYS_AT_ONCE - 1) * DAY_MS:
            yield first, day_ms + DAY_MS
            first = None


def _read(
    rule: AlertRule, ports: CountPorts, counts: Counted, sources: list[str], from_ms: int, to_ms: int
) -> Values:
    if rule.what == "speed":
        return read_speeds(rule, ports, counts, sources, from_ms, to_ms)
    series, names = _series(rule, counts.model), sources
    if rule.what == "crossings":
        ways = DIRECTIONS if rule.direction == "both" else (rule.direction,)
        names = [str(Place(source, "line", (rule.line, way))) for source in sources for way in ways]
    elif rule.zone:
        names = [str(Place(source, "zone", (rule.zone,))) for source in sources]
    values: dict[tuple[str, str], dict[int, float]] = {}
    unmeasured: set[tuple[str, str]] = set()
    for first in range(0, len(names), _MOST_SOURCES):
        part = names[first : first + _MOST_SOURCES]
        query = CountQuery(
            series,
            counts.base_interval_s,
            rule.interval_s,
            sources=part,
            labels=rule.labels,
            from_ms=from_ms,
            to_ms=to_ms,
            by_source=True,
            apart=None if rule.labels else (),
        )
        unmeasured |= _add(values, rule, ports.index, query)
    if rule.below and rule.what == "crossings":
        _leave_out_unfit(values, rule, ports, counts, unmeasured)
    if rule.below and (rule.what == "crossings" or rule.measure == "objects"):
        for first in range(0, len(sources), _MOST_SOURCES):
            part = sources[first : first + _MOST_SOURCES]
            of_sources = CountQuery(
                counts.model,
                counts.base_interval_s,
                rule.interval_s,
                sources=part,
                labels=rule.labels,
                from_ms=from_ms,
                to_ms=to_ms,
                by_source=True,
            )
            _leave_out_unknown(values, rule, ports.index.histogram(of_sources))
            if rule.what == "crossings":
                cut = [str(Place(source, "line", (rule.line, NOT_MEASURED))) for source in part]
                _leave_out_cut(
                    values, rule, ports.index.histogram(of_sources._replace(model=series, sources=cut))
                )
    return values


def _leave_out_unknown(
    values: Mapping[tuple[str, str], dict[int, float]], rule: AlertRule, histogram: Histogram
) -> None:
    """Drop the values of intervals in which objects of a source and label could not be followed.

    For a rule that waits for many, the number that was seen all the same is enough: it is the least.
    """
    unfollowed = {
        (interval.source, interval.start_ms)
        for interval in histogram.coverage
        if why_unknown("passages", Basis(interval.objects, slowest_fps=interval.slowest_fps))
    }
    unknown = {
        (bar.source, bar.label if rule.labels else "", bar.start_ms)
        for bar in histogram.buckets
        if why_unknown("passages", Basis(bar.objects, bar.detections, bar.tracked_detections))
    }
    for (source, label), of_bars in values.items():
        for start_ms in [*of_bars]:
            if (source, start_ms) in unfollowed or (source, label, start_ms) in unknown:
                del of_bars[start_ms]


def _leave_out_cut(
    values: Mapping[tuple[str, str], dict[int, float]], rule: AlertRule, histogram: Histogram
) -> None:
    """Drop the values of intervals that may reach the threshold with the crossings that were not measured."""
    cut: Counter[tuple[str, str, int]] = Counter()
    for bar in histogram.buckets:
        label = bar.label if rule.labels else ""
        cut[source_of(bar.source or ""), label, bar.start_ms] += bar.detections
    for (source, label, start_ms), number in cut.items():
        of_bars = values.get((source, label), {})
        if start_ms in of_bars and of_bars[start_ms] + number >= (rule.threshold or 0.0):
            del of_bars[start_ms]


def _leave_out_unfit(
    values: Mapping[tuple[str, str], dict[int, float]],
    rule: AlertRule,
    ports: CountPorts,
    counts: Counted,
    unmeasured: Iterable[tuple[str, str]],
) -> None:
    """Drop the values of intervals whose pictures the line does not fit; `unmeasured`: as of `_add`."""
    for source, day in sorted(unmeasured):
        own = [of_bars for (of_source, _), of_bars in values.items() if of_source == source]
        for flows in flows_for(ports.store, counts.model, counts.base_interval_s, source, [day]):
            for kind, name, from_ms, to_ms in flows.unfit:
                for of_bars in own if (kind, name) == ("line", rule.line) else ():
                    for start_ms in [*of_bars]:
                        if from_ms < start_ms + rule.interval_s * 1000 and to_ms > start_ms:
                            del of_bars[start_ms]


def _add(
    values: dict[tuple[str, str], dict[int, float]], rule: AlertRule, index: CountIndex, query: CountQuery
) -> set[tuple[str, str]]:
    """Add the values of one query: 0 where a filmed interval has none.

    Return the sources and UTC days of which some interval may not be known.
    """
    histogram = index.histogram(query)
    measure = (
        "peak" if rule.what == "occupancy" else "detections" if rule.what == "crossings" else rule.measure
    )
    labels = rule.labels or ("",)
    filmed: dict[tuple[str, int], bool] = {}
    unmeasured = set()
    blank_frames: Counter[tuple[str | None, int]] = Counter()
    for blank in histogram.blank:
        if blank.reason != NOT_LOOKED_AT:
            blank_frames[blank.source, blank.start_ms] += blank.frames
    for interval in histogram.coverage:
        if interval.objects is None:
            unmeasured.add((source_of(interval.source or ""), keys.utc_day(interval.start_ms)))
        analysed = interval.frames + blank_frames[interval.source, interval.start_ms]
        is_whole = interval.frames >= _WHOLE * analysed  # without tracking, frames alone tell
        if interval.covered_ms is not None:
            is_whole = interval.covered_ms >= _WHOLE * rule.interval_s * 1000
        is_measured = measure != "objects" or interval.objects is not None
        if is_measured and (is_whole or not rule.below):
            filmed[interval.source or "", interval.start_ms] = True
            for label in labels:
                of_bars = values.setdefault((source_of(interval.source or ""), label), {})
                of_bars.setdefault(interval.start_ms, 0.0)
    for bar in histogram.buckets:
        if (bar.source or "", bar.start_ms) not in filmed:
            continue
        of_bars = values.setdefault((source_of(bar.source or ""), bar.label), {})
        basis = Basis(bar.objects, bar.detections, bar.tracked_detections)
        if measure == "objects" and why_unknown("objects", basis):
            of_bars.pop(bar.start_ms, None)  # not measured: neither 0 nor the tracked value
        else:
            of_bars[bar.start_ms] = of_bars.get(bar.start_ms, 0.0) + getattr(bar, measure)
    return unmeasured
