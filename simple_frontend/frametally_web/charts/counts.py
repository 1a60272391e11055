"""The answers of `/api/counts` and `/api/heatmap`: from what is asked for to queries of the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.ports.count_index import CountIndex, CountQuery, WeekHour
from frametally.ports.count_questions import up_to_date
from frametally.ports.merging import add_week_hours
from frametally.rules.times import DAY_MS, HOUR_S
from frametally.settings.stages import Settings
from frametally_web.charts import answers, intervals
from frametally_web.charts.bars import Span, spans
from frametally_web.charts.drawing import Chart, mean, read_chart, summarise, why_missing
from frametally_web.charts.media_times import MediaTimes
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ChartQuery, Selection


class Choice(NamedTuple):
    """The one model that a query reads.

    Attributes:
        model: Its name.
        base_intervals_s: Its stored base intervals; once a range is asked for, those that have its footage
            (or the one that was asked for).
        lacking_s: Those that lack footage of it.
    """

    model: str
    base_intervals_s: list[int]
    lacking_s: Sequence[int] = ()


class ResolvedQuery(NamedTuple):
    """A query with nothing left open.

    Attributes:
        choice: The model.
        sources: Slugs of the sources asked for, or of all.
        from_ms: First event time asked for, or the first there is.
        to_ms: Last event time asked for, exclusive, or the last there is.
        spans: What of that can have data, in spans of one offset from UTC.
    """

    choice: Choice
    sources: list[str]
    from_ms: int
    to_ms: int
    spans: list[Span]

    def base_of(self, selection: Selection, interval_s: int | None) -> int:
        """The stored base interval to read for bars of `interval_s`, or for none; see `intervals.base_of`."""
        return intervals.base_of(
            self.choice.base_intervals_s,
            interval_s,
            selection.from_ms,
            selection.to_ms,
            {span.offset_ms for span in self.spans} if interval_s else (),
            selection.zone.name,
            lacking_s=self.choice.lacking_s,
        )


def choose_model(index: CountIndex, asked: str | None) -> Choice | None:
    """The model asked for, or the newest; None if nothing is indexed and none was asked for.

    Raises:
        Problem: 400, if there is no such model, with those that there are.
    """
    bases: dict[str, list[int]] = {}
    for series in index.series():
        bases.setdefault(series.model, []).append(series.base_interval_s)
    model = next(iter(bases), None) if asked is None else asked
    if model is None:
        return None
    if model not in bases:
        raise bad_parameter(
            "model",
            f"Nothing was counted with the model {model!r}.",
            remedy=f"Choose one of these: {', '.join(bases)}." if bases else "There are no counts yet.",
        )
    return Choice(model, sorted(bases[model]))


def resolve(
    index: CountIndex, settings: Settings, choice: Choice, selection: Selection
) -> ResolvedQuery | None:
    """What is asked for, open ends filled from the sources' own; None if that leaves nothing.

    Raises:
        Problem: 400, if the base is not stored, or there are more days of data than are read at once.
    """
    stored, base_s = choice.base_intervals_s, selection.base_s
    if base_s is not None and base_s not in stored:
        raise bad_parameter(
            "base",
            f"{choice.model} is not stored in intervals of {base_s} seconds.",
            remedy=f"Give one of these (seconds): {', '.join(map(str, stored))}, or leave it out.",
        )
    of_interest = [
        source
        for source in index.sources(choice.model)
        if not selection.sources or source.source in selection.sources
    ]
    if not of_interest:
        return None
    first_ms = min(source.first_interval_ms for source in of_interest)
    next_ms = max(source.next_interval_ms for source in of_interest)
    from_ms = first_ms if selection.from_ms is None else selection.from_ms
    to_ms = next_ms if selection.to_ms is None else selection.to_ms
    if from_ms >= to_ms:
        return None
    # Data cannot lie outside; the last interval reaches to its end, whatever its base.
    read_from, read_to = max(from_ms, first_ms), min(to_ms, next_ms)
    if (read_to - read_from) > settings.web_max_span_days * DAY_MS:
        raise bad_parameter(
            "from" if selection.from_ms is None else "to",
            f"The range holds {(read_to - read_from) // DAY_MS} days of data; at most "
            f"{settings.web_max_span_days} are read at once (FRAMETALLY_WEB_MAX_SPAN_DAYS).",
            remedy="Give a from and a to that are nearer to each other.",
        )
    found = spans(selection.zone.tzinfo, read_from, read_to) if read_from < read_to else []
    names = selection.sources or [source.source for source in of_interest]
    if base_s is not None:
        return ResolvedQuery(Choice(choice.model, [base_s]), names, from_ms, to_ms, found)
    usable = up_to_date(index, choice.model, stored, from_ms, to_ms)
    lacking = [base for base in stored if base not in usable]
    return ResolvedQuery(Choice(choice.model, usable, lacking), names, from_ms, to_ms, found)


def count(
    index: CountIndex, settings: Settings, media: MediaTimes, query: ChartQuery, *, most_rows: int
) -> answers.Counts:
    """Counts per interval and label.

    Args:
        index: Has them.
        settings: Limits.
        media: What the store says of the sources' times.
        query: What is asked for.
        most_rows: Most bars (intervals times labels, and sources where they are apart).

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
    labels = selection.labels or [label for label, _ in index.labels(choice.model)]
    series = max(len(labels), 1) * (len(asked.sources) if query.by_source else 1)
    max_bars = most_rows // series
    bases = asked.choice.base_intervals_s
    interval_s = query.interval_s or intervals.default_interval(
        bases, asked.from_ms, asked.to_ms, max_bars=max_bars
    )
    _check_size(interval_s, asked, series, most_rows)
    base_s = asked.base_of(selection, interval_s)
    chart = read_chart(index, choice.model, base_s, interval_s, query, asked.spans)
    choices_s = intervals.choices(bases, asked.from_ms, asked.to_ms, max_bars=max_bars)
    return _answer(chart, query, asked, interval_s, choices_s, settings, media)


