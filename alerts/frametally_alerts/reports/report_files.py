"""The files of a scheduled report: `summary.txt`, `chart.png`, `counts.csv` and `counts.xlsx`."""

from __future__ import annotations

import datetime

from werkzeug.datastructures import MultiDict

from frametally.errors import Misconfigured
from frametally.files.names import one_line
from frametally.ports.count_index import CountIndex
from frametally.rules.clocks.turns import ClockTurn
from frametally.rules.times import HOUR_S, local_time
from frametally.settings.loading import Settings
from frametally_alerts.reports.chart_picture import draw
from frametally_alerts.reports.due_reports import SUMMARY, span_of
from frametally_alerts.scheduled_report import ScheduledReport
from frametally_web.charts import answers, counts
from frametally_web.charts.media_times import MediaTimes
from frametally_web.exports.table_file import export
from frametally_web.exports.workbook import MOST_ROWS
from frametally_web.requests.problems import Problem
from frametally_web.requests.query import read_chart

_UNITS: tuple[tuple[int, str], ...] = ((HOUR_S, "h"), (60, "min"), (1, "s"))

_WAITING = "Some was filmed, and is not analysed: it is in none of these numbers."


def make_files(
    index: CountIndex, settings: Settings, media: MediaTimes, report: ScheduledReport, turn: ClockTurn
) -> dict[str, bytes]:
    """Return what `files_of` does, for those who are no server.

    Raises:
        Misconfigured: There can be no such chart; one line.
    """
    try:
        return files_of(index, settings, media, report, turn)
    except Problem as problem:
        raise Misconfigured(f"{problem.detail} {problem.remedy}") from problem


def files_of(
    index: CountIndex, settings: Settings, media: MediaTimes, report: ScheduledReport, turn: ClockTurn
) -> dict[str, bytes]:
    """Return the files of a turn by name, as the dashboard would show it now.

    Raises:
        Problem: There can be no such chart: a source or label that nobody knows, an interval that does not
            fit.
    """
    args: MultiDict[str, str] = MultiDict(
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
    query = read_chart(args, settings)
    most_rows = min(settings.web_max_export_rows, MOST_ROWS)
    together = query._replace(by_source=False)
    chart = counts.count(index, settings, media, together, most_rows=most_rows)
    files = {SUMMARY: _summary(report, turn, chart, media).encode(), "chart.png": draw(chart, report, turn)}
    for name in ("csv", "xlsx"):
        with export(index, settings, media, query, name) as file:
            files[f"counts.{name}"] = file.read()
    return files


def _summary(report: ScheduledReport, turn: ClockTurn, chart: answers.Counts, media: MediaTimes) -> str:
    """Return in a few lines what was seen; where nothing was filmed that is said, and never 0."""
    head = f"{report.name}: {span_of(report, turn)}"
    of = f"Sources: {', '.join(one_line(media.name(source)) for source in chart.sources) or 'none'}"
    waiting = [_WAITING] if chart.not_analysed else []
    if not chart.coverage:
        return "\n".join([head, "", *(waiting or ["No footage."]), of, ""])
    rows = [("", "objects", "most at once", "boxes")]
    for total in chart.totals:
        objects = "not known" if total.objects is None else f"{total.objects}"
        rows.append((one_line(total.label or "others"), objects, f"{total.peak}", f"{total.detections}"))
    if len(rows) == 1:
        rows.append(("nothing was found", "", "", ""))
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    table = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(widths[at]) for at, cell in enumerate(row[1:], start=1))]
        ).rstrip()
        for row in rows
    ]
    filmed_s = [one.covered_s for one in chart.coverage]
    filmed = f"{chart.frames} frames analysed"
    if all(one is not None for one in filmed_s):
        filmed += f", {_length(sum(one or 0.0 for one in filmed_s))} filmed, summed over sources"
    return "\n".join([head, "", *table, "", filmed, *waiting, of, ""])


def _length(seconds: float) -> str:
    size_s, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{seconds / size_s:.1f} {unit}"
