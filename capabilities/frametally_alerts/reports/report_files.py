"""Makes the files of a scheduled report: `summary.txt`, `chart.png`, `counts.csv` and `counts.xlsx`."""

from __future__ import annotations

import dataclasses
import datetime
import io
import zoneinfo
from collections import defaultdict
from typing import TYPE_CHECKING, cast

from frametally.actions.parameters import Args
from frametally.actions.problems import Problem
from frametally.books.unanalysed import find_dead_letters, find_unanalysed
from frametally.errors import Misconfigured
from frametally.files.names import one_line
from frametally.ports.count_index import MAX_BUCKETS, CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress, plural
from frametally.rules.blank_stretches import BLANK_WORDS
from frametally.rules.clocks.turns import ClockTurn
from frametally.rules.known import OF_BARS
from frametally.rules.times import DAY_MS, HOUR_S, local_time
from frametally.settings.loading import Settings
from frametally_alerts.reports.due_reports import SUMMARY, span_of
from frametally_alerts.rules import ScheduledReport
from frametally_web.charts import answers, counts
from frametally_web.charts.checked_counts import applied_checks, check_words
from frametally_web.charts.media_times import MediaTimes
from frametally_web.charts.question import resolve
from frametally_web.exports.table_file import export
from frametally_web.exports.workbook import MOST_ROWS
from frametally_web.requests.query import read_chart

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.ImageFont import FreeTypeFont

_WIDTH, _HEIGHT = 1200, 560
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 90, 1180, 480
_COLOURS = ("#1f5fa8", "#d9822b", "#3a8f5c", "#a13d63", "#6b5b95", "#8c6d31", "#2a9da5", "#777777")
_WITHOUT, _INK, _GRID = "#e8e8e8", "#222222", "#cccccc"
_UNIT_OF = {number.name: number.unit for number in OF_BARS}
_TICKS = 7


def draw(chart: answers.Counts, report: ScheduledReport, turn: ClockTurn) -> bytes:
    """Return a PNG; intervals that were not filmed or not measured are grey, not bars of 0."""
    from PIL import Image, ImageDraw, ImageFont  # a list of rules and reports needs no pictures

    picture = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    large, small = (cast("FreeTypeFont", ImageFont.load_default(size)) for size in (22, 15))
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


def _legend(
    pen: ImageDraw.ImageDraw, font: FreeTypeFont, colours: dict[str, str], chart: answers.Counts
) -> None:
    entries = [(one_line(label, 24), colour) for label, colour in colours.items()]
    if len(chart.labels) > len(colours):
        entries.append(("others", _COLOURS[-1]))
    entries.append(("no footage, shows nothing, or not measured", _WITHOUT))
    left = float(_LEFT)
    pen.text((left, 52), _UNIT_OF[chart.metric], _INK, font)
    left += pen.textlength(_UNIT_OF[chart.metric], font) + 24
    for text, colour in entries:
        if left + 20 + pen.textlength(text, font) > _RIGHT:
            break
        pen.rectangle((left, 54, left + 14, 68), colour)
        pen.text((left + 20, 52), text, _INK, font)
        left += 20 + pen.textlength(text, font) + 22


_UNITS: tuple[tuple[int, str], ...] = ((HOUR_S, "h"), (60, "min"), (1, "s"))

_WAITING = "Some footage has not been analysed yet and is missing from these numbers."


def read_media(settings: Settings, store: ObjectStore, index: CountIndex, ledger: Ledger) -> MediaTimes:
    """Return the media with footage that is not counted yet. Raises `Retryable`."""
    ledger.refresh(store, NoProgress())
    unanalysed = find_unanalysed(store=store, ledger=ledger, index=index, settings=settings)
    return MediaTimes(ledger.manifests(), unanalysed, dead_letters=find_dead_letters(ledger))


def make_files(
    index: CountIndex, settings: Settings, media: MediaTimes, report: ScheduledReport, turn: ClockTurn
) -> dict[str, bytes]:
    """Return the result of `files_of`, for callers outside the web server.

    Raises:
        Misconfigured: The chart cannot be made; the message is one line.
    """
    try:
        return files_of(index, settings, media, report, turn)
    except Problem as problem:
        raise Misconfigured(f"{problem.detail} {problem.remedy}") from problem


