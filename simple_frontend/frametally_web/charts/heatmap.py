"""The answer of `/api/heatmap`: counts per hour of the week."""

from __future__ import annotations

import msgspec

from frametally.ports.count_index import CountIndex, CountQuery, WeekHour
from frametally.ports.merging import add_week_hours
from frametally.rules.objects import why_unknown
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally_web.charts import answers
from frametally_web.charts.measures import mean, of_span, seconds
from frametally_web.charts.media_times import MediaTimes, hours_not_analysed
from frametally_web.charts.scope import choose_filmed, resolve
from frametally_web.requests.problems import bad_parameter
from frametally_web.requests.query import Selection


def count_week(
    index: CountIndex, settings: Settings, media: MediaTimes, selection: Selection
) -> answers.Heatmap:
    """Return the counts per hour of the week.

    Raises:
        Problem: 400, if the model cannot be, or the stored intervals divide no hour of that time zone.
    """
    choice = choose_filmed(index, settings, media, selection)
    resolved = resolve(index, choice, selection, media) if choice else None
    base_intervals_s = (resolved.choice if resolved else choice).base_intervals_s if choice else []
    hourly = [base for base in base_intervals_s if HOUR_S % base == 0]
    if choice is not None and not hourly:
        raise bad_parameter(
            "model" if selection.base_s is None else "base",
            f"{choice.model} was counted in intervals of {', '.join(map(str, base_intervals_s))} seconds, "
            "which do not divide an hour evenly.",
            remedy="Choose another model, or count with an interval that divides an hour evenly.",
        )
    answer = answers.Heatmap(
        model=(choice and choice.model) or None,
        base_interval_s=None,
        timezone=selection.zone.name,
        hours=selection.times.hours_text,
        weekdays=[*selection.times.weekdays],
        from_ms=selection.from_ms,
        to_ms=selection.to_ms,
        frames=0,
        cells=[],
        not_analysed=[],
    )
    if choice is None or resolved is None:
        return answer
    base_s = resolved.base_of(selection, HOUR_S)
    hours: dict[int, WeekHour] = {}
    for span in resolved.spans:
        query = CountQuery(choice.model, base_s, sources=selection.sources, labels=selection.labels)
        query = of_span(query, span, selection.times)._replace(offset_ms=span.offset_ms)
        for cell in index.week_hours(query):
            hours[cell.hour] = add_week_hours(hours[cell.hour], cell) if cell.hour in hours else cell
    cells = [_cell(cell) for _, cell in sorted(hours.items())]
    unanalysed = media.unanalysed(
        choice.model, resolved.sources, resolved.from_ms, resolved.to_ms, resolved.chosen
    )
    return msgspec.structs.replace(
        answer,
        base_interval_s=base_s,
        from_ms=resolved.from_ms,
        to_ms=resolved.to_ms,
        frames=sum(cell.frames for cell in hours.values()),
        cells=cells,
        not_analysed=None
        if unanalysed is None
        else hours_not_analysed(unanalysed, zone=selection.zone.tzinfo, cells=cells),
    )


def _cell(cell: WeekHour) -> answers.WeekCell:
    missing = why_unknown(cell.objects, cell.detections, cell.tracked_detections, cell.slowest_fps)
    return answers.WeekCell(
        weekday=cell.hour // 24 + 1,
        hour=cell.hour % 24,
        frames=cell.frames,
        detections=cell.detections,
        mean_per_frame=mean(cell.detections, cell.frames),
        peak=cell.peak,
        objects=None if missing else cell.objects,
        objects_missing=missing,
        tracked_detections=cell.tracked_detections,
        followed_objects=cell.objects if missing else None,
        covered_s=seconds(cell.covered_ms),
    )
