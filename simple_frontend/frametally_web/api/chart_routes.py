"""The routes of charts: their filters, their limits, and comparisons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from frametally.actions.answers import nothing
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, page_limit
from frametally.actions.problems import bad_parameter
from frametally.adapters.day_cells.merging import add_week_hours
from frametally.keys import day_start_ms
from frametally.media.sources import counted_until
from frametally.ports.count_index import NO_LABEL, CountIndex, CountQuery, WeekHour
from frametally.ports.picture_places import PartIndex, picture_places
from frametally.process.reports import log_step
from frametally.rules.known import NOT_MEASURED, Basis, why_unknown
from frametally.rules.times import DAY_MS, HOUR_S
from frametally_web.books.context import Handlers
from frametally_web.charts import answers as chart_answers
from frametally_web.charts import counts
from frametally_web.charts.local_bars import hours_not_analysed
from frametally_web.charts.measures import MOST_OF_SOURCES, mean_of_sources, of_span
from frametally_web.charts.question import Question, choose_model, stored_intervals
from frametally_web.charts.totals import seconds
from frametally_web.compare import answers as compare_answers
from frametally_web.compare import summary
from frametally_web.compare.differences import find_differences
from frametally_web.requests import answers
from frametally_web.requests.query import (
    BY,
    CHART,
    COMPARE,
    MODEL,
    SELECTION,
    TOP,
    ChartQuery,
    read_chart,
    read_compare,
    read_selection,
)

CATALOGUE = Routes("Catalogue", by_source=True)
COUNTS = Routes("Counts", by_source=True)
_MOST_DIFFERENT = page_limit(10, 100, "Maximum number in `most`")


class ChartRoutes(Handlers):
    """The handlers, over the ports and the data read in the background."""

    @CATALOGUE.route("GET models", "List the models with their stored intervals.", tells_version=True)
    def models(self, _: Args) -> answers.Models:
        """List the existing models, sources, labels and ranges."""
        return answers.Models(
            models=[
                answers.ModelChoice(model=model, base_intervals_s=intervals_s)
                for model, intervals_s in stored_intervals(self.ports.index).items()
            ]
        )

    @CATALOGUE.route("GET labels", "List labels with their detections, most first.", MODEL, is_kept=True)
    def labels(self, args: Args) -> answers.Labels:
        """List the labels, most first."""
        choice = choose_model(self.ports.index, MODEL.read(args))
        totals = self.ports.index.labels(choice.model) if choice else []
        return answers.Labels(
            model=choice.model if choice else None,
            labels=[answers.LabelTotal(label=label, detections=total) for label, total in totals],
        )

    @CATALOGUE.route("GET sources", "List sources with their frames and range.", MODEL, is_kept=True)
    def sources(self, args: Args) -> answers.Sources:
        """List the sources of a model, by slug."""
        choice = choose_model(self.ports.index, MODEL.read(args))
        if choice is None:
            return answers.Sources(model=None, sources=[])
        media, places = self.books.media(), picture_places()
        zones = places.zones(self.ports.index, choice.model) if places else {}
        return answers.Sources(
            model=choice.model,
            sources=[
                answers.SourceRange(
                    source=summary.source,
                    name=media.name(summary.source),
                    frames=summary.frames,
                    first_interval_ms=summary.first_interval_ms,
                    next_interval_ms=summary.next_interval_ms,
                    timed_by_file=media.is_timed_by_file(summary.source),
                    file_times=media.ranges(summary.source),
                    footage_until_ms=media.footage_until(summary.source),
                    counted_until_ms=counted_until(
                        summary.next_interval_ms, media.footage_until(summary.source)
                    ),
                    zones=zones.get(summary.source, []),
                    timezone=media.timezone(summary.source),
                )
                for summary in self.ports.index.sources(choice.model)
            ],
        )

    @CATALOGUE.route("GET catalogue", "Return models, labels and sources in one answer.", MODEL, is_kept=True)
    def catalogue(self, args: Args) -> answers.Catalogue:
        """List everything that queries can name."""
        labels = self.labels(args)
        return answers.Catalogue(
            model=labels.model,
            models=self.models(args).models,
            labels=labels.labels,
            sources=self.sources(args).sources,
        )

    @COUNTS.route("GET counts", "Return counts per interval and label.", *CHART, TOP, is_kept=True)
    def counts(self, args: Args) -> chart_answers.Counts:
        """Answer with the chart's numbers."""
        question = self._ask(args)
        answer = counts.count(question)
        log_step("answered", runs=_runs_behind(question.index, answer))
        return answer

    @COUNTS.route(
        "GET summary",
        "Return a chart's summary: total, busiest intervals, peak, the week before.",
        *CHART,
        TOP,
        is_kept=True,
    )
    def summary(self, args: Args) -> chart_answers.Summary:
        """Answer with the values of the chart."""
        return summary.summarise(self._ask(args))

    @COUNTS.route(
        "GET differences",
        "Show how far two models differ on the same footage: by label, largest first.",
        *(parameter for parameter in CHART if parameter is not BY),
        COMPARE.but(required=True),
        _MOST_DIFFERENT,
        is_kept=True,
    )
    def differences(self, args: Args) -> compare_answers.Differences:
        """Return how far two sides differ."""
        compare = read_compare(args)
        if compare is None:
            raise bad_parameter("compare", "compare is missing.", remedy="Give one, such as compare=week.")
        return find_differences(self._ask(args), compare, limit=_MOST_DIFFERENT.read(args))

    @COUNTS.route("GET heatmap", "Return counts per hour of the week.", *SELECTION, is_kept=True)
    def heatmap(self, args: Args) -> chart_answers.Heatmap:
        """Return the hours of the week."""
        return _count_week(self.context.ask(ChartQuery(read_selection(args, self.settings))))

    def _ask(self, args: Args) -> Question:
        return self.context.ask(read_chart(args, self.settings), by_second=True)


