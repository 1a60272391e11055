"""The sides of a comparison, and `/api/differences`: how far they differ by label, and where most."""

from __future__ import annotations

import bisect
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from frametally.actions.answers import answer_of
from frametally.actions.problems import bad_parameter
from frametally.ports.count_index import MAX_BUCKETS
from frametally.rules.differences import Pair, most_apart, pairs
from frametally.rules.known import Metric
from frametally_web.charts.answers import CountBucket, Counts, FramesAnalysed, OtherPeriod
from frametally_web.charts.counts import count, plan_chart
from frametally_web.charts.local_bars import PERIOD_NAMES
from frametally_web.charts.measures import Chart, only
from frametally_web.charts.question import Question
from frametally_web.charts.totals import all_together, known_part, metric_of
from frametally_web.compare import answers
from frametally_web.requests.query import ChartQuery


class OtherSide(NamedTuple):
    """The other side of a comparison: its query, its name, and the period that maps times to it."""

    query: ChartQuery
    name: str
    period: OtherPeriod | None

    def beside_ms(self, ms: int) -> int | None:
        """Return the time there that corresponds to one here; None if clocks there did not show it."""
        if self.period is None:
            return ms
        shift = next(
            (shift for shift in reversed(self.period.shifts) if shift.from_ms <= ms), self.period.shifts[0]
        )
        return None if shift.earlier_ms is None else ms - shift.earlier_ms


def bar_at(bars: Sequence[tuple[int, int]], at_ms: int | None) -> tuple[int, int] | None:
    """Return the bar that contains a time, from bars in order: both sides may begin differently."""
    if at_ms is None:
        return None
    index = bisect.bisect_right(bars, at_ms, key=lambda bar: bar[0]) - 1
    return bars[index] if index >= 0 and at_ms < bars[index][1] else None


def other_side(counts: Counts, query: ChartQuery, compare: str) -> OtherSide:
    """Return the side to compare with an answer to `query`.

    Raises:
        Problem: 400 if they cannot be compared.
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
            f"The range is too long to compare with {PERIOD_NAMES[compare]}.",
            remedy="Choose a shorter range, or compare=previous.",
        )
    if period is not None:
        selection = selection._replace(from_ms=period.from_ms, to_ms=period.to_ms)
    return OtherSide(own_query._replace(selection=selection), PERIOD_NAMES[compare], period)


_Bar = tuple[str | None, int]
"""A source (None for all together), and the start of a bar on this side."""


class _Value(NamedTuple):
    """The metric of a label in a bar, or None if unknown."""

    value: float | None


def find_differences(question: Question, compare: str, *, limit: int) -> answers.Differences:
    """Return how far two sides differ where both have footage, and the `limit` bars that differ most.

    Sources are compared one by one, unless the other side is a source.

    Raises:
        Problem: 400 by the rules of `counts.count` and `other_side`, or if there are more bars than a file
            may have rows.
    """
    counts = count(question.together)
    query = question.query._replace(by_source=not compare.startswith("source:"), top=None)
    side = other_side(counts, query, compare)
    selection = query.selection._replace(model=counts.model, from_ms=counts.from_ms, to_ms=counts.to_ms)
    own_chart = _read(question.other(query._replace(selection=selection, interval_s=counts.interval_s)))
    other_chart = _read(question.other(side.query))
    paired = pair_charts(own_chart, other_chart, side, counts.metric)
    a, b, common_bars, beside = paired
    compared = sorted(pairs(a, b), key=lambda pair: (pair.bar[1], pair.bar[0] or "", pair.label))
    differing = most_apart(compared, ["value"])
    labels = [
        _label(label, a, b, common_bars) for label in sorted({label for _, label in (*a.counts, *b.counts)})
    ]
    return answer_of(
        answers.Differences,
        (counts,),
        base_interval_s=own_chart.base_interval_s or None,
        other_name=side.name,
        other_model=side.query.selection.model,
        other_base_interval_s=other_chart.base_interval_s or None,
        other_from_ms=side.query.selection.from_ms,
        other_to_ms=side.query.selection.to_ms,
        seen_by_both=len(common_bars),
        only_here=len(own_chart.coverage) - len(common_bars),
        only_there=len(other_chart.coverage)
        - len({(source, beside[start_ms]) for source, start_ms in common_bars}),
        frames=sum(a.coverage[bar].frames for bar in common_bars),
        other_frames=sum(b.coverage[bar].frames for bar in common_bars),
        total=paired.total,
        labels=sorted(labels, key=_apart, reverse=True),
        compared=len(compared),
        differing=len(differing),
        most=[_bar(pair, a, b) for pair in differing[:limit]],
    )


class _Side:
    """A side of `rules.differences`; its bars are named by the corresponding bars of this side."""

    def __init__(self, chart: Chart, metric: Metric, own_starts: Mapping[int, int]) -> None:
        """Take the chart's bars in `own_starts`, which maps starts on this side to starts in the chart."""
        self._chart = chart
        self._metric = metric
        covered = {(coverage.source, coverage.start_ms): coverage for coverage in chart.coverage}
        sources = {source for source, _ in covered}
        self.coverage: dict[_Bar, FramesAnalysed] = {
            (source, here_ms): covered[source, own_ms]
            for here_ms, own_ms in own_starts.items()
            for source in sources
            if (source, own_ms) in covered
        }
        by_own: dict[tuple[str | None, int], list[CountBucket]] = defaultdict(list)
        for bucket in chart.buckets:
            by_own[bucket.source, bucket.start_ms].append(bucket)
        self.counts: dict[tuple[_Bar, str], CountBucket] = {}
        self._of_label: dict[str, dict[_Bar, CountBucket]] = defaultdict(dict)
        for bar, coverage in self.coverage.items():
            for bucket in by_own[coverage.source, coverage.start_ms]:
                label = bucket.label or ""
                self.counts[bar, label] = self._of_label[label][bar] = bucket

    def measured(self, bar: _Bar, label: str) -> _Value:
        """Return the count of a label in a bar with footage."""
        bucket = self.counts.get((bar, label))
        if bucket is not None:
            return _Value(metric_of(bucket, self._metric))
        is_unknown = self._metric == "objects" and self.coverage[bar].objects_missing is not None
        return _Value(None if is_unknown else 0)

    def sum_of(self, label: str | None, bars: Collection[_Bar]) -> tuple[float | None, float | None]:
        """Return the metric of a label (None for all together) in some bars, and its known part."""
        if not bars:
            return None, None
        of_labels = [*self._of_label.values()] if label is None else [self._of_label[label]]
        part = self._chart._replace(
            buckets=[value for by_bar in of_labels for bar, value in by_bar.items() if bar in bars],
            coverage=[self.coverage[bar] for bar in bars],
            of_sources=only(self._chart.of_sources, {self.coverage[bar].start_ms for bar in bars}, label),
        )
        together = all_together(part)
        return metric_of(together, self._metric), known_part(together, self._metric)


