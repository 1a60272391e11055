"""Rules over the values of intervals: counts, crossings, occupancy, speed; days that changed are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from frametally.ports.count_index import CountIndex, CountQuery
from frametally.rules.objects import why_unknown
from frametally.rules.places import FLOWS, ZONES, Place, series_model, source_of
from frametally.rules.times import DAY_MS
from frametally_alerts.conditions.round_input import Counted, Looked, RoundPorts, counted_for, wanted
from frametally_alerts.conditions.speed_percentile import read_speeds
from frametally_alerts.conditions.threshold_spans import find_stretches, lasting_ms
from frametally_alerts.rules import AlertFinding, AlertRule, Scope
from frametally_traffic.flows.day_columns import DIRECTIONS

Values = Mapping[tuple[str, str], Mapping[int, float]]
"""By source and label: the value of each interval that has one, by its start."""

_SETTLED_MS = 600_000
"""With no newer footage an interval is whole so long after its end, or as long as it lasts, whichever is
longer: what is told of one that still fills up would have to be corrected."""
_WHOLE = 0.95
"""An interval of which less was filmed has not few of anything: it has few frames."""
_DAYS_AT_ONCE = 31


def look(rule: AlertRule, ports: RoundPorts, marks: Mapping[str, str]) -> Iterator[Looked]:
    """Yield what a rule finds in each range of days that have changed since it was looked at last.

    Raises:
        Poison: The rule fits no counts.
        FrametallyError: As the index and the store do.
    """
    counted = counted_for(rule, ports.index)
    if counted is None:
        return
    model = _series(rule, counted.model)
    days = _days(ports.index, (counted.model, model), counted.base_interval_s)
    prefix = f"{counted.model} {counted.base_interval_s} "
    noted = {int(name): mark for name, mark in marks.items() if mark.startswith(prefix)}
    first_ms = rule.since_ms - rule.since_ms % DAY_MS
    changed = {
        day_ms: prefix + days.get(day_ms, "")
        for day_ms in days.keys() | noted.keys()
        if day_ms >= first_ms and noted.get(day_ms) != prefix + days.get(day_ms, "")
    }
    around_ms = lasting_ms(rule)
    settled_ms = ports.now_ms - max(rule.interval_s * 1000, _SETTLED_MS)
    for from_ms, to_ms in _ranges(sorted(changed)):
        yield from _of_range(
            rule, ports, counted, from_ms - around_ms, to_ms + rule.interval_s * 1000, settled_ms
        )
        # A day whose end may still fill up, or wait for the clock, is looked at again.
        of_range = {day_ms: mark for day_ms, mark in changed.items() if from_ms <= day_ms < to_ms}
        yield Looked(
            [],
            marks={
                str(day_ms): mark if day_ms in days else None
                for day_ms, mark in of_range.items()
                if day_ms + DAY_MS + around_ms <= settled_ms or day_ms not in days
            },
        )


def _of_range(
    rule: AlertRule, ports: RoundPorts, counted: Counted, from_ms: int, to_ms: int, settled_ms: int
) -> Iterator[Looked]:
    bar_ms, around_ms = rule.interval_s * 1000, lasting_ms(rule)
    from_ms = max(from_ms, rule.since_ms)
    from_ms += -from_ms % bar_ms
    sources = wanted(rule, counted.sources)
    values = _read(rule, ports, counted, sources, from_ms - bar_ms, to_ms + around_ms)
    by_source: defaultdict[str, list[AlertFinding]] = defaultdict(list)
    until = {
        source: max(settled_ms, counted.sources[source].next_interval_ms - counted.base_interval_s * 1000)
        for source in sources
    }
    # Of starts beyond that, nothing is told and nothing is taken back.
    ends = {source: max(from_ms, min(to_ms, end_ms - around_ms + 1)) for source, end_ms in until.items()}
    for (source, label), of_bars in values.items():
        by_source[source] += [
            AlertFinding(source, label, stretch.start_ms, stretch.end_ms, stretch.value)
            for stretch in find_stretches(rule, of_bars, from_ms, ends[source])
        ]
    for source in sources:
        yield Looked(by_source[source], Scope(from_ms, ends[source], (source,)))
    gone = set(rule.sources) - counted.sources.keys()
    if gone:  # all of it was forgotten
        yield Looked([], Scope(from_ms, to_ms, (*sorted(gone),)))


def _series(rule: AlertRule, model: str) -> str:
    if rule.what in ("crossings", "speed"):
        return series_model(model, FLOWS)
    return series_model(model, ZONES) if rule.zone else model


def _days(index: CountIndex, models: tuple[str, ...], base_s: int) -> dict[int, str]:
    """Return a mark of each day's counts: another where any of these series has other ones."""
    found: dict[int, str] = {}
    for model in dict.fromkeys(models):
        for day in index.counted_days(model):
            if day.base_interval_s == base_s:
                found[day.day_ms] = f"{found.get(day.day_ms, '')} {day.published}".strip()
    return found


