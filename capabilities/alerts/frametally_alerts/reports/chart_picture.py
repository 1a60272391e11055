"""Draws a chart as a picture: bars by interval, stacked labels, and gaps in footage."""

from __future__ import annotations

import io
import zoneinfo
from collections import defaultdict
from typing import cast

from PIL import Image, ImageDraw, ImageFont

from frametally.files.names import one_line
from frametally.rules.clocks.turns import ClockTurn
from frametally.rules.times import DAY_MS, local_time
from frametally_alerts.reports.due_reports import span_of
from frametally_alerts.rules import ScheduledReport
from frametally_web.charts import answers

_WIDTH, _HEIGHT = 1200, 560
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 90, 1180, 480
_COLOURS = ("#1f5fa8", "#d9822b", "#3a8f5c", "#a13d63", "#6b5b95", "#8c6d31", "#2a9da5", "#777777")
_WITHOUT, _INK, _GRID = "#e8e8e8", "#222222", "#cccccc"
_MEASURES = {
    "objects": "objects",
    "detections": "boxes",
    "peak": "most at once",
    "mean_per_frame": "boxes per frame",
}
_TICKS = 7
_Font = ImageFont.FreeTypeFont


def draw(chart: answers.Counts, report: ScheduledReport, turn: ClockTurn) -> bytes:
    """Return a PNG; intervals that were not filmed or not measured are grey, not bars of 0."""
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    large, small = cast(_Font, ImageFont.load_default(22)), cast(_Font, ImageFont.load_default(15))
    pen.text((_LEFT, 20), one_line(f"{report.name}: {span_of(report, turn)}"), _INK, large)
    bar_labels = chart.labels[: len(_COLOURS) - 1 if len(chart.labels) > len(_COLOURS) else None]
    colours = dict(zip(bar_labels, _COLOURS, strict=False))
    bars, unmeasured = _bars(chart, [*colours])
    highest = max((sum(values.values()) for values in bars.values()), default=0.0) or 1.0
    span_ms = max(turn.to_ms - turn.from_ms, 1)

    def across(time_ms: int) -> float:
        offset_ms = min(max(time_ms, turn.from_ms), turn.to_ms) - turn.from_ms
        return _LEFT + (_RIGHT - _LEFT) * offset_ms / span_ms

    pen.rectangle((_LEFT, _TOP, _RIGHT, _BOTTOM), _WITHOUT)
    for interval in chart.coverage:
        if interval.start_ms in unmeasured:
            continue
        left, right = across(interval.start_ms), across(interval.end_ms)
        pen.rectangle((left, _TOP, right, _BOTTOM), "white")
        foot = float(_BOTTOM)
        gap = min(1.0, (right - left) / 8)
        for label, value in bars.get(interval.start_ms, {}).items():
            head = foot - (_BOTTOM - _TOP) * value / highest
            if value:
                pen.rectangle(
                    (left + gap, head, max(right - gap, left + gap), foot), colours.get(label, _COLOURS[-1])
                )
            foot = head
    for part in (0.0, 0.5, 1.0):
        level = _BOTTOM - (_BOTTOM - _TOP) * part
        pen.line((_LEFT, level, _RIGHT, level), _GRID)
        pen.text((_LEFT - 8, level), f"{highest * part:.3g}", _INK, small, anchor="rm")
    zone = zoneinfo.ZoneInfo(report.zone)
    style = "%H:%M" if span_ms <= 2 * DAY_MS else "%m-%d"
    for tick in range(_TICKS + 1):
        at_ms = turn.from_ms + span_ms * tick // _TICKS
        pen.text((across(at_ms), _BOTTOM + 8), f"{local_time(at_ms, zone):{style}}", _INK, small, anchor="mt")
    _legend(pen, small, colours, chart)
    if not chart.coverage:
        empty = "Filmed, not analysed" if chart.not_analysed else "No footage"
        empty = "The footage shows nothing" if chart.shows_nothing else empty
        pen.text(((_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2), empty, _INK, large, anchor="mm")
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _bars(chart: answers.Counts, bar_labels: list[str]) -> tuple[dict[int, dict[str, float]], set[int]]:
    """Return the value of each label by start (hidden labels together as ""), and the unmeasured starts."""
    bars: defaultdict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys([*bar_labels, ""], 0.0))
    unmeasured = {
        interval.start_ms
        for interval in chart.coverage
        if chart.metric == "objects" and interval.objects_missing
    }
    for bucket in chart.buckets:
        value = getattr(bucket, chart.metric)
        if value is None:
            unmeasured.add(bucket.start_ms)
        else:
            label = bucket.label if bucket.label in bar_labels else ""
            bars[bucket.start_ms][label or ""] += value
    return bars, unmeasured


def _legend(pen: ImageDraw.ImageDraw, font: _Font, colours: dict[str, str], chart: answers.Counts) -> None:
    entries = [(one_line(label, 24), colour) for label, colour in colours.items()]
    if len(chart.labels) > len(colours):
        entries.append(("others", _COLOURS[-1]))
    entries.append(("no footage, shows nothing, or not measured", _WITHOUT))
    left = float(_LEFT)
    pen.text((left, 52), _MEASURES[chart.metric], _INK, font)
    left += pen.textlength(_MEASURES[chart.metric], font) + 24
    for text, colour in entries:
        if left + 20 + pen.textlength(text, font) > _RIGHT:
            break
        pen.rectangle((left, 54, left + 14, 68), colour)
        pen.text((left + 20, 52), text, _INK, font)
        left += 20 + pen.textlength(text, font) + 22
