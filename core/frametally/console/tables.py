"""Makes tables for people."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping

from rich import box
from rich.table import Table
from rich.text import Text

from frametally.console.output import out
from frametally.ports.count_index import CountIndex, CountQuery, Histogram
from frametally.process.reports import plural
from frametally.rules.times import DAY_S, HOUR_S, local_time, offset_at

_MOST_ROWS, _MOST_LABELS = 40, 8
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, HOUR_S, 7200, 10_800, 21_600, 43_200, DAY_S)


def folded_table(*columns: str) -> Table:
    """Return a table that wraps long texts."""
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_counts(
    index: CountIndex, model: str, base_interval_s: int, timezones: Mapping[str, str], usual_timezone: str
) -> None:
    """Print the counts of `model`: a row per interval, a column per label (the commonest first).

    Times are in the zone of the sources (`timezones`, by slug, or the usual one), in UTC where these differ.
    """
    labels = [label for label, _ in index.labels(model)]
    sources = index.sources(model)
    if not sources:
        out().print("No counts yet.")
        return
    span_s = (
        max(source.next_interval_ms for source in sources)
        - min(source.first_interval_ms for source in sources)
    ) // 1000
    interval_s = next(
        (
            step
            for step in _STEPS_S
            if step % base_interval_s == 0 and step >= base_interval_s and span_s <= step * _MOST_ROWS
        ),
        DAY_S,
    )
    zones = {timezones.get(source.source, usual_timezone) for source in sources}
    zone = zoneinfo.ZoneInfo("UTC" if len(zones) > 1 else min(zones))
    why_utc = "; the time zones of the sources differ" if len(zones) > 1 else ""
    offset_ms = offset_at(zone, min(source.first_interval_ms for source in sources))
    if offset_ms % (base_interval_s * 1000):
        offset_ms = 0
    histogram = index.histogram(CountQuery(model, base_interval_s, interval_s, offset_ms=offset_ms))
    together = f"{len(sources)} sources together, " if len(sources) > 1 else ""
    title = f"Detections per {interval_s} s of event time ({zone}{why_utc}), {together}model {model}"
    out().print(_counts_table(histogram, labels, title, zone))
    if len(labels) > _MOST_LABELS:
        out().print(
            f"{plural(len(labels) - _MOST_LABELS, 'more label is', 'more labels are')} in the dashboard."
        )


def _counts_table(histogram: Histogram, labels: list[str], title: str, zone: zoneinfo.ZoneInfo) -> Table:
    columns = labels[:_MOST_LABELS]
    rows = histogram.coverage[-_MOST_ROWS:]
    every = len(histogram.coverage)
    cut = f"; last {len(rows)} of {every} intervals" if len(rows) < every else ""
    table = Table(title=f"{title}{cut}", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("interval", no_wrap=True)
    table.add_column("frames", justify="right", no_wrap=True)
    for label in columns:
        table.add_column(Text(label), justify="right", no_wrap=True)
    cells = {(bucket.start_ms, bucket.label): bucket.detections for bucket in histogram.buckets}
    for row in rows:
        table.add_row(
            local_time(row.start_ms, zone).isoformat(" ").replace("+00:00", "Z"),
            f"{row.frames}",
            *(f"{cells.get((row.start_ms, label), 0)}" for label in columns),
        )
    totals = [
        sum(bucket.detections for bucket in histogram.buckets if bucket.label == label) for label in columns
    ]
    table.add_section()
    total = f"total of all {every}" if cut else "total"
    table.add_row(total, f"{sum(row.frames for row in histogram.coverage)}", *map(str, totals))
    return table
