"""The answer of `/api/counts`: the length of bars, their values, and where objects are unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from frametally.actions.answers import nothing
from frametally.actions.problems import bad_parameter
from frametally.books.counted_days import SettingsByDay
from frametally.rules.known import NOT_MEASURED, Metric, Missing
from frametally.settings.loading import Settings
from frametally_web.charts import answers
from frametally_web.charts.checked_counts import with_intervals
from frametally_web.charts.local_bars import (
    SECOND_S,
    bar_choices,
    bar_count,
    bars_not_analysed,
    base_of,
    default_intervals,
    other_periods,
    touches,
)
from frametally_web.charts.measures import Chart, Reader, all_labels_in, measured_part, sources_with_film
from frametally_web.charts.question import Question, checks_version
from frametally_web.charts.totals import (
    Totals,
    all_labels,
    by_metric,
    explain_absence,
    known_metric,
    sum_of,
    sum_up,
)
from frametally_web.requests.answers import TimeRange
from frametally_web.requests.query import ChartQuery

MOST_BARS = 20_000
"""Bars in one answer: intervals times series, which are labels, or those of `top`."""
_MOST_OVERLAPS = 500
_ALL_DAY, _DAYS = "00:00-24:00", 7

_RangeT = TypeVar("_RangeT", answers.FileTime, answers.OverlappingMedia)


class Plan(NamedTuple):
    """How a chart is read: its question, the length of its bars and possible lengths, and the reader."""

    question: Question
    interval_s: int
    interval_choices_s: list[int]
    reader: Reader


class _Series(NamedTuple):
    """The bars of a chart, in the order of its labels.

    Attributes:
        chart: The bars.
        totals: By label; under None those of the labels in `rest` together.
        metric: The metric of the order.
        labels: Labels with separate bars.
        rest: Labels whose bars are together.
        rest_totals: Their totals.
        apart: The labels that were read separately; None for all.
    """

    chart: Chart
    totals: Totals
    metric: Metric
    labels: list[str]
    rest: list[str]
    rest_totals: list[answers.Total]
    apart: list[str] | None


def count(question: Question, *, most_rows: int | None = None) -> answers.Counts:
    """Return the counts per interval and label; intervals times labels (and sources) are at most `most_rows`.

    The default of `most_rows` is `MOST_BARS`.

    Raises:
        Problem: 400 if the interval is not valid, or there would be too many bars.
    """
    query, selection, index = question.query, question.selection, question.index
    label_count = len(selection.labels or (index.labels(question.model) if question.model else ()))
    series = label_count if query.top is None else min(label_count, query.top + 1)
    plan = plan_chart(question, series=series, most_rows=most_rows)
    if plan is None:
        return nothing_counted(question.model or None, query)
    question, interval_s, reader = plan.question, plan.interval_s, plan.reader
    read = _series(plan)
    apart, by_source = read.apart, query.by_source
    chart, totals, together, measured_in = add_measured(
        reader, interval_s, read.chart, read.totals, by_source=by_source, apart=apart
    )
    rest_totals = read.rest_totals
    if measured_in and measured_in.sources and rest_totals:
        measured = sum_up(reader.whole(measured_only=True), read.rest)
        rest_totals = [add_measured_objects([total], measured[total.label])[0] for total in rest_totals]
    chart, filmed = add_filmed(chart, question, by_source=by_source)
    unanalysed, zone = question.unanalysed, selection.zone
    in_order = [total for label in (*read.labels, None) for total in totals.get(label, ())]
    in_order, rest_totals, together = (
        explain_absence(part, chart, unanalysed) for part in (in_order, rest_totals, together)
    )
    sources, from_ms, to_ms = question.sources, question.from_ms, question.to_ms
    overlaps = _of_chosen(question.media.overlaps(sources, from_ms, to_ms), question)
    answer = answers.Counts(
        model=question.model or None,
        base_interval_s=chart.base_interval_s,
        seconds_missing=question.seconds.missing if question.seconds else None,
        interval_s=interval_s,
        timezone=zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        asked=None
        if question.chosen is None
        else [TimeRange(from_ms=from_ms, to_ms=to_ms) for from_ms, to_ms in question.chosen],
        metric=read.metric,
        interval_choices_s=plan.interval_choices_s,
        from_ms=from_ms,
        to_ms=to_ms,
        frames=chart.frames,
        sources=sources,
        labels=read.labels,
        rest=read.rest,
        buckets=chart.buckets,
        coverage=chart.coverage,
        bars=all_labels_in(chart.coverage, chart.buckets) if apart is None or apart else [],
        filmed=filmed,
        not_analysed=None
        if unanalysed is None
        else bars_not_analysed(
            unanalysed,
            interval_s=interval_s,
            zone=zone.tzinfo,
            by_source=by_source,
            coverage=[*chart.coverage, *chart.blank.intervals, *chart.not_within],
        ),
        shows_nothing=[*chart.blank.intervals],
        not_within=[*chart.not_within],
        frames_not_looked_at=chart.blank.not_looked_at,
        totals=in_order,
        rest_totals=rest_totals,
        together=together,
        file_times=_of_chosen(question.media.file_times(sources, from_ms, to_ms), question),
        overlaps=overlaps and overlaps[:_MOST_OVERLAPS],
        overlaps_left_out=max(len(overlaps or ()) - _MOST_OVERLAPS, 0),
        objects_note=objects_note(chart, in_order, question.settings),
        objects_measured_in=measured_in,
        counted_with=[
            answers.RecordedSettings(params=day.params, settings=day.settings, words=day.words)
            for day in SettingsByDay(index, question.model, chart.base_interval_s).between(from_ms, to_ms)
        ],
        comparisons=other_periods(from_ms, to_ms, interval_s, zone.tzinfo),
        zone=selection.within,
    )
    return with_intervals(question, answer) if checks_version(question.settings) else answer


def _series(plan: Plan) -> _Series:
    """Read the bars of a chart, those of most labels together if the query has `top`."""
    query, selection, reader = plan.question.query, plan.question.selection, plan.reader
    by_source = plan.question.sources if query.by_source else None
    if query.top is None:
        chart = reader.bars(plan.interval_s, by_source=query.by_source)
        metric = known_metric(query.metric, chart)
        totals = sum_up(chart, selection.labels, by_source)
        return _Series(chart, totals, metric, selection.labels or by_metric(totals, metric), [], [], None)
    whole = reader.whole()
    metric = known_metric(query.metric, whole)
    totals = of_all = sum_up(whole, selection.labels)
    labels = by_metric(totals, metric)
    first, rest = labels[: query.top], labels[query.top :]
    apart = first if rest or not query.top else None
    chart = reader.bars(plan.interval_s, by_source=query.by_source, apart=apart)
    if query.by_source:
        totals = sum_up(chart, selection.labels if apart is None else [*apart, None], by_source)
        return _Series(chart, totals, metric, by_metric(totals, metric), rest, [], apart)
    if apart is not None:
        totals = {**{label: totals[label] for label in apart}, None: [sum_of(totals, rest, whole)]}
        labels = apart
    return _Series(chart, totals, metric, labels, rest, [of_all[label][0] for label in rest], apart)


def _of_chosen(ranges: list[_RangeT] | None, question: Question) -> list[_RangeT] | None:
    """Return the ranges that contain any of the chosen hours and weekdays."""
    return ranges and [part for part in ranges if touches(question.chosen, part.from_ms, part.to_ms)]


def plan_chart(question: Question, *, series: int, most_rows: int | None = None) -> Plan | None:
    """Return how to read a chart with this many series of each source; None if there is nothing to read.

    Raises:
        Problem: 400 if the interval is not valid, or there would be more than `most_rows` bars (`MOST_BARS`).
    """
    most_rows = most_rows or MOST_BARS
    interval_s, bases = question.query.interval_s, question.bases_s
    if interval_s is not None and bases and question.read_seconds is None:
        base_of(sorted([*bases, *question.lacking_s]), interval_s, None, None)  # with or without footage
    if question.is_empty:
        return None
    whole, question = question, question.ends_with_footage
    series = max(series, 1) * (len(question.sources) if question.query.by_source else 1)
    max_bars = most_rows // series
    if interval_s is None:
        intervals_s = default_intervals(
            bases, question.from_ms, question.to_ms, max_bars=max_bars, times=question.selection.times
        )
        shortest_s = intervals_s[0]
        # A bar is at least as long as the time between two pictures of a source, unless the range is shorter.
        least_s = question.reader(shortest_s).longest_step_s(shortest_s)
        interval_s = next((length_s for length_s in intervals_s if length_s >= least_s), intervals_s[-1])
    seconds = question.seconds
    if (
        seconds
        and (seconds.fault or seconds.missing)
        and not any(interval_s % base_s == 0 for base_s in bases)
    ):
        raise question.no_seconds("interval")
    reader = question.reader(interval_s)
    if reader.query.base_interval_s != SECOND_S:
        question = whole
    choices_s = bar_choices(bases, question.from_ms, question.to_ms, max_bars=max_bars)
    row_count = bar_count(question.from_ms, question.to_ms, interval_s) * series
    if row_count > most_rows:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} gives up to {row_count} bars from {series} labels and sources, but the "
            f"maximum is {most_rows}.",
            remedy=f"Choose an interval of {choices_s[0]} or longer, a shorter range, or fewer labels.",
            instead=[str(choices_s[0])],
        )
    return Plan(question, interval_s, choices_s, reader)


def nothing_counted(model: str | None, query: ChartQuery) -> answers.Counts:
    """Return the answer if nothing is counted, or nothing is filmed in the range."""
    selection = query.selection
    return nothing(
        answers.Counts,
        model=model,
        timezone=selection.zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        asked=[] if selection.times.week_parts(0) else None,
        metric="mean_per_frame" if query.metric == "auto" else query.metric,
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        sources=selection.sources,
        labels=selection.labels,
        not_analysed=[],
        shows_nothing=[],
        not_within=[],
        frames_not_looked_at=0,
        bars=[],
        filmed=[],
        totals=[
            nothing(answers.Total, label=label, objects_missing="no_footage") for label in selection.labels
        ],
        rest_totals=[],
        together=[nothing(answers.Total, objects_missing="no_footage")],
        file_times=[],
        overlaps=[],
        zone=selection.within,
    )


_MOST_NAMED = 5


class Measured(NamedTuple):
    """A chart and its totals, with `measured_objects` where objects are unknown."""

    chart: Chart
    totals: Totals
    together: list[answers.Total]
    objects_measured_in: answers.OfSources | None


def add_measured(
    reader: Reader,
    interval_s: int,
    chart: Chart,
    totals: Totals,
    *,
    by_source: bool,
    apart: Sequence[str] | None,
) -> Measured:
    """Add the values of measured footage to a chart, read with the same arguments, that lacks some."""
    together = all_labels(totals, chart)
    if not chart.unmeasured:
        return Measured(chart, totals, together, None)
    filmed = len(reader.filmed())
    measured = len(reader.filmed(measured_only=True))
    in_sources = answers.OfSources(sources=measured, of_sources=filmed)
    if not measured:
        return Measured(chart, totals, together, in_sources)
    chart, part = reader.with_measured(chart, interval_s, by_source=by_source, apart=apart)
    part_totals = sum_up(part, totals, () if by_source else None)
    with_sums = {
        label: add_measured_objects(of_label, part_totals[label]) for label, of_label in totals.items()
    }
    together = add_measured_objects(together, all_labels(part_totals, part))
    return Measured(chart, with_sums, together, in_sources)


def add_measured_objects(
    totals: Sequence[answers.Total], measured: Sequence[answers.Total]
) -> list[answers.Total]:
    """Return totals with the measured objects, by source, where not all were measured."""
    parts = {total.source: measured_part(total) for total in measured}
    return [
        msgspec.structs.replace(total, **parts.get(total.source, {}))
        if total.objects_missing in NOT_MEASURED
        else total
        for total in totals
    ]


def add_filmed(chart: Chart, question: Question, *, by_source: bool) -> tuple[Chart, list[answers.Filmed]]:
    """Return a chart whose intervals have the requested time, and how much was filmed in all.

    All shares have the same base: the requested time of each source with film in the range.
    """
    sources = 1 if by_source else sources_with_film(chart)
    whole_s = question.asked_ms(question.from_ms, question.to_ms) / 1000
    coverage = []
    of_sources: dict[str | None, list[float | None]] = {} if by_source else {None: []}
    for part in chart.coverage:
        asked_s = question.asked_ms(part.start_ms, part.end_ms) / 1000
        filmed_part = _part(part.covered_s, asked_s * sources)
        coverage.append(msgspec.structs.replace(part, asked_s=asked_s, filmed_part=filmed_part))
        of_sources.setdefault(part.source, []).append(part.covered_s)
    filmed = []
    for source, parts_s in of_sources.items():
        known_s = [part_s for part_s in parts_s if part_s is not None]
        filmed_s = sum(known_s) if len(known_s) == len(parts_s) else None
        number = int(bool(filmed_s)) if by_source else sources
        filmed.append(
            answers.Filmed(
                source=source,
                filmed_s=filmed_s,
                asked_s=whole_s,
                sources=number,
                part=_part(filmed_s, whole_s * number),
            )
        )
    return chart._replace(coverage=coverage), filmed


def _part(filmed_s: float | None, asked_s: float) -> float | None:
    return min(filmed_s / asked_s, 1.0) if filmed_s and asked_s else None


def objects_note(chart: Chart, totals: Sequence[answers.Total], settings: Settings) -> str | None:
    """Return a sentence on where objects are unknown, or None if they are known everywhere."""
    missing = chart.unmeasured
    if not missing:
        return _too_weak(totals) or _too_fast(totals)
    intervals_of = f"{len(missing)} of {len(chart.coverage)} intervals"
    rates = [coverage.slowest_fps for coverage in missing if coverage.slowest_fps is not None]
    if not rates:
        return (
            f"Unique objects are unknown in {intervals_of}: frametally did not track them there, or the "
            "day must be counted and indexed again."
        )
    needed_fps = f"{settings.min_tracking_fps:g}"
    frames = "frame" if min(rates) == 1 else "frames"
    analysed = f"at only {min(rates):g} {frames} per second, but {needed_fps} are needed"
    if not min(rates):  # as for single pictures
        analysed = f"in single pictures, but {needed_fps} frames per second are needed"
    return f"Unique objects are unknown in {intervals_of}: footage was analysed {analysed}."


def _too_weak(totals: Sequence[answers.Total]) -> str | None:
    names = _names_of(totals, "too_weak")
    return names and (
        f"Unique objects of {names} are unknown: the detector saw them too rarely to track them "
        "(fewer than half of their boxes are in tracks)."
    )


def _too_fast(totals: Sequence[answers.Total]) -> str | None:
    names = _names_of(totals, "too_fast")
    return names and (
        f"There are more unique objects of {names} than were counted: some moved too fast to be tracked. "
        "Analyse more frames per second."
    )


def _names_of(totals: Sequence[answers.Total], missing: Missing) -> str | None:
    """Return the labels whose objects are unknown for a reason, or None without any."""
    labels = [total.label for total in totals if total.objects_missing == missing]
    if not labels:
        return None
    names = sorted({label for label in labels if label is not None})
    names_text = ", ".join(names[:_MOST_NAMED]) or "these labels together"
    if len(names) > _MOST_NAMED or (names and None in labels):
        names_text += " and others"
    return names_text


def whole_question(
    parameters: Iterable[tuple[str, str]], counts: answers.Counts, *, with_range: bool = False
) -> list[tuple[str, str]]:
    """Return a chart's complete question by name, including the defaults from the data or the reader.

    Names are those of `/api/counts` and of the pages; others are kept. If nothing is counted yet, the
    interval, the metric and the model stay as they were sent.

    Args:
        parameters: Names and values of the question.
        counts: The answer to it.
        with_range: Whether to include the ends of the range, so that later footage does not change it.
    """
    answered: dict[str, str | int | None] = {
        "zone": counts.zone,
        # For the page, all day and every day means that no times are chosen.
        "hours": None if counts.hours == _ALL_DAY else counts.hours,
        "weekdays": "" if len(counts.weekdays) == _DAYS else ",".join(map(str, counts.weekdays)),
        "timezone": counts.timezone,
    }
    if with_range:
        answered |= {"from": counts.from_ms, "to": counts.to_ms}
    if counts.model is not None:
        answered |= {"interval": counts.interval_s, "metric": counts.metric, "model": counts.model}
    other_parameters = [(name, value) for name, value in parameters if value and name not in answered]
    answered_parameters = [(name, str(value)) for name, value in answered.items() if value not in (None, "")]
    return [*dict.fromkeys([*other_parameters, *answered_parameters])]
