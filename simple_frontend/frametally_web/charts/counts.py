"""The answer of `/api/counts`: how long its bars are, what they show, and where objects are not known."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, TypeVar

from frametally.books.count_settings import SettingsByDay
from frametally.ports.count_index import CountIndex
from frametally.settings.loading import Settings
from frametally_web.charts import answers, intervals
from frametally_web.charts.bars import touches
from frametally_web.charts.beside import other_periods
from frametally_web.charts.measured import add_measured, objects_note
from frametally_web.charts.measures import Reader, by_metric, known_metric, sum_up
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.names import check_names
from frametally_web.charts.rhythm import longest_step_s
from frametally_web.charts.scope import Choice, ResolvedQuery, choose_filmed, resolve
from frametally_web.charts.unanalysed import bars_not_analysed
from frametally_web.requests.answers import TimeRange
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ChartQuery

_MOST_OVERLAPS = 500

_RangeT = TypeVar("_RangeT", answers.FileTime, answers.OverlappingMedia)


class Plan(NamedTuple):
    """How a chart is read: what is asked for, how long its bars are and could be, and what reads them."""

    asked: ResolvedQuery
    interval_s: int
    interval_choices_s: list[int]
    reader: Reader


def count(
    index: CountIndex, settings: Settings, media: MediaTimes, query: ChartQuery, *, most_rows: int
) -> answers.Counts:
    """Return the counts per interval and label; intervals times labels (and sources) are at most `most_rows`.

    Raises:
        Problem: 400, if the model, a name or the interval cannot be, or the answer would have too many bars.
    """
    selection = query.selection
    check_names(index, selection, media.sources)
    choice = choose_filmed(index, settings, media, selection.model)
    if choice is None:
        return nothing_counted(None, query)
    known = len(selection.labels or index.labels(choice.model))
    series = known if query.top is None else min(known, query.top + 1)
    plan = plan_chart(index, settings, media, choice, query, series=series, most_rows=most_rows)
    if plan is None:
        return nothing_counted(choice.model or None, query)
    asked, interval_s, reader = plan.asked, plan.interval_s, plan.reader
    apart, rest = _stand_apart(reader, query)
    chart = reader.bars(interval_s, by_source=query.by_source, apart=apart)
    metric = known_metric(query.metric, chart)
    totals = sum_up(chart, selection.labels if apart is None else [*apart, None], by_source=query.by_source)
    labels = by_metric(totals, metric, chart.frames)
    if query.top is None and selection.labels:
        labels = selection.labels
    chart, totals, measured_in = add_measured(
        reader, interval_s, chart, totals, by_source=query.by_source, apart=apart
    )
    in_order = [one for label in (*labels, None) for one in totals.get(label, ())]
    unanalysed = media.unanalysed(choice.model, asked.sources, asked.from_ms, asked.to_ms, asked.chosen)
    overlaps = _of_chosen(media.overlaps(asked.sources, asked.from_ms, asked.to_ms), asked)
    return answers.Counts(
        model=choice.model or None,
        base_interval_s=chart.base_interval_s,
        interval_s=interval_s,
        timezone=selection.zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        asked=None
        if asked.chosen is None
        else [TimeRange(from_ms=from_ms, to_ms=to_ms) for from_ms, to_ms in asked.chosen],
        metric=metric,
        interval_choices_s=plan.interval_choices_s,
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        frames=chart.frames,
        sources=asked.sources,
        labels=labels,
        rest=rest,
        buckets=chart.buckets,
        coverage=chart.coverage,
        not_analysed=None
        if unanalysed is None
        else bars_not_analysed(
            unanalysed,
            interval_s=interval_s,
            zone=selection.zone.tzinfo,
            by_source=query.by_source,
            coverage=chart.coverage,
        ),
        totals=in_order,
        file_times=_of_chosen(media.file_times(asked.sources, asked.from_ms, asked.to_ms), asked),
        overlaps=overlaps and overlaps[:_MOST_OVERLAPS],
        overlaps_left_out=max(len(overlaps or ()) - _MOST_OVERLAPS, 0),
        objects_note=objects_note(chart, in_order, settings),
        objects_measured_in=measured_in,
        counted_with=[
            answers.RecordedSettings(params=one.params, settings=one.settings, words=one.words)
            for one in SettingsByDay(index, choice.model, chart.base_interval_s).between(
                asked.from_ms, asked.to_ms
            )
        ],
        comparisons=other_periods(asked.from_ms, asked.to_ms, interval_s, selection.zone.tzinfo),
        zone=selection.within,
    )


def _of_chosen(ranges: list[_RangeT] | None, asked: ResolvedQuery) -> list[_RangeT] | None:
    """Return those ranges that have something of the hours and weekdays chosen."""
    return ranges and [one for one in ranges if touches(asked.chosen, one.from_ms, one.to_ms)]


def plan_chart(
    index: CountIndex,
    settings: Settings,
    media: MediaTimes | None,
    choice: Choice,
    query: ChartQuery,
    *,
    series: int,
    most_rows: int,
) -> Plan | None:
    """Return how a chart of so many series of each source is read; None if there is nothing to read.

    Raises:
        Problem: 400, if the interval cannot be, or there would be more than `most_rows` bars.
    """
    selection = query.selection
    if query.interval_s is not None:
        intervals.base_of(choice.base_intervals_s, query.interval_s, None, None)  # refuse it, footage or not
    asked = resolve(index, choice, selection, media)
    if asked is None:
        return None
    series = max(series, 1) * (len(asked.sources) if query.by_source else 1)
    max_bars = most_rows // series
    bases = asked.choice.base_intervals_s
    interval_s = query.interval_s
    if interval_s is None:
        choose = partial(intervals.default_interval, bases, asked.from_ms, asked.to_ms, max_bars=max_bars)
        interval_s = choose()
        interval_s = choose(least_s=longest_step_s(asked.reader(index, selection, interval_s), interval_s))
    choices_s = intervals.choices(bases, asked.from_ms, asked.to_ms, max_bars=max_bars)
    wanted = intervals.bars(asked.from_ms, asked.to_ms, interval_s) * series
    if wanted > most_rows:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} makes up to {wanted} bars of {series} labels and sources; "
            f"{most_rows} are answered at once.",
            remedy=f"Ask for an interval of {choices_s[0]} or longer, a shorter range, or fewer labels.",
            instead=[str(choices_s[0])],
        )
    return Plan(asked, interval_s, choices_s, asked.reader(index, selection, interval_s))


def _stand_apart(reader: Reader, query: ChartQuery) -> tuple[list[str] | None, list[str]]:
    """Return the labels that have bars of their own (None: all), and those that have theirs together."""
    if query.top is None:
        return None, []
    whole = reader.whole()
    totals = sum_up(whole, query.selection.labels, by_source=False)
    ranked = by_metric(totals, known_metric(query.metric, whole), whole.frames)
    rest = ranked[query.top :]
    return (ranked[: query.top] if rest or not query.top else None), rest


def nothing_counted(model: str | None, query: ChartQuery) -> answers.Counts:
    """Return the answer where nothing is counted, or nothing is filmed in the range."""
    selection = query.selection
    return answers.Counts(
        model=model,
        base_interval_s=None,
        interval_s=None,
        timezone=selection.zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        asked=[] if selection.times.week_parts(0) else None,
        metric="mean_per_frame" if query.metric == "auto" else query.metric,
        interval_choices_s=[],
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        frames=0,
        sources=selection.sources,
        labels=selection.labels,
        rest=[],
        buckets=[],
        coverage=[],
        not_analysed=[],
        totals=[
            answers.Total(
                label=label,
                source=None,
                detections=0,
                peak=0,
                mean_per_frame=None,
                objects=None,
                objects_missing=None,
                tracked_detections=None,
                followed_objects=None,
            )
            for label in selection.labels
        ],
        file_times=[],
        overlaps=[],
        overlaps_left_out=0,
        objects_note=None,
        objects_measured_in=None,
        counted_with=[],
        comparisons=[],
        zone=selection.within,
    )