def _runs_behind(index: CountIndex, answer: chart_answers.Counts) -> Iterator[str]:
    """Yield the ids of the runs that an answer is made of."""
    first_day_ms = (answer.from_ms or 0) // DAY_MS * DAY_MS
    for run in index.current_runs():
        is_of_series = (run.model, run.interval_s) == (answer.model, answer.base_interval_s)
        if is_of_series and first_day_ms <= day_start_ms(run.day) < (answer.to_ms or 0):
            yield run.run_id


def _count_week(question: Question) -> chart_answers.Heatmap:
    """Return the counts per hour of the week. Raises `Problem` (400) if no interval divides an hour."""
    index, selection, bases_s = question.index, question.selection, question.bases_s
    if bases_s and not any(HOUR_S % base_s == 0 for base_s in bases_s):
        raise bad_parameter(
            "model" if selection.base_s is None else "base",
            f"{question.model} was counted in intervals of {', '.join(map(str, bases_s))} seconds, "
            "which do not divide an hour evenly.",
            remedy="Choose another model, or count with an interval that divides an hour evenly.",
        )
    answer = nothing(
        chart_answers.Heatmap,
        model=question.model or None,
        timezone=selection.zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        not_analysed=[],
        shows_nothing=[],
        not_within=[],
    )
    if question.is_empty:
        return answer
    base_s = question.base_of(HOUR_S)
    of_all = CountQuery(question.model, base_s, sources=selection.sources, labels=selection.labels)
    queries = [
        of_span(of_all, span, selection.times)._replace(offset_ms=span.offset_ms) for span in question.spans
    ]
    hours = _week_hours(index, queries)
    measured: dict[int, WeekHour] = {}
    if any(cell.objects is None for cell in hours.values()):
        measured = _week_hours(index, [query._replace(measured_only=True) for query in queries])
    of_sources: dict[int, list[WeekHour]] = defaultdict(list)
    for query in queries if len(question.sources) > 1 else ():
        for cell in index.week_hours(query._replace(by_source=True, most_bars=MOST_OF_SOURCES)):
            of_sources[cell.hour].append(cell)
    cells = [
        _week_cell(cell, of_sources.get(hour, [cell]), measured.get(hour))
        for hour, cell in sorted(hours.items())
    ]
    unanalysed = question.unanalysed
    reader, blank, outside = question.reader(HOUR_S), {}, {}
    if isinstance(index, PartIndex) or reader.whole(labels=NO_LABEL).blank.intervals:
        hourly_chart = reader.bars(HOUR_S, labels=NO_LABEL)
        blank = {"": [(part.start_ms, part.end_ms) for part in hourly_chart.blank.intervals]}
        outside = {"": [(part.start_ms, part.end_ms) for part in hourly_chart.not_within]}
    return msgspec.structs.replace(
        answer,
        base_interval_s=base_s,
        from_ms=question.from_ms,
        to_ms=question.to_ms,
        frames=sum(cell.frames for cell in hours.values()),
        cells=cells,
        not_analysed=None
        if unanalysed is None
        else hours_not_analysed(unanalysed, zone=selection.zone.tzinfo, cells=cells),
        shows_nothing=hours_not_analysed(blank, zone=selection.zone.tzinfo, cells=cells),
        not_within=hours_not_analysed(outside, zone=selection.zone.tzinfo, cells=cells),
    )


def _week_hours(index: CountIndex, queries: Iterable[CountQuery]) -> dict[int, WeekHour]:
    """Return the hours of the week, each with the sums of all queries."""
    hours: dict[int, WeekHour] = {}
    for query in queries:
        for cell in index.week_hours(query):
            hours[cell.hour] = add_week_hours(hours[cell.hour], cell) if cell.hour in hours else cell
    return hours


def _week_cell(
    cell: WeekHour, of_sources: Sequence[WeekHour], measured: WeekHour | None
) -> chart_answers.WeekCell:
    """Return the cell of an hour; `measured` is that of the footage in which objects were followed."""
    basis = Basis(cell.objects, cell.detections, cell.tracked_detections, cell.slowest_fps)
    missing = why_unknown("objects", basis)
    known_hour = measured if missing in NOT_MEASURED else cell
    missing = missing or cell.objects_missing
    return chart_answers.WeekCell(
        weekday=cell.hour // 24 + 1,
        hour=cell.hour % 24,
        frames=cell.frames,
        detections=cell.detections,
        mean_per_frame=mean_of_sources((hour.source, hour.detections, hour.frames) for hour in of_sources),
        peak=cell.peak,
        objects=None if missing else cell.objects,
        objects_missing=missing,
        tracked_detections=cell.tracked_detections,
        followed_objects=cell.objects if missing else None,
        measured_objects=known_hour.least_objects if known_hour and missing else None,
        covered_s=seconds(cell.covered_ms),
    )