class Paired(NamedTuple):
    """Two charts: their sides, the bars per source that both have, and the other starts by own start."""

    own: _Side
    other: _Side
    common_bars: set[_Bar]
    beside: Mapping[int, int]

    @property
    def total(self) -> answers.LabelDifference:
        """All labels together, over the same sources at the same hours on both sides."""
        return _label(None, self.own, self.other, self.common_bars)


def pair_charts(own_chart: Chart, other_chart: Chart, side: OtherSide, metric: Metric) -> Paired:
    """Return two charts, with separate sources, paired by corresponding bars."""
    beside = _starts_beside(own_chart, other_chart, side)
    own = _Side(own_chart, metric, {start: start for start in beside})
    other = _Side(other_chart, metric, beside)
    return Paired(own, other, {*own.coverage} & {*other.coverage}, beside)


def _read(question: Question) -> Chart:
    if question.is_waiting:
        return Chart(0, [], [])
    labels = question.selection.labels or question.index.labels(question.model)
    plan = plan_chart(question, series=len(labels), most_rows=MAX_BUCKETS)
    if not plan:
        return Chart(0, [], [])
    by_source = question.query.by_source
    chart = plan.reader.bars(plan.interval_s, by_source=by_source)
    return plan.reader.with_measured(chart, plan.interval_s, by_source=by_source)[0]


def _starts_beside(own_chart: Chart, other_chart: Chart, side: OtherSide) -> dict[int, int]:
    """Return the start of the corresponding bar by the start of a bar of this side; some have none."""
    bars = sorted({(coverage.start_ms, coverage.end_ms) for coverage in other_chart.coverage})
    starts = {}
    for start_ms in {coverage.start_ms for coverage in own_chart.coverage}:
        bar = bar_at(bars, side.beside_ms(start_ms))
        if bar is not None:
            starts[start_ms] = bar[0]
    return starts


def _label(label: str | None, a: _Side, b: _Side, bars: Collection[_Bar]) -> answers.LabelDifference:
    (value, least), (other_value, other_least) = a.sum_of(label, bars), b.sum_of(label, bars)
    return answers.LabelDifference(
        label=label,
        value=value,
        at_least=None if value is not None else least,
        other_value=other_value,
        other_at_least=None if other_value is not None else other_least,
        difference=None if value is None or other_value is None else value - other_value,
        change=None if value is None or not other_value else value / other_value - 1,
    )


def _apart(difference: answers.LabelDifference) -> float:
    return abs(difference.difference or 0)


def _bar(pair: Pair[_Bar, _Value], a: _Side, b: _Side) -> answers.BarDifference:
    own_coverage, other_coverage = a.coverage[pair.bar], b.coverage[pair.bar]
    return answers.BarDifference(
        source=own_coverage.source,
        label=pair.label,
        start_ms=own_coverage.start_ms,
        end_ms=own_coverage.end_ms,
        value=pair.a.value or 0,
        frames=own_coverage.frames,
        other_start_ms=other_coverage.start_ms,
        other_end_ms=other_coverage.end_ms,
        other_value=pair.b.value or 0,
        other_frames=other_coverage.frames,
        difference=(pair.a.value or 0) - (pair.b.value or 0),
    )
