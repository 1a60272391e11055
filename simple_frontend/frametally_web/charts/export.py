"""A chart's numbers as a file: a row for each interval and label, with what was filmed in it."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from frametally.ports.count_index import CountIndex
from frametally.rules.times import local_time
from frametally.settings.loading import Settings
from frametally_web.charts import answers, counts
from frametally_web.charts.bars import Bars
from frametally_web.charts.media_times import MediaTimes
from frametally_web.requests.query import ChartQuery

_ABOUT = [
    "model",
    "base_interval_s",
    "interval_s",
    "timezone",
    "metric",
    "from_ms",
    "to_ms",
    "sources",
    "labels",
    "counted_with",
]
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Row(NamedTuple):
    """One row; numbers are None where nothing was filmed, or where they are not measured."""

    interval_start: datetime.datetime
    interval_end: datetime.datetime
    source: str
    label: str
    coverage: str
    frames_analysed: int
    detections: int | None
    mean_per_frame: float | None
    peak: int | None
    objects: int | None
    objects_missing: str
    time_source: str
    tracked_detections: int | None
    covered_s: float | None


def export(
    index: CountIndex, settings: Settings, media: MediaTimes, query: ChartQuery, file_format: str
) -> bytes:
    """Return the file (`csv`, `json` or `parquet`); the same bytes for the same counts.

    Raises:
        Problem: 400, by the rules of `counts.count`.
    """
    found = counts.count(index, settings, media, query, most_rows=settings.web_max_export_rows)
    rows = _rows(found, query)
    about = {name: getattr(found, name) for name in _ABOUT}
    if file_format == "json":
        return msgspec.json.encode({"query": about, "rows": [row._asdict() for row in rows]}) + b"\n"
    if file_format == "parquet":
        return _parquet(rows, about)
    return _csv(rows)


def _rows(found: answers.Counts, query: ChartQuery) -> list[Row]:
    zone = query.selection.zone.tzinfo
    buckets = {(one.start_ms, one.source, one.label): one for one in found.buckets}
    covered = {(one.start_ms, one.source): one for one in found.coverage}
    without = {(one.start_ms, one.source): "filmed, not analysed" for one in found.not_analysed or ()}
    sources: list[str | None] = [*found.sources] if query.by_source else [None]
    together = "; ".join(found.sources)
    labels = found.labels or [""]  # nothing was found: what was filmed is to be told all the same
    rows = []
    for start_ms, end_ms in _bars(found, query):
        start, end = local_time(start_ms, zone), local_time(end_ms, zone)
        for source in sources:
            here = covered.get((start_ms, source))
            of_time = _time_source(found, start_ms, end_ms, source)
            for label in labels:
                bucket = buckets.get((start_ms, source, label))
                filmed = here is not None or bucket is not None
                frames = here.frames if here else 0
                missing = bucket.objects_missing if bucket else here.objects_missing if here else None
                rows.append(
                    Row(
                        start,
                        end,
                        source or together,
                        label,
                        "footage" if filmed else without.get((start_ms, source), "no footage"),
                        frames,
                        bucket.detections if bucket else _zero(filmed),
                        bucket.mean_per_frame if bucket else (0.0 if filmed else None),
                        bucket.peak if bucket else _zero(filmed),
                        bucket.objects if bucket else _zero(filmed and not missing),
                        missing or "",
                        of_time,
                        bucket.tracked_detections if bucket else _zero(filmed and not missing),
                        here.covered_s if here else None,
                    )
                )
    return rows


def _zero(filmed: bool) -> int | None:
    return 0 if filmed else None


def _bars(found: answers.Counts, query: ChartQuery) -> Iterator[tuple[int, int]]:
    """Yield every bar of the range; where it is open, from the first that was filmed and to the last."""
    if found.interval_s is None or found.from_ms is None or found.to_ms is None:
        return
    zone, from_ms, to_ms = query.selection.zone.tzinfo, query.selection.from_ms, query.selection.to_ms
    first_ms = found.coverage[0].start_ms if found.coverage else found.to_ms
    next_ms = max((one.end_ms for one in found.coverage), default=found.to_ms)
    bars = Bars(found.interval_s, zone)
    # Bars that were filmed begin where the chart has them begin, whatever lies before.
    for start_ms, end_ms in ((from_ms, first_ms), (first_ms, next_ms), (next_ms, to_ms)):
        if start_ms is not None and end_ms is not None and start_ms < end_ms:
            yield from bars.over(start_ms, end_ms)


def _time_source(found: answers.Counts, start_ms: int, end_ms: int, source: str | None) -> str:
    for one in found.file_times or ():
        if one.from_ms < end_ms and one.to_ms > start_ms and source in (None, one.source):
            return "file_time"
    return ""


def _csv(rows: Iterable[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Row._fields)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value  # a text, whatever a spreadsheet would make of it
    return value


def _parquet(rows: list[Row], about: dict[str, Any]) -> bytes:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    moment, text = arrow.timestamp("ms", tz="UTC"), arrow.string()
    number, ratio = arrow.int64(), arrow.float64()
    types = [
        moment,
        moment,
        text,
        text,
        text,
        number,
        number,
        ratio,
        number,
        number,
        text,
        text,
        number,
        ratio,
    ]
    schema = arrow.schema(
        list(zip(Row._fields, types, strict=True)),
        metadata={b"frametally.query": msgspec.json.encode(about)},
    )
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in types]
    table = arrow.table(
        [arrow.array(column, type=kind) for column, kind in zip(columns, types, strict=True)], schema=schema
    )
    file = io.BytesIO()
    parquet.write_table(table, file, compression="zstd")
    return file.getvalue()
