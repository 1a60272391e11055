"""What is asked of one source's lines and zones, with nothing left open: model, range, bars."""

from __future__ import annotations

from typing import Any, NamedTuple

from frametally.keys import utc_day
from frametally.ports.count_index import CountIndex
from frametally.rules.times import is_day_in_range
from frametally.settings.loading import Settings
from frametally_traffic.line_counts import answers
from frametally_traffic.records import Drawing, Drawn
from frametally_web.charts.answers import NotAnalysed
from frametally_web.charts.bars import Bars
from frametally_web.charts.counts import plan_chart
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.names import check_names
from frametally_web.charts.scope import choose_model
from frametally_web.charts.unanalysed import bars_not_analysed
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import ChartQuery, Selection, shown


class PlacesAsked(NamedTuple):
    """A question that there is something to answer with.

    Attributes:
        model: Model id.
        source: Slug.
        labels: Labels asked for; empty: all.
        base_interval_s: The stored interval whose runs are read.
        interval_s: Length of a bar.
        interval_choices_s: Sensible lengths.
        from_ms: Start of the range, which is one of a stored interval.
        to_ms: Its end, likewise.
        edges_ms: Starts of all bars of the range, in order, and the end of the last one.
        bars: Those with footage.
        not_analysed: Those that were filmed and are not counted; None where the store does not say now.
        days: UTC days of the range that were counted, in order.
    """

    model: str
    source: str
    labels: list[str]
    base_interval_s: int
    interval_s: int
    interval_choices_s: list[int]
    from_ms: int
    to_ms: int
    edges_ms: list[int]
    bars: list[answers.FlowBar]
    not_analysed: list[NotAnalysed] | None
    days: tuple[str, ...]


def ask(index: CountIndex, settings: Settings, media: MediaTimes, query: ChartQuery) -> PlacesAsked | None:
    """Return what a query asks of its one source; None if there is nothing of it.

    Raises:
        Problem: 400, if it names no source or several, or the model, a name or the interval cannot be.
    """
    selection = query.selection
    source = one_source(selection)
    check_names(index, selection, media.sources)
    choice = choose_model(index, selection.model)
    # Labels do not say which bars there are.
    of_source = query._replace(selection=selection._replace(labels=[]))
    plan = choice and plan_chart(
        index, settings, media, choice, of_source, series=1, most_rows=settings.web_max_buckets
    )
    if choice is None or plan is None or not plan.asked.spans:
        return None
    chart = plan.reader.bars(plan.interval_s)
    # As the index does: whole intervals, by their start.
    base_ms = chart.base_interval_s * 1000
    spans = plan.asked.spans
    from_ms, to_ms = (-(-ms // base_ms) * base_ms for ms in (spans[0].from_ms, spans[-1].to_ms))
    over = [*Bars(plan.interval_s, selection.zone.tzinfo).over(from_ms, to_ms)]
    days = {
        day.day_ms
        for day in index.counted_days(choice.model)
        if day.base_interval_s == chart.base_interval_s and is_day_in_range(day.day_ms, from_ms, to_ms)
    }
    unanalysed = media.unanalysed(
        choice.model, [source], plan.asked.from_ms, plan.asked.to_ms, plan.asked.chosen
    )
    return PlacesAsked(
        choice.model,
        source,
        selection.labels,
        chart.base_interval_s,
        plan.interval_s,
        plan.interval_choices_s,
        from_ms,
        to_ms,
        [*(start_ms for start_ms, _ in over), *(end_ms for _, end_ms in over[-1:])],
        [
            answers.FlowBar(
                start_ms=one.start_ms,
                end_ms=one.end_ms,
                frames=one.frames,
                covered_ms=None if one.covered_s is None else round(one.covered_s * 1000),
                is_measured=one.objects_missing is None,
            )
            for one in chart.coverage
        ],
        None
        if unanalysed is None
        else bars_not_analysed(
            unanalysed,
            interval_s=plan.interval_s,
            zone=selection.zone.tzinfo,
            by_source=False,
            coverage=chart.coverage,
        ),
        tuple(utc_day(day_ms) for day_ms in sorted(days)),
    )


def one_source(selection: Selection) -> str:
    """Return the one source that is asked for.

    Raises:
        Problem: 400, if it is none or several.
    """
    if len(selection.sources) != 1:
        raise bad_parameter(
            "source",
            f"source stands {len(selection.sources)} times." if selection.sources else "There is no source.",
            remedy="Lines and zones are of one source: give one, such as source=gate.",
        )
    return selection.sources[0]


def holding(asked: PlacesAsked, shapes: tuple[Drawn, ...]) -> list[Any]:
    """Return the shapes that hold in some of the range, by name, then time."""
    found = [
        shape
        for shape in shapes
        if (shape.from_ms is None or shape.from_ms < asked.to_ms)
        and (shape.to_ms is None or shape.to_ms > asked.from_ms)
    ]
    return sorted(found, key=lambda shape: (shape.name, shape.from_ms or 0))


def counted_lines(asked: PlacesAsked, drawing: Drawing, *, legs: bool = False) -> list[answers.CountedLine]:
    """Return the lines that hold in some of the range, `legs`: those alone that are legs."""
    return [
        answers.CountedLine(
            name=line.name,
            to_right=line.to_right,
            to_left=line.to_left,
            inward=line.inward,
            side=line.side,
            points=[*line.points],
            width_px=line.width_px,
            height_px=line.height_px,
            from_ms=line.from_ms,
            to_ms=line.to_ms,
        )
        for line in holding(asked, drawing.lines)
        if line.inward is not None or not legs
    ]


def check_place(parameter: str, asked: list[str], shapes: tuple[Drawn, ...]) -> None:
    """Refuse names that none of the lines or zones drawn over the source has; where none is drawn, none can.

    Raises:
        Problem: 400, with those that are.
    """
    known = sorted({shape.name for shape in shapes})
    for name in asked if known else ():
        if name not in known:
            raise bad_parameter(
                parameter,
                f"There is no {parameter} {shown(name)!r} over this source.",
                remedy=f"There are: {', '.join(known[:10])}.",
                value=name,
                instead=known[:3],
            )