def _ranges(days: list[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges of days that follow each other, none of too many."""
    first = None
    for number, day_ms in enumerate(days):
        first = day_ms if first is None else first
        follows = number + 1 < len(days) and days[number + 1] == day_ms + DAY_MS
        if not follows or day_ms - first >= (_DAYS_AT_ONCE - 1) * DAY_MS:
            yield first, day_ms + DAY_MS
            first = None


def _read(
    rule: AlertRule, ports: RoundPorts, counted: Counted, sources: list[str], from_ms: int, to_ms: int
) -> Values:
    if rule.what == "speed":
        return read_speeds(rule, ports, counted, sources, from_ms, to_ms)
    series, names = _series(rule, counted.model), sources
    if rule.what == "crossings":
        ways = DIRECTIONS if rule.direction == "both" else (rule.direction,)
        names = [str(Place(source, "line", (rule.line, way))) for source in sources for way in ways]
    elif rule.zone:
        names = [str(Place(source, "zone", (rule.zone,))) for source in sources]
    found: dict[tuple[str, str], dict[int, float]] = {}
    for first in range(0, len(names), _MOST_SOURCES):
        part = names[first : first + _MOST_SOURCES]
        query = CountQuery(
            series,
            counted.base_interval_s,
            rule.interval_s,
            sources=part,
            labels=rule.labels,
            from_ms=from_ms,
            to_ms=to_ms,
            by_source=True,
            apart=None if rule.labels else (),
        )
        _add(found, rule, ports.index, query)
    return found


_MOST_SOURCES = 100


def _add(
    found: dict[tuple[str, str], dict[int, float]], rule: AlertRule, index: CountIndex, query: CountQuery
) -> None:
    """Add the values of one query: 0 where nothing was seen in an interval that was filmed."""
    histogram = index.histogram(query)
    measure = (
        "peak" if rule.what == "occupancy" else "detections" if rule.what == "crossings" else rule.measure
    )
    labels = rule.labels or ("",)
    filmed: dict[tuple[str, int], bool] = {}
    for one in histogram.coverage:
        is_whole = one.covered_ms is None or one.covered_ms >= _WHOLE * rule.interval_s * 1000
        is_measured = measure != "objects" or one.objects is not None
        if is_measured and (is_whole or not rule.below):
            filmed[one.source or "", one.start_ms] = True
            for label in labels:
                of_bars = found.setdefault((source_of(one.source or ""), label), {})
                of_bars.setdefault(one.start_ms, 0.0)
    for bar in histogram.buckets:
        if (bar.source or "", bar.start_ms) not in filmed:
            continue
        of_bars = found.setdefault((source_of(bar.source or ""), bar.label), {})
        if measure == "objects" and why_unknown(bar.objects, bar.detections, bar.tracked_detections, None):
            of_bars.pop(bar.start_ms, None)  # not measured, which is neither 0 nor what was followed
        else:
            of_bars[bar.start_ms] = of_bars.get(bar.start_ms, 0.0) + getattr(bar, measure)