def heatmap(index: CountIndex, settings: Settings, selection: Selection) -> answers.Heatmap:
    """Counts per hour of the week.

    Raises:
        Problem: 400, if the model cannot be, or the stored intervals divide no hour of that time zone.
    """
    choice = choose_model(index, selection.model)
    asked = resolve(index, settings, choice, selection) if choice else None
    stored = (asked.choice if asked else choice).base_intervals_s if choice else []
    hourly = [base for base in stored if HOUR_S % base == 0]
    if choice is not None and not hourly:
        raise bad_parameter(
            "model" if selection.base_s is None else "base",
            f"{choice.model} was counted in intervals of {', '.join(map(str, stored))} "
            "seconds, which divide no hour.",
            remedy="Choose another model, or count with an interval that divides an hour "
            "(FRAMETALLY_INTERVAL_S).",
        )
    if choice is None or asked is None:
        return answers.Heatmap(
            model=choice.model if choice else None,
            base_interval_s=None,
            timezone=selection.zone.name,
            from_ms=selection.from_ms,
            to_ms=selection.to_ms,
            frames=0,
            cells=[],
        )
    base_s = asked.base_of(selection, HOUR_S)
    hours: dict[int, WeekHour] = {}
    for span in asked.spans:
        query = CountQuery(
            choice.model,
            base_s,
            sources=selection.sources,
            labels=selection.labels,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
            offset_ms=span.offset_ms,
        )
        for cell in index.week_hours(query):
            hours[cell.hour] = add_week_hours(hours[cell.hour], cell) if cell.hour in hours else cell
    return answers.Heatmap(
        model=choice.model,
        base_interval_s=base_s,
        timezone=selection.zone.name,
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        frames=sum(cell.frames for cell in hours.values()),
        cells=[
            answers.WeekCell(
                weekday=hour // 24 + 1,
                hour=hour % 24,
                frames=cell.frames,
                detections=cell.detections,
                mean_per_frame=mean(cell.detections, cell.frames),
                peak=cell.peak,
                objects=cell.objects,
                objects_missing=why_missing(cell.objects, cell.slowest_fps),
            )
            for hour, cell in sorted(hours.items())
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


def _answer(
    chart: Chart,
    query: ChartQuery,
    asked: ResolvedQuery,
    interval_s: int,
    choices_s: list[int],
    settings: Settings,
    media: MediaTimes,
) -> answers.Counts:
    labels, totals = summarise(chart, query)
    return answers.Counts(
        model=asked.choice.model,
        base_interval_s=chart.base_interval_s,
        interval_s=interval_s,
        timezone=query.selection.zone.name,
        metric=query.metric,
        interval_choices_s=choices_s,
        from_ms=asked.from_ms,
        to_ms=asked.to_ms,
        frames=sum(one.frames for one in chart.coverage),
        sources=asked.sources,
        labels=labels,
        buckets=chart.buckets,
        coverage=chart.coverage,
        totals=totals,
        file_times=media.file_times(asked.sources, asked.from_ms, asked.to_ms),
        objects_note=_objects_note(chart, settings),
    )


def _objects_note(chart: Chart, settings: Settings) -> str | None:
    missing = {
        (one.start_ms, one.source): one.objects_missing for one in chart.buckets if one.objects_missing
    }
    if not missing:
        return None
    intervals_of = f"{len(missing)} of {len(chart.coverage)} intervals"
    slow = {place for place, why in missing.items() if why == "too_slow"}
    rates = [
        one.slowest_fps
        for one in chart.coverage
        if one.slowest_fps is not None and (one.start_ms, one.source) in slow
    ]
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
        totals=[
            answers.Total(
                label=label,
                source=None,
                detections=0,
                peak=0,
                mean_per_frame=None,
                objects=None,
                objects_missing=None,
            )
            for label in selection.labels
        ],
        file_times=[],
        objects_note=None,
    )