def files_of(
    index: CountIndex, settings: Settings, media: MediaTimes, report: ScheduledReport, turn: ClockTurn
) -> dict[str, bytes]:
    """Return the files of a turn by name, with what the dashboard would show now.

    Raises:
        Problem: The chart cannot be made: a source or label is unknown, or the interval does not fit.
    """
    args = Args(
        [
            ("from", local_time(turn.from_ms, datetime.UTC).isoformat()),
            ("to", local_time(turn.to_ms, datetime.UTC).isoformat()),
            ("timezone", report.zone),
            *(("source", source) for source in report.sources),
            *(("label", label) for label in report.labels),
        ]
    )
    if report.interval_s is not None:
        args.add("interval", str(report.interval_s))
    if report.model:
        args.add("model", report.model)
    if report.by_source:
        args.add("by", "source")
    question = resolve(index, settings, media, read_chart(args, settings))
    together = dataclasses.replace(question, query=question.query._replace(by_source=False))
    chart = counts.count(together, most_rows=min(MAX_BUCKETS, MOST_ROWS))
    files = {SUMMARY: _summary(report, turn, chart, media).encode(), "chart.png": draw(chart, report, turn)}
    for name in ("csv", "xlsx"):
        with export(question, name) as file:
            files[f"counts.{name}"] = file.read()
    return files


def _summary(report: ScheduledReport, turn: ClockTurn, chart: answers.Counts, media: MediaTimes) -> str:
    """Return a summary of a few lines, which reports time without footage as such, never as 0."""
    head = f"{report.name}: {span_of(report, turn)}"
    sources_line = f"Sources: {', '.join(one_line(media.name(source)) for source in chart.sources) or 'none'}"
    waiting_lines = [_WAITING] if chart.not_analysed else []
    blank_s: defaultdict[str, float] = defaultdict(float)
    for nothing in chart.shows_nothing:
        blank_s[BLANK_WORDS[nothing.reason]] += nothing.covered_s
    if blank_s:
        parts = ", ".join(f"{_length(seconds)} {words}" for words, seconds in sorted(blank_s.items()))
        waiting_lines.append(f"Shows nothing, and is in no number: {parts}.")
    if not chart.coverage:
        return "\n".join([head, "", *(waiting_lines or ["No footage."]), sources_line, ""])
    rows = [("", "objects", "most at once", "boxes")]
    for total in chart.totals:
        objects = "not known" if total.objects is None else f"{total.objects}"
        if total.objects is None and total.measured_objects:
            objects = f"at least {total.measured_objects}"
        boxes = f"{total.detections}"
        if total.low is not None and total.high is not None:
            interval = f" ({total.low:.0f} to {total.high:.0f})"
            objects, boxes = (
                (objects + interval, boxes) if chart.metric == "objects" else (objects, boxes + interval)
            )
        rows.append((one_line(total.label or "others"), objects, f"{total.peak}", boxes))
    if len(rows) == 1:
        rows.append(("no objects", "", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    table = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(widths[column]) for column, cell in enumerate(row[1:], start=1)),
            ]
        ).rstrip()
        for row in rows
    ]
    filmed = f"{plural(chart.frames, 'frame')} analysed"
    for whole in chart.filmed:
        if whole.filmed_s is not None:
            filmed += f", {_length(whole.filmed_s)} filmed, summed over sources"
        if whole.part is not None:
            base = f"{whole.sources} x " * (whole.sources > 1) + _length(whole.asked_s)
            filmed += f" ({whole.part:.0%} of {base})"
    zone = zoneinfo.ZoneInfo(report.zone)
    check_lines = [f"In brackets: {one_line(check_words(check, zone))}" for check in applied_checks(chart)]
    return "\n".join([head, "", *table, "", filmed, *check_lines, *waiting_lines, sources_line, ""])


def _length(seconds: float) -> str:
    size_s, unit = next((unit_row for unit_row in _UNITS if seconds >= unit_row[0]), _UNITS[-1])
    return f"{seconds / size_s:.1f} {unit}"
