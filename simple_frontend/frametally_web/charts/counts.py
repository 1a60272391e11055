"""The answer of `/api/counts`: how long its bars are, what they show, and where objects are not known."""

from __future__ import annotations

from collections.abc import Sequence

from frametally.books.count_settings import SettingsByDay
from frametally.ports.count_index import CountIndex
from frametally.settings.loading import Settings
from frametally_web.charts import answers, intervals
from frametally_web.charts.measures import Chart, read_chart, summarise
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.scope import ResolvedQuery, choose_model, resolve
from frametally_web.charts.unanalysed import bars_not_analysed
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ChartQuery

_MOST_NAMED = 5
_NOT_MEASURED = ("not_tracked", "too_slow")

_MOST_OVERLAPS = 500


def count(
    index: CountIndex, settings: Settings, media: MediaTimes, query: ChartQuery, *, most_rows: int
) -> answers.Counts:
    """Return the counts per interval and label; intervals times labels (and sources) are at most `most_rows`.

    Raises:
        Problem: 400, if the model or the interval cannot be, or the answer would have too many bars.
    """
    selection = query.selection
    choice = choose_model(index, selection.model)
    if choice is None:
        return _nothing(None, query)
    if query.interval_s is not None:
        intervals.base_of(choice.base_intervals_s, query.interval_s, None, None)  # refuse it, footage or not
    asked = resolve(index, settings, choice, selection)
    if asked is None:
        return _nothing(choice.model, query)
    labels = selection.labels or index.labels(choice.model)
    series = max(len(labels), 1) * (len(asked.sources) if query.by_source else 1)
    max_bars = most_rows // series
    bases = asked.choice.base_intervals_s
    interval_s = query.interval_s or intervals.default_interval(
        bases, asked.from_ms, asked.to_ms, max_bars=max_bars
    )
    _check_size(interval_s, asked, series, most_rows)
    base_s = asked.base_of(selection, interval_s)
    chart = read_chart(index, choice.model, base_s, interval_s, query, asked.spans)
    ordered_labels, totals = summarise(chart, query)
    unanalysed = media.unanalysed(choice.model, asked.sources, asked.from_ms, asked.to_ms)
    overlaps = media.overlaps(asked.sources, asked.from_ms, asked.to_ms)
    return answers.Counts(
        model=choice.model,
        base_interval_s=chart.base_interval_s,
        interval_s=interval_s,
        timezone=selection.zone.name,
        metric=query.metric,
        interval_choices_s=intervals.choices(bases, asked.from_ms, asked.to_ms, max_bars=max_bars),
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        frames=sum(one.frames for one in chart.coverage),
        sources=asked.sources,
        labels=ordered_labels,
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
        totals=totals,
        file_times=media.file_times(asked.sources, asked.from_ms, asked.to_ms),
        overlaps=overlaps and overlaps[:_MOST_OVERLAPS],
        overlaps_left_out=max(len(overlaps or ()) - _MOST_OVERLAPS, 0),
        objects_note=_objects_note(chart, totals, settings),
        counted_with=[
            answers.RecordedSettings(params=one.params, settings=one.settings, words=one.words)
            for one in SettingsByDay(index, choice.model, base_s).between(asked.from_ms, asked.to_ms)
        ],
    )


def _check_size(interval_s: int, asked: ResolvedQuery, series: int, most_rows: int) -> None:
    wanted = intervals.bars(asked.from_ms, asked.to_ms, interval_s) * series
    if wanted > most_rows:
        raise bad_parameter(
            "interval",
            f"interval={interval_s} makes up to {wanted} bars of {series} labels and sources; the most is "
            f"{most_rows} (FRAMETALLY_WEB_MAX_BUCKETS; of an export FRAMETALLY_WEB_MAX_EXPORT_ROWS).",
            remedy="Ask for a longer interval, a shorter range or fewer labels.",
        )


def _objects_note(chart: Chart, totals: Sequence[answers.Total], settings: Settings) -> str | None:
    # In counts of older versions only what was seen says that it was not measured.
    seen = {(one.start_ms, one.source) for one in chart.buckets if one.objects_missing in _NOT_MEASURED}
    missing = [one for one in chart.coverage if one.objects_missing or (one.start_ms, one.source) in seen]
    if not missing:
        return _too_weak(totals)
    intervals_of = f"{len(missing)} of {len(chart.coverage)} intervals"
    rates = [one.slowest_fps for one in missing if one.slowest_fps is not None]
    if not rates:
        return (
            f"Unique objects are not known in {intervals_of}: they were not tracked there "
            "(FRAMETALLY_COUNT_OBJECTS), or the day has to be counted and indexed again."
        )
    needed = f"{settings.min_tracking_fps:g}"
    analysed = f"at down to {min(rates):g} frames a second, {needed} are needed"
    if not min(rates):  # as of single pictures
        analysed = f"in frames that are seconds apart, {needed} a second are needed"
    return (
        f"Unique objects are not known in {intervals_of}: footage was analysed {analysed} "
        "(FRAMETALLY_MIN_TRACKING_FPS)."
    )


def _too_weak(totals: Sequence[answers.Total]) -> str | None:
    weak = sorted({one.label for one in totals if one.objects_missing == "too_weak"})
    if not weak:
        return None
    named = ", ".join(weak[:_MOST_NAMED]) + (" and others" if len(weak) > _MOST_NAMED else "")
    return (
        f"Unique objects of {named} are not known: they were seen, but too weakly to follow (fewer than half "
        "of their boxes lie in tracks; FRAMETALLY_TRACK_CONFIDENCE, FRAMETALLY_TRACK_LABEL_CONFIDENCE)."
    )


def _nothing(model: str | None, query: ChartQuery) -> answers.Counts:
    selection = query.selection
    return answers.Counts(
        model=model,
        base_interval_s=None,
        interval_s=None,
        timezone=selection.zone.name,
        metric=query.metric,
        interval_choices_s=[],
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        frames=0,
        sources=selection.sources,
        labels=selection.labels,
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
        counted_with=[],
    )
