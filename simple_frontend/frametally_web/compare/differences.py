"""The answer of `/api/differences`: how far two sides are apart, by label, and in which bars most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import NamedTuple

from frametally.ports.count_index import CountIndex
from frametally.rules.differences import Pair, most_apart, pairs
from frametally.settings.loading import Settings
from frametally_web.charts.answers import CountBucket, FramesAnalysed
from frametally_web.charts.beside import OtherSide, bar_at, other_side
from frametally_web.charts.counts import count, plan_chart
from frametally_web.charts.measures import Chart, all_together, metric_of
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.scope import choose_model
from frametally_web.compare import answers
from frametally_web.requests.query import ChartQuery, Metric

_Bar = tuple[str | None, int]
"""A source (None: all together), and when a bar of this side begins."""


class _Value(NamedTuple):
    """The metric of a label in a bar; None where it is not known."""

    value: float | None


def find_differences(
    index: CountIndex,
    settings: Settings,
    media: MediaTimes,
    query: ChartQuery,
    compare: str,
    *,
    limit: int,
) -> answers.Differences:
    """Return how far two sides are apart in what both have seen, and the `limit` bars that are so most.

    Sources are compared one by one, but where a source is what the others are compared with.

    Raises:
        Problem: 400, by the rules of `counts.count` and `other_side`, or if there are more bars than a file
            may have rows.
    """
    found = count(
        index,
        settings,
        media,
        query._replace(by_source=False, top=0),
        most_rows=settings.web_max_buckets,
    )
    query = query._replace(by_source=not compare.startswith("source:"), top=None)
    other = other_side(found, query, compare)
    selection = query.selection._replace(model=found.model, from_ms=found.from_ms, to_ms=found.to_ms)
    here = _read(index, settings, query._replace(selection=selection, interval_s=found.interval_s))
    there = _read(index, settings, other.query)
    beside = _starts_beside(here, there, other)
    a, b = _Side(here, found.metric, {start: start for start in beside}), _Side(there, found.metric, beside)
    both = {*a.seen} & {*b.seen}
    compared = sorted(pairs(a, b), key=lambda one: (one.bar[1], one.bar[0] or "", one.label))
    differing = most_apart(compared, ["value"])
    labels = [_label(one, a, b, both) for one in sorted({label for _, label in (*a.found, *b.found)})]
    return answers.Differences(
        model=found.model,
        base_interval_s=here.base_interval_s or None,
        interval_s=found.interval_s,
        timezone=found.timezone,
        metric=found.metric,
        from_ms=found.from_ms,
        to_ms=found.to_ms,
        other_name=other.name,
        other_model=other.query.selection.model,
        other_base_interval_s=there.base_interval_s or None,
        other_from_ms=other.query.selection.from_ms,
        other_to_ms=other.query.selection.to_ms,
        seen_by_both=len(both),
        only_here=len(here.coverage) - len(both),
        only_there=len(there.coverage) - len({(source, beside[start_ms]) for source, start_ms in both}),
        frames=sum(a.seen[bar].frames for bar in both),
        other_frames=sum(b.seen[bar].frames for bar in both),
        total=_label(None, a, b, both),
        labels=sorted(labels, key=_apart, reverse=True),
        compared=len(compared),
        differing=len(differing),
        most=[_bar(one, a, b) for one in differing[:limit]],
    )


class _Side:
    """A side of `rules.differences`; its bars are named by those of this side that they lie beside."""

    def __init__(self, chart: Chart, metric: Metric, own_starts: Mapping[int, int]) -> None:
        """Take what a chart has of the bars that `own_starts` has, by when each begins on this side."""
        self._chart = chart
        self._metric = metric
        covered = {(one.source, one.start_ms): one for one in chart.coverage}
        sources = {source for source, _ in covered}
        self.seen: dict[_Bar, FramesAnalysed] = {
            (source, here_ms): covered[source, own_ms]
            for here_ms, own_ms in own_starts.items()
            for source in sources
            if (source, own_ms) in covered
        }
        by_own: dict[tuple[str | None, int], list[CountBucket]] = defaultdict(list)
        for one in chart.buckets:
            by_own[one.source, one.start_ms].append(one)
        self.found: dict[tuple[_Bar, str], CountBucket] = {}
        self._of_label: dict[str, dict[_Bar, CountBucket]] = defaultdict(dict)
        for bar, seen in self.seen.items():
            for one in by_own[seen.source, seen.start_ms]:
                label = one.label or ""
                self.found[bar, label] = self._of_label[label][bar] = one

    def measured(self, bar: _Bar, label: str) -> _Value:
        """Return what was found of a label in a bar that was seen."""
        bucket = self.found.get((bar, label))
        if bucket is not None:
            return _Value(metric_of(bucket, self._metric))
        is_unknown = self._metric == "objects" and self.seen[bar].objects_missing is not None
        return _Value(None if is_unknown else 0)

    def sum_of(self, label: str | None, bars: Collection[_Bar]) -> float | None:
        """Return the metric of a label (None: of all together) in some bars; None where there are none."""
        if not bars:
            return None
        of_labels = [*self._of_label.values()] if label is None else [self._of_label[label]]
        part = self._chart._replace(
            buckets=[one for found in of_labels for bar, one in found.items() if bar in bars],
            coverage=[self.seen[bar] for bar in bars],
        )
        return metric_of(all_together(part), self._metric)


def _read(index: CountIndex, settings: Settings, query: ChartQuery) -> Chart:
    choice = choose_model(index, query.selection.model)
    labels = query.selection.labels or (index.labels(choice.model) if choice else [])
    plan = choice and plan_chart(
        index, settings, None, choice, query, series=len(labels), most_rows=settings.web_max_export_rows
    )
    if not plan:
        return Chart(0, [], [])
    return plan.reader.bars(plan.interval_s, by_source=query.by_source)


def _starts_beside(here: Chart, there: Chart, other: OtherSide) -> dict[int, int]:
    """Return, by when a bar of this side begins, when the one beside it does; some have none."""
    bars = sorted({(one.start_ms, one.end_ms) for one in there.coverage})
    found = {}
    for start_ms in {one.start_ms for one in here.coverage}:
        bar = bar_at(bars, other.beside_ms(start_ms))
        if bar is not None:
            found[start_ms] = bar[0]
    return found


def _label(label: str | None, a: _Side, b: _Side, bars: Collection[_Bar]) -> answers.LabelDifference:
    return answers.LabelDifference(
        label=label, value=a.sum_of(label, bars), other_value=b.sum_of(label, bars)
    )


def _apart(one: answers.LabelDifference) -> float:
    return abs((one.value or 0) - (one.other_value or 0))


def _bar(one: Pair[_Bar, _Value], a: _Side, b: _Side) -> answers.BarDifference:
    here, there = a.seen[one.bar], b.seen[one.bar]
    return answers.BarDifference(
        source=here.source,
        label=one.label,
        start_ms=here.start_ms,
        end_ms=here.end_ms,
        value=one.a.value or 0,
        frames=here.frames,
        other_start_ms=there.start_ms,
        other_end_ms=there.end_ms,
        other_value=one.b.value or 0,
        other_frames=there.frames,
    )
