"""The numbers of a count index, each by a SELECT of DuckDB over Iceberg tables, as a chart needs them."""

# ruff: noqa: S608 - what is not a value is our own text
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import duckdb

from frametally.adapters.day_cells.merging import merge_week
from frametally.ports.count_index import (
    FAST_LABELS,
    NOT_LOOKED_AT,
    WEAK_LABELS,
    BlankBucket,
    Bucket,
    CountIndex,
    CountQuery,
    CoverageBucket,
    Histogram,
    Series,
    SourceSummary,
    WeekHour,
)
from frametally.rules.known import basis_of, sum_or_unknown, why_unknown
from frametally.rules.times import HOUR_MS, MONDAY_TO_1970_MS, WEEK_MS

TABLES = (
    "counts",
    "coverage",
    "tracks",
    "place_counts",
    "place_coverage",
    "crossings",
    "zone_visits",
    "movements",
    "loads",
)
# A zone as a source has a slash for each part, and each part is escaped as in a URL.
_VIEWS = """
CREATE VIEW all_counts AS
SELECT model, interval_s, epoch_ms(interval_start) AS start_ms, source, label, detections, peak,
       followed_objects AS objects, tracked_detections AS tracked, fast_objects AS fast
FROM counts
UNION ALL
SELECT model || '~' || series, interval_s, epoch_ms(interval_start),
       source || '/' || kind || '/' || url_encode(name)
       || CASE what WHEN '' THEN '' ELSE '/' || url_encode(what) END,
       label, value, peak, followed_objects, tracked_detections, fast_objects
FROM place_counts WHERE series = 'zones';
CREATE VIEW filmed AS
SELECT model, interval_s, epoch_ms(interval_start) AS start_ms, source, frames, objects_measured AS measured,
       analysed_fps AS fps, covered_s
FROM coverage
UNION ALL
SELECT model || '~' || series, interval_s, epoch_ms(interval_start),
       source || '/' || kind || '/' || url_encode(name), frames, objects_measured, analysed_fps, covered_s
FROM place_coverage WHERE series = 'zones';
CREATE VIEW all_coverage AS
SELECT filmed.*, CASE WHEN measured THEN COALESCE(objects, 0) END AS objects,
       round(covered_s * 1000)::BIGINT AS covered_ms
FROM filmed LEFT JOIN (
  SELECT model, interval_s, start_ms, source, sum(objects) AS objects FROM all_counts GROUP BY ALL
) USING (model, interval_s, start_ms, source)
"""
_SUM = "CASE WHEN count({0}) = count(*) THEN sum({0})::BIGINT END"


