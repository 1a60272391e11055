"""The answer of `/api/summary`: totals, the busiest time, the footage, and earlier weeks."""

from __future__ import annotations

import datetime
import math
from collections import Counter, defaultdict
from collections.abc import Iterable

from frametally.actions.answers import nothing
from frametally.actions.problems import Problem
from frametally.ports.count_index import MAX_BUCKETS
from frametally.rules.blank_stretches import BlankReason
from frametally.rules.known import Metric
from frametally.rules.times import FIRST_MS, WEEK_MS, WEEK_S, local_time
from frametally_web.charts import answers
from frametally_web.charts.checked_counts import total_with_interval
from frametally_web.charts.counts import Plan, add_filmed, add_measured, plan_chart
from frametally_web.charts.local_bars import weeks_earlier
from frametally_web.charts.measures import Chart, Reader
from frametally_web.charts.question import Question
from frametally_web.charts.totals import (
    Totals,
    all_together,
    explain_absence,
    known_metric,
    known_part,
    metric_of,
    sum_of,
    sum_up,
)
from frametally_web.compare.differences import OtherSide, pair_charts
from frametally_web.requests.query import ChartQuery

_MOST_BUSY = 10
_CLOCK_CHANGE = datetime.timedelta(hours=2)


def summarise(question: Question) -> answers.Summary:
    """Return the totals of a chart, all labels and sources together.

    Raises:
        Problem: 400 if the interval is not valid.
    """
    query, selection = question.query, question.selection
    plan = plan_chart(question.together, series=1)
    if plan is None:
        return _nothing(question.model or None, query)
    question, reader, interval_s = plan.question, plan.reader, plan.interval_s
    chart = reader.bars(interval_s, apart=())
    metric = known_metric(query.metric, chart)
    of_labels = sum_up(reader.whole(), selection.labels)
    totals: Totals = {None: [sum_of(of_labels, of_labels, chart)]}
    measured = add_measured(reader, interval_s, chart, totals, by_source=False, apart=())
    chart, [filmed] = add_filmed(measured.chart, question, by_source=False)
    summary = answers.Summary(
        model=question.model or None,
        base_interval_s=chart.base_interval_s,
        interval_s=interval_s,
        timezone=selection.zone.name,
        metric=metric,
        from_ms=question.from_ms,
        to_ms=question.to_ms,
        asked_s=filmed.asked_s,
        frames=chart.frames,
        filmed=filmed,
        filmed_s=filmed.filmed_s,
        shows_nothing=_nothing_shown(chart.blank.intervals),
        filmed_in=answers.OfSources(sources=filmed.sources, of_sources=len(reader.filmed())),
        sources=question.sources,
        total=explain_absence(measured.totals[None], chart, question.unanalysed)[0],
        objects_measured_in=measured.objects_measured_in,
        busiest=_busiest(chart, metric),
        peak=_peak(reader, chart),
        week_before=_week_before(plan, metric),
        frames_per_bar=_frames_per_bar(chart, plan),
    )
    return total_with_interval(question, summary)


def _busiest(chart: Chart, metric: Metric) -> list[answers.BusyInterval]:
    bars = {bucket.start_ms: bucket for bucket in chart.buckets}
    values = {start_ms: known_part(bar, metric) or 0 for start_ms, bar in bars.items()}
    from_start = {
        start_ms: bar.objects_from_start if metric == "objects" else None for start_ms, bar in bars.items()
    }
    arrived = {start_ms: value - (from_start[start_ms] or 0) for start_ms, value in values.items()}
    most = sorted(
        (bar for bar in chart.coverage if arrived.get(bar.start_ms)),
        key=lambda bar: (-arrived[bar.start_ms], bar.start_ms),
    )[:_MOST_BUSY]
    return [
        answers.BusyInterval(
            start_ms=bar.start_ms,
            end_ms=bar.end_ms,
            value=values[bar.start_ms],
            objects_from_start=from_start[bar.start_ms],
            is_least=metric_of(bars[bar.start_ms], metric) is None,
            frames=bar.frames,
            asked_s=bar.asked_s,
            filmed_part=bar.filmed_part,
        )
        for bar in most
    ]