def connect(store_url: str, snapshots: dict[str, int] | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB with the rows of each Iceberg table, current or as of a snapshot."""
    connection = duckdb.connect()
    import duckdb_extension_avro
    import duckdb_extension_iceberg

    for package in (duckdb_extension_avro, duckdb_extension_iceberg):
        [extension] = Path(package.__file__).parent.rglob("*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")  # DuckDB checks its signature
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES:
        place = unquote(urlsplit(store_url).path).replace("'", "''") + f"/iceberg/{table}"
        at = f", snapshot_from_id => {snapshots[table]}" if snapshots and table in snapshots else ""
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM iceberg_scan('{place}'{at})")
    connection.execute(_VIEWS)
    return connection


class IcebergIndex:
    """A `CountIndex` whose numbers are SELECTs; the rest comes from `books`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, books: CountIndex) -> None:
        self._connection = connection
        self._books = books
        self.queries = 0
        for name in ("url", "version", "check", "counted_days", "current_runs", "evidence"):
            setattr(self, name, getattr(books, name))

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        yield

    def _ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        self.queries += 1
        return self._connection.cursor().execute(query, [*values]).fetchall()

    def series(self) -> list[Series]:
        rows = self._ask(
            "SELECT model, interval_s FROM (SELECT model, interval_s, max(run_id) AS newest FROM loads "
            "WHERE NOT contains(model, '~') GROUP BY ALL) "
            "ORDER BY max(newest) OVER (PARTITION BY model) DESC, interval_s DESC"
        )
        return [Series(*row) for row in rows]

    def labels(self, model: str) -> list[tuple[str, int]]:
        return self._ask(
            "SELECT label, sum(detections)::BIGINT AS total FROM all_counts WHERE model = ? GROUP BY ALL "
            "ORDER BY total DESC, label",
            [model],
        )

    def sources(self, model: str, base_interval_s: int | None = None) -> list[SourceSummary]:
        rows = self._ask(
            "SELECT source, sum(frames)::BIGINT, min(start_ms), max(start_ms + interval_s * 1000) "
            "FROM all_coverage WHERE model = ? AND interval_s = coalesce(?, interval_s) "
            "GROUP BY ALL ORDER BY ALL",
            [model, base_interval_s],
        )
        return [SourceSummary(*row) for row in rows]

    def histogram(self, query: CountQuery) -> Histogram:
        bar_ms, offset = query.bar_s * 1000, query.offset_ms
        return self._bars(query, f"start_ms - (start_ms + {offset}) % {bar_ms}", query.model)

    def week_hours(self, query: CountQuery) -> list[WeekHour]:
        hour = f"(start_ms + {query.offset_ms + MONDAY_TO_1970_MS}) % {WEEK_MS} // {HOUR_MS}"
        bars = self._bars(query._replace(apart=(), partial_apart=True), f"({hour}) * {HOUR_MS}", query.model)
        return merge_week(bars.buckets, bars.coverage)

    def _bars(self, query: CountQuery, bar: str, model: str) -> Histogram:
        where, values = _conditions(query)
        source = "source" if query.by_source else "NULL"
        of_labels = "AND list_contains(?, label)" if query.labels else ""
        buckets = self._ask(
            f"SELECT {bar} AS bar, label AS name, sum(detections)::BIGINT, max(peak), "
            f"{_SUM.format('objects')}, {source} AS place, {_SUM.format('tracked')}, NULL, "
            f"{_SUM.format('fast')} "
            f"FROM all_counts WHERE {where} {of_labels} "
            "GROUP BY bar, name, place ORDER BY bar, name, place",
            [*values, *([[*query.labels]] if query.labels else [])],
        )
        coverage = self._ask(
            f"SELECT {bar} AS bar, sum(frames)::BIGINT, CASE WHEN count(fps) = count(*) THEN min(fps) END, "
            f"{source} AS place, {_SUM.format('objects')}, {_SUM.format('covered_ms')} "
            f"FROM all_coverage WHERE {where} GROUP BY bar, place ORDER BY bar, place",
            values,
        )
        not_looked_at = self._ask(
            f"SELECT {bar} AS bar, '{NOT_LOOKED_AT}', sum(frames)::BIGINT, "
            f"sum(coalesce(covered_ms, 0))::BIGINT, {source} AS place "
            f"FROM all_coverage WHERE {where} GROUP BY bar, place ORDER BY bar, place",
            values,
        )
        return Histogram(
            model,
            query.base_interval_s,
            _together([Bucket(*row) for row in buckets], query),
            [CoverageBucket(*row) for row in coverage],
            [BlankBucket(*row) for row in not_looked_at],
        )


def _together(bars: list[Bucket], query: CountQuery) -> list[Bucket]:
    """Return bars with the query's labels combined, weak ones separately."""
    if query.apart is None:
        return bars
    sums: dict[Any, Bucket] = {}
    for bar in bars:
        label = bar.label
        if label not in query.apart:
            missing = why_unknown("objects", basis_of(bar)) if query.partial_apart else None
            label = {"too_weak": WEAK_LABELS, "too_fast": FAST_LABELS}.get(missing or "", "")
        place = bar.start_ms, label, bar.source
        first = sums.get(
            place,
            bar._replace(label=label, detections=0, peak=0, objects=0, tracked_detections=0, fast_objects=0),
        )
        sums[place] = first._replace(
            detections=first.detections + bar.detections,
            peak=max(first.peak, bar.peak),
            objects=sum_or_unknown(first.objects, bar.objects),
            tracked_detections=sum_or_unknown(first.tracked_detections, bar.tracked_detections),
            fast_objects=sum_or_unknown(first.fast_objects, bar.fast_objects),
        )
    return sorted(sums.values(), key=lambda bar: (bar.start_ms, bar.label, bar.source or ""))


def _conditions(query: CountQuery) -> tuple[str, list[Any]]:
    conditions, values = ["model = ?", "interval_s = ?"], [query.model, query.base_interval_s]
    if query.sources:
        conditions.append("list_contains(?, source)")
        values.append([*query.sources])
    if query.from_ms is not None:
        conditions.append("start_ms >= ?")
        values.append(query.from_ms)
    if query.to_ms is not None:
        conditions.append("start_ms < ?")
        values.append(query.to_ms)
    if query.week_parts:
        of_week = f"(start_ms + {MONDAY_TO_1970_MS}) % {WEEK_MS}"
        parts = (f"{of_week} >= {from_ms} AND {of_week} < {to_ms}" for from_ms, to_ms in query.week_parts)
        conditions.append(f"({' OR '.join(parts)})")
    if query.measured_only:
        conditions.append(
            f"(source, start_ms // {HOUR_MS}) NOT IN (SELECT (source, start_ms // {HOUR_MS}) "
            "FROM all_coverage WHERE model = ? AND interval_s = ? AND NOT measured)"
        )
        values += [query.model, query.base_interval_s]
    return " AND ".join(conditions), values