def _peak(reader: Reader, chart: Chart) -> answers.PeakFrame | None:
    """Return the frame with the most boxes of one label, the first if several are equal."""
    best = min(
        reader.evidence(),
        key=lambda item: (-item.evidence.count, item.evidence.captured_at_ms, item.evidence.image_path),
        default=None,
    )
    if best is None:
        return None
    at_ms = best.evidence.captured_at_ms
    bar = next((bucket for bucket in chart.coverage if bucket.start_ms <= at_ms < bucket.end_ms), None)
    if bar is None:
        return None
    return answers.PeakFrame(
        label=best.label,
        source=best.source,
        count=best.evidence.count,
        captured_at_ms=at_ms,
        start_ms=bar.start_ms,
        end_ms=bar.end_ms,
        image_path=best.evidence.image_path,
    )


def _frames_per_bar(chart: Chart, plan: Plan) -> answers.FramesPerBar | None:
    question = plan.question
    frames = [
        bucket.frames
        for bucket in chart.coverage
        if bucket.start_ms >= question.from_ms
        and bucket.end_ms <= question.to_ms  # the range may truncate the others
    ]
    return answers.FramesPerBar(least=min(frames), most=max(frames)) if frames else None


def _week_before(plan: Plan, metric: Metric) -> answers.WeekBefore | None:
    """Return the same stretch of local time, the fewest whole weeks earlier without an overlap."""
    query, selection = plan.question.query, plan.question.selection
    zone, from_ms, to_ms = selection.zone.tzinfo, plan.question.from_ms, plan.question.to_ms
    # A week in which the clocks change is compared with the previous one, as in the comparison's table.
    length = _wall(to_ms, zone) - _wall(from_ms, zone) - _CLOCK_CHANGE
    weeks = max(-(-length // datetime.timedelta(weeks=1)), 1)
    if from_ms - weeks * WEEK_MS < FIRST_MS:
        return None
    period = weeks_earlier(from_ms, to_ms, weeks, zone)
    then_query = query._replace(
        selection=selection._replace(from_ms=period.from_ms, to_ms=period.to_ms),
        by_source=True,
        # Both have bars that begin at the same local times.
        interval_s=math.gcd(plan.interval_s, WEEK_S),
    )
    try:
        then_plan = plan_chart(plan.question.other(then_query), series=1, most_rows=MAX_BUCKETS)
    except Problem:  # the earlier counts have other stored intervals
        return None
    earlier = then_plan.reader.bars(then_plan.interval_s, apart=(), by_source=True) if then_plan else None
    if then_plan is None or earlier is None or not earlier.coverage:
        return None
    now = plan.reader.bars(then_plan.interval_s, apart=(), by_source=True)
    paired = pair_charts(now, earlier, OtherSide(then_query, period.name, period), metric)
    bars = paired.common_bars
    sources = {part.source for part in now.coverage}
    return answers.WeekBefore(
        from_ms=period.from_ms,
        to_ms=period.to_ms,
        value=metric_of(all_together(earlier), metric),
        value_same_hours=paired.total.other_value,
        now_same_hours=paired.total.value,
        change=paired.total.change,
        same_hours=len(bars) / len(now.coverage) if now.coverage else 0.0,
        intervals=len(bars),
        of_intervals=len(now.coverage),
        compared_in=answers.OfSources(sources=len({source for source, _ in bars}), of_sources=len(sources)),
    )


def _wall(ms: int, zone: datetime.tzinfo) -> datetime.datetime:
    """Return the local clock time."""
    return local_time(ms, zone).replace(tzinfo=None)


def _nothing(model: str | None, query: ChartQuery) -> answers.Summary:
    selection = query.selection
    return nothing(
        answers.Summary,
        model=model,
        timezone=selection.zone.name,
        metric=known_metric(query.metric, Chart(0, [], [])),
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        asked_s=0,
        filmed=answers.Filmed(source=None, filmed_s=0, asked_s=0, sources=0, part=None),
        filmed_s=0,
        shows_nothing=[],
        filmed_in=answers.OfSources(sources=0, of_sources=0),
        sources=selection.sources,
        total=nothing(answers.Total, objects_missing="no_footage"),
    )


def _nothing_shown(intervals: Iterable[answers.ShowsNothing]) -> list[answers.NothingShown]:
    """Return the footage of a range that shows nothing, by reason."""
    frames: Counter[BlankReason] = Counter()
    covered_s: defaultdict[BlankReason, float] = defaultdict(float)
    for interval in intervals:
        frames[interval.reason] += interval.frames
        covered_s[interval.reason] += interval.covered_s
    return [
        answers.NothingShown(reason=reason, frames=frames[reason], covered_s=covered_s[reason])
        for reason in sorted(frames)
    ]
